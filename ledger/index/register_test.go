package index

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// registered is a state of random records that open and close, and the register beside it.
type registered struct {
	t     *testing.T
	db    *pebble.DB
	rng   *rand.Rand
	state map[string][]byte
	h     quorum.Height
}

func newRegistered(t *testing.T, seed uint64) *registered {
	db := openDB(t, vfs.NewMem())
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &registered{t: t, db: db, rng: rand.New(rand.NewPCG(seed, 1)), state: map[string][]byte{}}
}

func (r *registered) apply(b *pebble.Batch, _ bool) error { return b.Commit(pebble.NoSync) }

func (r *registered) scan(prefix, after []byte, limit int) ([]ledger.Write, error) {
	var out []ledger.Write
	for _, k := range slices.Sorted(maps.Keys(r.state)) {
		if bytes.HasPrefix([]byte(k), prefix) && (after == nil || k > string(after)) && len(out) < limit {
			out = append(out, ledger.Write{Key: []byte(k), Value: r.state[k]})
		}
	}
	return out, nil
}

func address(n int) (a crypto.Address) { a[0], a[1] = byte(n), 0; return a }

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	data, err := crypto.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// record is a random record: a new one, or another state of an old one.
func (r *registered) record() ledger.Write {
	n := r.rng.IntN(40)
	id := crypto.Sum("test", []byte(fmt.Sprint(n)))
	made := quorum.Height(1 + n%7)
	from, to, over := address(n%3), address(n%5), r.rng.IntN(2) == 0
	switch n % 7 {
	case 0:
		rec := ledger.NoticeRecord{ID: id, Issuer: from, Height: made, Type: ledger.Recall}
		if over {
			rec.ReleasedAt = r.h
		}
		return ledger.Write{Key: ledger.NoticeKey(id), Value: encoded(r.t, &rec)}
	case 1:
		rec := ledger.DisputeRecord{ID: id, From: from, To: to, Height: made, Open: 1}
		if over {
			rec.Open = 0
		}
		return ledger.Write{Key: ledger.DisputeKey(id), Value: encoded(r.t, &rec)}
	case 2:
		rec := ledger.Shipment{Event: id, From: from, To: to, Party: "https://id.gs1.org/417/1", Height: made}
		if over {
			rec.State = ledger.ShipmentClosed
		}
		return ledger.Write{Key: ledger.ShipmentKey(id), Value: encoded(r.t, &rec)}
	case 3:
		rec := ledger.Balance{Unmeasured: !over}
		return ledger.Write{Key: balanceKey(fmt.Sprint("https://id.gs1.org/01/09521321000018/10/L", n), from), Value: encoded(r.t, &rec)}
	case 4:
		rec := ledger.Proposal{ID: id, Height: made}
		if over {
			rec.State = ledger.ProposalPassed
		}
		return ledger.Write{Key: ledger.ProposalKey(id), Value: encoded(r.t, &rec)}
	case 5:
		uri := fmt.Sprint("https://example.org/cert/", n)
		return ledger.Write{Key: ledger.AttestationKey(uri), Value: encoded(r.t, ledger.Attestation{ID: uri, Issuer: from, Subject: to, Height: made})}
	}
	return ledger.Write{Key: ledger.AnchorKey(id), Value: encoded(r.t, ledger.AnchorRecord{Document: id, Author: from, About: "https://id.gs1.org/01/09521321000018", Height: made})}
}

func balanceKey(lot string, a crypto.Address) []byte {
	return ledger.BalanceKey(lot, a, "KGM", ledger.Held)
}

// block commits some records, and the register beside them.
func (r *registered) block() {
	r.h++
	writes := []ledger.Write{{Key: []byte("params"), Value: []byte{1}}, {Key: ledger.ItemKey("x"), Value: []byte{2}}}
	for range r.rng.IntN(6) {
		writes = append(writes, r.record())
	}
	b := r.db.NewBatch()
	if err := Register(b, r.h, writes); err != nil {
		r.t.Fatal(err)
	}
	if err := r.apply(b, false); err != nil {
		r.t.Fatal(err)
	}
	for _, w := range writes {
		r.state[string(w.Key)] = w.Value
	}
}

// contents is the whole register.
func (r *registered) contents() []string {
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: []byte{registerFirst}, UpperBound: []byte{registerLast + 1}})
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for ok := it.First(); ok; ok = it.Next() {
		out = append(out, fmt.Sprintf("%x=%x", it.Key(), it.Value()))
	}
	if err := it.Close(); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// TestRegisterMadeAgain compares what blocks left with what is made of the state: dropped, stale and of another version.
func TestRegisterMadeAgain(t *testing.T) {
	for seed := range uint64(20) {
		r := newRegistered(t, seed)
		for range 60 {
			r.block()
		}
		want := r.contents()
		if len(want) < 30 {
			t.Fatalf("only %d places", len(want))
		}
		for name, spoil := range map[string]func(b *pebble.Batch) error{
			"whole": func(*pebble.Batch) error { return nil },
			"dropped": func(b *pebble.Batch) error {
				return b.DeleteRange([]byte{registerFirst}, []byte{registerLast + 1}, nil)
			},
			"stale": func(b *pebble.Batch) error {
				_ = b.Set(append(placeStem(ledger.ListNotices, ""), placeEnd(1, "stray")...), nil, nil)
				return b.Set([]byte{prefixRegister}, registerCursor(r.h-1), nil)
			},
			"older version": func(b *pebble.Batch) error {
				return b.Set([]byte{prefixRegister}, make([]byte, 12), nil)
			},
		} {
			b := r.db.NewBatch()
			if err := spoil(b); err != nil {
				t.Fatal(err)
			}
			if err := r.apply(b, false); err != nil {
				t.Fatal(err)
			}
			if err := OpenRegister(r.db, r.apply, r.h, r.scan); err != nil {
				t.Fatal(err)
			}
			if got := r.contents(); !slices.Equal(got, want) {
				t.Fatalf("seed %d, %s: %d places, want %d", seed, name, len(got), len(want))
			}
		}
	}
}

// TestRegisterPages reads lists page by page, newest first, and compares them with a search of the state.
func TestRegisterPages(t *testing.T) {
	r := newRegistered(t, 7)
	for range 80 {
		r.block()
	}
	lists := []ledger.List{
		ledger.ListNotices, ledger.ListOpenNotices, ledger.ListIssuedNotices, ledger.ListDisputes, ledger.ListOpenDisputes, ledger.ListPartyDisputes,
		ledger.ListOpenPartyDisp, ledger.ListInbound, ledger.ListOpenInbound, ledger.ListOutbound, ledger.ListOpenOutbound, ledger.ListStock,
		ledger.ListOpenStock, ledger.ListProposals, ledger.ListOpenProposals, ledger.ListAttestations, ledger.ListIssuedClaims, ledger.ListHeldClaims,
		ledger.ListAnchors, ledger.ListPartyAnchors, ledger.ListAboutAnchors,
	}
	found := 0
	for _, list := range lists {
		for _, scope := range []string{"", "https://id.gs1.org/01/09521321000018", string(addressBytes(0)), string(addressBytes(1)), string(addressBytes(4))} {
			for _, height := range []quorum.Height{1, 3, 100} {
				want := r.search(list, scope, height)
				if got := r.pages(list, scope, height); !slices.Equal(got, want) {
					t.Errorf("%s of %x up to %d: %d places, want %d", list, scope, height, len(got), len(want))
				}
				found += len(want)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d places were compared", found)
	}
}

func addressBytes(n int) []byte { a := address(n); return a[:] }

func (r *registered) search(list ledger.List, scope string, height quorum.Height) []ledger.Place {
	var out []ledger.Place
	for key, value := range r.state {
		places, err := ledger.PlacesOf([]byte(key), value)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, p := range places {
			if p.List == list && p.Scope == scope && !p.Off && p.Height <= height && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b ledger.Place) int {
		return bytes.Compare(placeEnd(b.Height, b.ID), placeEnd(a.Height, a.ID))
	})
	return out
}

func (r *registered) pages(list ledger.List, scope string, height quorum.Height) []ledger.Place {
	var out []ledger.Place
	var after *ledger.Place
	for {
		page, err := ReadRegister(r.db, list, scope, height, after, 2)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(page) > 2 {
			r.t.Fatalf("a page of %d", len(page))
		}
		if len(page) == 0 {
			return out
		}
		out = append(out, page...)
		after = &page[len(page)-1]
	}
}

// TestRegisterRefusesDamage: a record that does not decode is an error, not an entry that is missing.
func TestRegisterRefusesDamage(t *testing.T) {
	r := newRegistered(t, 1)
	b := r.db.NewBatch()
	if err := Register(b, 1, []ledger.Write{{Key: ledger.NoticeKey(crypto.Hash{}), Value: []byte{0xff}}}); err == nil {
		t.Error("a damaged record is listed")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := Register(r.db.NewBatch(), 1, []ledger.Write{{Key: []byte("bal/nothing"), Value: []byte{0x82, 0, 0}}}); err == nil {
		t.Error("a key of no balance is listed")
	}
}
