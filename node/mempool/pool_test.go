package mempool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func testKey(i int) crypto.PrivateKey {
	seed := crypto.Sum(crypto.TagAddress, fmt.Appendf(nil, "mempool author %d", i))
	k, err := crypto.PrivateKeyFromBytes(seed[:])
	if err != nil {
		panic(err)
	}
	return k
}

// spec describes a transaction to make.
type spec struct {
	author  int
	tip     uint64
	expiry  quorum.Height
	salt    uint64
	depends []crypto.Hash
	signers []int // nil: the author
}

func (s spec) sign(t failer) *ledger.Transaction {
	t.Helper()
	keys := []crypto.PrivateKey{testKey(s.author)}
	if s.signers != nil {
		keys = nil
		for _, i := range s.signers {
			keys = append(keys, testKey(i))
		}
	}
	body, err := ledger.NewBody(crypto.Sum(crypto.TagGenesis, []byte("mempool")), testKey(s.author).Address(), s.expiry,
		&ledger.Transfer{To: testKey(9).Address(), Amount: 1})
	if err != nil {
		t.Fatal(err)
	}
	body.Tip, body.DependsOn = s.tip, s.depends
	binary.BigEndian.PutUint64(body.Salt[:], s.salt)
	tx, err := ledger.Sign(body, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func verified(t failer, tx *ledger.Transaction) ledger.VerifiedTransaction {
	t.Helper()
	r := ledger.VerifyTransactions([]*ledger.Transaction{tx})[0]
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return r.Verified
}

func (s spec) tx(t failer) ledger.VerifiedTransaction { t.Helper(); return verified(t, s.sign(t)) }

func id(v ledger.VerifiedTransaction) crypto.Hash { return v.Transaction().ID() }

var nobody = func(crypto.Hash) bool { return false }

func in(list ...ledger.VerifiedTransaction) func(crypto.Hash) bool {
	set := map[crypto.Hash]bool{}
	for _, v := range list {
		set[id(v)] = true
	}
	return func(h crypto.Hash) bool { return set[h] }
}

func mustAdd(t failer, p *Pool, list ...ledger.VerifiedTransaction) {
	t.Helper()
	for i, v := range list {
		if err := p.Add(v); err != nil {
			t.Fatalf("transaction %d: %v", i, err)
		}
	}
}

// names turns a selection into the indexes of the transactions in list.
func names(t *testing.T, raws [][]byte, list []ledger.VerifiedTransaction) []int {
	t.Helper()
	out := []int{}
	for _, raw := range raws {
		i := slices.IndexFunc(list, func(v ledger.VerifiedTransaction) bool { return bytes.Equal(v.Transaction().Raw(), raw) })
		if i < 0 {
			t.Fatal("something was selected that was never added")
		}
		out = append(out, i)
	}
	return out
}

func unlimited() Limits { return Limits{Transactions: 1 << 30, Bytes: 1 << 40, PerAuthor: 1 << 30} }

func TestLimits(t *testing.T) {
	low := func(salt uint64) ledger.VerifiedTransaction { return spec{tip: 1, salt: salt}.tx(t) }
	high := spec{author: 1, tip: 2}.tx(t)
	size := low(1).Transaction().Size()
	for _, c := range []struct {
		name   string
		limits Limits
		before []ledger.VerifiedTransaction
		add    ledger.VerifiedTransaction
		want   error
		left   int
	}{
		{"room for one", Limits{2, 1 << 20, 9}, []ledger.VerifiedTransaction{low(1)}, low(2), nil, 2},
		{"full, same tip", Limits{1, 1 << 20, 9}, []ledger.VerifiedTransaction{low(1)}, low(2), ErrFull, 1},
		{"full, higher tip", Limits{1, 1 << 20, 9}, []ledger.VerifiedTransaction{low(1)}, high, nil, 1},
		{"full, lower tip", Limits{1, 1 << 20, 9}, []ledger.VerifiedTransaction{high}, low(1), ErrFull, 1},
		{"known", Limits{9, 1 << 20, 9}, []ledger.VerifiedTransaction{low(1)}, low(1), ErrKnown, 1},
		{"known and full", Limits{1, 1 << 20, 1}, []ledger.VerifiedTransaction{low(1)}, low(1), ErrKnown, 1},
		{"bytes to the last", Limits{9, 2 * size, 9}, []ledger.VerifiedTransaction{low(1)}, low(2), nil, 2},
		{"one byte too many", Limits{9, 2*size - 1, 9}, []ledger.VerifiedTransaction{low(1)}, low(2), ErrFull, 1},
		{"one byte too many, higher tip", Limits{9, 2*size - 1, 9}, []ledger.VerifiedTransaction{low(1)}, high, nil, 1},
		{"larger than the pool", Limits{9, size - 1, 9}, nil, high, ErrFull, 0},
		{"no room at all", Limits{0, 1 << 20, 9}, nil, high, ErrFull, 0},
		{"author at the limit", Limits{9, 1 << 20, 2}, []ledger.VerifiedTransaction{low(1), low(2)}, spec{tip: 9, salt: 3}.tx(t), ErrAuthorLimit, 2},
		{"another author", Limits{9, 1 << 20, 2}, []ledger.VerifiedTransaction{low(1), low(2)}, high, nil, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New(c.limits)
			mustAdd(t, p, c.before...)
			err := p.Add(c.add)
			if !errors.Is(err, c.want) || p.Len() != c.left {
				t.Fatalf("error %v with %d left, want %v with %d", err, p.Len(), c.want, c.left)
			}
			if c.want == nil && !p.Has(id(c.add)) {
				t.Fatal("it was taken, and is not there")
			}
		})
	}
}

// TestReplacesTheWorst: the lowest tip goes, of equal ones the youngest.
func TestReplacesTheWorst(t *testing.T) {
	list := []ledger.VerifiedTransaction{spec{tip: 3, salt: 0}.tx(t), spec{tip: 1, salt: 1}.tx(t), spec{tip: 1, salt: 2}.tx(t), spec{tip: 2, salt: 3}.tx(t)}
	p := New(Limits{Transactions: 4, Bytes: 1 << 20, PerAuthor: 100})
	mustAdd(t, p, list...)
	for i, gone := range []int{2, 1, 3, 0} {
		mustAdd(t, p, spec{author: 1, tip: 9, salt: uint64(i)}.tx(t))
		if p.Has(id(list[gone])) || p.Len() != 4 {
			t.Fatalf("replacement %d did not drop transaction %d", i, gone)
		}
	}
	if err := p.Add(spec{author: 1, tip: 9, salt: 77}.tx(t)); !errors.Is(err, ErrFull) {
		t.Fatalf("an equal tip replaced one: %v", err)
	}
}

// TestRefusedNewcomerDropsNothing: a large newcomer that replaces some, but not enough, leaves the pool as it
// was.
func TestRefusedNewcomerDropsNothing(t *testing.T) {
	a, b := spec{tip: 1, salt: 1}.tx(t), spec{tip: 9, salt: 2}.tx(t)
	p := New(Limits{Transactions: 9, Bytes: a.Transaction().Size() + b.Transaction().Size(), PerAuthor: 9})
	mustAdd(t, p, a, b)
	large := spec{author: 1, tip: 5, depends: []crypto.Hash{{1}, {2}, {3}, {4}}}.tx(t)
	if err := p.Add(large); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	if !p.Has(id(a)) || !p.Has(id(b)) || p.Len() != 2 || p.Bytes() != a.Transaction().Size()+b.Transaction().Size() {
		t.Fatalf("the refused newcomer drove something out: %d left", p.Len())
	}
	if got := names(t, p.Select(1<<20, nobody, nobody), []ledger.VerifiedTransaction{a, b}); !slices.Equal(got, []int{1, 0}) {
		t.Fatalf("selection %v", got)
	}
}

func TestSelectOrder(t *testing.T) {
	list := []ledger.VerifiedTransaction{
		spec{tip: 1, salt: 0}.tx(t), spec{tip: 5, salt: 1}.tx(t), spec{author: 1, tip: 5, salt: 2}.tx(t), spec{tip: 0, salt: 3}.tx(t), spec{tip: 7, salt: 4}.tx(t),
	}
	p := New(unlimited())
	mustAdd(t, p, list...)
	if got := names(t, p.Select(1<<20, nobody, nobody), list); !slices.Equal(got, []int{4, 1, 2, 0, 3}) {
		t.Errorf("order %v", got)
	}
	if got := names(t, p.Select(1<<20, in(list[1], list[4]), nobody), list); !slices.Equal(got, []int{2, 0, 3}) {
		t.Errorf("without those of an ancestor: %v", got)
	}
	size := func(i int) int { return list[i].Transaction().Size() }
	if got := names(t, p.Select(size(4)+size(1), nobody, nobody), list); !slices.Equal(got, []int{4, 1}) {
		t.Errorf("room for two: %v", got)
	}
	if got := names(t, p.Select(size(4)+size(1)-1, nobody, nobody), list); len(got) > 2 || !slices.Contains(got, 4) || slices.Contains(got, 1) {
		t.Errorf("a byte less than room for two: %v", got)
	}
	if got := p.Select(0, nobody, nobody); len(got) != 0 {
		t.Errorf("no room, %d selected", len(got))
	}
	if p.Len() != len(list) {
		t.Error("selecting removed something")
	}
}

func TestDependencies(t *testing.T) {
	base := spec{tip: 0, salt: 1}.tx(t)
	middle := spec{tip: 1, salt: 2, depends: []crypto.Hash{id(base)}}.tx(t)
	top := spec{tip: 9, salt: 3, depends: []crypto.Hash{id(middle), id(base)}}.tx(t)
	other := spec{author: 1, tip: 5, salt: 4}.tx(t)
	list := []ledger.VerifiedTransaction{base, middle, top, other}
	whole := base.Transaction().Size() + middle.Transaction().Size() + top.Transaction().Size()
	for _, c := range []struct {
		name    string
		held    []int
		skip    []int
		settled []int
		max     int
		want    []int
	}{
		{"dependencies first", []int{0, 1, 2, 3}, nil, nil, 1 << 20, []int{0, 1, 2, 3}},
		{"whatever came first", []int{3, 2, 1, 0}, nil, nil, 1 << 20, []int{0, 1, 2, 3}},
		{"missing one", []int{1, 2, 3}, nil, nil, 1 << 20, []int{3}},
		{"missing, but in the ledger", []int{1, 2, 3}, nil, []int{0}, 1 << 20, []int{1, 2, 3}},
		{"missing, but in an ancestor", []int{1, 2, 3}, []int{0}, nil, 1 << 20, []int{1, 2, 3}},
		{"held, but in an ancestor", []int{0, 1, 2}, []int{0, 1}, nil, 1 << 20, []int{2}},
		{"one of two missing", []int{0, 2, 3}, nil, nil, 1 << 20, []int{3, 0}},
		{"room to the last byte", []int{0, 1, 2}, nil, nil, whole, []int{0, 1, 2}},
		{"a byte less", []int{0, 1, 2}, nil, nil, whole - 1, []int{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New(unlimited())
			pick := func(of []int) (out []ledger.VerifiedTransaction) {
				for _, i := range of {
					out = append(out, list[i])
				}
				return out
			}
			mustAdd(t, p, pick(c.held)...)
			if got := names(t, p.Select(c.max, in(pick(c.skip)...), in(pick(c.settled)...)), list); !slices.Equal(got, c.want) {
				t.Fatalf("selected %v, want %v", got, c.want)
			}
		})
	}
}

// TestLongChain: however deep transactions depend on each other, and in whatever order they came, every block
// takes some of them and in the end all are taken.
func TestLongChain(t *testing.T) {
	const length = 3*maxChain + 10
	chain := []ledger.VerifiedTransaction{spec{salt: 1}.tx(t)}
	for i := 1; i < length; i++ {
		chain = append(chain, spec{salt: 1, depends: []crypto.Hash{id(chain[i-1])}}.tx(t))
	}
	for name, order := range map[string]func(i int) int{"forward": func(i int) int { return i }, "backward": func(i int) int { return length - 1 - i }} {
		p, settled := New(unlimited()), map[crypto.Hash]bool{}
		for i := range length {
			mustAdd(t, p, chain[order(i)])
		}
		blocks := 0
		for ; p.Len() > 0; blocks++ {
			raws := p.Select(1<<20, nobody, func(h crypto.Hash) bool { return settled[h] })
			if len(raws) == 0 {
				t.Fatalf("%s: %d wait and none is selected", name, p.Len())
			}
			for _, i := range names(t, raws, chain) {
				if i > 0 && !settled[id(chain[i-1])] {
					t.Fatalf("%s: transaction %d comes before what it depends on", name, i)
				}
				settled[id(chain[i])] = true
				p.Remove([]crypto.Hash{id(chain[i])})
			}
		}
		if blocks > 1+length/maxChain {
			t.Errorf("%s: %d blocks for %d transactions", name, blocks, length)
		}
	}
}

// TestCountLimit: dependencies count against the number of transactions in a block, too.
func TestCountLimit(t *testing.T) {
	p := New(unlimited())
	base := spec{salt: 1}.tx(t)
	top := spec{tip: 9, salt: 2, depends: []crypto.Hash{id(base)}}.tx(t)
	mustAdd(t, p, base, top, spec{tip: 20, salt: 3}.tx(t))
	for most, want := range []int{0, 1, 2, 3} {
		if got := p.selectMost(1<<20, most, nobody, nobody); len(got) != want {
			t.Errorf("%d of at most %d", len(got), most)
		}
	}
}

func TestExpire(t *testing.T) {
	p := New(unlimited())
	list := []ledger.VerifiedTransaction{spec{expiry: 9, salt: 1}.tx(t), spec{expiry: 10, salt: 2}.tx(t), spec{expiry: 11, salt: 3}.tx(t), spec{expiry: 9, salt: 4}.tx(t)}
	mustAdd(t, p, list...)
	if gone := p.Expire(9); len(gone) != 0 {
		t.Fatalf("expired before its last height: %v", gone)
	}
	gone := p.Expire(10)
	if len(gone) != 2 || !slices.Contains(gone, id(list[0])) || !slices.Contains(gone, id(list[3])) || p.Len() != 2 {
		t.Fatalf("gone %v, %d left", gone, p.Len())
	}
	if gone := p.Expire(1 << 63); len(gone) != 2 || p.Len() != 0 || p.Bytes() != 0 {
		t.Fatalf("gone %v, %d left with %d bytes", gone, p.Len(), p.Bytes())
	}
}

// entryOf is what the naive model keeps.
type entryOf struct {
	v       ledger.VerifiedTransaction
	arrival int
}

// TestModel holds the pool against a plain list after every operation.
func TestModel(t *testing.T) {
	var all []ledger.VerifiedTransaction
	for i := range 40 {
		s := spec{author: i % 3, tip: uint64(i*7) % 5, salt: uint64(i), expiry: quorum.Height(i % 6)}
		if i%4 == 3 {
			s.depends = []crypto.Hash{id(all[i-1]), id(all[i/2])}
		}
		all = append(all, s.tx(t))
	}
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Transactions: rapid.IntRange(1, 12).Draw(t, "transactions"), Bytes: rapid.IntRange(200, 3000).Draw(t, "bytes"), PerAuthor: rapid.IntRange(1, 6).Draw(t, "per author")}
		p := New(limits)
		var list []entryOf
		arrivals := 0
		one := rapid.IntRange(0, len(all)-1)
		size := func() (n int) {
			for _, e := range list {
				n += e.v.Transaction().Size()
			}
			return n
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				v := all[one.Draw(t, "which")]
				next, want := modelAdd(list, limits, v, arrivals)
				err := p.Add(v)
				if !errors.Is(err, want) {
					t.Fatalf("error %v, want %v", err, want)
				}
				if arrivals++; want == nil {
					list = next
				}
			},
			"remove": func(t *rapid.T) {
				v := all[one.Draw(t, "which")]
				p.Remove([]crypto.Hash{id(v), id(v), {1}})
				list = slices.DeleteFunc(list, func(e entryOf) bool { return id(e.v) == id(v) })
			},
			"expire": func(t *rapid.T) {
				next := quorum.Height(rapid.IntRange(0, 3).Draw(t, "next"))
				gone := p.Expire(next)
				before := len(list)
				list = slices.DeleteFunc(list, func(e entryOf) bool { return e.v.Transaction().Body.ExpiryHeight < next })
				if len(gone) != before-len(list) {
					t.Fatalf("%d expired, want %d", len(gone), before-len(list))
				}
			},
			"select": func(t *rapid.T) {
				checkSelection(t, p, list, rapid.IntRange(0, 3000).Draw(t, "max"), all[one.Draw(t, "skipped")], all[one.Draw(t, "settled")])
			},
			"": func(t *rapid.T) {
				if p.Len() != len(list) || p.Bytes() != size() {
					t.Fatalf("the pool holds %d of %d bytes, the list %d of %d", p.Len(), p.Bytes(), len(list), size())
				}
				for _, v := range all {
					held := slices.ContainsFunc(list, func(e entryOf) bool { return id(e.v) == id(v) })
					if p.Has(id(v)) != held || (p.Transaction(id(v)) != nil) != held {
						t.Fatalf("held %t, has %t", held, p.Has(id(v)))
					}
				}
				checkIndexes(t, p)
			},
		})
	})
}

func checkIndexes(t *rapid.T, p *Pool) {
	authors := map[crypto.Address]int{}
	for _, e := range p.byID {
		authors[e.tx.Body.Author]++
	}
	if !maps.Equal(authors, p.byAuthor) {
		t.Fatalf("authors %v, counted %v", p.byAuthor, authors)
	}
	if len(p.worst) != len(p.byID) {
		t.Fatalf("%d in the heap, %d in the map", len(p.worst), len(p.byID))
	}
	for i, e := range p.worst {
		if e.at != i || p.byID[e.tx.ID()] != e {
			t.Fatalf("heap entry %d is lost", i)
		}
		if before(p.worst[0], e) && i > 0 {
			t.Fatalf("entry %d is worse than the first", i)
		}
	}
}

// modelAdd is Add as the documentation tells it.
func modelAdd(list []entryOf, l Limits, v ledger.VerifiedTransaction, arrival int) ([]entryOf, error) {
	tx, count := v.Transaction(), 0
	for _, e := range list {
		if e.v.Transaction().ID() == tx.ID() {
			return nil, ErrKnown
		}
		if e.v.Transaction().Body.Author == tx.Body.Author {
			count++
		}
	}
	if count >= l.PerAuthor {
		return nil, ErrAuthorLimit
	}
	rest := slices.Clone(list)
	slices.SortFunc(rest, func(a, b entryOf) int { // best first
		if ta, tb := a.v.Transaction().Body.Tip, b.v.Transaction().Body.Tip; ta != tb {
			if ta > tb {
				return -1
			}
			return 1
		}
		return a.arrival - b.arrival
	})
	for {
		size := tx.Size()
		for _, e := range rest {
			size += e.v.Transaction().Size()
		}
		if len(rest) < l.Transactions && size <= l.Bytes {
			return append(rest, entryOf{v, arrival}), nil
		}
		if len(rest) == 0 || rest[len(rest)-1].v.Transaction().Body.Tip >= tx.Body.Tip {
			return nil, ErrFull
		}
		rest = rest[:len(rest)-1]
	}
}

// checkSelection holds a selection to what a block needs: only held ones, none twice, none skipped, within the
// room, and every dependency before, in an ancestor or in the ledger; and nothing left out that is alone and
// fits.
func checkSelection(t *rapid.T, p *Pool, list []entryOf, room int, skipped, settled ledger.VerifiedTransaction) {
	raws := p.Select(room, in(skipped), in(settled))
	there := map[crypto.Hash]bool{id(skipped): true, id(settled): true}
	taken, size := map[crypto.Hash]bool{}, 0
	for _, raw := range raws {
		tx, err := ledger.DecodeTransaction(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Has(tx.ID()) || taken[tx.ID()] || tx.ID() == id(skipped) {
			t.Fatalf("selected %s: not held, twice, or skipped", tx.ID())
		}
		for _, d := range tx.Body.DependsOn {
			if !there[d] {
				t.Fatalf("selected %s before what it depends on", tx.ID())
			}
		}
		taken[tx.ID()], there[tx.ID()] = true, true
		size += len(raw)
	}
	if size > room {
		t.Fatalf("%d bytes where %d were free", size, room)
	}
	for _, e := range list {
		tx := e.v.Transaction()
		if !taken[tx.ID()] && tx.ID() != id(skipped) && len(tx.Body.DependsOn) == 0 && tx.Size() <= room-size {
			t.Fatalf("%s depends on nothing, fits, and was left out", tx.ID())
		}
	}
}

// offence is a proof that a validator voted twice in a view.
func offence(t failer, view quorum.View) *ledger.Transaction {
	t.Helper()
	return offenceOf(t, 1, view)
}

func offenceOf(t failer, validator int, view quorum.View) *ledger.Transaction {
	t.Helper()
	key := testKey(validator)
	set, err := quorum.NewSet([]quorum.Validator{{Key: key.Public(), Power: 1}})
	if err != nil {
		t.Fatal(err)
	}
	d := quorum.Domain{Genesis: crypto.Sum(crypto.TagGenesis, []byte("mempool")), Set: set}
	var votes []quorum.Vote
	for _, block := range []string{"one", "other"} {
		votes = append(votes, quorum.SignVote(d, key, quorum.Vote{Kind: quorum.KindNotarize, View: view, Height: 1, Block: crypto.Sum(crypto.TagHeader, []byte(block))}))
	}
	both := quorum.VerifyVotes(d, votes)
	e, err := quorum.NewEvidence(both[0].Verified, both[1].Verified)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := ledger.NewEvidenceTransaction(d, e)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// TestEvidenceComesFirst: no tip buys proof of an offence out of the pool or of the next block, and an offender cannot
// fill the pool with proofs against itself.
func TestEvidenceComesFirst(t *testing.T) {
	p := New(Limits{Transactions: 3, Bytes: 1 << 20, PerAuthor: 1000})
	for i := range 3 {
		if err := p.Add(verified(t, spec{author: i, tip: 1 << 40, expiry: 100}.sign(t))); err != nil {
			t.Fatal(err)
		}
	}
	proof := offence(t, 1)
	if err := p.Add(verified(t, proof)); err != nil {
		t.Fatalf("a full pool refuses evidence: %v", err)
	}
	if err := p.Add(verified(t, spec{author: 7, tip: 1 << 50, expiry: 100}.sign(t))); err != nil || !p.Has(proof.ID()) {
		t.Fatalf("a tip drives evidence out: %v", err)
	}
	none := func(crypto.Hash) bool { return false }
	if raws := p.Select(proof.Size(), none, none); len(raws) != 1 || !bytes.Equal(raws[0], proof.Raw()) {
		t.Fatalf("%d transactions selected, evidence not first", len(raws))
	}
	if held := p.Evidence(); len(held) != 1 || held[0].ID() != proof.ID() {
		t.Fatalf("%d proofs held", len(held))
	}
	p = New(DefaultLimits())
	refused := 0
	for i := range maxEvidence + 5 {
		if err := p.Add(verified(t, offenceOf(t, i, 1))); errors.Is(err, ErrAuthorLimit) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if refused != 5 || len(p.Evidence()) != maxEvidence {
		t.Errorf("%d refused, %d held", refused, len(p.Evidence()))
	}
}
