package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// The past of state and tree.
//
// The present value of a key, and the present page at a path, stand under the key or path alone, with the height that made
// them: their since. Nearly every question is about the tip or about what has not changed since the height asked for, and is
// answered by that one record. What a block replaced goes into one undo record of the block, sorted, so that the past costs a
// block one entry of the database and not one for each thing it changed, and is forgotten by deleting one.
//
//  1. A version that a block b replaced is in the undo record of b or has an entry of its own under its key and b (a step);
//     both tell its since. What a block brought into being where nothing was has neither: nothing is what stood there.
//  2. What stood at height h is the present version if its since is not above h. Otherwise the walk starts at the oldest step
//     above h, or at the present version if there is none, and goes from each version to the one that was replaced at its
//     since, until a since is not above h, or until nothing was replaced.
//  3. Where something ends, by deletion, there is always a step, which holds the key. So nothing is overlooked that stood
//     before a gap.
//  4. What changes in every block would make that walk as long as the history. So a version that lived less than stepGap
//     blocks has a step if it was made in an earlier stretch of stepSpan blocks than the one that replaced it. A walk then
//     has less than stepSpan moves in the stretch of the step where it starts, and each other move is stepGap blocks or more.
//  5. Undo records of pages hold the slots that changed, steps hold whole pages.
//
// An earlier form gave every replaced version an entry of its own: three times the entries of a block, and as many deletions
// when they are forgotten.
const (
	stepGap  = 4
	stepSpan = 16
)

// wantsStep reports whether a version made at since and replaced at h has an entry of its own.
func wantsStep(since, h uint64) bool { return h-since < stepGap && h/stepSpan != since/stepSpan }

// versioned is how present values and pages are stored: the height that made them, then the bytes.
func versioned(b []byte, since quorum.Height, data []byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(since)), data...)
}

// splitVersion is the reverse of versioned; data is part of b.
func splitVersion(b []byte) (data []byte, since quorum.Height, err error) {
	if len(b) < 8 {
		return nil, 0, fmt.Errorf("a stored value of %d bytes has no height", len(b))
	}
	return b[8:], quorum.Height(binary.BigEndian.Uint64(b)), nil
}

// step is a replaced version with an entry of its own. key is that of a state key that was deleted, because the position
// under which it is kept does not tell it.
type step struct {
	since quorum.Height
	key   []byte
	data  []byte
}

// encode writes 1, since:8 and the bytes, or 2, since:8, the length of the key:4, the key and the bytes.
func (s step) encode() []byte {
	b := make([]byte, 0, 13+len(s.key)+len(s.data))
	if s.key == nil {
		return versioned(append(b, 1), s.since, s.data)
	}
	b = binary.BigEndian.AppendUint64(append(b, 2), uint64(s.since))
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.key)))
	return append(append(b, s.key...), s.data...)
}

// decodeStep reads what encode wrote; key and data are parts of b.
func decodeStep(b []byte) (step, error) {
	if len(b) < 9 || b[0] != 1 && b[0] != 2 {
		return step{}, fmt.Errorf("a replaced value of %d bytes has no known mark", len(b))
	}
	s := step{since: quorum.Height(binary.BigEndian.Uint64(b[1:])), data: b[9:]}
	if b[0] == 1 {
		return s, nil
	}
	if len(s.data) < 4 || uint64(binary.BigEndian.Uint32(s.data)) > uint64(len(s.data)-4) {
		return step{}, fmt.Errorf("a replaced value of %d bytes ends in its key", len(b))
	}
	n := binary.BigEndian.Uint32(s.data)
	s.key, s.data = s.data[4:4+n:4+n], s.data[4+n:]
	return s, nil
}

// undoRecord gathers what a block replaced: the keys of its steps, and versions. Versions come in ascending order of kind
// and name: first pages by the length of the path and then by path, as they are at 0x21, then state by key.
type undoRecord struct {
	steps   [][]byte
	offsets []uint32
	entries []byte
}

// add keeps a version: name is a state key or a path.
func (u *undoRecord) add(kind byte, name []byte, since quorum.Height, data []byte) {
	u.offsets = append(u.offsets, uint32(len(u.entries)))
	u.entries = append(u.entries, kind)
	u.entries = binary.AppendUvarint(u.entries, uint64(len(name)))
	u.entries = append(u.entries, name...)
	u.entries = binary.AppendUvarint(u.entries, uint64(since))
	u.entries = append(u.entries, data...)
}

// size is how many bytes encode writes.
func (u *undoRecord) size() int {
	n := 4 + 4 + 4 + 4*len(u.offsets) + len(u.entries) // frame has a count too
	for _, s := range u.steps {
		n += 4 + len(s)
	}
	return n
}

// encode appends the steps, framed, with the length of that before it:4; the number of versions:4, where each begins:4, and
// the versions: kind, length of the name:uvarint, name, since:uvarint, bytes.
func (u *undoRecord) encode(b []byte) []byte {
	steps := frame(u.steps)
	b = binary.BigEndian.AppendUint32(b, uint32(len(steps)))
	b = append(b, steps...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(u.offsets)))
	for _, at := range u.offsets {
		b = binary.BigEndian.AppendUint32(b, at)
	}
	return append(b, u.entries...)
}

// undo is a stored undo record. What it returns are parts of it.
type undo struct {
	steps   []byte // framed
	offsets []byte
	entries []byte
}

var (
	errUndo  = errors.New("an undo record is cut or garbled")
	errPatch = errors.New("a patch stands where there is no page that it changes")
)

func parseUndo(b []byte) (undo, error) {
	var u undo
	if len(b) < 4 {
		return u, errUndo
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n+4 > uint64(len(b)) {
		return u, errUndo
	}
	u.steps, b = b[:n], b[n:]
	count := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; 4*count > uint64(len(b)) {
		return u, errUndo
	}
	u.offsets, u.entries = b[:4*count], b[4*count:]
	return u, nil
}

func (u *undo) len() int { return len(u.offsets) / 4 }

// replaced is a version in an undo record.
type replacedVersion struct {
	kind  byte
	name  []byte
	since quorum.Height
	data  []byte
}

// at returns version i, which ends where the next one begins.
func (u *undo) at(i int) (replacedVersion, error) {
	from, to := u.offset(i), uint64(len(u.entries))
	if i+1 < u.len() {
		to = u.offset(i + 1)
	}
	if from+1 > to || to > uint64(len(u.entries)) {
		return replacedVersion{}, errUndo
	}
	v, e := replacedVersion{kind: u.entries[from]}, u.entries[from+1:to]
	n, size := uvarint(e)
	if size == 0 || n > uint64(len(e)-size) {
		return replacedVersion{}, errUndo
	}
	v.name, e = e[size:uint64(size)+n], e[uint64(size)+n:]
	since, size := uvarint(e)
	if size == 0 {
		return replacedVersion{}, errUndo
	}
	v.since, v.data = quorum.Height(since), e[size:]
	return v, nil
}

// uvarint reads a number that is written in as few bytes as it can be; size is 0 if there is none.
func uvarint(b []byte) (n uint64, size int) {
	n, size = binary.Uvarint(b)
	if size < 0 || size > 1 && b[size-1] == 0 {
		return 0, 0
	}
	return n, size
}

// compare tells whether a version comes before that of a name (-1), after it, or is of it.
func (v *replacedVersion) compare(kind byte, name []byte) int {
	if v.kind == kind && kind == replacedPage && len(v.name) != len(name) {
		return cmp.Compare(len(v.name), len(name))
	}
	return cmp.Or(cmp.Compare(v.kind, kind), bytes.Compare(v.name, name))
}

func (u *undo) offset(i int) uint64 { return uint64(binary.BigEndian.Uint32(u.offsets[4*i:])) }

// find returns the version of a name; false if the block replaced none.
func (u *undo) find(kind byte, name []byte) (replacedVersion, bool, error) {
	var bad error
	at := sort.Search(u.len(), func(i int) bool {
		v, err := u.at(i)
		if err != nil {
			bad = err
			return true
		}
		return v.compare(kind, name) >= 0
	})
	if bad != nil || at == u.len() {
		return replacedVersion{}, false, bad
	}
	v, err := u.at(at)
	return v, err == nil && v.kind == kind && bytes.Equal(v.name, name), err
}

// thing is a state key or a path of the tree, whose versions are walked.
type thing struct {
	kind    byte
	name    []byte
	present []byte // where its present version is
	stem    []byte // what its steps begin with
}

func stateThing(key []byte) thing {
	return thing{replacedState, key, stateKey(key), replacedStateStem(key)}
}

func pageThing(path crypto.PagePath) thing {
	return thing{replacedPage, []byte(path), pageKey(path), replacedPageStem(path)}
}

// at returns what stood after block h, nil if nothing did. See the essay above.
func (p *Snapshot) at(t thing, h quorum.Height) ([]byte, error) {
	data, since, err := p.s.getVersion(p.snap, t.present)
	if err != nil || data != nil && since <= h {
		return data, err
	}
	found, ok, err := p.firstStep(t.stem, h)
	if err != nil {
		return nil, err
	}
	if ok {
		data, since = found.data, found.since
	}
	for data != nil && since > h {
		made := since
		if data, since, err = p.replacedAt(t, made, data); err != nil {
			return nil, err
		}
		if data != nil && since >= made {
			return nil, p.s.corrupt(nil, "block %d replaced what block %d made", made, since)
		}
	}
	return data, nil
}

// firstStep returns the oldest step above h.
func (p *Snapshot) firstStep(stem []byte, h quorum.Height) (found step, ok bool, err error) {
	var bad error
	err = p.s.walk(p.snap, atHeight(stem, h+1), after(stem), func(_, value []byte) bool {
		ok = true
		found, bad = decodeStep(bytes.Clone(value))
		return false
	})
	if bad != nil {
		err = p.s.corrupt(bad, "reading what a block replaced")
	}
	if found.data == nil {
		found.data = []byte{}
	}
	return found, ok, err
}

// replacedAt returns what block h replaced by newer; nil if by it the thing came into being.
func (p *Snapshot) replacedAt(t thing, h quorum.Height, newer []byte) (data []byte, since quorum.Height, err error) {
	var bad error
	found, err := p.s.use(p.snap, heightKey(prefixUndo, h), func(raw []byte) {
		var u undo
		var v replacedVersion
		var ok bool
		if u, bad = parseUndo(raw); bad != nil {
			return
		}
		if v, ok, bad = u.find(t.kind, t.name); bad != nil || !ok {
			return
		}
		if since = v.since; t.kind == replacedState {
			data = append(make([]byte, 0, len(v.data)), v.data...)
			return
		}
		data, bad = crypto.UndoPage(crypto.PagePath(t.name), newer, v.data)
	})
	if err == nil && !found {
		bad = fmt.Errorf("block %d has no undo record", h)
	}
	if err == nil && bad != nil {
		err = p.s.corrupt(bad, "reading what a block replaced")
	}
	return data, since, err
}
