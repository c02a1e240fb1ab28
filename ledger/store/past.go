package store

import (
	"bytes"
	"encoding/binary"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Past is the whole state as it was after a block, to be listed; [Snapshot.ViewAt] reads single keys of it. It holds in
// memory what of it was replaced since then.
type Past struct {
	p        *Snapshot
	h        quorum.Height
	replaced map[crypto.Hash][]byte // by position: what stood then and was replaced later
	deleted  []Entry                // there then and not now, in the order of keys
}

// Past returns the state after block h. Errors: those of ViewAt.
func (p *Snapshot) Past(h quorum.Height) (*Past, error) {
	if err := p.kept(h); err != nil {
		return nil, err
	}
	past := &Past{p: p, h: h, replaced: map[crypto.Hash][]byte{}}
	gone, err := past.steps()
	if err != nil {
		return nil, err
	}
	for at := h + 1; at <= p.tip.Height; at++ {
		if err := past.undone(at); err != nil {
			return nil, err
		}
	}
	return past, past.find(gone)
}

// steps takes what stood at the height from the entries of their own, and returns every key that was deleted since.
func (p *Past) steps() (map[string]bool, error) {
	gone := map[string]bool{}
	err := p.p.eachStep(p.h, func(at crypto.Hash, s step) {
		if s.key != nil {
			gone[string(s.key)] = true
		}
		if s.since <= p.h {
			p.replaced[at] = append(make([]byte, 0, len(s.data)), s.data...)
		}
	})
	return gone, err
}

// undone takes what stood at the height and was replaced by block h from its undo record.
func (p *Past) undone(h quorum.Height) error {
	raw, err := p.p.s.getFrom(p.p.snap, heightKey(prefixUndo, h))
	if err != nil {
		return err
	}
	u, err := parseUndo(raw)
	for i := 0; err == nil && i < u.len(); i++ {
		var v replacedVersion
		if v, err = u.at(i); err == nil && v.kind == replacedState && v.since <= p.h {
			p.replaced[crypto.TreeKey(v.name)] = v.data
		}
	}
	if err != nil {
		return p.p.s.corrupt(err, "reading what block %d replaced", h)
	}
	return nil
}

// find keeps those of the keys that were there then and are not there now.
func (p *Past) find(gone map[string]bool) error {
	for k := range gone {
		now, _, err := p.p.s.getVersion(p.p.snap, stateKey([]byte(k)))
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
		present, err := p.p.s.scan(p.p.snap, prefix, past, limit)
		if err != nil {
			return nil, err
		}
		end := len(present) < limit
		var out []Entry
		for _, e := range present {
			if e.since > p.h {
				e.Value = p.replaced[crypto.TreeKey(e.Key)]
			}
			if e.Value != nil {
				out = append(out, e.Entry)
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

// KeysAt lists, ascending, at most limit keys that begin with prefix and come after past (nil: from the first): all that
// stood after block h, and some that came later, under which a view of that height finds nothing. Errors: those of ViewAt.
func (p *Snapshot) KeysAt(h quorum.Height, prefix, past []byte, limit int) ([][]byte, error) {
	if err := p.kept(h); err != nil {
		return nil, err
	}
	present, err := p.s.scan(p.snap, prefix, past, limit)
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, len(present))
	for i := range present {
		keys[i] = present[i].Key
	}
	if h == p.tip.Height {
		return keys, nil
	}
	var last []byte // nil: there is none to stop at
	if len(keys) == limit {
		last = keys[limit-1]
	}
	gone, err := p.deletedSince(h, prefix, past, last)
	if err != nil {
		return nil, err
	}
	keys = append(keys, gone...)
	slices.SortFunc(keys, bytes.Compare)
	keys = slices.CompactFunc(keys, bytes.Equal)
	return keys[:min(len(keys), limit)], nil
}

// deletedSince lists keys that begin with prefix, come after past and not after last, and were deleted after block h.
func (p *Snapshot) deletedSince(h quorum.Height, prefix, past, last []byte) ([][]byte, error) {
	var out [][]byte
	err := p.eachStep(h, func(_ crypto.Hash, s step) {
		if s.key == nil || !bytes.HasPrefix(s.key, prefix) || past != nil && bytes.Compare(s.key, past) <= 0 || last != nil && bytes.Compare(s.key, last) > 0 {
			return
		}
		out = append(out, bytes.Clone(s.key))
	})
	return out, err
}

// eachStep visits the state's entries of their own for versions that blocks after h replaced. What it hands over is valid
// during the call.
func (p *Snapshot) eachStep(h quorum.Height, visit func(at crypto.Hash, s step)) error {
	stem := []byte{prefixReplaced, replacedState}
	var bad error
	err := p.s.walk(p.snap, stem, after(stem), func(key, value []byte) bool {
		rest := key[len(stem):]
		if len(rest) != crypto.HashSize+8 || quorum.Height(binary.BigEndian.Uint64(rest[crypto.HashSize:])) <= h {
			return true
		}
		var s step
		if s, bad = decodeStep(value); bad != nil {
			return false
		}
		visit(crypto.Hash(rest[:crypto.HashSize]), s)
		return true
	})
	if bad != nil {
		return p.s.corrupt(bad, "reading what a block replaced")
	}
	return err
}
