package index

import (
	"slices"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/epcis/query"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// record is an event with what the ledger knows of it, as the index keeps it.
type record struct {
	_      struct{} `cbor:",toarray"`
	Event  []byte   // epcis.EncodeEvent
	Hash   crypto.Hash
	Tx     crypto.Hash
	TimeMs int64 // of the block
	Author string
	Org    string
	Flags  []string // rules, each once
	Lots   []string
}

func newRecord(r *ledger.EventRecord) (*record, error) {
	event, err := epcis.EncodeEvent(r.Event)
	if err != nil {
		return nil, err
	}
	out := &record{
		Event: event, Hash: r.Hash, Tx: r.Tx, TimeMs: r.TimeMs,
		Author: r.Author.String(), Org: r.Org, Lots: trace.Lots(r.Event),
	}
	for _, f := range r.Flags {
		if rule := f.Rule(); rule != "" && !slices.Contains(out.Flags, rule) {
			out.Flags = append(out.Flags, rule)
		}
	}
	if word := r.Declares(); word != "" {
		out.Flags = append(out.Flags, word)
	}
	return out, nil
}

const textBytes = 16 // of a text in a list

// decodeRecord reads a record; Event is a part of data. What is wrong is said by crypto.Unmarshal, which reads the same.
func decodeRecord(data []byte) (record, error) {
	var r record
	budget := crypto.NewBudget(len(data))
	p := crypto.NewPlainCBOR(data, &budget)
	if p.Struct(8) {
		r.Event = p.Shared()
		// The texts share a copy of what comes after the event, not of all.
		rest := crypto.NewPlainCBOR(data[p.Pos():], &budget)
		rest.Fixed(r.Hash[:])
		rest.Fixed(r.Tx[:])
		r.TimeMs, r.Author, r.Org = rest.Int(64), rest.Text(), rest.Text()
		r.Flags, r.Lots = readTexts(&rest), readTexts(&rest)
		if !p.Bad() && rest.Done() {
			return r, nil
		}
	}
	r = record{}
	return r, crypto.Unmarshal(data, &r)
}

func readTexts(p *crypto.PlainCBOR) []string {
	out := make([]string, p.Array(textBytes))
	for i := range out {
		out[i] = p.Text()
	}
	return out
}

func (r *record) meta(ref trace.Ref) query.Meta {
	return query.Meta{
		Height: ref.Height, TxIndex: ref.Tx, Index: ref.Event,
		Hash: r.Hash.String(), Tx: r.Tx.String(), TimeMs: r.TimeMs, Author: r.Author, Org: r.Org, Flags: r.Flags, Lots: r.Lots,
	}
}

// posting is one entry that leads to an event.
type posting struct {
	field field
	term  string
}

// postings lists what leads to an event, each once.
func postings(e *epcis.Event, m query.Meta) []posting {
	p := postingList{seen: map[posting]bool{}}
	for _, list := range [][]string{e.EPCs, e.ChildEPCs, e.InputEPCs, e.OutputEPCs} {
		for _, id := range list {
			p.item(id)
		}
	}
	for _, list := range [][]epcis.Quantity{e.Quantities, e.ChildQuantities, e.InputQuantities, e.OutputQuantities} {
		for i := range list {
			p.item(list[i].Class)
		}
	}
	p.item(e.ParentID)
	p.item(e.TransformationID)
	for _, lot := range m.Lots {
		p.add(fieldItem, lot)
		p.add(fieldLot, lot)
	}
	for _, party := range query.PartiesOf(e, m) {
		p.add(fieldParty, party)
	}
	for _, d := range e.BizTransactions {
		p.add(fieldDocument, query.Key(d.ID))
	}
	p.location(fieldReadPoint, e.ReadPoint)
	p.location(fieldBizLocation, e.BizLocation)
	p.add(fieldBizStep, e.BizStep)
	p.add(fieldDisposition, e.Disposition)
	p.add(fieldType, e.Type.String())
	p.add(fieldEventID, e.EventID)
	p.add(fieldTx, m.Tx)
	p.add(fieldHash, m.Hash)
	if e.ErrorDeclaration != nil {
		p.put(posting{fieldError, ""})
	}
	return p.list
}

type postingList struct {
	list []posting
	seen map[posting]bool
}

// add leaves out absent terms.
func (p *postingList) add(f field, term string) {
	if term != "" {
		p.put(posting{f, term})
	}
}

func (p *postingList) put(x posting) {
	if !p.seen[x] {
		p.seen[x] = true
		p.list = append(p.list, x)
	}
}

// item adds an identifier and its class. What is no valid identifier is found as it is written.
func (p *postingList) item(id string) {
	if id == "" {
		return
	}
	parsed, err := gs1.ParseLenient(id)
	if err != nil || parsed.IsZero() {
		p.add(fieldItem, id)
		return
	}
	p.add(fieldItem, parsed.Canonical())
	if class := parsed.Class(); !class.IsZero() {
		p.add(fieldClass, class.Canonical())
	}
}

// location adds a place, and the wider place that its identifier names.
func (p *postingList) location(f field, l *epcis.Location) {
	if l == nil || l.ID == "" {
		return
	}
	key := query.Key(l.ID)
	p.add(f, key)
	if wide := wider(key); wide != key {
		p.add(f, wideTerm(wide))
	}
}
