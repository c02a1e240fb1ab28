package ledger

import (
	"waybill/crypto"
)

// Hand-off takes both parties (R7): a shipping event of the custodian locks goods for a receiver, a receiving event of
// that receiver closes it. In between the goods are nobody's to act on.

// maxShippedLots bounds the lots of one shipment: receiving looks at each of them in each shipment under way.
const maxShippedLots = 256

// receiver is whom a shipping event names.
type receiver struct {
	to    crypto.Address // zero: not on the ledger
	party party
	owner crypto.Address // who is to own the goods; zero: unchanged
}

// receiver reads the destinations: possession goes to the possessing party, else to the new owner, else to whose the
// place is (CBV 2.0, section 7.4.2 and 8.4).
func (e *eventRun) receiver() (receiver, *Finding) {
	r := receiver{party: e.e.possessor}
	if r.party.id == "" {
		r.party = e.e.owner
	}
	if r.party.id == "" {
		r.party = e.e.site
	}
	if r.party.id == "" {
		return r, e.unnamed(finding(CodeNoReceiver, "/destinationList"))
	}
	r.to = e.resolves(r.party.id)
	if e.e.owner.id != "" {
		r.owner = e.resolves(e.e.owner.id)
	}
	if r.to.IsZero() {
		return r, e.unnamed(finding(CodeUnknownReceiver, r.party.at, r.party.id))
	}
	return r, nil
}

// unnamed judges a shipment without a receiver on the ledger: strict networks go by the severity, adopt networks mark
// it.
func (e *eventRun) unnamed(f *Finding) *Finding {
	if e.params.Onboarding == Adopt {
		e.mark(f)
		return nil
	}
	return e.judge(f)
}

// receiverName is how findings name the receiver of a shipment.
func (b *blockRun) receiverName(s *Shipment) string {
	switch {
	case !s.To.IsZero():
		return b.orgName(s.To)
	case s.Party != "":
		return s.Party
	}
	return "nobody in particular"
}

// ship locks goods for their receiver.
func (e *eventRun) ship(g *goods) *Finding {
	if n := len(g.lots); n > maxShippedLots {
		return e.judge(finding(CodeTooManyLots, g.lots[maxShippedLots].at, decimal(maxShippedLots), decimal(n)))
	}
	r, f := e.receiver()
	if f != nil {
		return f
	}
	e.shipTo = r.to
	if r.to.IsZero() && e.params.Onboarding == Strict {
		if f := e.observe(g); f != nil { // flagged: without a receiver nothing is locked
			return f
		}
		return e.mayShip(g, &r)
	}
	sh := Shipment{
		Event: e.e.hash, Tx: e.tx.id, From: e.author, To: r.to, Party: r.party.id, Owner: r.owner,
		Height: e.height, TimeMs: e.timeMs,
	}
	for _, t := range g.items {
		if f := e.shipItem(&sh, t); f != nil {
			return f
		}
	}
	inside := e.packedIn(g)
	for _, l := range g.lots {
		if f := e.shipLot(&sh, l, inside); f != nil {
			return f
		}
	}
	if sh.OpenItems > 0 || len(sh.Quantities) > 0 {
		sh.Shipped.Quantities = sh.Quantities
		put(e.o, ShipmentKey(sh.Event), sh)
	}
	return e.mayShip(g, &r)
}

func (e *eventRun) shipItem(sh *Shipment, t thing) *Finding {
	if s, ok := e.standing(t.id); ok && e.covers(&s) {
		return nil // it travels in what the event also names
	}
	s, ok, f := e.inHand(t)
	if f != nil || !ok {
		return f
	}
	if f := e.detach(t, s, CodePackedChild); f != nil {
		return f
	}
	item, _ := get[Item](e.o, e.o.itemKey(t.id))
	if !sh.Owner.IsZero() && item.Owner != sh.Owner && item.Owner != e.author && !item.Owner.IsZero() {
		f := finding(CodeNotOwner, e.e.owner.at, e.orgName(e.author), t.id, e.orgName(item.Owner), e.orgName(sh.Owner))
		if f := e.judge(f.against(item.LastEvent, crypto.Hash{}, item.LastHeight)); f != nil {
			return f
		}
		sh.Owner = crypto.Address{}
	}
	if f := e.notExpired(t.id, e.expiryOf(&item), t.at, ""); f != nil {
		return f
	}
	item.State, item.Shipment = StateInTransit, sh.Event
	e.changed(&item)
	put(e.o, e.o.itemKey(t.id), item)
	sh.OpenItems++
	sh.Shipped.Items++
	return nil
}

// covers reports whether the event also names something that the item is packed in.
func (e *eventRun) covers(s *standing) bool {
	if e.named == nil {
		e.named = map[string]bool{}
		for _, g := range []*goods{&e.e.goods, &e.e.children} {
			for _, t := range g.items {
				e.named[t.id] = true
			}
		}
		e.named[e.e.parent.id] = e.e.parent.id != ""
	}
	for i := 1; i < len(s.chain); i++ {
		if e.named[s.chain[i].ID] {
			return true
		}
	}
	return false
}

// receive closes shipments to the author.
func (e *eventRun) receive(g *goods) *Finding {
	for _, t := range g.items {
		if f := e.receiveItem(t); f != nil {
			return f
		}
	}
	inside := e.packedIn(g)
	for _, l := range g.lots {
		l, some := loose(l, inside)
		if !some {
			continue
		}
		if f := e.receiveLot(l); f != nil {
			return f
		}
	}
	return nil
}

// mayReceive reports whether a shipment is the author's to receive, and as what: CodeOK as its named receiver.
func (t *txRun) mayReceive(s *Shipment) (Code, bool) {
	switch {
	case s.To == t.author:
		return CodeOK, true
	case !s.To.IsZero():
		return CodeNotReceiver, false
	case s.Party == "":
		return CodeBearer, true
	}
	// A party that has come onto the ledger since is its receiver; while it has not, the shipper stands in for it.
	now := t.resolves(s.Party)
	switch {
	case now == t.author:
		return CodeOK, true
	case now.IsZero() && s.From == t.author:
		return CodeOnBehalf, true
	}
	return CodeNotReceiver, false
}

func (e *eventRun) markReceipt(code Code, at, id string, s *Shipment) {
	switch code {
	case CodeBearer:
		e.mark(finding(code, at, id, e.orgName(e.author)).against(s.Event, s.Tx, s.Height))
	case CodeOnBehalf:
		e.mark(finding(code, at, id, e.orgName(e.author), s.Party).against(s.Event, s.Tx, s.Height))
	}
}

func (e *eventRun) receiveItem(t thing) *Finding {
	s, ok := e.standing(t.id)
	if !ok {
		return e.adoptItem(t, true)
	}
	if s.item().State.ended() {
		return e.judge(e.endedFinding(s.item(), t.at))
	}
	if e.covers(&s) {
		return nil // it arrives in what the event also names
	}
	root := s.root()
	if root.State.ended() {
		return e.judge(e.endedFinding(root, t.at)) // lost or destroyed with all that was in it
	}
	if root.State == StateDisputed {
		return e.judge(e.inDispute(t, root))
	}
	if root.State != StateInTransit {
		return e.receiveIdle(t, &s)
	}
	sh, ok := get[Shipment](e.o, ShipmentKey(root.Shipment))
	if !ok {
		panic("ledger: " + root.ID + " is in transit in no shipment")
	}
	as, may := e.mayReceive(&sh)
	if !may {
		f := finding(CodeNotReceiver, t.at, t.id, e.receiverName(&sh), e.orgName(e.author))
		return e.judge(f.against(sh.Event, sh.Tx, sh.Height))
	}
	e.markReceipt(as, t.at, t.id, &sh)
	if s.packed() {
		// One thing is taken off a load that is still under way: the load stays open.
		if f := e.detach(t, s, CodePackedChild); f != nil {
			return f
		}
	} else {
		sh.OpenItems--
		e.putShipment(&sh)
	}
	item, _ := get[Item](e.o, e.o.itemKey(t.id))
	item.State, item.Shipment, item.Custodian = StateActive, crypto.Hash{}, e.author
	if !sh.Owner.IsZero() && sh.Owner != item.Owner {
		item.Owner, item.OwnerSince = sh.Owner, item.Chain.Count+1
	}
	e.changed(&item)
	put(e.o, e.o.itemKey(t.id), item)
	return nil
}

// receiveIdle is a receiving of what is not under way. Who holds it already only repeats itself; from anybody else it
// would be taking.
func (e *eventRun) receiveIdle(t thing, s *standing) *Finding {
	root := s.root()
	switch {
	case root.Custodian == e.author:
		e.mark(finding(CodeAlreadyHeld, t.at, t.id, e.orgName(e.author)))
		e.countMove(root.ID) // how it came there must not be undone under this
		return nil
	case root.State == StateObserved && !s.packed() && e.adopts():
		return e.claimHeld(t, s.item())
	}
	f := finding(CodeNotShipped, t.at, t.id, e.orgName(e.author), e.orgName(root.Custodian))
	return e.judge(f.against(root.LastEvent, crypto.Hash{}, root.LastHeight))
}

// putShipment stores a shipment and closes it when nothing of it is open.
func (e *eventRun) putShipment(s *Shipment) {
	s.settle()
	put(e.o, ShipmentKey(s.Event), *s)
}

// void takes back what the author shipped and nobody has received or disputed, once the receiver's time is over.
func (e *eventRun) void(g *goods) *Finding {
	for _, t := range g.items {
		if f := e.voidItem(t); f != nil {
			return f
		}
	}
	for _, l := range g.lots {
		if f := e.voidLot(l); f != nil {
			return f
		}
	}
	return nil
}

func (e *eventRun) tooEarly(s *Shipment, at, id string) *Finding {
	from := s.TimeMs + e.params.VoidDelayMs
	if e.timeMs >= from {
		return nil
	}
	return finding(CodeVoidTooEarly, at, id, decimal(s.TimeMs), decimal(from)).against(s.Event, s.Tx, s.Height)
}

func (e *eventRun) voidItem(t thing) *Finding {
	item, ok := e.item(t.id)
	if !ok {
		return e.adoptItem(t, false)
	}
	sh, under := get[Shipment](e.o, ShipmentKey(item.Shipment))
	if item.State == StateDisputed {
		return e.judge(e.inDispute(t, &item))
	}
	if item.State != StateInTransit || !under || sh.From != e.author {
		return e.judge(finding(CodeNotShipper, t.at, e.orgName(e.author), t.id).against(item.LastEvent, crypto.Hash{}, item.LastHeight))
	}
	if early := e.tooEarly(&sh, t.at, t.id); early != nil {
		return e.judge(early)
	}
	item.State, item.Shipment = StateActive, crypto.Hash{}
	e.changed(&item)
	put(e.o, e.o.itemKey(t.id), item)
	sh.OpenItems--
	sh.Void.Items++
	e.voidShipment(&sh)
	return nil
}

func (e *eventRun) voidShipment(s *Shipment) {
	if s.OpenItems == 0 && len(s.Quantities) == 0 && s.OpenLines == 0 {
		s.State = ShipmentVoid
	}
	e.putShipment(s)
}
