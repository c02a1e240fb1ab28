package provenance

import (
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// The things of the story.
const (
	lotA   = "urn:epc:class:lgtin:9521321.010001.A1"
	lotB   = "urn:epc:class:lgtin:9521321.010001.B1"
	salad  = "urn:epc:class:lgtin:9521322.010002.C1"
	box1   = "urn:epc:id:sgtin:9521322.010002.1"
	box2   = "urn:epc:id:sgtin:9521322.010002.2"
	other  = "urn:epc:id:sgtin:9521322.010002.99"
	crate  = "urn:epc:id:sscc:9521321.0000000001"
	case1  = "urn:epc:id:sscc:9521322.0000000001"
	pallet = "urn:epc:id:sscc:9521322.0000000002"
)

func party(name string) epcis.TypedRef {
	id := map[string]string{"Farm": "9521321", "Plant": "9521322", "Shop": "9521323"}[name]
	return epcis.TypedRef{Type: "possessing_party", ID: "urn:epc:id:pgln:" + id + ".00000"}
}

func kilos(class string, n int64) []epcis.Quantity {
	d, err := epcis.NewDecimal(n, 0)
	if err != nil {
		panic(err)
	}
	return []epcis.Quantity{{Class: class, Quantity: &d, UOM: "KGM"}}
}

func at(id string) *epcis.Location { return &epcis.Location{ID: id} }

// tell grows and makes salad: two lots of a farm go to a plant in a crate, and in two events of one transformation become a
// lot and two boxes, which reach a shop in a case on a pallet. One event is declared an error. It takes 15 blocks.
func (w *world) tell() {
	field, hall := at("urn:epc:id:sgln:9521321.00001.0"), at("urn:epc:id:sgln:9521322.00001.0")
	w.block(w.capture("Farm",
		w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionAdd, BizStep: "commissioning", Quantities: append(kilos(lotA, 100), kilos(lotB, 50)...), ReadPoint: field,
			CertificationInfo: []string{"https://organic.example/certificates/77"}})))
	w.block(w.capture("Farm",
		w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionAdd, BizStep: "packing", ParentID: crate, ChildQuantities: kilos(lotA, 100)})))
	w.block(w.capture("Farm",
		w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, BizStep: "shipping", EPCs: []string{crate}, Quantities: kilos(lotB, 50), Destinations: []epcis.TypedRef{party("Plant")}})))
	w.block(w.capture("Plant",
		w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, BizStep: "receiving", EPCs: []string{crate}, Quantities: kilos(lotB, 50), ReadPoint: hall})))
	w.block(w.capture("Plant",
		w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionDelete, BizStep: "unpacking", ParentID: crate})))
	w.block(w.capture("Plant",
		w.event(epcis.Event{Type: epcis.TransformationEvent, BizStep: "creating_class_instance", TransformationID: "urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427", InputQuantities: kilos(lotA, 60), OutputQuantities: kilos(salad, 80), BizLocation: hall})))
	w.block(w.capture("Plant",
		w.event(epcis.Event{Type: epcis.TransformationEvent, BizStep: "creating_class_instance", TransformationID: "urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427", InputQuantities: kilos(lotB, 50), OutputEPCs: []string{box1, box2}, BizLocation: hall})),
		w.capture("Plant", w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionAdd, BizStep: "commissioning", EPCs: []string{other}})))
	wrong := w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, BizStep: "inspecting", EPCs: []string{box1, box2}, BizLocation: hall})
	w.block(w.capture("Plant", wrong))
	w.block(w.capture("Plant",
		w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionAdd, BizStep: "packing", ParentID: case1, ChildEPCs: []string{box1, box2, other}}),
		w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionAdd, BizStep: "packing", ParentID: pallet, ChildEPCs: []string{case1}})))
	declared := *wrong
	declared.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(w.tip().TimeMs), Reason: "incorrect_data"}
	w.block(w.capture("Plant", &declared))
	w.block(w.capture("Plant",
		w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, BizStep: "shipping", EPCs: []string{pallet}, Destinations: []epcis.TypedRef{party("Shop")}})))
	w.block(w.capture("Shop",
		w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, BizStep: "receiving", EPCs: []string{pallet}, ReadPoint: at("urn:epc:id:sgln:9521323.00001.0")})))
	w.block(w.capture("Shop",
		w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionDelete, BizStep: "unpacking", ParentID: pallet, ChildEPCs: []string{case1}})))
	w.block(w.capture("Shop",
		w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionDelete, BizStep: "unpacking", ParentID: case1})))
	w.block(w.capture("Shop",
		w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, BizStep: "stocking", EPCs: []string{box1}, Disposition: "sellable_accessible"})))
}

// told is the story, frozen at its end and somewhere in the middle, with blocks above.
func told(t testing.TB) (*world, quorum.Height) {
	t.Helper()
	w := newWorld(t, "salad", 6)
	w.tell()
	w.idle(3)
	h := w.freeze()
	w.idle(4)
	return w, h
}

// notice puts a notice over a thing into the state, with the next block.
func (w *world) notice(id byte, typ ledger.NoticeType, subject string, released quorum.Height) {
	w.t.Helper()
	put := func(key []byte, v any) {
		data, err := crypto.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		w.extra = append(w.extra, ledger.Write{Key: key, Value: data})
	}
	subject = ledger.CanonicalID(subject)
	rec := ledger.NoticeRecord{ID: crypto.Hash{id}, Type: typ, Issuer: testKey("Farm").Address(), Authority: ledger.AsHolder, Subjects: []string{subject},
		Reason: "glass splinters", Height: w.tip().Height + 1, TimeMs: w.tip().TimeMs + 60_000, ReleasedAt: released}
	open := uint64(1)
	if released > 0 {
		rec.Released, open = crypto.Hash{9}, 0
	}
	put(ledger.NoticesKey(), &ledger.Notices{Open: open})
	put(ledger.NoticeKey(rec.ID), &rec)
	put(ledger.HoldKey(subject), &ledger.Hold{Notices: []crypto.Hash{rec.ID}})
	w.block()
}

// commissioned commissions an item.
func commissioned(id string) epcis.Event {
	return epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionAdd, BizStep: "commissioning", EPCs: []string{id}}
}
