package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/signer"
)

// mac stands in for ECDSA where a test makes thousands of signatures.
type mac struct{}

func (mac) Sign(key crypto.PrivateKey, digest crypto.Hash) (s crypto.Signature) {
	return mac{}.of(key.Public(), digest)
}

func (mac) of(key crypto.PublicKey, digest crypto.Hash) (s crypto.Signature) {
	sum := crypto.Sum(crypto.TagVote, key[:], digest[:])
	copy(s[:], sum[:])
	copy(s[32:], sum[:])
	return s
}

func (m mac) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i, c := range checks {
		out[i] = c.Signature == m.of(c.Key, c.Digest)
	}
	return out
}

func testKey(i int) crypto.PrivateKey {
	seed := crypto.Sum(crypto.TagAddress, fmt.Appendf(nil, "journal validator %d", i))
	k, err := crypto.PrivateKeyFromBytes(seed[:])
	if err != nil {
		panic(err)
	}
	return k
}

const testEpoch = 3

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// network is four validators of equal power whose keys everybody knows; by index in the set.
type network struct {
	quorum.Domain
	keys   []crypto.PrivateKey
	slate  *quorum.Slate
	anchor quorum.Anchor
}

func newNetwork(t failer, checker quorum.Checker) *network {
	t.Helper()
	var validators []quorum.Validator
	byKey := map[crypto.PublicKey]crypto.PrivateKey{}
	for i := range 4 {
		k := testKey(i)
		byKey[k.Public()] = k
		validators = append(validators, quorum.Validator{Key: k.Public(), Power: 10, Operator: k.Address()})
	}
	set, err := quorum.NewSet(validators)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{
		Domain: quorum.Domain{Genesis: crypto.Sum(crypto.TagGenesis, []byte("journal")), Set: set, Checker: checker},
		slate:  quorum.NewSlate(set, crypto.Sum(crypto.TagSlate, []byte("journal"))),
		anchor: quorum.Anchor{Hash: block("anchor"), TimeMs: 1_700_000_000_000},
	}
	for _, v := range set.Validators() {
		n.keys = append(n.keys, byKey[v.Key])
	}
	return n
}

// setup is a Config whose signer is still to be opened, on the storage of the disk.
type setup struct {
	Config
	key     crypto.PrivateKey // zero: no signer
	reserve int
}

func (n *network) config(self int) setup {
	cfg := setup{Config: Config{Domain: n.Domain, Slate: n.slate, Anchor: n.anchor, Epoch: testEpoch, Self: self}, reserve: signer.NodeReserve}
	if self >= 0 {
		cfg.key = n.keys[self]
	}
	return cfg
}

// paired is a disk with the storage of a signer beside it.
type paired interface {
	Disk
	storage() (signer.Storage, error)
}

// openSigner opens the signer, which is made if there is none.
func openSigner(d paired, cfg setup) (*signer.File, error) {
	storage, err := d.storage()
	if err != nil {
		return nil, err
	}
	opts := signer.Options{Genesis: cfg.Domain.Genesis, Key: cfg.key, Reserve: cfg.reserve}
	if fast, ok := cfg.Domain.Checker.(quorum.Signer); ok {
		opts.Sign = fast.Sign
	}
	if err := signer.Create(storage, opts.Genesis, opts.Key.Public()); err != nil && !errors.Is(err, signer.ErrExists) {
		return nil, err
	}
	return signer.Open(storage, opts)
}

// open opens the pair.
func open(d paired, cfg setup) (*Journal, Recovered, error) {
	if !cfg.key.IsZero() && cfg.Signer == nil {
		file, err := openSigner(d, cfg)
		if err != nil {
			return nil, Recovered{}, err
		}
		cfg.Signer = file
	}
	return Open(d, cfg.Config)
}

// block is a made-up block hash.
func block(name string) crypto.Hash { return crypto.Sum(crypto.TagHeader, []byte(name)) }

// vote is an unsigned vote of validator 0; a nullify ignores name.
func vote(kind quorum.VoteKind, view quorum.View, name string) quorum.Vote {
	v := quorum.Vote{Kind: kind, Epoch: testEpoch, View: view}
	if kind != quorum.KindNullify {
		v.Height, v.Block = quorum.Height(view), block(name)
	}
	return v
}

// certificate is what all validators sign.
func (n *network) certificate(t failer, like quorum.Vote) quorum.VerifiedCertificate {
	t.Helper()
	var votes []quorum.Vote
	for i := range n.keys {
		like.Signer = uint16(i)
		votes = append(votes, quorum.SignVote(n.Domain, n.keys[i], like))
	}
	var verified []quorum.VerifiedVote
	for _, r := range quorum.VerifyVotes(n.Domain, votes) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		verified = append(verified, r.Verified)
	}
	c, err := quorum.Certify(n.Domain, verified)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// proposal is an unsigned proposal on the anchor by the leader of the view.
func (n *network) proposal(t failer, view quorum.View, payload string) quorum.Proposal {
	t.Helper()
	p := quorum.Proposal{
		Header: quorum.Header{
			Version: quorum.HeaderVersion, Genesis: n.Genesis, Epoch: testEpoch, View: view, Height: 1, Parent: n.anchor.Hash,
			TimeMs: n.anchor.TimeMs + 1, Proposer: uint16(n.slate.Leader(view)), ValidatorSet: n.Set.Hash(),
		},
		Payload: [][]byte{[]byte(payload)},
	}
	for v := quorum.View(1); v < view; v++ {
		p.Justification.Skip = append(p.Justification.Skip, n.certificate(t, quorum.Vote{Kind: quorum.KindNullify, Epoch: testEpoch, View: v}).Certificate())
	}
	return p
}

// ledBy returns the first views that a validator leads.
func (n *network) ledBy(self, count int) []quorum.View {
	var views []quorum.View
	for v := quorum.View(1); len(views) < count; v++ {
		if n.slate.Leader(v) == self {
			views = append(views, v)
		}
	}
	return views
}

func (n *network) verified(t failer, p quorum.Proposal) quorum.VerifiedProposal {
	t.Helper()
	v, err := quorum.VerifyProposal(n.Domain, n.slate, n.anchor, quorum.SignProposal(n.Domain, n.keys[p.Header.Proposer], p))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var errDisk = errors.New("the disk is full")

// memory is a disk that loses in a crash what was not synced, from a point on that the test chooses.
type memory struct {
	states []map[string][]byte // after every write since the last sync, that one first
	slots  *slots              // of the signer
	fail   bool                // the next write fails …
	torn   bool                // … and yet arrives
	writes int
}

func newMemory() *memory { return &memory{states: []map[string][]byte{{}}, slots: new(slots)} }

// storage returns a copy, and keeps it: a signer that still works on the former one disturbs nobody.
func (d *memory) storage() (signer.Storage, error) {
	if d.slots == nil {
		d.slots = new(slots)
	}
	c := *d.slots
	d.slots = &c
	return d.slots, nil
}

// slots is the storage of a signer that loses in a crash what was not synced.
type slots struct{ durable, now [2][]byte }

func (s *slots) Read() ([2][]byte, error) {
	s.durable = s.now
	return s.now, nil
}

func (s *slots) Write(slot int, data []byte, sync bool) error {
	s.now[slot] = data
	if s.durable[slot] == nil {
		s.now[1-slot], s.durable[slot], s.durable[1-slot] = data, data, data
	}
	if sync {
		s.durable = s.now
	}
	return nil
}

func (s *slots) Close() error { return nil }

// fate is what a crash does to writes of the signer that were not synced.
type fate int

const (
	lost fate = iota
	kept
	torn
	fates
)

func (s *slots) crash(f fate) *slots {
	c := *s
	for i := range c.now {
		switch {
		case f == lost:
			c.now[i] = c.durable[i]
		case f == torn && string(c.now[i]) != string(c.durable[i]):
			half := slices.Clone(c.durable[i])
			copy(half, c.now[i][:300])
			c.now[i] = half
		}
	}
	c.durable = c.now
	return &c
}

func (d *memory) now() map[string][]byte { return d.states[len(d.states)-1] }

func (d *memory) Write(ops []Op, sync bool) error {
	d.writes++
	if d.fail && !d.torn {
		return errDisk
	}
	next := maps.Clone(d.now())
	for _, op := range ops {
		switch {
		case op.End != nil:
			maps.DeleteFunc(next, func(k string, _ []byte) bool { return k >= string(op.Key) && k < string(op.End) })
		case op.Value == nil:
			delete(next, string(op.Key))
		default:
			next[string(op.Key)] = slices.Clone(op.Value)
		}
	}
	d.states = append(d.states, next)
	if d.fail {
		return errDisk
	}
	if sync {
		d.states = d.states[len(d.states)-1:]
	}
	return nil
}

func (d *memory) Scan(prefix []byte, each func(key, value []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(d.now())) {
		if strings.HasPrefix(k, string(prefix)) {
			if err := each([]byte(k), d.now()[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// unsynced is the number of writes that a crash may lose.
func (d *memory) unsynced() int { return len(d.states) - 1 }

// crash returns the disk after a crash that the first keep unsynced writes survive; of the signer's, all or none.
func (d *memory) crash(keep int) *memory {
	if keep == d.unsynced() {
		return d.crashSigner(keep, kept)
	}
	return d.crashSigner(keep, lost)
}

func (d *memory) crashSigner(keep int, f fate) *memory {
	c := &memory{states: []map[string][]byte{maps.Clone(d.states[keep])}}
	if d.slots != nil {
		c.slots = d.slots.crash(f)
	}
	return c
}

func mustOpen(t failer, d paired, cfg setup) (*Journal, Recovered) {
	t.Helper()
	j, rec, err := open(d, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return j, rec
}

// signOne signs a single vote: the signed one, or refused.
func signOne(t failer, j *Journal, v quorum.Vote) (quorum.VerifiedVote, bool) {
	t.Helper()
	signed, refused, err := j.Sign([]quorum.Vote{v}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(signed)+len(refused) != 1 {
		t.Fatalf("one vote gave %d signed and %d refused ones", len(signed), len(refused))
	}
	if len(refused) == 1 {
		if refused[0] != v {
			t.Fatalf("refused %v instead of %v", refused[0], v)
		}
		return quorum.VerifiedVote{}, false
	}
	return signed[0], true
}

func wantKind(t *testing.T, err error, kind ErrKind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("the error is %v, want kind %q", err, kind)
	}
}
