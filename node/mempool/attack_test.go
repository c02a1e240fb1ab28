package mempool

import (
	"testing"

	"waybill/consensus/quorum"
)

// TestEvidenceIsNotCrowdedOut: proofs cost nothing, and an offender can make them without end. Those against one must not
// keep out the proof against an accomplice: nobody would send that again.
func TestEvidenceIsNotCrowdedOut(t *testing.T) {
	p := New(DefaultLimits())
	for view := range quorum.View(3 * maxEvidence) {
		_ = p.Add(verified(t, offenceOf(t, 1, view+1)))
	}
	if n := len(p.Evidence()); n != maxProofsOfOne {
		t.Errorf("%d proofs against one", n)
	}
	proof := offenceOf(t, 2, 1)
	if err := p.Add(verified(t, proof)); err != nil || !p.Has(proof.ID()) {
		t.Fatalf("refused: %v", err)
	}
	// Place is free again when they are in a block.
	for _, tx := range p.Evidence() {
		p.remove(tx.ID())
	}
	if err := p.Add(verified(t, offenceOf(t, 1, 1))); err != nil {
		t.Fatal(err)
	}
}
