package store

import (
	"bytes"
	"encoding/binary"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Past is the whole state as it was after a block, to be listed; [Snapshot.ViewAt] reads single keys of it. It holds in
// memory what changed since then.
type Past struct {
	p        *Snapshot
	replaced map[crypto.Hash][]byte // by position: the value then; nil: it was absent
	deleted  []Entry                // there then and not now, in the order of keys
}

// Past returns the state after block h. Errors: those of ViewAt.
func (p *Snapshot) Past(h quorum.Height) (*Past, error) {
	if err := p.kept(h); err != nil {
		return nil, err
	}
	past := &Past{p: p, replaced: map[crypto.Hash][]byte{}}
	gone := map[string]bool{}
	stem := []byte{prefixReplaced, replacedState}
	var bad error
	err := p.s.walk(p.snap, stem, after(stem), func(key, value []byte) bool {
		rest := key[len(stem):]
		if len(rest) != crypto.HashSize+8 || quorum.Height(binary.BigEndian.Uint64(rest[crypto.HashSize:])) <= h {
			return true
		}
		if k := deletedKey(value); k != nil {
			gone[string(k)] = true
		}
		at := crypto.Hash(rest[:crypto.HashSize])
		if _, older := past.replaced[at]; !older { // heights ascend: the first is the one that counts
			past.replaced[at], bad = decodeReplaced(value)
		}
		return bad == nil
	})
	if bad != nil {
		return nil, p.s.corrupt(bad, "reading what a block replaced")
	}
	if err != nil {
		return nil, err
	}
	return past, past.find(gone)
}

// find keeps those of the keys that were there then and are not there now.
func (p *Past) find(gone map[string]bool) error {
	for k := range gone {
		now, err := p.p.s.getFrom(p.p.snap, stateKey([]byte(k)))
		if err != nil {
			return err
		}
		if then := p.replaced[crypto.TreeKey([]byte(k))]; now == nil && then != nil {
			p.deleted = append(p.deleted, Entry{Key: []byte(k), Value: then})
		}
	}
	slices.SortFunc(p.deleted, func(a, b Entry) int { return bytes.Compare(a.Key, b.Key) })
	return nil
}

// Scan is Snapshot.Scan of that state; it may return more than limit entries, but none only at the end.
func (p *Past) Scan(prefix, past []byte, limit int) ([]Entry, error) {
	for {
		present, err := p.p.Scan(prefix, past, limit)
		if err != nil {
			return nil, err
		}
		end := len(present) < limit
		var out []Entry
		for _, e := range present {
			if then, changed := p.replaced[crypto.TreeKey(e.Key)]; changed {
				e.Value = then
			}
			if e.Value != nil {
				out = append(out, e)
			}
		}
		for _, e := range p.deleted {
			before := past != nil && bytes.Compare(e.Key, past) <= 0
			if before || !bytes.HasPrefix(e.Key, prefix) || !end && bytes.Compare(e.Key, present[len(present)-1].Key) > 0 {
				continue
			}
			out = append(out, e)
		}
		if len(out) > 0 || end {
			slices.SortFunc(out, func(a, b Entry) int { return bytes.Compare(a.Key, b.Key) })
			return out, nil
		}
		past = present[len(present)-1].Key
	}
}
