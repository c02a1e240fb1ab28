package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// getter says what to read from: the database as it is now (nil), or a snapshot of it.
type getter = *pebble.Snapshot

// get returns a copy of the value of key, nil if there is none.
func (s *Store) get(key []byte) ([]byte, error) { return s.getFrom(nil, key) }

func (s *Store) getFrom(snap getter, key []byte) (out []byte, err error) {
	_, err = s.use(snap, key, func(value []byte) { out = append(make([]byte, 0, len(value)), value...) })
	return out, err
}

// use calls f with the value of key, which is valid during the call only; false if there is none.
func (s *Store) use(snap getter, key []byte, f func(value []byte)) (found bool, err error) {
	err = s.whileOpen(func() error {
		value, closer, err := s.reader(snap).Get(key)
		if err == pebble.ErrNotFound { //nolint:errorlint // Pebble returns it bare, and it is the answer to most questions
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		f(value)
		return closer.Close()
	})
	if err != nil {
		return false, s.readError(err, key)
	}
	return found, nil
}

// getVersion returns a copy of a present value or page, and the height that made it; nil if there is none.
func (s *Store) getVersion(snap getter, key []byte) (data []byte, since quorum.Height, err error) {
	var bad error
	_, err = s.use(snap, key, func(value []byte) {
		var part []byte
		part, since, bad = splitVersion(value)
		if bad == nil && key[0] == prefixPage {
			part, bad = wholePage(part)
		}
		if bad == nil {
			data = append(make([]byte, 0, len(part)), part...)
		}
	})
	if err == nil && bad != nil {
		err = s.corrupt(bad, "reading a key of keyspace %#02x", key[0])
	}
	return data, since, err
}

func (s *Store) reader(snap getter) pebble.Reader {
	if snap != nil {
		return snap
	}
	return s.db
}

// walk calls visit for each key and value in [from, to), in order, until it returns false. They are valid during the
// call only.
func (s *Store) walk(snap getter, from, to []byte, visit func(key, value []byte) bool) error {
	err := s.whileOpen(func() error {
		it, err := s.reader(snap).NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
		if err != nil {
			return err
		}
		for ok := it.First(); ok && visit(it.Key(), it.Value()); ok = it.Next() {
		}
		return it.Close()
	})
	if err != nil {
		return s.readError(err, from)
	}
	return nil
}

// readError stops the store when what it read is corrupt: whatever it answered next could be wrong.
func (s *Store) readError(err error, key []byte) error {
	if pebble.IsCorruptionError(err) {
		s.reporter.fail(err)
	}
	return s.classify(err, fmt.Sprintf("reading a key of keyspace %#02x", key[0]))
}

// liveView reads the state after the last committed block.
type liveView struct {
	s *Store
	r getter
}

// Read implements ledger.View.
func (v liveView) Read(key []byte) ([]byte, error) {
	if v.r == nil {
		rec, err := v.s.record(key)
		return rec.value, err
	}
	data, _, err := v.s.getVersion(v.r, stateKey(key))
	return data, err
}

// View returns the state after the tip. Each read sees the tip of that moment; the goroutine that commits reads
// consistently, others use [Store.Snapshot].
func (s *Store) View() ledger.View { return liveView{s, nil} }

// livePages reads the tree after the last committed block.
type livePages struct {
	s *Store
	r getter
}

// ReadPage implements crypto.PageReader.
func (p livePages) ReadPage(path crypto.PagePath) ([]byte, error) {
	data, _, err := p.ReadVersion(path)
	return data, err
}

// ReadVersion implements crypto.VersionReader: the version is the height that made the page.
func (p livePages) ReadVersion(path crypto.PagePath) ([]byte, uint64, error) {
	data, since, err := p.s.getVersion(p.r, pageKey(path))
	return data, uint64(since), err
}

// Snapshot is the ledger after one block, unmoved by later ones. It costs disk space while it is open.
type Snapshot struct {
	s    *Store
	snap *pebble.Snapshot
	tip  tipRecord
}

// Snapshot returns the ledger after the last committed block. Close it.
func (s *Store) Snapshot() (*Snapshot, error) {
	if err := s.stopped(); err != nil {
		return nil, err
	}
	var snap *pebble.Snapshot
	if err := s.whileOpen(func() error { snap = s.db.NewSnapshot(); return nil }); err != nil {
		return nil, err
	}
	raw, err := s.getFrom(snap, tipKey())
	if err != nil {
		_ = snap.Close()
		return nil, err
	}
	tip, err := decodeTip(raw)
	if err != nil {
		_ = snap.Close()
		return nil, s.corrupt(err, "reading the tip")
	}
	return &Snapshot{s: s, snap: snap, tip: tip}, nil
}

// Close releases the snapshot.
func (p *Snapshot) Close() error { return p.s.classify(p.snap.Close(), "closing a snapshot") }

// Tip returns the block that the snapshot is after.
func (p *Snapshot) Tip() Tip { return p.tip.Tip }

// Oldest returns the lowest height whose state can be read.
func (p *Snapshot) Oldest() quorum.Height { return p.tip.oldest }

// View returns the state after the tip of the snapshot.
func (p *Snapshot) View() ledger.View { return liveView{p.s, p.snap} }

// ViewAt returns the state after block h. Errors: ErrPruned, ErrNotFound for a height above the tip.
func (p *Snapshot) ViewAt(h quorum.Height) (ledger.View, error) {
	if err := p.kept(h); err != nil {
		return nil, err
	}
	return pastView{p, h}, nil
}

func (p *Snapshot) kept(h quorum.Height) error {
	switch {
	case h > p.tip.Height:
		return notFound("block %d is not here yet, the tip is block %d", h, p.tip.Height)
	case h < p.tip.oldest:
		return refuse(ErrPruned, "the state at height %d is no longer kept, the oldest is %d: ask a node that keeps more", h, p.tip.oldest)
	}
	return nil
}

// pastView reads the state, and pastPages the tree, as they were after block h.
type pastView struct {
	p *Snapshot
	h quorum.Height
}

// Read implements ledger.View.
func (v pastView) Read(key []byte) ([]byte, error) {
	return v.p.at(stateThing(key), v.h)
}

type pastPages pastView

// ReadPage implements crypto.PageReader.
func (v pastPages) ReadPage(path crypto.PagePath) ([]byte, error) {
	return v.p.at(pageThing(path), v.h)
}

// after returns the first key that does not begin with stem, which holds no byte string of 0xff only.
func after(stem []byte) []byte {
	end := append([]byte(nil), stem...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
