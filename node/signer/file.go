package signer

import (
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// MaxReserve bounds Options.Reserve.
const MaxReserve = 4096

// NodeReserve is the reserve of a signer inside a node, whose journal syncs every vote anyway: one sync in 64 views.
const NodeReserve = 64

// Options of a File.
type Options struct {
	Genesis crypto.Hash // the network
	Key     crypto.PrivateKey

	// Reserve is how many views the file may be behind its ceiling before it is synced again; 0 syncs every signature,
	// which a signer without a journal needs. At most MaxReserve.
	Reserve int

	// Sign makes signatures; nil is Key.Sign. The simulator puts a keyed hash here.
	Sign func(crypto.PrivateKey, crypto.Hash) crypto.Signature
}

func (o *Options) check() error {
	if o.Reserve < 0 || o.Reserve > MaxReserve {
		return refuse(ErrOptions, "the reserve is %d views; it is 0 to %d", o.Reserve, MaxReserve)
	}
	if o.Key.IsZero() {
		return refuse(ErrOptions, "there is no key")
	}
	return nil
}

// File is a Signer that holds the key, and remembers in a Storage.
//
// The goal is to lose nothing that was signed, at whatever moment the power goes, with hardly a sync of its own where a
// journal syncs every vote, and to go on at once afterwards: a signer that skipped some views to be safe would silence a
// network whose nodes all lost power together, because views advance by votes only.
//
//  1. One slot, the base, is durable. Writes that are not synced go to the other one. A synced write goes there, too; then
//     that slot is the base, and the former one is overwritten with the same, so that either copy alone will do.
//  2. Ceiling, in the base, is synced before anything above the former one is signed. So what was signed is at most the
//     ceiling of any copy that can be read.
//  3. When Mark is below Ceiling, the file was not closed in order, and Mark may be too low by what was not synced. The
//     journal knows better, because every vote that left the node was synced there: until Reconcile has brought its mark,
//     nothing is signed. The ceiling is never taken for the mark.
//  4. After a failed write nothing is signed any more: what is in memory may not be on the disk, or the reverse.
type File struct {
	opts Options
	key  crypto.PublicKey

	mu       sync.Mutex // guards everything below
	storage  Storage
	state    State
	sequence uint64 // of the newest write
	base     int    // the slot that must not be written
	syncs    uint64
	ready    bool // the marks in memory are exact
	failed   error
}

// Create makes a signer's file, which then begins at the zero mark: for a key that never signed. The error is of kind
// ErrExists if there is one.
func Create(storage Storage, genesis crypto.Hash, key crypto.PublicKey) error {
	slots, err := storage.Read()
	if err != nil {
		return failed(err, "looking for a signer file")
	}
	if slots[0] != nil || slots[1] != nil {
		return refuse(ErrExists, "it remembers what the key signed, so it must not be made anew; nothing was changed")
	}
	return writeFirst(storage, &State{Genesis: genesis, Key: key})
}

// CreateFile is Create on a file; the folder must exist.
func CreateFile(fs vfs.FS, path string, genesis crypto.Hash, key crypto.PublicKey) error {
	storage, err := OnFS(fs, path)
	if err != nil {
		return err
	}
	return errors.Join(Create(storage, genesis, key), storage.Close())
}

// writeFirst replaces whatever is there.
func writeFirst(storage Storage, s *State) error {
	for slot := range 2 {
		if err := storage.Write(slot, encodeSlot(1, s), true); err != nil {
			return failed(err, "writing the signer file: check the disk and its permissions")
		}
	}
	return nil
}

// load reads the newest copy. Errors are of kind ErrMissing, ErrDamaged, ErrForeign and ErrFailed.
func load(storage Storage, genesis crypto.Hash, key crypto.PublicKey) (base int, sequence uint64, s State, err error) {
	slots, err := storage.Read()
	if err != nil {
		return 0, 0, s, failed(err, "reading the signer file: check the disk and its permissions")
	}
	if slots[0] == nil && slots[1] == nil {
		return 0, 0, s, refuse(ErrMissing, "without it nobody knows what the key has signed. If the key is new: waybill signer init. "+
			"If the file was lost, restore its newest copy, or %s", recoverAdvice)
	}
	var faults [2]error
	for i, slot := range slots {
		n, found, err := decodeSlot(slot)
		if faults[i] = err; err == nil && n > sequence {
			base, sequence, s = i, n, found
		}
	}
	if sequence == 0 {
		return 0, 0, s, &Error{Kind: ErrDamaged, Cause: errors.Join(faults[:]...),
			Detail: "neither of its copies can be read. Keep it for study; restore its newest copy, or move it away and " + recoverAdvice}
	}
	if s.Genesis != genesis {
		return 0, 0, s, refuse(ErrForeign, "it belongs to network %s, this is %s: use the data folder of this network", s.Genesis, genesis)
	}
	if s.Key != key {
		return 0, 0, s, refuse(ErrForeign, "it belongs to key %s, the validator key here is %s: put the right pair together", s.Key, key)
	}
	return base, sequence, s, nil
}

// Open continues from a storage, which it owns from then on, and gives up if it fails. See [State] and
// [Signer.Reconcile] for what must come before the first signature.
func Open(storage Storage, opts Options) (*File, error) {
	f, err := open(storage, opts)
	if err != nil {
		return nil, errors.Join(err, storage.Close())
	}
	return f, nil
}

func open(storage Storage, opts Options) (*File, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	key := opts.Key.Public()
	base, sequence, state, err := load(storage, opts.Genesis, key)
	if err != nil {
		return nil, err
	}
	return &File{opts: opts, key: key, storage: storage, state: state, sequence: sequence, base: base, ready: state.exact()}, nil
}

// OpenFile is Open on a file.
func OpenFile(fs vfs.FS, path string, opts Options) (*File, error) {
	storage, err := OnFS(fs, path)
	if err != nil {
		return nil, err
	}
	return Open(storage, opts)
}

// Recover opens a storage whose state is missing, damaged, old or newer than the journal, at a mark that the caller has
// made sure of: nothing at or below it can be signed again, or matters. A state that can be read is only ever raised, to its
// ceiling at least. It is what --recover-signer comes to. The error is of kind ErrForeign for a file of another key or network.
func Recover(storage Storage, opts Options, m Mark) (*File, error) {
	f, err := recoverAt(storage, opts, m)
	if err != nil {
		return nil, errors.Join(err, storage.Close())
	}
	return f, nil
}

func recoverAt(storage Storage, opts Options, m Mark) (*File, error) {
	at := Slot{m.Epoch, m.View}
	f, err := open(storage, opts)
	if errors.Is(err, ErrMissing) || errors.Is(err, ErrDamaged) {
		// The first thing that is written is above the mark already: dying here must leave no file that signs below it.
		s := State{Genesis: opts.Genesis, Key: opts.Key.Public()}
		s.decide(m, at)
		s.Ceiling, s.ProposedCeiling = s.Mark, s.Proposed
		if err := writeFirst(storage, &s); err != nil {
			return nil, err
		}
		return open(storage, opts)
	}
	if err != nil {
		return nil, err
	}
	// What was signed up to the ceiling is not known without the journal.
	f.state.decide(later(m, f.state.Ceiling), laterSlot(at, f.state.ProposedCeiling))
	f.settle()
	f.ready = true
	return f, f.persist(true)
}

// settle declares the marks exact.
func (f *File) settle() { f.state.Ceiling, f.state.ProposedCeiling = f.state.Mark, f.state.Proposed }

// PublicKey implements Signer.
func (f *File) PublicKey() crypto.PublicKey { return f.key }

// State implements Signer.
func (f *File) State() (State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		return State{}, f.failed
	}
	s := f.state
	s.Recent = slices.Clone(s.Recent)
	return s, nil
}

// Syncs counts the synced writes since Open.
func (f *File) Syncs() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.syncs
}

// Reconcile implements Signer.
func (f *File) Reconcile(k Known) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		return f.failed
	}
	raise, err := f.state.check(k, f.ready)
	if err != nil || !raise {
		return err
	}
	f.state.raise(k)
	if err := f.persist(true); err != nil {
		return err
	}
	f.ready = true
	return nil
}

// Sign implements Signer.
func (f *File) Sign(requests []Request) ([]Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		return nil, f.failed
	}
	if !f.ready {
		return nil, f.unreconciled()
	}
	answers := make([]Answer, len(requests))
	changed := false
	for i, r := range requests {
		before, err := f.state.permits(r)
		switch {
		case err != nil:
			answers[i].Refused = err
		case before != nil:
			answers[i].Signature = before.Vote.Signature
		default:
			answers[i].Signature = f.sign(r)
			changed = true
		}
	}
	if !changed {
		return answers, nil
	}
	if err := f.persist(f.reserve()); err != nil {
		return nil, err
	}
	return answers, nil
}

func (f *File) unreconciled() error {
	return refuse(ErrUnreconciled, "it was not closed in order, so it signed something between %s and %s. "+
		"Let the node that used it start once more with it; or accept that this key is silent until %s: "+
		"waybill signer export, then import", f.state.Mark, f.state.Ceiling, f.state.Ceiling)
}

// permits applies the rule: (nil, nil) to sign, (vote, nil) when exactly this was signed before.
func (s *State) permits(r Request) (*SignedVote, error) {
	v := r.Vote
	if _, err := quorum.DecodeVote(v.Encode()); err != nil {
		return nil, &Error{Kind: ErrRefused, Detail: "this is no vote", Cause: err}
	}
	if old := s.find(v); old != nil {
		if old.same(r) {
			return old, nil
		}
		return nil, refuse(ErrRefused, "%s of view %d in epoch %d: a %s of %s was signed there",
			v.Kind, v.View, v.Epoch, old.Vote.Kind, old.Vote.Block.Short())
	}
	if at := (Slot{v.Epoch, v.View}); v.Kind == quorum.KindProposal {
		if !s.Proposed.Less(at) {
			return nil, refuse(ErrRefused, "a proposal for %s is not after the last one, %s", at, s.Proposed)
		}
		return nil, nil
	}
	if at := MarkOf(v); !s.Mark.Less(at) {
		return nil, refuse(ErrRefused, "%s is not after the last vote, %s", at, s.Mark)
	}
	if v.Kind == quorum.KindFinalize {
		notarize := r
		notarize.Vote.Kind = quorum.KindNotarize
		if own := s.find(notarize.Vote); own == nil || !own.same(notarize) {
			return nil, refuse(ErrRefused, "finalize of view %d without our notarize of that block", v.View)
		}
	}
	return nil, nil
}

func (f *File) sign(r Request) crypto.Signature {
	digest := quorum.VoteDigest(f.opts.Genesis, r.ValidatorSet, r.Vote)
	signed := SignedVote(r)
	if f.opts.Sign != nil {
		signed.Vote.Signature = f.opts.Sign(f.opts.Key, digest)
	} else {
		signed.Vote.Signature = f.opts.Key.Sign(digest)
	}
	s := &f.state
	if r.Vote.Kind == quorum.KindProposal {
		s.Proposed = Slot{r.Vote.Epoch, r.Vote.View}
	} else {
		s.Mark = MarkOf(r.Vote)
	}
	s.remember(signed)
	return signed.Vote.Signature
}

// reserve moves the ceilings if something was signed above them, and reports whether the disk must know.
func (f *File) reserve() bool {
	s := &f.state
	if f.opts.Reserve == 0 {
		f.settle()
		return true
	}
	if !s.Ceiling.Less(s.Mark) && !s.ProposedCeiling.Less(s.Proposed) {
		return false
	}
	top := laterSlot(Slot{s.Mark.Epoch, s.Mark.View}, s.Proposed)
	top.View += min(quorum.View(f.opts.Reserve), math.MaxUint64-top.View)
	s.Ceiling = later(s.Ceiling, Mark{top.Epoch, top.View, stepExit})
	s.ProposedCeiling = laterSlot(s.ProposedCeiling, top)
	return true
}

// persist writes the state beside the base. An error ends the signer.
func (f *File) persist(sync bool) error {
	f.sequence++
	slot := encodeSlot(f.sequence, &f.state)
	other := 1 - f.base
	err := f.storage.Write(other, slot, sync)
	if err == nil && sync {
		f.syncs++
		f.base = other
		err = f.storage.Write(1-other, slot, false)
	}
	if err != nil {
		f.failed = failed(err, "its file cannot be written, so nothing is signed any more: check the disk, then start again")
	}
	return f.failed
}

// Close writes the exact marks, so that the next Open needs no journal, and gives the storage up.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.storage == nil {
		return nil
	}
	var err error
	if f.failed == nil && f.ready && !f.state.exact() {
		f.settle()
		err = f.persist(true)
	}
	err = errors.Join(err, f.storage.Close())
	f.storage = nil
	f.failed = refuse(ErrFailed, "it is closed")
	return err
}
