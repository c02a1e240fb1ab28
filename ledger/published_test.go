package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waybill/epcis"
)

// dataDir finds the public test data beside the repository; the test is skipped where it is absent.
func dataDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("WAYBILL_DATA")
	if dir == "" {
		for root := "."; ; root = filepath.Join(root, "..") {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				dir = filepath.Join(root, "..", "shared", "data")
				break
			}
			if abs, _ := filepath.Abs(root); abs == "/" {
				break
			}
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no public test data; set WAYBILL_DATA")
	}
	return dir
}

func readDocument(t testing.TB, path string) []*epcis.Event {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := epcis.ParseDocument(data)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return doc.Events
}

// TestPublishedChainsAreAdopted captures whole published chains with one account, as who tries the software out does: in
// an adopt network nothing of them is refused, and their goods end up somewhere.
func TestPublishedChainsAreAdopted(t *testing.T) {
	dir := dataDir(t)
	for name, last := range map[string]string{
		"gdst/traceback_tests.jsonld":                   "lot urn:gdst:example.org:product:lot:class:processor.2u.v1-0122-2022",
		"eu/battery__amperia-staxwall-lifecycle.jsonld": "item https://id.gs1.org/01/09521234002000/21/STAX10-2026-000001",
		"eu/textile__fjordline-aurora-lifecycle.jsonld": "item https://id.gs1.org/01/09521234003007/21/AUR-2026-000001",
		"fsma204/initial-packing-cte.jsonld":            "lot https://id.gs1.org/01/10860009999920/10/ABC1234",
		"fsma204/receiving-cte.jsonld":                  "lot https://id.gs1.org/01/10860009999920/10/ABC1234",
	} {
		t.Run(name, func(t *testing.T) {
			n := newNet(t, testGenesis(AdoptParams(), "Importer"))
			n.timeMs = 1_790_000_000_000 // after all of them
			for i, e := range readDocument(t, filepath.Join(dir, name)) {
				r := n.one(n.tx("Importer", capture(t, Rollback, e)))
				if !r.OK() {
					t.Errorf("event %d: %s", i, r.Finding)
				}
				for _, f := range r.Flags {
					t.Logf("event %d: %s", i, f)
				}
			}
			kind, id, _ := strings.Cut(last, " ")
			me := keyOf("Importer").Address()
			switch kind {
			case "item":
				item, err := ReadItem(n.view, id)
				if err != nil || item == nil || item.Custodian != me || item.Made != 1 {
					t.Errorf("%s: %+v, %v", id, item, err)
				}
			case "lot":
				lot, err := ReadLot(n.view, id)
				if err != nil || lot == nil || lot.Made != 1 {
					t.Errorf("%s: %+v, %v", id, lot, err)
				}
			}
		})
	}
}

// TestPublishedDocumentsNeverFail captures every published document in both kinds of networks. Whatever is in them, the
// ledger answers with a receipt that a person can read, and never with an internal fault.
func TestPublishedDocumentsNeverFail(t *testing.T) {
	dir := dataDir(t)
	var files []string
	for _, sub := range []string{"capture", "query", "gdst", "eu", "fsma204", "hash", "bulk"} {
		found, err := filepath.Glob(filepath.Join(dir, sub, "*.json*"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	accepted, refused := 0, 0
	for _, p := range []Params{DefaultParams(), AdoptParams()} {
		n := newNet(t, testGenesis(p, "Importer"))
		n.timeMs = 1_790_000_000_000
		n.must(n.tx("Importer", &RegisterOrganisation{Name: "Importer"}))
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := epcis.ParseDocument(data)
			if err != nil {
				continue
			}
			for i, e := range doc.Events {
				c := capture(t, Proceed, e)
				if len(c.Events[0]) > int(p.MaxTxBytes)/2 {
					continue
				}
				r := n.one(n.tx("Importer", c))
				if r.Code == CodeInternal {
					t.Errorf("%s event %d: %s", f, i, r.Finding)
				}
				if r.OK() {
					accepted++
				} else {
					refused++
				}
			}
		}
	}
	if accepted < 100 || refused < 100 {
		t.Errorf("%d accepted, %d refused: the documents were not really tried", accepted, refused)
	}
}
