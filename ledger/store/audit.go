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
	return p.s.scan(p.snap, prefix, after, limit)
}

func (s *Store) scan(r getter, prefix, past []byte, limit int) ([]Entry, error) {
	stem := stateKey(prefix)
	from := stem
	if past != nil {
		if next := append(stateKey(past), 0); bytes.Compare(next, stem) > 0 {
			from = next
		}
	}
	var out []Entry
	err := s.walk(r, from, after(stem), func(key, value []byte) bool {
		if len(out) >= limit {
			return false
		}
		out = append(out, Entry{Key: bytes.Clone(key[1:]), Value: append(make([]byte, 0, len(value)), value...)})
		return true
	})
	return out, err
}

// TipHeight is Tip().Height.
func (s *Store) TipHeight() quorum.Height { return s.Tip().Height }

// Audit reads everything: that headers form a chain, that payloads and receipts hash to what headers and roots say, and
// that the state hashes to the state root. progress, if not nil, is called with each height. The error is ErrCorrupt
// and names what does not agree, ErrIO, or that of ctx.
func (s *Store) Audit(ctx context.Context, progress func(quorum.Height)) error {
	tip := s.Tip()
	var parent crypto.Hash
	for h := quorum.Height(0); h <= tip.Height; h++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		hash, err := s.auditBlock(h, parent)
		if err != nil {
			return s.missing(err, h)
		}
		parent = hash
		if progress != nil {
			progress(h)
		}
	}
	if parent != tip.Hash {
		return s.corrupt(nil, "the tip is block %s, its height says block %s", tip.Hash, parent)
	}
	if err := s.auditHistory(); err != nil {
		return err
	}
	return s.auditState(ctx)
}

// auditHistory reads every replaced value that is kept.
func (s *Store) auditHistory() error {
	var bad error
	err := s.walk(nil, []byte{prefixReplaced}, []byte{prefixReplacedKeys}, func(_, value []byte) bool {
		_, bad = decodeReplaced(value)
		return bad == nil
	})
	if err == nil && bad != nil {
		return s.corrupt(bad, "reading what a block replaced")
	}
	return err
}

func (s *Store) auditBlock(h quorum.Height, parent crypto.Hash) (crypto.Hash, error) {
	b, err := s.Block(h)
	if err != nil {
		return crypto.Hash{}, err
	}
	hash := b.Header.Hash()
	roots, err := s.roots(nil, h)
	if err != nil {
		return crypto.Hash{}, err
	}
	at, err := s.HeightOf(hash)
	switch {
	case err != nil:
		return crypto.Hash{}, err
	case at != h || b.Header.Height != h || b.Header.Genesis != s.genesis && h > 0:
		return crypto.Hash{}, s.corrupt(nil, "block %d stands at another height, or is of another network", h)
	case h > 0 && b.Header.Parent != parent:
		return crypto.Hash{}, s.corrupt(nil, "block %d is not the child of block %d", h, h-1)
	case quorum.PayloadRoot(b.Payload) != b.Header.PayloadRoot:
		return crypto.Hash{}, s.corrupt(nil, "the transactions of block %d do not hash to its payload root", h)
	case ledger.ReceiptsRoot(b.Receipts) != roots.receipts:
		return crypto.Hash{}, s.corrupt(nil, "the receipts of block %d do not hash to their root", h)
	}
	for i, r := range b.Receipts {
		l, err := s.Transaction(r.Tx)
		if err != nil {
			return crypto.Hash{}, err
		}
		if l.Height > h || l.Height == h && l.Tx < i {
			return crypto.Hash{}, s.corrupt(nil, "transaction %s is said to be at height %d", r.Tx, l.Height)
		}
	}
	return hash, nil
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
