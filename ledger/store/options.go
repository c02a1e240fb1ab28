package store

import (
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// KeepAll as Options.History never forgets a state.
const KeepAll = math.MaxUint64

const (
	defaultHistory       = 1024
	defaultCacheBytes    = 64 << 20
	defaultMemTableBytes = 32 << 20
)

// Options adjust a store; the zero value is right for a node.
type Options struct {
	// FS is where the database lives; nil is the machine's file system.
	FS vfs.FS
	// History is how many heights below the tip stay provable; 0 means 1024, KeepAll all of them.
	History uint64
	// CacheBytes bounds the block cache; 0 means 64 MiB.
	CacheBytes int64
	// MemTableBytes bounds one of the tables in memory, of which there are up to four; 0 means 32 MiB.
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
		MemTableStopWritesThreshold: 4,
		FormatMajorVersion:          formatVersion,
		Logger:                      r,
		EventListener: &pebble.EventListener{
			BackgroundError: r.background,
			DataCorruption:  func(info pebble.DataCorruptionInfo) { r.fail(info.Details) },
		},
	}
	// Most lookups of the rules are for keys that do not exist; a filter answers them without reading a block.
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return p
}
