package trace

import (
	"context"

	"waybill/epcis"
)

// Ref is the place of an event on the ledger. Refs order events as they were recorded.
type Ref struct {
	Height uint64 `json:"height"`  // of the block
	Tx     uint32 `json:"txIndex"` // of the transaction in the block
	Event  uint32 `json:"index"`   // of the event in the transaction
}

// Compare orders refs as their events were recorded: -1, 0 or 1.
func (r Ref) Compare(o Ref) int {
	switch {
	case r.Height != o.Height:
		return order(r.Height, o.Height)
	case r.Tx != o.Tx:
		return order(uint64(r.Tx), uint64(o.Tx))
	}
	return order(uint64(r.Event), uint64(o.Event))
}

func order(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Meta is what the ledger knows of an event besides the event itself.
type Meta struct {
	Hash   string   // of the canonical event, hex
	Tx     string   // id of its transaction, hex
	TimeMs int64    // time of its block, ms since the Unix epoch
	Author string   // address of the account that recorded it
	Org    string   // organisation of the author, "" if it has none
	Flags  []string // rules that the ledger flagged; of an error declaration also "undone" or "tainted"
	Idle   []string // things of which a receiving moved nothing, since who recorded it held them already; only [Balance] asks
}

// Source reads recorded events. Implementations: ledger/index, and a slice in tests.
type Source interface {
	// EventsOf lists for each of some items, oldest first, at most limit events that name the item with this key (see
	// [Key]) in any role: epc, parent, child, input, output, quantity class, transformationID, or the lot that an
	// instance in the event was given by its master data. The lists are in the order of the keys.
	EventsOf(ctx context.Context, keys []string, limit int) ([][]Ref, error)
	// Events returns the events at places that EventsOf returned, in the order of the places. They are not changed.
	Events(ctx context.Context, refs []Ref) ([]Recorded, error)
}

// Recorded is an event with what the ledger knows of it.
type Recorded struct {
	Event *epcis.Event
	Meta  Meta
	Bytes int // that the source keeps of it; what it takes in memory is some times that
}

// EventsOf lists the events of one item, as Source does.
func EventsOf(ctx context.Context, src Source, key string, limit int) ([]Ref, error) {
	lists, err := src.EventsOf(ctx, []string{key}, limit)
	if err != nil {
		return nil, err
	}
	return lists[0], nil
}

// EventAt returns one event, as Source does.
func EventAt(ctx context.Context, src Source, ref Ref) (*epcis.Event, Meta, error) {
	list, err := src.Events(ctx, []Ref{ref})
	if err != nil {
		return nil, Meta{}, err
	}
	return list[0].Event, list[0].Meta, nil
}
