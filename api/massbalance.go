package api

import (
	"strconv"
	"time"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// MassBalanceInfo is what came in of some goods, what went out, and what cannot be explained.
type MassBalanceInfo struct {
	trace.Sheet
	Goods  []string      `json:"goods"` // lots or classes that it is of, canonical
	Party  string        `json:"party,omitempty"`
	Site   string        `json:"site,omitempty"`
	FromMs int64         `json:"fromMs,omitempty"` // event time, ms since the Unix epoch
	ToMs   int64         `json:"toMs,omitempty"`   // before this event time; 0: no end
	Height quorum.Height `json:"height"`
}

// maxBalanced bounds the lots of one balance.
const maxBalanced = 1_000

// massBalance adds up the events of a lot, or of all lots of a class, up to the height that is asked about.
func (s *Server) massBalance(r *request) (*reply, error) {
	height, err := s.indexedHeight(r)
	if err != nil {
		return nil, err
	}
	state, err := s.cfg.State.At(r.Context(), height)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	out := &MassBalanceInfo{Height: *height}
	read := &itemReader{view: state, state: state}
	more, err := s.balanced(r, read, out)
	if err != nil {
		return nil, err
	}
	request := trace.BalanceRequest{Goods: out.Goods, Site: out.Site, Party: out.Party, FromMs: out.FromMs, ToMs: out.ToMs}
	source := &settledSource{until: until{s.cfg.Trace, uint64(*height)}, server: s, read: read, shipped: map[crypto.Hash]bool{}}
	if request.Settled, err = source.settlements(r.Context(), out.Goods); err != nil {
		return nil, err
	}
	sheet, err := trace.Balance(r.Context(), source, request, trace.Limits{})
	if err != nil {
		return nil, err
	}
	if out.Sheet = *sheet; more {
		out.Truncated = append(out.Truncated, "the class has more than "+strconv.Itoa(maxBalanced)+" lots; the rest is left out")
	}
	return (&reply{json: out}).set(headerHeight, strconv.FormatUint(uint64(*height), 10)), nil
}

// balanced reads what is to be balanced.
func (s *Server) balanced(r *request, read *itemReader, out *MassBalanceInfo) (more bool, err error) {
	lot, class := r.param("lot"), r.param("class")
	switch {
	case (lot == "") == (class == ""):
		return false, problem(ErrBadRequest, "say of what").want("lot=ID or class=ID", "neither or both")
	case lot != "":
		id, err := gs1.Parse(lot)
		if err != nil {
			return false, err
		}
		out.Goods = []string{id.Canonical()}
	default:
		if out.Goods, more, err = read.lotsOf(r, class); err != nil {
			return false, err
		}
	}
	if out.FromMs, err = timeParam(r, "from"); err != nil {
		return false, err
	}
	if out.ToMs, err = timeParam(r, "until"); err != nil {
		return false, err
	}
	if text := r.param("site"); text != "" {
		site, err := gs1.Parse(text)
		if err != nil {
			return false, err
		}
		out.Site = site.Canonical()
	}
	party, err := read.partyParam(r, "party")
	if err == nil && !party.IsZero() {
		out.Party = party.String()
	}
	return more, err
}

// lotsOf lists a class and its lots.
func (r *itemReader) lotsOf(req *request, class string) (goods []string, more bool, err error) {
	id, err := gs1.Parse(class)
	if err != nil {
		return nil, false, err
	}
	stem := ledger.LotsNamed(id.Canonical() + "/")
	keys, err := r.state.Keys(req.Context(), stem, nil, maxBalanced)
	if err != nil {
		return nil, false, err
	}
	goods = []string{id.Canonical()}
	for _, key := range keys {
		if len(goods) == maxBalanced {
			return goods, true, nil
		}
		goods = append(goods, id.Canonical()+string(key[len(stem)-1:]))
	}
	return goods, false, nil
}

// timeParam reads a time in RFC 3339; 0: absent.
func timeParam(r *request, name string) (int64, error) {
	text := r.param(name)
	if text == "" {
		return 0, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, problem(ErrBadRequest, "%s is not a time", name).want("RFC 3339, for example 2026-05-01T00:00:00Z", text)
	}
	return t.UnixMilli(), nil
}
