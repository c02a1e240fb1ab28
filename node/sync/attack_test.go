package sync

import (
	"context"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/ledger/snapshot"
	"waybill/ledger/store"
)

// TestOffersAreBounded: one state can be cut into any number of snapshots, all of them certified, with manifests of
// megabytes. Few are remembered, and strangers' do not keep validators' out.
func TestOffersAreBounded(t *testing.T) {
	w := theWorld()
	cut := func(target uint32) *shot {
		lib, err := snapshot.OpenLibrary(vfs.NewMem(), "s")
		if err != nil {
			t.Fatal(err)
		}
		lib.Target = target
		honest := w.shots[31]
		stored, err := lib.Create(context.Background(), stateSource(w.states[31]), honest.manifest.Headers, honest.proof, nil)
		if err != nil {
			t.Fatal(err)
		}
		return &shot{manifest: stored.Manifest, proof: honest.proof, hash: stored.Hash}
	}
	validators := []string{"validator 0", "validator 1"}
	epochs := w.epochs()
	for e := epochs.Last(); ; e++ {
		h, err := w.Handover(e)
		if err != nil {
			break
		}
		if err := epochs.Follow(h); err != nil {
			t.Fatal(err)
		}
	}
	f := NewStateFetcher(StateConfig{Epochs: epochs, Validators: validators})
	shots := map[string]*shot{}
	most := 0
	round := func(now int64) {
		for _, r := range f.Next(now) {
			if r.Kind == AskSnapshot {
				x := shots[r.Peer]
				if _, err := f.Answer(now, r.Peer, r.Kind, EncodeSnapshot(x.manifest, x.proof)); err != nil {
					t.Fatal(err)
				}
			}
			most = max(most, len(f.offers))
		}
	}
	f.Connect("silent") // the fetcher waits for its answer before it chooses
	if r := f.Next(0); len(r) != 1 {
		t.Fatalf("%+v", r)
	}
	for i := range 3 * maxOffers {
		name := fmt.Sprint("stranger ", i)
		shots[name] = cut(2048 + uint32(i))
		f.Connect(name)
	}
	for now := range int64(10) {
		round(now)
	}
	if most != maxOffers {
		t.Fatalf("%d offers were remembered, the bound is %d", most, maxOffers)
	}
	shots[validators[0]], shots[validators[1]] = w.shots[31], w.shots[31]
	for _, v := range validators {
		f.Connect(v)
	}
	for now := int64(10); now < 20; now++ {
		round(now)
	}
	for _, v := range validators {
		if p := f.peers[v]; p.offer == nil || p.offer.hash != w.shots[31].hash {
			t.Errorf("the offer of %s is not remembered", v)
		}
	}
	if most > maxOffers {
		t.Errorf("%d offers were remembered", most)
	}
}

// forger is a peer with the keys of the first validators, who have long left: its history parts from the real one at the
// end of epoch 0 and verifies as well.
type forger struct {
	served
	forged store.Handover
}

// Handover implements StateSource.
func (x forger) Handover(e quorum.Epoch) (store.Handover, error) {
	if e == 0 {
		return x.forged, nil
	}
	return store.Handover{}, errNot
}

// TestOldKeysDoNotHideTheRealHistory: a forged history that comes first, before the operator's checkpoint is reached,
// neither wins nor makes those who show the real one look like liars.
func TestOldKeysDoNotHideTheRealHistory(t *testing.T) {
	w := theWorld()
	closing := w.headers[worldEpoch]
	other := w.set(5)
	closing.NextValidatorSet = other.Hash()
	liar := forger{served{w, []*shot{w.shots[31]}}, store.Handover{Closing: closing, Certificate: *w.certify(w.sets[0], closing), Next: other}}
	at := &snapshot.Checkpoint{Epoch: 3, Anchor: w.headers[3*worldEpoch].Hash()}
	epochs := snapshot.EpochsFrom(w.headers[0], w.sets[0], snapshot.Trust{Checkpoint: at}, mac{})
	f := NewStateFetcher(StateConfig{Epochs: epochs})
	sources := map[string]StateSource{}
	for i := range 4 {
		sources[fmt.Sprint("a liar ", i)] = liar
	}
	answer := func(now int64) {
		for _, r := range f.Next(now) {
			_, err := f.Answer(now, r.Peer, r.Kind, ServeState(sources[r.Peer], r)) // a liar's answers may be refused
			if _, lies := sources[r.Peer].(forger); err != nil && !lies {
				t.Fatalf("%s is refused: %v", r.Peer, err)
			}
		}
	}
	for i := range 4 {
		f.Connect(fmt.Sprint("a liar ", i))
	}
	for now := int64(0); now < 5_000; now += 100 {
		answer(now)
	}
	sources["honest"] = served{w, []*shot{w.shots[31]}}
	f.Connect("honest")
	for now := int64(5_000); now < 60_000 && !f.Done(); now += 100 {
		answer(now)
	}
	if !f.Done() || epochs.Last() < 3 || len(epochs.Handovers()) < 3 || epochs.Handovers()[0].Closing != w.headers[worldEpoch] {
		t.Fatalf("done %t, epoch %d", f.Done(), epochs.Last())
	}
}
