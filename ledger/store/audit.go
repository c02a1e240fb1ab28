package store

import (
	"bytes"
	"context"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// Entry is a key and value of the state.
type Entry struct{ Key, Value []byte }

// Scan lists, in the order of keys, at most limit entries of the present state whose keys begin with prefix and come
// after the given key; nil starts at the first. It is for listings; rules read single keys.
func (p *Snapshot) Scan(prefix, after []byte, limit int) ([]Entry, error) {
	found, err := p.s.scan(p.snap, prefix, after, limit)
	out := make([]Entry, len(found))
	for i := range found {
		out[i] = found[i].Entry
	}
	return out, err
}

// sinceEntry is an Entry with the height that made it.
type sinceEntry struct {
	Entry
	since quorum.Height
}

func (s *Store) scan(r getter, prefix, past []byte, limit int) ([]sinceEntry, error) {
	stem := stateKey(prefix)
	from := stem
	if past != nil {
		if next := append(stateKey(past), 0); bytes.Compare(next, stem) > 0 {
			from = next
		}
	}
	var out []sinceEntry
	var bad error
	err := s.walk(r, from, after(stem), func(key, value []byte) bool {
		if len(out) >= limit {
			return false
		}
		var e sinceEntry
		if value, e.since, bad = splitVersion(value); bad != nil {
			return false
		}
		e.Key, e.Value = bytes.Clone(key[1:]), append(make([]byte, 0, len(value)), value...)
		out = append(out, e)
		return true
	})
	if bad != nil {
		err = s.corrupt(bad, "listing the state")
	}
	return out, err
}

// TipHeight is Tip().Height.
func (s *Store) TipHeight() quorum.Height { return s.Tip().Height }

// Audit reads everything: that headers form a chain, that payloads and receipts hash to what headers and roots say, that
// the receipts roots chain, that epochs hand over to each other, and that the state hashes to the state root. progress, if not nil, is called with each
// height. The error is ErrCorrupt and names what does not agree, ErrIO, or that of ctx.
func (s *Store) Audit(ctx context.Context, progress func(quorum.Height)) error {
	tip := s.Tip()
	var last audited
	from := s.base
	if from > 0 {
		var err error
		if last, err = s.auditBase(); err != nil {
			return s.missing(err, from)
		}
		from++
	}
	for h := from; h <= tip.Height; h++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		this, err := s.auditBlock(h, last)
		if err != nil {
			return s.missing(err, h)
		}
		last = this
		if progress != nil {
			progress(h)
		}
	}
	if last.hash != tip.Hash {
		return s.corrupt(nil, "the tip is block %s, its height says block %s", tip.Hash, last.hash)
	}
	if err := s.auditHistory(); err != nil {
		return err
	}
	return s.auditState(ctx)
}

// auditHistory reads every replaced value that is kept.
func (s *Store) auditHistory() error {
	var bad error
	err := s.walk(nil, []byte{prefixReplaced}, []byte{prefixUndo + 1}, func(key, value []byte) bool {
		if key[0] == prefixUndo {
			bad = auditUndo(value)
		} else {
			_, bad = decodeStep(value)
		}
		return bad == nil
	})
	if err == nil && bad != nil {
		return s.corrupt(bad, "reading what a block replaced")
	}
	return err
}

// auditUndo reads an undo record whole: its versions must be there and ascend.
func auditUndo(b []byte) error {
	u, err := parseUndo(b)
	if err != nil {
		return err
	}
	if _, err := unframe(u.steps); err != nil {
		return err
	}
	var last replacedVersion
	for i := range u.len() {
		v, err := u.at(i)
		if err != nil {
			return err
		}
		if i > 0 && v.compare(last.kind, last.name) <= 0 {
			return errUndo
		}
		last = v
	}
	return nil
}

// audited is what the next block must continue: the hash of a block, the chain of receipts roots after it, and the epoch.
type audited struct {
	hash, chain crypto.Hash
	epoch       EpochRecord
}

func (s *Store) auditBlock(h quorum.Height, last audited) (audited, error) {
	b, err := s.Block(h)
	if err != nil {
		return audited{}, err
	}
	hash := b.Header.Hash()
	roots, err := s.roots(nil, h)
	if err != nil {
		return audited{}, err
	}
	at, err := s.HeightOf(hash)
	switch {
	case err != nil:
		return audited{}, err
	case at != h || b.Header.Height != h || b.Header.Genesis != s.genesis && h > 0:
		return audited{}, s.corrupt(nil, "block %d stands at another height, or is of another network", h)
	case h > 0 && b.Header.Parent != last.hash:
		return audited{}, s.corrupt(nil, "block %d is not the child of block %d", h, h-1)
	case quorum.PayloadRoot(b.Payload) != b.Header.PayloadRoot:
		return audited{}, s.corrupt(nil, "the transactions of block %d do not hash to its payload root", h)
	case ledger.ReceiptsRoot(b.Receipts) != roots.receipts:
		return audited{}, s.corrupt(nil, "the receipts of block %d do not hash to their root", h)
	case ledger.ChainReceipts(last.chain, roots.receipts) != roots.chain:
		return audited{}, s.corrupt(nil, "the chain of receipts roots breaks at block %d", h)
	}
	for i := range b.Receipts {
		if err := s.auditPlace(b, i); err != nil {
			return audited{}, err
		}
	}
	epoch, err := s.auditEpoch(b.Header, last.epoch)
	return audited{hash: hash, chain: roots.chain, epoch: epoch}, err
}

// auditPlace checks where transaction i of a block is said to be: here if it was executed here. One that was not may be
// in another place as well, before or after, in this block or another.
func (s *Store) auditPlace(b *StoredBlock, i int) error {
	r, here := &b.Receipts[i], Location{Height: b.Header.Height, Tx: i}
	l, err := s.Transaction(r.Tx)
	if err != nil || l == here {
		return err
	}
	receipts := b.Receipts
	if l.Height != here.Height {
		if receipts, err = s.Receipts(l.Height); err != nil {
			return err
		}
	}
	if r.Executed() || l.Tx >= len(receipts) || receipts[l.Tx].Tx != r.Tx {
		return s.corrupt(nil, "transaction %s is said to be at height %d, index %d; it is at height %d, index %d", r.Tx, l.Height, l.Tx, here.Height, i)
	}
	return nil
}

// auditState builds the tree of the present state anew.
func (s *Store) auditState(ctx context.Context) error {
	const step = 10_000
	snap, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer func() { _ = snap.Close() }() // frees memory only
	tree := memoryPages{}
	var root crypto.Hash
	var last []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := snap.Scan(nil, last, step)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			break
		}
		writes := make([]crypto.TreeWrite, len(entries))
		for i, e := range entries {
			writes[i] = crypto.TreeWrite{Key: e.Key, Value: e.Value}
		}
		var pages []crypto.Page
		if root, pages, err = crypto.UpdateTree(tree, writes); err != nil {
			return s.corrupt(err, "building the state tree")
		}
		tree.put(pages)
		last = entries[len(entries)-1].Key
	}
	if root != snap.tip.StateRoot {
		return s.corrupt(nil, "the state after block %d hashes to %s, its root is %s", snap.tip.Height, root, snap.tip.StateRoot)
	}
	return nil
}

type memoryPages map[crypto.PagePath][]byte

// ReadPage implements crypto.PageReader.
func (m memoryPages) ReadPage(path crypto.PagePath) ([]byte, error) { return m[path], nil }

func (m memoryPages) put(pages []crypto.Page) {
	for _, p := range pages {
		if p.Data == nil {
			delete(m, p.Path)
		} else {
			m[p.Path] = p.Data
		}
	}
}
