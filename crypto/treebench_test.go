package crypto

import (
	"encoding/binary"
	"testing"
)

// BenchmarkTreeFull is what a full block does to a tree of 1,000,000 leaves: 58,000 writes, half of them of new keys. "kept"
// is a tree all of which is kept, "overflow" one of which about half is, so that pages are read and dropped by each update.
func BenchmarkTreeFull(b *testing.B) {
	b.Run("kept", func(b *testing.B) { benchmarkTreeFull(b, 1<<30, nothingStored{}, func([]Page) {}) })
	b.Run("overflow", func(b *testing.B) {
		store := memoryPages{}
		benchmarkTreeFull(b, 150<<20, unversioned{store}, store.apply)
	})
}

// nothingStored is the store of an empty tree: who keeps all pages reads none.
type nothingStored struct{}

func (nothingStored) ReadVersion(PagePath) ([]byte, uint64, error) { return nil, 0, nil }

func benchmarkTreeFull(b *testing.B, maxBytes int, r VersionReader, store func([]Page)) {
	const leaves, batch, half = 1_000_000, 58_000, 29_000
	value := make([]byte, 200)
	put := func(writes []TreeWrite, key, version int) []TreeWrite {
		k := binary.BigEndian.AppendUint64([]byte("key of a thing "), uint64(key))
		return append(writes, TreeWrite{k, append(binary.BigEndian.AppendUint64(nil, uint64(version)), value...)})
	}
	tree, root, count := NewTree(maxBytes), Hash{}, 0
	update := func(writes []TreeWrite) []Page {
		next, pages, err := tree.Update(r, root, 2, writes)
		if err != nil {
			b.Fatal(err)
		}
		root = next
		return pages
	}
	for count < leaves {
		var writes []TreeWrite
		for range leaves / 20 {
			writes = put(writes, count, 0)
			count++
		}
		store(update(writes))
	}
	pages := 0
	for round := 1; b.Loop(); round++ {
		b.StopTimer()
		var writes []TreeWrite
		for i := range half {
			writes = put(put(writes, (i*7919+round*104729)%leaves, round), count, 0)
			count++
		}
		b.StartTimer()
		changed := update(writes)
		b.StopTimer()
		store(changed)
		pages += len(changed)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/batch, "µs/write")
	b.ReportMetric(float64(pages)/float64(b.N), "pages")
}

func BenchmarkTreeNode(b *testing.B) {
	var x, y Hash
	for b.Loop() {
		x = treeNode(&x, &y)
	}
}
