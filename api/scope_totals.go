package api

import (
	"cmp"
	"slices"
	"strings"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// What the parts of a scope add up to, by status and by holder, and what the holders answered.

// sum adds exact decimals; what cannot be added is left out, which the caller reports.
type sum struct {
	total epcis.Decimal
	any   bool
	lost  bool
}

func (s *sum) add(text string, sign int) {
	if text == "" {
		return
	}
	d, err := epcis.ParseDecimal(text)
	if err == nil && sign < 0 {
		d = d.Neg()
	}
	if err == nil {
		d, err = s.total.Add(d)
	}
	if err != nil {
		s.lost = true
		return
	}
	s.total, s.any = d, true
}

// tally adds up the parts by status and by holder.
func (sc *scoper) tally() {
	slices.SortStableFunc(sc.out.Entries, func(a, b ScopeEntry) int {
		return cmp.Or(statusRank(a.Status)-statusRank(b.Status), strings.Compare(holderKey(a), holderKey(b)), strings.Compare(a.Item, b.Item))
	})
	sc.out.Totals = amountsOf(sc.out.Entries)
	byHolder := map[string][]ScopeEntry{}
	var order []string
	for _, e := range sc.out.Entries {
		key := holderKey(e)
		if byHolder[key] == nil {
			order = append(order, key)
		}
		byHolder[key] = append(byHolder[key], e)
	}
	for _, key := range order {
		first := byHolder[key][0]
		h := ScopeHolder{Party: first.Party, Amounts: amountsOf(byHolder[key])}
		if first.Holder != nil {
			h.Holder, h.Party = *first.Holder, ""
		}
		sc.out.Holders = append(sc.out.Holders, h)
	}
	for _, e := range sc.out.Entries {
		if e.To != nil {
			sc.touched[e.To.Address] = true // it is to get something
		}
	}
	sc.addTouched()
}

// addTouched adds those who had something and have nothing any more.
func (sc *scoper) addTouched() {
	var rest []crypto.Address
	for a := range sc.touched {
		if !slices.ContainsFunc(sc.out.Holders, func(h ScopeHolder) bool { return h.Address == a }) {
			rest = append(rest, a)
		}
	}
	slices.SortFunc(rest, func(a, b crypto.Address) int { return slices.Compare(a[:], b[:]) })
	for _, a := range rest {
		sc.out.Holders = append(sc.out.Holders, ScopeHolder{Holder: sc.named(a), Amounts: []ScopeAmount{}})
	}
}

func holderKey(e ScopeEntry) string {
	if e.Holder != nil {
		return e.Holder.Name + "\x00" + e.Holder.Address.String()
	}
	return "\xff" + e.Party
}

func statusRank(status string) int {
	return slices.Index([]string{scopeOnHand, scopeHeld, scopeInTransit, scopeDisputed, scopeUnknown, scopeSold, scopeConsumed, scopeDestroyed, scopeLost}, status)
}

func amountsOf(entries []ScopeEntry) []ScopeAmount {
	type key struct{ status, product, uom string }
	var order []key
	sums, items := map[key]*sum{}, map[key]int{}
	for _, e := range entries {
		k := key{e.Status, e.Product, e.UOM}
		if sums[k] == nil {
			sums[k], order = &sum{}, append(order, k)
		}
		if e.Quantity == "" && !e.Unmeasured {
			items[k]++
		}
		sums[k].add(e.Quantity, 1)
	}
	out := []ScopeAmount{}
	for _, k := range order {
		a := ScopeAmount{Status: k.status, Product: k.product, UOM: k.uom, Items: items[k]}
		if sums[k].any {
			a.Quantity = sums[k].total.String()
		}
		out = append(out, a)
	}
	return out
}

// answers adds what the holders said to the notice.
func (sc *scoper) answers() error {
	if sc.out.Notice == nil {
		return nil
	}
	for i := range sc.out.Holders {
		h := &sc.out.Holders[i]
		if h.Address.IsZero() {
			continue
		}
		ack, err := sc.ack(sc.out.Notice.ID, h.Address)
		if err != nil {
			return err
		}
		if h.Ack, h.Answer = ack, "none"; ack != nil {
			h.Answer = ack.Status
			h.StillHas = saysGone(ack.Status) && slices.ContainsFunc(h.Amounts, func(a ScopeAmount) bool { return a.Status == scopeOnHand || a.Status == scopeHeld })
		}
	}
	return nil
}

// saysGone reports whether an answer says that its author has none of it any more.
func saysGone(answer string) bool {
	return slices.Contains([]string{ledger.AckNothing.String(), ledger.AckReturned.String(), ledger.AckDestroyed.String()}, answer)
}
