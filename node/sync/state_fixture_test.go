package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	gosync "sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/snapshot"
	"waybill/ledger/store"
)

// world is a chain of several epochs with its states, and snapshots of some heights. It never changes once made, so that
// a thousand runs share one.
type world struct {
	headers []quorum.Header
	states  []map[string][]byte
	sets    []*quorum.Set
	certs   map[quorum.Height]*quorum.Certificate
	shots   map[quorum.Height]*shot
	keys    map[crypto.PublicKey]crypto.PrivateKey
}

// shot is a snapshot in memory.
type shot struct {
	manifest *snapshot.Manifest
	proof    *snapshot.Proof
	hash     crypto.Hash
	chunks   [][]byte
}

var errNot = errors.New("not here")

const (
	worldHeight = 44
	worldEpoch  = 6 // blocks
)

// theWorld makes the world once.
var theWorld = gosync.OnceValue(func() *world {
	w := &world{certs: map[quorum.Height]*quorum.Certificate{}, shots: map[quorum.Height]*shot{}, keys: map[crypto.PublicKey]crypto.PrivateKey{}}
	for i := range 12 {
		k := testKey(i)
		w.keys[k.Public()] = k
	}
	state := map[string][]byte{}
	for i := range 400 {
		state[fmt.Sprintf("item/%d", i)] = fmt.Appendf(nil, "at the farm, %d boxes", i)
	}
	root := rootOfState(state)
	w.sets = append(w.sets, w.set(0))
	genesis := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: crypto.Sum(crypto.TagGenesis, []byte("world")), TimeMs: 1_700_000_000_000,
		ValidatorSet: w.sets[0].Hash(), ExecStateRoot: root,
	}
	w.headers, w.states = []quorum.Header{genesis}, []map[string][]byte{state}
	for range worldHeight {
		w.grow()
	}
	for _, h := range []quorum.Height{12, 20, 24, 31, 33} {
		w.shots[h] = w.take(w.states[h], h)
	}
	return w
})

// set is the validators of an epoch: four of twelve, another one each time.
func (w *world) set(e quorum.Epoch) *quorum.Set {
	var list []quorum.Validator
	for i := range 4 {
		k := testKey((int(e) + 2*i) % 12)
		list = append(list, quorum.Validator{Key: k.Public(), Power: 10, Operator: k.Address()})
	}
	set, err := quorum.NewSet(list)
	if err != nil {
		panic(err)
	}
	return set
}

func (w *world) grow() {
	parent := w.headers[len(w.headers)-1]
	h := parent.Height + 1
	epoch := parent.Epoch
	if parent.IsClosing() {
		epoch++
	}
	state := maps.Clone(w.states[len(w.states)-1])
	state[fmt.Sprintf("item/%d", h*7)] = fmt.Appendf(nil, "moved in block %d", h)
	state[fmt.Sprintf("event/%d", h)] = make([]byte, 100)
	exec := max(h, 2) - 2
	header := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: parent.Genesis, Epoch: epoch, View: quorum.View(h), Height: h, Parent: parent.Hash(),
		TimeMs: parent.TimeMs + 500, ValidatorSet: w.sets[epoch].Hash(), PayloadRoot: quorum.PayloadRoot(nil),
		ExecHeight: exec, ExecStateRoot: rootOfState(w.states[exec]),
	}
	if h%worldEpoch == 0 {
		w.sets = append(w.sets, w.set(epoch+1))
		header.Flags, header.NextValidatorSet = quorum.FlagClosing, w.sets[epoch+1].Hash()
	}
	if header.IsClosing() || h%3 != 1 {
		w.certs[h] = w.certify(w.sets[epoch], header)
	}
	w.headers, w.states = append(w.headers, header), append(w.states, state)
}

func (w *world) certify(set *quorum.Set, h quorum.Header) *quorum.Certificate {
	d := quorum.Domain{Genesis: h.Genesis, Set: set, Checker: mac{}}
	c := &quorum.Certificate{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Bitmap: []byte{7}}
	for i := range 3 {
		v := quorum.Vote{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Signer: uint16(i)}
		c.Signatures = append(c.Signatures, quorum.SignVote(d, w.keys[set.At(i).Key], v).Signature)
	}
	return c
}

func rootOfState(state map[string][]byte) crypto.Hash {
	var writes []crypto.TreeWrite
	for k, v := range state {
		writes = append(writes, crypto.TreeWrite{Key: []byte(k), Value: v})
	}
	root, _, err := crypto.UpdateTree(noPages{}, writes)
	if err != nil {
		panic(err)
	}
	return root
}

type noPages struct{}

func (noPages) ReadPage(crypto.PagePath) ([]byte, error) { return nil, nil }

// stateSource is a state in memory, for snapshot.Library.
type stateSource map[string][]byte

// Scan implements snapshot.Source.
func (s stateSource) Scan(_, after []byte, limit int) ([]store.Entry, error) {
	var out []store.Entry
	for _, k := range slices.Sorted(maps.Keys(s)) {
		if (after == nil || k > string(after)) && len(out) < limit {
			out = append(out, store.Entry{Key: []byte(k), Value: s[k]})
		}
	}
	return out, nil
}

// take makes a snapshot of a state under the headers of a height.
func (w *world) take(state map[string][]byte, h quorum.Height) *shot {
	headers, err := snapshot.Headers(w, h)
	if err != nil {
		panic(err)
	}
	headers[len(headers)-1].ExecStateRoot = rootOfState(state) // what it is already, unless the state is a forged one
	return w.cut(state, headers)
}

func (w *world) cut(state map[string][]byte, headers []quorum.Header) *shot {
	proof, err := snapshot.Prove(w, headers)
	if err != nil {
		panic(err)
	}
	lib, err := snapshot.OpenLibrary(vfs.NewMem(), "s")
	if err != nil {
		panic(err)
	}
	lib.Target = 2048
	stored, err := lib.Create(context.Background(), stateSource(state), headers, proof, nil)
	if err != nil {
		panic(err)
	}
	s := &shot{manifest: stored.Manifest, proof: proof, hash: stored.Hash}
	for i := range stored.Manifest.Chunks {
		raw, err := stored.Chunk(i)
		if err != nil {
			panic(err)
		}
		s.chunks = append(s.chunks, raw)
	}
	return s
}

// Header implements snapshot.Ledger, as do the next two.
func (w *world) Header(h quorum.Height) (quorum.Header, error) {
	if h >= quorum.Height(len(w.headers)) {
		return quorum.Header{}, errNot
	}
	return w.headers[h], nil
}

func (w *world) Certificate(h quorum.Height) (*quorum.Certificate, error) { return w.certs[h], nil }

func (w *world) Handover(e quorum.Epoch) (store.Handover, error) {
	if e > 1000 || int(e)+1 >= len(w.sets) {
		return store.Handover{}, errNot
	}
	h := w.headers[(int(e)+1)*worldEpoch]
	return store.Handover{Closing: h, Certificate: *w.certs[h.Height], Next: w.sets[e+1]}, nil
}

func (w *world) epochs() *snapshot.Epochs {
	return snapshot.EpochsFrom(w.headers[0], w.sets[0], snapshot.Trust{}, mac{})
}

// served is what one peer has. It implements StateSource.
type served struct {
	*world
	shots []*shot // the highest first
}

// Newest implements StateSource.
func (s served) Newest(below quorum.Height) (*snapshot.Manifest, *snapshot.Proof) {
	for _, x := range s.shots {
		if below == 0 || x.manifest.Height() < below {
			return x.manifest, x.proof
		}
	}
	return nil, nil
}

// Chunk implements StateSource.
func (s served) Chunk(hash crypto.Hash, i int) []byte {
	for _, x := range s.shots {
		if x.hash == hash && i >= 0 && i < len(x.chunks) {
			return x.chunks[i]
		}
	}
	return nil
}
