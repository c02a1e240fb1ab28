package journal

import (
	"errors"
	"testing"

	"waybill/consensus/quorum"
	"waybill/node/signer"
)

// TestJournalLostAfterPowerCut: the power went, and with it what the signer's file had not synced; then the ledger's
// folder, in which the journal is, was removed or lost. The file alone is too low, and must not be believed.
func TestJournalLostAfterPowerCut(t *testing.T) {
	n := newNetwork(t, mac{})
	disk := newMemory()
	cfg := n.config(0)
	j, _ := mustOpen(t, disk, cfg)
	for v := range quorum.View(10) {
		if signed, _, err := j.Sign([]quorum.Vote{vote(quorum.KindNullify, v+1, "")}, nil); err != nil || len(signed) != 1 {
			t.Fatal(signed, err)
		}
	}
	cut := disk.crashSigner(disk.unsynced(), lost)
	wiped := newMemory()
	wiped.slots = cut.slots.crash(kept)
	if j, _, err := open(wiped, n.config(0)); !errors.Is(err, signer.ErrOldJournal) {
		if err == nil {
			if signed, _, err := j.Sign([]quorum.Vote{vote(quorum.KindNotarize, 7, "A")}, nil); err == nil && len(signed) == 1 {
				t.Log("view 7 is notarized now and was nullified before")
			}
		}
		t.Fatalf("an empty journal is believed beside a file that was not closed: %v", err)
	}
	// With its journal it goes on at once.
	j, _ = mustOpen(t, cut, n.config(0))
	if _, ok := signOne(t, j, vote(quorum.KindNullify, 11, "")); !ok {
		t.Fatal("refused")
	}
}
