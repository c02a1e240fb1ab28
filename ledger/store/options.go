package store

import (
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/ledger"
)

// KeepAll as Options.History never forgets a state.
const KeepAll = math.MaxUint64

const (
	defaultHistory       = 1024
	defaultCacheBytes    = 192 << 20
	defaultTreeBytes     = 256 << 20
	defaultRecordBytes   = 256 << 20
	defaultFilterBytes   = 16 << 20
	defaultMemTableBytes = 128 << 20
)

// Options adjust a store; the zero value is right for a node.
type Options struct {
	// FS is where the database lives; nil is the machine's file system.
	FS vfs.FS
	// History is how many heights below the tip stay provable; 0 means 1024, KeepAll all of them.
	History uint64
	// CacheBytes bounds the block cache; 0 means 192 MiB.
	CacheBytes int64
	// TreeBytes bounds the pages of the state tree that are kept in memory between blocks; 0 means 256 MiB.
	TreeBytes int
	// RecordBytes bounds the values of the state that are kept in memory; 0 means 256 MiB.
	RecordBytes int
	// FilterBytes is the size of the filter that knows which keys of the state may exist; 0 means 16 MiB, which is good for
	// some 15 million keys.
	FilterBytes int
	// Beside, if not nil, adds what others keep about a block to its batch, in keyspaces of their own: both are there or
	// neither is.
	Beside func(batch *pebble.Batch, height quorum.Height, writes []ledger.Write) error
	// MemTableBytes bounds one of the tables in memory, of which there are up to three; 0 means 128 MiB.
	MemTableBytes uint64
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.History == 0 {
		o.History = defaultHistory
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = defaultCacheBytes
	}
	if o.TreeBytes <= 0 {
		o.TreeBytes = defaultTreeBytes
	}
	if o.RecordBytes <= 0 {
		o.RecordBytes = defaultRecordBytes
	}
	if o.FilterBytes <= 0 {
		o.FilterBytes = defaultFilterBytes
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = defaultMemTableBytes
	}
	return o
}

// formatVersion is fixed here so that a newer Pebble does not silently raise what older programs must read.
const formatVersion = pebble.FormatValueSeparation

// pebble returns the options of the database. The reporter learns of failures in Pebble's own goroutines.
func (o Options) pebble(r *reporter, cache *pebble.Cache) *pebble.Options {
	p := &pebble.Options{
		FS:                          o.FS,
		Cache:                       cache,
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 3,
		FormatMajorVersion:          formatVersion,
		Merger:                      pageMerger(),
		Logger:                      r,
		EventListener: &pebble.EventListener{
			BackgroundError: r.background,
			DataCorruption:  func(info pebble.DataCorruptionInfo) { r.fail(info.Details) },
		},
	}
	// Half of what is stored are hashes, which do not get shorter; what does is compressed once, where it stays.
	for i := range p.Levels[:len(p.Levels)-1] {
		p.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	p.Levels[len(p.Levels)-1].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	// Keys of the state are all over the table: each compaction into the first level below L0 rewrites all of that, so it
	// waits until there is much to bring.
	p.L0CompactionThreshold, p.LBaseMaxBytes = 6, 256<<20
	// Most lookups of the rules are for keys that do not exist; a filter answers them without reading a block.
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return p
}
