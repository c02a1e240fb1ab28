package provenance

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// report puts what was checked in words of the report.
func (v *verifier) report(w *walk) *Report {
	h := &v.cert.head
	at := v.headers[h.Height]
	r := &Report{
		Genesis: h.Genesis, Subject: h.Subject, Height: h.Height, Block: at.Hash(), TimeMs: at.Header().TimeMs, Epoch: at.Header().Epoch,
		Depth: int(h.Depth), TrustedMs: v.begin, Signed: v.signed(),
	}
	if v.trust.NowMs > 0 {
		r.AgeMs = v.trust.NowMs - r.TimeMs
	}
	if g := v.trust.Genesis; g != nil {
		r.Network, r.TrustingMs = g.Chain, g.Params.TrustingMs()
		r.Stale = v.trust.NowMs > 0 && v.trust.NowMs-v.begin > r.TrustingMs
	}
	c := composer{w: w, r: r, index: map[eventID]int{}}
	c.events()
	c.things()
	c.notices()
	c.custody()
	c.journey()
	c.places()
	r.Proofs = v.counts(w)
	return r
}

// signed says who signed what everything stands on.
func (v *verifier) signed() Signed {
	s := Signed{Block: v.cert.head.Committing, Epochs: []quorum.Epoch{v.cert.head.Base, v.epochs[len(v.epochs)-1].Epoch}}
	for i := range v.cert.paths {
		p, err := decodePath(&v.cert.paths[i])
		if err != nil || p.Headers[0].Height > s.Block || p.Headers[len(p.Headers)-1].Height < s.Block {
			continue
		}
		set := v.epochs[p.Headers[0].Epoch-v.cert.head.Base].Set
		for _, i := range p.Certificate.Signers() {
			m := set.At(i)
			s.Validators = append(s.Validators, SignedBy{Key: m.Key, Operator: m.Operator, Power: m.Power})
			s.Power += m.Power
		}
		s.Quorum, s.Total = set.Quorum(), set.Total()
		s.Time = v.headers[s.Block].Header().TimeMs
	}
	return s
}

func (v *verifier) counts(w *walk) Proofs {
	c := v.cert
	p := Proofs{Handovers: len(c.handovers), Headers: len(v.headers) + len(c.handovers), Certificates: len(c.paths) + len(c.handovers),
		Records: len(c.states), Transactions: len(c.transactions), Receipts: len(c.transactions), Things: len(w.nodes)}
	count := func(raw []byte) {
		if cert, err := quorum.DecodeCertificate(raw); err == nil {
			p.Signatures += len(cert.Signatures)
		}
	}
	for i := range c.paths {
		count(c.paths[i].Certificate)
	}
	for i := range c.handovers {
		count(c.handovers[i].Certificate)
	}
	for _, n := range w.nodes {
		p.Events += len(n.events)
	}
	return p
}

// eventID names an event: two authors may record the same one.
type eventID struct {
	author crypto.Address
	hash   crypto.Hash
}

func (e event) key() eventID { return eventID{e.rec.Author, e.rec.Hash} }

// composer writes the report of a walk.
type composer struct {
	w     *walk
	r     *Report
	list  []event
	index map[eventID]int // into list and Report.Events
	marks map[eventID]*ledger.EventMark
}

// events lists the events of all things as they were recorded, each once.
func (c *composer) events() {
	c.marks = map[eventID]*ledger.EventMark{}
	names := map[eventID][]string{}
	for _, n := range c.w.nodes {
		for i, e := range n.events {
			if _, twice := c.marks[e.key()]; !twice {
				c.list = append(c.list, e)
			}
			c.marks[e.key()] = n.marks[i]
			names[e.key()] = append(names[e.key()], n.id)
		}
	}
	slices.SortFunc(c.list, compareEvents)
	for i, e := range c.list {
		c.index[e.key()] = i
		out := c.event(e)
		out.Things = names[e.key()]
		c.r.Events = append(c.r.Events, out)
	}
}

func compareEvents(a, b event) int {
	return cmp.Or(cmp.Compare(a.rec.Height, b.rec.Height), cmp.Compare(a.rec.TxIndex, b.rec.TxIndex), cmp.Compare(a.rec.Index, b.rec.Index))
}

func (c *composer) event(e event) Event {
	ev, rec, named := e.rec.Event, e.rec, e.named
	out := Event{
		Hash: rec.Hash, Tx: rec.Tx, Height: rec.Height, RecordedMs: rec.TimeMs, TimeMs: ev.EventTime.UnixMilli(), Time: ev.EventTime.Text,
		Author: c.org(rec.Author), OrgThen: rec.Org, Type: ev.Type.String(), Action: string(ev.Action), BizStep: ev.BizStep, Disposition: ev.Disposition,
		Place: placeOf(ev), Inputs: slices.Concat(named.Inputs.Items, named.Inputs.Lots), Outputs: slices.Concat(named.Outputs.Items, named.Outputs.Lots),
		Parent: named.Parent, Claims: ev.CertificationInfo, Declares: named.Declares,
	}
	for _, d := range ev.Destinations {
		out.To = append(out.To, d.ID)
	}
	for _, f := range rec.Flags {
		out.Flags = append(out.Flags, f.String())
	}
	if m := c.marks[e.key()]; m != nil {
		out.Declared, out.Undone = m.DeclaredBy, m.Undone
	}
	if d := ev.ErrorDeclaration; d != nil {
		out.Reason = d.Reason
	}
	return out
}

func placeOf(e *epcis.Event) string {
	switch {
	case e.BizLocation != nil:
		return e.BizLocation.ID
	case e.ReadPoint != nil:
		return e.ReadPoint.ID
	}
	return ""
}

func (c *composer) org(a crypto.Address) *Org {
	if a.IsZero() {
		return nil
	}
	o := &Org{Address: a}
	if org := c.w.orgs[a]; org != nil {
		o.Name = org.Name
	}
	return o
}

// things lists the things and where their history is cut.
func (c *composer) things() {
	for i, n := range c.w.nodes {
		t := Thing{ID: n.id, Kind: "item", Relation: n.relation(i == 0), Depth: n.depth, Count: n.chain().Count, Cut: n.cut}
		if n.item != nil {
			t.State, t.BornBy, t.Lot = n.item.State.String(), c.org(n.item.BornBy), n.item.Lot
			t.ExpiryMs, t.Flags = n.item.ExpiryMs, n.item.Flags.Names()
		} else {
			t.Kind, t.BornBy, t.Lot = "lot", c.org(n.batch.BornBy), n.batch.LotNumber
			t.ExpiryMs, t.Flags = n.batch.ExpiryMs, n.batch.Flags.Names()
		}
		for _, id := range n.products() {
			if t.About == nil {
				t.About = c.about(id)
			}
		}
		for _, e := range n.events {
			t.Events = append(t.Events, c.index[e.key()])
			if p := n.packedInto(e); p != "" && !slices.Contains(t.Packed, p) {
				t.Packed = append(t.Packed, p)
			}
		}
		for _, m := range n.made {
			t.Made = append(t.Made, c.making(n, m))
		}
		if n.cut {
			c.r.Cuts = append(c.r.Cuts, Cut{ID: n.id, Reason: CutEvents, Events: t.Count})
		}
		c.r.Things = append(c.r.Things, t)
	}
	c.r.Complete = len(c.r.Cuts) == 0
}

func (c *composer) about(id string) []Fact {
	m := c.w.master[id]
	if m == nil {
		return nil
	}
	var out []Fact
	for _, a := range m.Attributes {
		out = append(out, Fact{Name: a.Name, Value: a.Value})
	}
	return out
}

// places lists the places of the events of which something is known.
func (c *composer) places() {
	seen := map[string]bool{}
	for _, e := range c.list {
		id := ledger.CanonicalID(placeOf(e.rec.Event))
		if about := c.about(id); about != nil && !seen[id] {
			seen[id] = true
			c.r.Places = append(c.r.Places, Site{ID: id, About: about})
		}
	}
}

func (c *composer) making(n *node, m making) Making {
	out := Making{Event: m.edge.Event, Transformation: m.edge.Link, Height: m.edge.Height, Inputs: m.inputs, Beyond: m.beyond}
	if n.lot {
		out.Amount = m.edge.Amount.String()
		if m.edge.Unit != "" {
			out.Amount += " " + m.edge.Unit
		}
	}
	if m.beyond {
		for _, id := range m.inputs {
			c.r.Cuts = append(c.r.Cuts, Cut{ID: id, Reason: CutDepth, Of: n.id})
		}
	}
	return out
}

func (n *node) relation(first bool) string {
	switch {
	case first:
		return RelSubject
	case n.role == roleSource && n.depth == 0:
		return RelSubject // an opaque identifier that names an item and a lot
	case n.role == roleSource:
		return RelSource
	case n.role == rolePart:
		return RelPart
	}
	return RelContainer
}

// notices lists the notices over the history.
func (c *composer) notices() {
	if open := c.w.open; open != nil {
		c.r.Spreading = open.Head != open.Tail
	}
	for _, rec := range slices.SortedFunc(maps.Values(c.w.notices), compareNotices) {
		n := Notice{
			ID: rec.ID, Type: rec.Type.String(), Open: rec.ReleasedAt == 0, Blocks: rec.Type != ledger.Alert, Issuer: c.org(rec.Issuer),
			Reason: rec.Reason, Instructions: rec.Instructions, TimeMs: rec.TimeMs, Height: rec.Height, ReleasedAt: rec.ReleasedAt, Only: true,
		}
		for _, node := range c.concerned() {
			if c.under(node.heldAs(), rec) {
				n.Over = append(n.Over, node.id)
			}
			n.Only = n.Only && !c.under(c.decisive(node), rec)
		}
		if len(n.Over) == 0 {
			continue // over goods of the same class without a lot number
		}
		if n.Open && n.Blocks && !n.Only {
			c.r.Recalled = true
		}
		c.r.Notices = append(c.r.Notices, n)
	}
	for _, node := range c.concerned() {
		if c.w.open != nil && c.w.open.Open > 0 && c.overfull(c.decisive(node)) {
			c.r.Recalled = true
		}
	}
}

// concerned are all things over which notices are looked for.
func (c *composer) concerned() []*node {
	list := slices.Clip(c.w.nodes)
	for _, box := range c.w.outer {
		if c.w.known[box.name] == nil {
			list = append(list, box)
		}
	}
	return list
}

// decisive lists the holds of a thing that are about the subject: of a container only while the subject is in it, and only
// what is about its contents, as the rules have it.
func (c *composer) decisive(n *node) []ledger.HoldOf {
	switch {
	case n.role != roleContainer:
		return n.heldAs()
	case slices.Contains(c.w.outer, n):
		return ledger.CarryHolds(n.item)
	}
	return nil
}

func compareNotices(a, b *ledger.NoticeRecord) int {
	return cmp.Or(cmp.Compare(a.Height, b.Height), bytes.Compare(a.ID[:], b.ID[:]))
}

// under reports whether a notice reaches a thing with these holds. In the hold of a class it may be about goods without a lot
// number only.
func (c *composer) under(holds []ledger.HoldOf, r *ledger.NoticeRecord) bool {
	for _, of := range holds {
		if h := c.w.holds[of.ID]; h != nil && slices.Contains(h.Notices, r.ID) && of.Reaches(r) {
			return true
		}
	}
	return false
}

// overfull reports whether one of the holds lists not all of its notices: those beyond are not in the certificate, so what is
// under it counts as recalled.
func (c *composer) overfull(holds []ledger.HoldOf) bool {
	for _, of := range holds {
		if h := c.w.holds[of.ID]; h != nil && h.More > 0 {
			return true
		}
	}
	return false
}

// custody says where the subject is.
func (c *composer) custody() {
	i := c.w.item
	if i == nil {
		lot := c.w.nodes[0].batch
		c.r.Custody = Custody{ExpiryMs: lot.ExpiryMs, LotNumber: lot.LotNumber, Flags: lot.Flags.Names()}
		return
	}
	c.r.Custody = Custody{State: i.State.String(), Custodian: c.org(i.Custodian), Owner: c.org(i.Owner), Parent: i.Parent, Place: i.Place,
		ExpiryMs: i.ExpiryMs, LotNumber: i.Lot, Flags: i.Flags.Names()}
	if s := c.w.under; s != nil {
		c.r.Custody.To, c.r.Custody.Party = c.org(s.To), s.Party
	}
}
