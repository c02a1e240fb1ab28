package store

import "github.com/cockroachdb/pebble/v2"

// Read lends the snapshot of the database to whoever keeps something beside blocks (see Options.Beside): what it reads
// there is of the same block as the state here. The reader is valid during the call only.
func (p *Snapshot) Read(use func(r pebble.Reader) error) error {
	return p.s.whileOpen(func() error { return use(p.snap) })
}
