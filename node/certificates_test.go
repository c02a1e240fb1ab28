package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/ledger/store"
)

// fakeHeights is a ledger whose tip rises by what follows, one at a time, each time that somebody waits for it.
type fakeHeights struct {
	tip, provable quorum.Height
	carries       map[quorum.Height]bool
	follows       [][2]quorum.Height // tip and provable
}

func (f *fakeHeights) Tip() store.Tip { return store.Tip{Height: f.tip} }

func (f *fakeHeights) ProvableHeight() (quorum.Height, error) { return f.provable, nil }

func (f *fakeHeights) Header(h quorum.Height) (quorum.Header, error) {
	header := quorum.Header{Height: h}
	if f.carries[h] {
		header.TxCount = 1
	}
	return header, nil
}

func (f *fakeHeights) WaitFor(ctx context.Context, h quorum.Height) error {
	for f.tip < h {
		if len(f.follows) == 0 {
			<-ctx.Done()
			return ctx.Err()
		}
		f.tip, f.provable, f.follows = f.follows[0][0], f.follows[0][1], f.follows[1:]
	}
	return nil
}

// A certificate is of no older state than that which was final when it was asked for; empty blocks change nothing.
func TestNewestProvable(t *testing.T) {
	for name, tc := range map[string]struct {
		ledger fakeHeights
		want   quorum.Height // 0: *api.NotProvenError
	}{
		"an idle chain":           {fakeHeights{tip: 12, provable: 10, carries: map[quorum.Height]bool{10: true}}, 10},
		"the tip is not proven":   {fakeHeights{tip: 10, provable: 8, carries: map[quorum.Height]bool{10: true}, follows: [][2]quorum.Height{{11, 9}, {12, 10}, {13, 11}}}, 10},
		"nor one below it":        {fakeHeights{tip: 11, provable: 8, carries: map[quorum.Height]bool{10: true}, follows: [][2]quorum.Height{{12, 9}, {13, 11}}}, 11},
		"later ones do not count": {fakeHeights{tip: 10, provable: 8, carries: map[quorum.Height]bool{10: true, 11: true, 12: true}, follows: [][2]quorum.Height{{12, 10}}}, 10},
		"no block follows":        {fakeHeights{tip: 10, provable: 8, carries: map[quorum.Height]bool{9: true}, follows: [][2]quorum.Height{{11, 8}}}, 0},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		h, err := newestProvable(ctx, &tc.ledger)
		cancel()
		var late *api.NotProvenError
		switch {
		case tc.want > 0 && (err != nil || h != tc.want):
			t.Errorf("%s: block %d, %v; want %d", name, h, err, tc.want)
		case tc.want == 0 && (!errors.As(err, &late) || late.Tip != 9 || late.Provable != 8 || !errors.Is(err, api.ErrNotProven)):
			t.Errorf("%s: block %d, %v", name, h, err)
		}
	}
}

// Right after a transaction is final, a running network proves a state that has it.
func TestProvableAfterFinal(t *testing.T) {
	c := newCluster(t, 10)
	c.start(0)
	b := c.backend(0)
	for salt := range byte(3) {
		at := c.wait(0, c.transfer(0, salt)).Height
		h, err := newestProvable(t.Context(), b.n.store)
		if err != nil || h < at {
			t.Errorf("final in block %d, provable is %d: %v", at, h, err)
		}
		item := fmt.Sprintf("urn:epc:id:sgtin:9521001.010001.N%d", salt)
		if _, err := b.Certificate(t.Context(), api.CertificateRequest{Item: item, Depth: -1}); !errors.Is(err, api.ErrNotFound) || !strings.Contains(err.Error(), "the state is that after block ") {
			t.Errorf("of what is not there: %v", err)
		}
	}
}
