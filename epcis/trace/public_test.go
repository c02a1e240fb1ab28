package trace

import (
	"os"
	"path/filepath"
	"testing"

	"waybill/epcis"
)

// publicWorld reads a published document; without the folder of public data beside the repository the test is skipped.
func publicWorld(t *testing.T, name string) *world {
	t.Helper()
	dir := os.Getenv("WAYBILL_DATA")
	if dir == "" {
		at, err := filepath.Abs(".")
		if err != nil {
			t.Fatal(err)
		}
		for ; at != filepath.Dir(at); at = filepath.Dir(at) {
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				break
			}
		}
		dir = filepath.Join(at, "..", "shared", "data")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skip("the public test data is not here")
	}
	d, err := epcis.ParseDocument(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	w := newWorld(t)
	for _, e := range d.Events {
		w.add(e)
	}
	return w
}

// The published chains are traced whole.
func TestPublishedChains(t *testing.T) {
	const tuna = "urn:gdst:example.org:product:lot:class:"
	ancestors := []string{
		tuna + "processor.10u.commingle-01232022", tuna + "fishfarm.1u.farmed-tuna-01192022", tuna + "fisherman01.tunau.v1-0122-2022",
		tuna + "feedmill.1u.ff11252021", tuna + "hatchery.1u.tf12012021",
	}
	w := publicWorld(t, "gdst/traceback_tests.jsonld")
	loins, carton, pallet := tuna+"processor.2u.v1-0122-2022", "urn:epc:id:sscc:08600031303.0004", "urn:epc:id:sscc:08600031303.0005"
	g := w.back(loins)
	wantItems(t, g, lineage, ancestors...)
	wantItems(t, g, carrier, carton, pallet)
	wantItems(t, w.back(pallet), lineage, append(ancestors, loins, carton)...)
	wantItems(t, w.forward(tuna+"hatchery.1u.tf12012021"), lineage, tuna+"fishfarm.1u.farmed-tuna-01192022", tuna+"processor.10u.commingle-01232022", loins)
	// More went into the tank than was caught, and the trace says so.
	if n := g.Node(tuna + "fisherman01.tunau.v1-0122-2022"); !n.Unbalanced {
		t.Errorf("10,000 kg of 9,876 kg went in: %+v", n.Holdings)
	}

	battery, controller := "https://id.gs1.org/01/09521234002000/21/STAX10-2026-000001", "https://id.gs1.org/8004/95212340BMS26001"
	w = publicWorld(t, "eu/battery__amperia-staxwall-lifecycle.jsonld")
	g = w.back(battery)
	wantItems(t, g, lineage, controller, "https://id.gs1.org/01/09521234007005", "https://id.gs1.org/01/09521234002000/10/LOT-2026-AMP01")
	if len(g.Node(battery).Events) != 9 {
		t.Errorf("the battery has %d events, want 9", len(g.Node(battery).Events))
	}
	if n := g.Node(battery); n.Status != StatusOnHand { // nobody recorded its arrival, somebody its installation
		t.Errorf("the battery is %s", n.Status)
	}
	wantItems(t, w.forward(controller), lineage, battery)

	jacket := "https://id.gs1.org/01/09521234003007/21/AUR-2026-000001"
	w = publicWorld(t, "eu/textile__fjordline-aurora-lifecycle.jsonld")
	fibre := []string{
		"https://id.gs1.org/01/09521234008033/10/LAMINATE-2026-041", "https://id.gs1.org/01/09521234008026/10/GREIGE-2026-031",
		"https://id.gs1.org/01/09521234008019/10/YARN-2026-021", "https://id.gs1.org/01/09521234008002/10/RPET-2026-011",
	}
	wantItems(t, w.back(jacket), lineage, append(fibre, "https://id.gs1.org/01/09521234003007/10/LOT-2026-FJ03")...)
	wantItems(t, w.forward(fibre[3]), lineage, jacket, fibre[0], fibre[1], fibre[2])
}
