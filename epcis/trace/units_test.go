package trace

import (
	"testing"
)

// What is recorded in kilograms by one party and in pounds by the next is one stock.
func TestKilogramsAndPoundsAreOneStock(t *testing.T) {
	w := newWorld(t)
	w.by("Farm A").born(fieldA, farmA+"=100KGM")
	w.born(fieldA, farmA+"=0.1TNE")
	w.ship("", coolerCo, fieldA, farmA+"=100LBR")
	w.by("Cooler").receive("", coolerCo, coolerDock, farmA+"=45359.237GRM")
	n := w.forward(farmA).Node(Key(farmA))
	if n.Unbalanced || len(n.Holdings) != 2 {
		t.Fatalf("unbalanced %t, holdings %+v", n.Unbalanced, n.Holdings)
	}
	for _, h := range n.Holdings {
		if want := map[string]string{"100": "LBR", "154.640763": "KGM"}; want[h.Quantity] != h.UOM {
			t.Errorf("%s %s is %s", h.Quantity, h.UOM, h.Status)
		}
	}
}

// Pounds are taken out of a pallet of kilograms, and grams of a lot that is counted in pieces are not.
func TestPackingInOtherUnits(t *testing.T) {
	w := newWorld(t)
	w.born(packhouse, packed+"=20KGM")
	w.pack(packhouse, pallet1, packed+"=10KGM", packed+"=10000GRM")
	w.unpack(packhouse, pallet1, packed+"=10LBR")
	g := w.forward(packed)
	for _, e := range g.Edges {
		if e.Kind == EdgePacked && (e.Quantity != "20" || e.UOM != "KGM" || e.EndMs != 0) {
			t.Errorf("packed %s %s until %d", e.Quantity, e.UOM, e.EndMs)
		}
	}
	w.unpack(packhouse, pallet1, packed+"=15464.0763GRM")
	for _, e := range w.forward(packed).Edges {
		if e.Kind == EdgePacked && e.EndMs == 0 {
			t.Error("everything was taken out and the packing has no end")
		}
	}

	w = newWorld(t)
	w.born(packhouse, salad+"=10")
	w.ship("", coolerCo, packhouse, salad+"=10KGM")
	if n := w.forward(salad).Node(Key(salad)); !n.Unbalanced {
		t.Errorf("kilograms came out of pieces: %+v", n.Holdings)
	}
}
