package api

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// The goods of a scope: which they are by the events, and what the ledger says of each.

// Bounds of a scope.
const (
	maxScopeSubjects = 10_000 // items and lots that a class or a notice stands for
	maxLotHolders    = 2_000  // balances of one lot
	maxLotMoves      = 10_000 // transformations of one lot
)

// scoper gathers a scope.
type scoper struct {
	*itemReader
	ctx    context.Context // of the one request it lives for
	server *Server
	out    *ScopeInfo
	graph  *trace.Graph

	events   map[string]*trace.Event // of the graph, by hash in hex
	carriers map[string]*standing    // by id, as far as they were looked at
	links    map[crypto.Hash][]string
	touched  map[crypto.Address]bool // accounts that recorded something about the goods
	authors  map[string]bool         // the same as texts, whatever they are
	limit    int
}

// cut says that something is left out.
func (sc *scoper) cut(format string, args ...any) {
	sc.out.Truncated = true
	if reason := fmt.Sprintf(format, args...); len(sc.out.Reasons) < 100 && !slices.Contains(sc.out.Reasons, reason) {
		sc.out.Reasons = append(sc.out.Reasons, reason)
	}
}

func (sc *scoper) gather(limits trace.Limits) error {
	roots, err := sc.roots()
	if err != nil {
		return err
	}
	source := until{sc.server.cfg.Trace, uint64(sc.out.Height)}
	sc.graph, err = trace.ForwardAll(sc.ctx, source, roots, limits)
	switch {
	case errors.Is(err, trace.ErrNoEvent) && sc.out.Notice != nil:
		return nil // nothing on record is it: a scope of nothing
	case err != nil:
		return err
	}
	for _, reason := range sc.graph.Reasons {
		sc.cut("%s", reason)
	}
	for i := range sc.graph.Events {
		e := &sc.graph.Events[i]
		sc.events[e.Hash] = e
	}
	for i := range sc.graph.Nodes {
		n := &sc.graph.Nodes[i]
		if n.Role == trace.RoleCarrier {
			continue
		}
		sc.touch(n)
		if err := sc.node(n); err != nil {
			return err
		}
		if err := sc.ctx.Err(); err != nil {
			return err
		}
	}
	sc.tally()
	return sc.answers()
}

// roots are the items and lots that the subjects stand for: a class is every lot and serial of it.
func (sc *scoper) roots() ([]string, error) {
	var out []string
	for _, subject := range sc.out.Subjects {
		out = append(out, subject)
		id, err := gs1.Parse(subject)
		if err != nil || id.Class().IsZero() || id.Class().Canonical() != subject {
			continue // not a class
		}
		for _, stem := range [][]byte{ledger.LotsNamed(subject + "/"), ledger.ItemsNamed(subject + "/")} {
			keys, err := sc.state.Keys(sc.ctx, stem, nil, maxScopeSubjects-len(out)+1)
			if err != nil {
				return nil, err
			}
			for _, key := range keys {
				if len(out) == maxScopeSubjects {
					sc.cut("more than %d lots and items are subjects: the rest of %s is left out", maxScopeSubjects, subject)
					break
				}
				out = append(out, subject+string(key[len(stem)-1:]))
			}
		}
	}
	return out, nil
}

// touch remembers who recorded something about a node. There are thousands of nodes, and few authors.
func (sc *scoper) touch(n *trace.Node) {
	for _, v := range n.Events {
		author := sc.graph.Events[v.Event].Author
		if sc.authors[author] {
			continue
		}
		sc.authors[author] = true
		if a, err := crypto.ParseAddress(author); err == nil {
			sc.touched[a] = true
		}
	}
}

func (sc *scoper) node(n *trace.Node) error {
	item, err := sc.standing(n.ID)
	if err != nil {
		return err
	}
	if item != nil {
		return sc.item(n, item)
	}
	lot, err := ledger.ReadLot(sc.view, n.ID)
	if err != nil {
		return err
	}
	if lot != nil {
		return sc.lotParts(n, lot)
	}
	// Events name it, and a rule kept it out of the state.
	for _, h := range n.Holdings {
		e := ScopeEntry{Item: n.ID, Product: n.Class, Lot: n.Lot, Status: scopeUnknown, Quantity: h.Quantity, UOM: h.UOM, Party: h.Party, Place: h.Place, SinceMs: h.TimeMs, ByEvents: true}
		sc.add(e)
	}
	return nil
}

// maxScopeEntries bounds the parts in an answer.
const maxScopeEntries = 20_000

func (sc *scoper) add(e ScopeEntry) {
	if len(sc.out.Entries) == maxScopeEntries {
		sc.cut("more than %d parts: the rest is left out", maxScopeEntries)
		return
	}
	sc.out.Entries = append(sc.out.Entries, e)
}
