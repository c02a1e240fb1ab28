package provenance

import (
	"fmt"
	"testing"

	"waybill/consensus/quorum"
	"waybill/epcis"
)

// history is an item with 200 events of its own and of what it was made of and packed in, each in a block of its own and
// with 20 blocks between them, over five epochs of four validators.
func history(t testing.TB) (*world, quorum.Height) {
	w := newWorld(t, "history", 900)
	w.tell()
	for i := 24; i < 200; i++ {
		w.idle(20)
		w.block(w.capture("Shop", w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, BizStep: "inspecting", EPCs: []string{box1},
			Disposition: fmt.Sprint("urn:example:look:", i)})))
	}
	w.idle(3)
	h := w.freeze()
	w.idle(3)
	return w, h
}

func BenchmarkMake(b *testing.B) {
	w, h := history(b)
	var size int
	for b.Loop() {
		size = len(w.make(h, Request{ID: box1, Depth: 10}))
	}
	b.ReportMetric(float64(size), "bytes")
}

func BenchmarkVerify(b *testing.B) {
	w, h := history(b)
	data := w.make(h, Request{ID: box1, Depth: 10})
	for b.Loop() {
		r, err := Verify(data, Trust{Genesis: w.genesis})
		if err != nil || !r.Complete || r.Proofs.Events != 200 {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Proofs.Signatures), "signatures")
	}
}

// BenchmarkVerifyKnownSignatures is BenchmarkVerify without the checking of signatures, which is most of it.
func BenchmarkVerifyKnownSignatures(b *testing.B) {
	w, h := history(b)
	data := w.make(h, Request{ID: box1, Depth: 10})
	trust := Trust{Genesis: w.genesis, checker: newMemo()}
	for b.Loop() {
		if _, err := Verify(data, trust); err != nil {
			b.Fatal(err)
		}
	}
}
