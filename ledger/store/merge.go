package store

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"waybill/crypto"
)

// Pages of the tree are written as what changed in them. A block changes some nine pages for each event, of several hundred
// bytes each, and in most of them one slot of 32 or 64 bytes: written whole, they were half of all bytes of a block, which the
// log, the tables in memory and each compaction carry on. So the value of a page is a patch (see crypto.JoinPatches) behind
// the height that made it; the database joins patches when it reads a page or moves it to another level. A new page is a
// patch that tells all slots, and so is one of which little stays.

// pageMerger returns what joins the patches of pages. Its name stands in the database.
func pageMerger() *pebble.Merger {
	pool := &sync.Pool{} // a compaction needs one for each page
	return &pebble.Merger{Name: "waybill.page.1", Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		m, ok := pool.Get().(*pageMerge)
		if !ok {
			m = &pageMerge{pool: pool}
		}
		m.value = append(m.value[:0], value...)
		return m, nil
	}}
}

// pageMerge is a run of versions of a page, joined.
type pageMerge struct {
	value, spare []byte
	pool         *sync.Pool
}

// MergeNewer implements pebble.ValueMerger.
func (m *pageMerge) MergeNewer(value []byte) error {
	m.join(m.value, value)
	return nil
}

// MergeOlder implements pebble.ValueMerger.
func (m *pageMerge) MergeOlder(value []byte) error {
	m.join(value, m.value)
	return nil
}

// join keeps what older and then newer make of a page. What cannot be joined becomes a value of no bytes, which whoever reads
// it finds corrupt: an error here would have the database try its flush again for ever.
func (m *pageMerge) join(older, newer []byte) {
	b := m.spare[:0]
	was, _, err := splitVersion(older)
	is, since, err2 := splitVersion(newer)
	if err == nil && err2 == nil {
		b, err = crypto.JoinPatches(binary.BigEndian.AppendUint64(b, uint64(since)), was, is)
	}
	if err != nil || err2 != nil {
		b = b[:0]
	}
	m.value, m.spare = b, m.value
}

// Finish implements pebble.ValueMerger.
func (m *pageMerge) Finish(bool) ([]byte, io.Closer, error) { return m.value, m, nil }

// Close implements io.Closer: the value is used no more.
func (m *pageMerge) Close() error {
	m.pool.Put(m)
	return nil
}

// wholePage returns the page that a patch tells all of.
func wholePage(patch []byte) ([]byte, error) {
	if len(patch) < len(crypto.WholePatch) || string(patch[:len(crypto.WholePatch)]) != crypto.WholePatch {
		return nil, errPatch
	}
	return patch[len(crypto.WholePatch):], nil
}
