package store

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"waybill/consensus/quorum"
)

// base is what a restore of the model's ledger at height s begins with.
func (m *model) base(s quorum.Height) Base {
	var b Base
	for h := s; int(h) < len(m.blocks); h++ {
		b.Headers = append(b.Headers, m.blocks[h].header)
		b.Certificates = append(b.Certificates, m.blocks[h].cert)
	}
	for _, at := range m.blocks[:s+1] {
		if at.next != nil {
			b.Handovers = append(b.Handovers, Handover{Closing: at.header, Certificate: *at.cert, Next: at.next})
		}
	}
	return b
}

// put hands the model's state after a height to a restore, in several steps.
func (m *model) put(r *Restore, s quorum.Height) error {
	var entries []Entry
	for k, v := range m.states[s] {
		entries = append(entries, Entry{Key: []byte(k), Value: v})
		if len(entries) == 7 {
			if err := r.Put(entries); err != nil {
				return err
			}
			entries = nil
		}
	}
	return r.Put(entries)
}

// restored makes a ledger that begins at height s in the folder "data" of fs.
func (m *model) restore(fs vfs.FS, s quorum.Height) error {
	r, err := OpenRestore("data", m.genesis, small(fs), false)
	if err != nil {
		return err
	}
	if err := m.put(r, s); err != nil {
		return errors.Join(err, r.Close())
	}
	return errors.Join(r.Finish(m.base(s)), r.Close())
}

// checkRestored compares a ledger that begins at height s with the model.
func (m *model) checkRestored(t testing.TB, st *Store, s quorum.Height) {
	t.Helper()
	if st.Base() != s || st.Tip().Height < s {
		t.Fatalf("base %d, tip %d, want base %d", st.Base(), st.Tip().Height, s)
	}
	for h := quorum.Height(1); h <= s; h++ {
		if _, err := st.Block(h); !errors.Is(err, ErrBelowBase) {
			t.Fatalf("block %d: %v", h, err)
		}
	}
	for h := s + 1; h <= st.Tip().Height; h++ {
		m.checkBlock(t, st, h)
	}
	m.checkState(t, st, st.Tip().Height)
	if err := st.Audit(t.Context(), nil); err != nil {
		t.Fatalf("audit: %v", err)
	}
}

func TestRestoredLedgerGoesOn(t *testing.T) {
	m := newModel(31)
	full := mustOpen(t, vfs.NewMem())
	m.grow(t, full, 40)
	closed(t, full)
	fs := vfs.NewMem()
	if err := m.restore(fs, 20); err != nil {
		t.Fatal(err)
	}
	s, err := Open("data", m.genesis, small(fs))
	if err != nil {
		t.Fatal(err)
	}
	m.checkRestored(t, s, 20)
	for h := 21; h <= 40; h++ {
		if root, err := commitBlock(s, m.blocks[h]); err != nil || root != m.roots[h] {
			t.Fatalf("block %d: %v", h, err)
		}
	}
	m.checkRestored(t, s, 20)
	if _, err := s.ProveTransaction(m.blocks[3].header.Hash()); !IsNotFound(err) {
		t.Fatal(err)
	}
	closed(t, s)
	if err := m.restore(fs, 20); !errors.Is(err, ErrSequence) {
		t.Fatalf("over a ledger: %v", err)
	}
}

// A state that is not the certified one never becomes a ledger.
func TestRestoreRefusesAnotherState(t *testing.T) {
	m := newModel(32)
	full := mustOpen(t, vfs.NewMem())
	m.grow(t, full, 20)
	closed(t, full)
	for name, forge := range map[string]func(*Restore) error{
		"a key more":     func(r *Restore) error { return r.Put([]Entry{{Key: []byte("acct/rich"), Value: []byte{1}}}) },
		"a value":        func(r *Restore) error { return r.Put([]Entry{{Key: []byte("genesis"), Value: []byte{1}}}) },
		"nothing at all": nil,
	} {
		fs := vfs.NewMem()
		r, err := OpenRestore("data", m.genesis, small(fs), false)
		if err != nil {
			t.Fatal(err)
		}
		if forge != nil {
			if err := errors.Join(m.put(r, 10), forge(r)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Finish(m.base(10)); !errors.Is(err, ErrWrongState) {
			t.Fatalf("%s: %v", name, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := Open("data", m.genesis, small(fs))
		if err != nil || s.Tip().Height != 0 || s.Base() != 0 {
			t.Fatalf("%s: %v, %+v", name, err, s.Tip())
		}
		m.check(t, s)
		closed(t, s)
	}
}

// A crash at any point of a restore leaves an empty ledger, or the whole one; the restore can be done again, and what
// others keep in the database is untouched.
func TestCrashWhileRestoring(t *testing.T) {
	m := newModel(33)
	full := mustOpen(t, vfs.NewMem())
	m.grow(t, full, 30)
	closed(t, full)
	const at = 20
	journal := []byte{JournalFirst, 1}
	empty, whole := 0, 0
	for stride := 1; stride <= 3; stride++ {
		// Pebble, when it opens a database that exists, counts on a folder keeping its changes in their order: a new
		// manifest before the marker that names it.
		c := &crashes{mem: newCrashFS(), stride: stride, ordered: true}
		s := mustOpen(t, c.mem)
		batch := s.DB().NewBatch()
		if err := errors.Join(batch.Set(journal, []byte("vote"), nil), s.Apply(batch, true)); err != nil {
			t.Fatal(err)
		}
		closed(t, s)
		if err := m.restore(errorfs.Wrap(c.mem, c), at); err != nil {
			t.Fatal(err)
		}
		if len(c.disks) < 8 { // how many operations of stride meet a write depends on the size of the state
			t.Fatalf("only %d crashes", len(c.disks))
		}
		for i, d := range c.disks {
			s, err := Open("data", m.genesis, small(d.fs))
			if err != nil {
				t.Fatalf("%s: %v", d.what, err)
			}
			if vote, err := s.get(journal); err != nil || !bytes.Equal(vote, []byte("vote")) {
				t.Fatalf("%s: the journal is gone: %q, %v", d.what, vote, err)
			}
			switch s.Tip().Height {
			case 0:
				empty++
				if i%4 == 0 {
					m.check(t, s)
				}
				closed(t, s)
				if err := m.restore(d.fs, at); err != nil {
					t.Fatalf("%s: once more: %v", d.what, err)
				}
				if s, err = Open("data", m.genesis, small(d.fs)); err != nil {
					t.Fatal(err)
				}
			case at:
				whole++
			default:
				t.Fatalf("%s: the tip is %d", d.what, s.Tip().Height)
			}
			m.checkRestored(t, s, at)
			if _, err := commitBlock(s, m.blocks[at+1]); err != nil {
				t.Fatalf("%s: %v", d.what, err)
			}
			closed(t, s)
		}
	}
	if empty == 0 || whole == 0 {
		t.Fatalf("%d crashes left an empty ledger, %d the whole one", empty, whole)
	}
	t.Logf("%d crashes left an empty ledger, %d the whole one", empty, whole)
}

// A base that does not belong to the state is refused.
func TestRestoreRefusesAnotherBase(t *testing.T) {
	m := newModel(34)
	full := mustOpen(t, vfs.NewMem())
	m.grow(t, full, 12)
	closed(t, full)
	other := quorum.Height(6)
	for m.roots[other] == m.roots[5] {
		other++
	}
	for name, b := range map[string]Base{
		"no headers":        {},
		"too few":           {Headers: m.base(5).Headers, Certificates: nil},
		"nothing commits":   {Headers: m.base(5).Headers[:1], Certificates: m.base(5).Certificates[:1]},
		"of another height": m.base(other),
	} {
		r, err := OpenRestore("data", m.genesis, small(vfs.NewMem()), false)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.put(r, 5); err != nil {
			t.Fatal(err)
		}
		if err := r.Finish(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if err := r.Close(); err != nil {
			t.Error(fmt.Errorf("%s: %w", name, err))
		}
	}
}
