package api

import (
	"strconv"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// The scope of a recall: who holds what of the named goods and of everything made from them, where, since when, and what
// they said about it. The events of the index lead to the goods (trace.ForwardAll); who holds them and how much is what the
// state of the ledger says, read at the height up to which the index has come, so that both are of one block. Where the
// ledger keeps no state, which is what was sold or destroyed of a lot, the events count.

// Statuses of goods in a scope.
const (
	scopeOnHand    = "on_hand"
	scopeHeld      = "held"       // on hand and set apart
	scopeInTransit = "in_transit" // shipped and not received
	scopeDisputed  = "disputed"   // stated short or not what was shipped, and not resolved
	scopeSold      = "sold"
	scopeConsumed  = "consumed" // became something else, which is in the scope too
	scopeDestroyed = "destroyed"
	scopeLost      = "lost"    // shipped, not arrived, and said to be gone
	scopeUnknown   = "unknown" // events name it, the ledger holds it for nobody
)

// ScopeInfo is the answer to "who has it?".
type ScopeInfo struct {
	Notice   *NoticeInfo    `json:"notice,omitempty"` // whose scope it is
	Subjects []string       `json:"subjects"`         // that were asked about, canonical
	Totals   []ScopeAmount  `json:"totals"`           // by status, product and unit
	Holders  []ScopeHolder  `json:"holders"`          // everybody who has, had or is to get something of it
	Entries  []ScopeEntry   `json:"entries"`          // every part of it
	Missing  []ScopeMissing `json:"missing"`          // not accounted for
	Height   quorum.Height  `json:"height"`
	// Truncated is true when this is a part of the truth; Reasons says what was left out and why.
	Truncated bool     `json:"truncated"`
	Reasons   []string `json:"reasons,omitempty"`
	// Spreading is true while the notice has not reached yet all that was made of its subjects: it does so in the next blocks.
	Spreading bool `json:"spreading,omitempty"`
}

// ScopeEntry is an item, or a part of a lot, in one place.
type ScopeEntry struct {
	Item       string        `json:"item"`              // canonical
	Product    string        `json:"product,omitempty"` // class
	Lot        string        `json:"lot,omitempty"`
	Status     string        `json:"status"`
	Quantity   string        `json:"quantity,omitempty"` // exact decimal; absent for a single item
	UOM        string        `json:"uom,omitempty"`
	Unmeasured bool          `json:"unmeasured,omitempty"` // and an amount nobody stated
	Holder     *Holder       `json:"holder,omitempty"`     // in transit: the shipper, until it is received
	To         *Holder       `json:"to,omitempty"`         // in transit: who is to receive it
	Party      string        `json:"party,omitempty"`      // of who is not on the ledger: as the events name it
	Place      string        `json:"place,omitempty"`
	Carrier    string        `json:"carrier,omitempty"`  // container that it is in
	Shipment   crypto.Hash   `json:"shipment,omitzero"`  // in transit: its shipping event
	MadeInto   []string      `json:"madeInto,omitempty"` // consumed: what it became
	SinceMs    int64         `json:"sinceMs,omitempty"`  // time of the event that put it there
	Since      quorum.Height `json:"since,omitempty"`    // block of that event
	ByEvents   bool          `json:"byEvents,omitempty"` // the events say so; the ledger keeps no state of it

	debited bool // of what was sold: it is in no balance any more
}

// ScopeAmount adds up parts that are alike.
type ScopeAmount struct {
	Status   string `json:"status"`
	Product  string `json:"product,omitempty"`
	Items    int    `json:"items,omitempty"`    // single ones
	Quantity string `json:"quantity,omitempty"` // of lots
	UOM      string `json:"uom,omitempty"`
}

// ScopeHolder is a party with its parts, and what it answered.
type ScopeHolder struct {
	Holder
	Party   string        `json:"party,omitempty"` // of who is not on the ledger
	Ack     *AckInfo      `json:"ack,omitempty"`   // of the notice; absent: no answer yet
	Amounts []ScopeAmount `json:"amounts"`         // none: it only had something of it
	// Answer is what Ack says, or "none"; "" where no notice was asked about or the party is not on the ledger.
	Answer string `json:"answer,omitempty"`
	// StillHas is true where that is "nothing", "returned" or "destroyed" and some of it is on hand, set apart or not.
	StillHas bool `json:"stillHas,omitempty"`
}

// ScopeMissing is a part of a lot that is made and neither anywhere nor gone.
type ScopeMissing struct {
	Lot       string `json:"lot"`
	UOM       string `json:"uom,omitempty"`
	Made      string `json:"made"`      // commissioned, or out of transformations
	Accounted string `json:"accounted"` // on hand, held, in transit, disputed, sold, consumed or destroyed
	Missing   string `json:"missing"`   // negative: more is there than was made
}

func (s *Server) getScope(r *request) (*reply, error) {
	item := r.param("item")
	if item == "" {
		return nil, problem(ErrBadRequest, "say of what").want("item=ID, percent-encoded", "nothing")
	}
	id, err := gs1.Parse(item)
	if err != nil {
		return nil, err
	}
	return s.scope(r, func(*itemReader, *ScopeInfo) ([]string, error) { return []string{id.Canonical()}, nil })
}

func (s *Server) getRecallScope(r *request) (*reply, error) {
	return s.scope(r, func(read *itemReader, out *ScopeInfo) ([]string, error) {
		n, err := read.noticeNamed(r)
		if err != nil {
			return nil, err
		}
		info := read.notice(n)
		out.Notice = &info
		out.Spreading, err = ledger.ReadFollowing(read.view, n.ID)
		return n.Subjects, err
	})
}

// scope answers at the height that is asked about, or up to which the index has come.
func (s *Server) scope(r *request, subjects func(*itemReader, *ScopeInfo) ([]string, error)) (*reply, error) {
	height, err := s.indexedHeight(r)
	if err != nil {
		return nil, err
	}
	limits, err := scopeLimits(r)
	if err != nil {
		return nil, err
	}
	state, err := s.cfg.State.At(r.Context(), height)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	sc := &scoper{itemReader: &itemReader{view: state, state: state}, ctx: r.Context(), server: s, limit: limits.Nodes,
		out:    &ScopeInfo{Entries: []ScopeEntry{}, Holders: []ScopeHolder{}, Totals: []ScopeAmount{}, Missing: []ScopeMissing{}, Height: state.Height()},
		events: map[string]*trace.Event{}, carriers: map[string]*standing{}, links: map[crypto.Hash][]string{}, touched: map[crypto.Address]bool{}, authors: map[string]bool{}}
	if sc.out.Subjects, err = subjects(sc.itemReader, sc.out); err != nil {
		return nil, err
	}
	if err := sc.gather(limits); err != nil {
		return nil, err
	}
	return (&reply{json: sc.out}).set(headerHeight, strconv.FormatUint(uint64(sc.out.Height), 10)), sc.err
}

func scopeLimits(r *request) (trace.Limits, error) {
	limits := trace.Limits{Nodes: maxTraceNodes}
	if text := r.param("nodes"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxTraceNodes {
			return limits, problem(ErrBadRequest, "nodes is out of bounds").want("1 to "+strconv.Itoa(maxTraceNodes), text)
		}
		limits.Nodes = n
	}
	return limits, nil
}
