package node

import (
	"context"
	"errors"
	"testing"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// TestStateAsOf anchors documents through a running network, lists them, and asks for the state after every height.
func TestStateAsOf(t *testing.T) {
	c := newCluster(t, 10)
	c.start(0)
	ctx, b := context.Background(), c.backend(0)
	poor := testKey("poor").Public().Address()
	var heights []quorum.Height
	for salt := range byte(4) {
		heights = append(heights, c.wait(0, c.transfer(0, salt)).Height)
	}
	for i, h := range heights {
		r, err := b.At(ctx, &h)
		if err != nil {
			t.Fatal(err)
		}
		account, err := ledger.ReadAccount(r, poor)
		if err != nil || account.Balance != 5*uint64(i+1) || r.Height() != h {
			t.Errorf("after block %d: %+v, %v, height %d", h, account, err, r.Height())
		}
		if keys, err := r.Keys(ctx, ledger.AccountKey(poor), nil, 5); err != nil || len(keys) != 1 {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		if list, err := r.List(ctx, ledger.ListNotices, "", nil, 5); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
		r.Close()
	}
	above := heights[3] + 1000
	if _, err := b.At(ctx, &above); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("above the tip: %v", err)
	}
	if _, err := b.ProveState(ctx, ledger.AccountKey(poor), &above); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a proof above the tip: %v", err)
	}
}

// TestPrunedStateSaysWhatIsKept: 410 with the oldest height, for reads and for proofs.
func TestPrunedStateSaysWhatIsKept(t *testing.T) {
	c := newCluster(t, 10)
	c.change = func(s *Settings) { s.History = 16 }
	c.start(0)
	ctx, b := context.Background(), c.backend(0)
	var tip quorum.Height
	for salt := byte(0); tip < 24; salt++ {
		tip = c.wait(0, c.transfer(0, salt)).Height
	}
	low := quorum.Height(1)
	for name, read := range map[string]func() error{
		"state": func() error { _, err := b.At(ctx, &low); return err },
		"proof": func() error { _, err := b.ProveState(ctx, ledger.AccountKey(crypto.Address{}), &low); return err },
	} {
		var pruned *api.PrunedError
		if err := read(); !errors.As(err, &pruned) || pruned.Height != low || pruned.Oldest < tip-16 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
