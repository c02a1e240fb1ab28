package ledger

import (
	"slices"

	"waybill/crypto"
)

// Claims of goods that change hands or grow without an event of their own kind: by the outcome of a dispute, by a count, by
// being taken over.

// mayGain asks whether more of a lot may be taken over than was known, by a count or because its origin is unverified. A lot
// that carries claims does not grow by what nobody has certified. False without a finding: R16 is flagged, and the lot does
// not grow.
func (e *eventRun) mayGain(l amountOf) (bool, *Finding) {
	for _, x := range e.carried(l.id).Claims {
		if !slices.ContainsFunc(e.certs, func(c certificate) bool { return e.certifiesMore(&c, l.id, &x) }) {
			return false, e.judge(finding(CodeClaimMixed, l.at, l.id, x.Claim, x.Model.String(), "what would be more than was known of it"))
		}
	}
	return true, nil
}

// certifiesMore reports whether a certificate of the event lets more of a lot come into being with a claim that it carries.
// What was made by the account of its maker is never more than the account paid for.
func (e *eventRun) certifiesMore(c *certificate, id string, x *CarriedClaim) bool {
	return c.Claim == x.Claim && c.Model == x.Model && x.Model <= Segregated && x.Maker.IsZero() &&
		(x.Origin.IsZero() || x.Origin == e.author) && (e.coversAll(&c.Attestation) || e.coversThing(&c.Attestation, id))
}

// bookOutcome runs what the outcome of a line does to goods, and books what it did to the accounts of both sides: what the
// shipper hands over by agreement leaves its account as if it had shipped it.
func (r *resolveRun) bookOutcome(line *DisputeLine, act func() *Finding) *Finding {
	if r.evidence().Attestations == 0 {
		return act()
	}
	g := r.goodsOf(line)
	sides := []claimSide{r.claimSide(r.rec.From, &g), r.claimSide(r.rec.To, &g)}
	if r.rec.From == r.rec.To {
		sides = sides[:1]
	}
	if f := act(); f != nil {
		return f
	}
	for i := range sides {
		if f := r.bookSide(&sides[i]); f != nil {
			return f
		}
	}
	return nil
}

// claimSide is what one side of a dispute has available of what carries claims.
type claimSide struct {
	e      *eventRun
	goods  *claimedGoods
	before map[claimedPart]Amount
}

func (r *resolveRun) claimSide(who crypto.Address, g *goods) claimSide {
	t := *r.txRun
	t.author = who
	s := claimSide{e: &eventRun{txRun: &t, e: &capturedEvent{timeMs: r.timeMs, act: actShip}, index: -1}}
	if s.goods = s.e.claimed(g); s.goods != nil {
		s.before = s.e.held(s.goods)
	}
	return s
}

func (r *resolveRun) bookSide(s *claimSide) *Finding {
	if f := s.e.tooMuchWork(); f != nil || s.goods == nil {
		return f
	}
	f := s.e.bookMoves(s.goods, s.before)
	r.receipt.Flags = append(r.receipt.Flags, s.e.flags...)
	return f
}

// goodsOf is what a line is about: the thing or lot as shipped, and as found.
func (r *resolveRun) goodsOf(line *DisputeLine) goods {
	var g goods
	for _, id := range []string{line.ID, line.Found} {
		t := thing{id: id, at: r.at}
		if _, ok := r.item(id); ok {
			g.items = append(g.items, t)
		} else if _, ok := r.lot(id); ok {
			g.lots = append(g.lots, amountOf{thing: t})
		}
	}
	return g
}
