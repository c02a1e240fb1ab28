package ledger

import (
	"math"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// The canonical CBOR of the records that nearly every event writes, by hand. That of Chain, Seen and undoRecord is what
// crypto.Marshal makes of the structs, for a tenth of the time; Item, Contents, EventMark and Shipment have a form of their own
// (compact.go), which the package doc tells. A field that is added to one of them is added here too; records_plain_test.go
// compares.

// keyed is a record that leaves out what its key tells.
type keyed interface {
	// setKey fills that in; false if the record does not belong under the key.
	setKey(key string) bool
}

func hashes(b []byte, list []crypto.Hash) []byte {
	b = crypto.AppendArray(b, len(list))
	for i := range list {
		b = crypto.AppendBytes(b, list[i][:])
	}
	return b
}

func parseHashes(p *crypto.PlainCBOR) []crypto.Hash {
	list := make([]crypto.Hash, p.Array(crypto.HashSize))
	for i := range list {
		p.Fixed(list[i][:])
	}
	return list
}

func height(p *crypto.PlainCBOR) quorum.Height { return quorum.Height(p.Uint(math.MaxUint64)) }

// OwnCBOR implements crypto.OwnCBOR.
func (i *Item) OwnCBOR() {}

func (i *Item) setKey(key string) (ok bool) {
	i.ID, ok = strings.CutPrefix(key, "obj/")
	return ok
}

func (i *Item) names() [3][]byte { return [3][]byte{i.Owner[:], i.Custodian[:], i.BornBy[:]} }

func (i *Item) events() [3][]byte { return [3][]byte{i.Shipment[:], i.BornEvent[:], i.LastEvent[:]} }

// AppendCBOR implements crypto.CBORAppender.
func (i *Item) AppendCBOR(b []byte) []byte {
	b = crypto.AppendArray(b, 22)
	b = crypto.AppendUint(b, uint64(i.State))
	b = crypto.AppendUint(b, uint64(i.Flags))
	b, names := appendDistinct(b, i.names())
	b, events := appendDistinct(b, i.events())
	b = crypto.AppendUint(b, names|events<<6)
	b = crypto.AppendText(b, short(i.Parent))
	b = crypto.AppendText(b, short(i.Place))
	b = crypto.AppendText(b, short(i.Lot))
	b = crypto.AppendText(b, short(i.Disposition))
	b = crypto.AppendInt(b, i.ExpiryMs)
	b = crypto.AppendUint(b, uint64(i.BornHeight))
	b = crypto.AppendUint(b, uint64(i.LastHeight))
	b = crypto.AppendUint(b, i.OwnerSince)
	b = crypto.AppendUint(b, i.PackedSince)
	b = crypto.AppendUint(b, uint64(i.Levels))
	b = crypto.AppendInt(b, i.InsideExpiryMs)
	b = crypto.AppendUint(b, i.Made)
	b = crypto.AppendUint(b, i.Used)
	b = crypto.AppendUint(b, i.Moves)
	b = crypto.AppendUint(b, i.Chain.Count)
	b = orNothing(b, &i.Chain.Head)
	return crypto.AppendInt(b, i.Chain.LastMs)
}

// ParseCBOR implements crypto.CBORParser.
func (i *Item) ParseCBOR(p *crypto.PlainCBOR) {
	if !p.Struct(22) {
		return
	}
	i.State = ItemState(p.Uint(math.MaxUint8))
	i.Flags = ItemFlags(p.Uint(math.MaxUint32))
	names, events, which := p.Shared(), p.Shared(), p.Uint(1<<12-1)
	parseDistinct(p, names, which&(1<<6-1), i.names())
	parseDistinct(p, events, which>>6, i.events())
	var room [textRoom]byte
	texts, parent := readText(p, room[:0])
	texts, place := readText(p, texts)
	texts, lot := readText(p, texts)
	texts, disposition := readText(p, texts)
	all := ownText(p, texts)
	i.Parent, i.Place, i.Lot, i.Disposition = all[:parent], all[parent:place], all[place:lot], all[lot:disposition]
	i.ExpiryMs = p.Int(64)
	i.BornHeight = height(p)
	i.LastHeight = height(p)
	i.OwnerSince = p.Uint(math.MaxUint64)
	i.PackedSince = p.Uint(math.MaxUint64)
	i.Levels = uint8(p.Uint(math.MaxUint8))
	i.InsideExpiryMs = p.Int(64)
	i.Made = p.Uint(math.MaxUint64)
	i.Used = p.Uint(math.MaxUint64)
	i.Moves = p.Uint(math.MaxUint64)
	i.Chain.Count = p.Uint(math.MaxUint64)
	parseOrNothing(p, &i.Chain.Head)
	i.Chain.LastMs = p.Int(64)
}

// AppendCBOR implements crypto.CBORAppender.
func (c *Chain) AppendCBOR(b []byte) []byte {
	b = crypto.AppendUint(crypto.AppendArray(b, 3), c.Count)
	return crypto.AppendInt(crypto.AppendBytes(b, c.Head[:]), c.LastMs)
}

// ParseCBOR implements crypto.CBORParser.
func (c *Chain) ParseCBOR(p *crypto.PlainCBOR) {
	if p.Struct(3) {
		c.Count = p.Uint(math.MaxUint64)
		p.Fixed(c.Head[:])
		c.LastMs = p.Int(64)
	}
}

// OwnCBOR implements crypto.OwnCBOR.
func (c *Contents) OwnCBOR() {}

// AppendCBOR implements crypto.CBORAppender.
func (c *Contents) AppendCBOR(b []byte) []byte {
	return packedAmounts(shortTexts(crypto.AppendArray(b, 3), c.Items), c.Quantities)
}

// ParseCBOR implements crypto.CBORParser.
func (c *Contents) ParseCBOR(p *crypto.PlainCBOR) {
	if p.Struct(3) {
		c.Items = parseShortTexts(p)
		c.Quantities = parsePackedAmounts(p)
	}
}

func packedAmounts(b []byte, list []PackedAmount) []byte {
	b = crypto.AppendArray(b, len(list))
	for i := range list {
		q := &list[i]
		b = crypto.AppendArray(b, 4)
		b = crypto.AppendText(b, q.Lot)
		b = crypto.AppendText(b, q.Unit)
		b = crypto.AppendArray(b, 2)
		b = crypto.AppendInt(b, q.Amount.Coefficient)
		b = crypto.AppendInt(b, int64(q.Amount.Exponent))
		b = crypto.AppendBool(b, q.Unmeasured)
	}
	return b
}

func parsePackedAmounts(p *crypto.PlainCBOR) []PackedAmount {
	list := make([]PackedAmount, p.Array(56))
	for i := range list {
		q := &list[i]
		if !p.Struct(4) {
			break
		}
		q.Lot, q.Unit = p.Text(), p.Text()
		if p.Struct(2) {
			q.Amount.Coefficient, q.Amount.Exponent = p.Int(64), int8(p.Int(8))
		}
		q.Unmeasured = p.Bool()
	}
	return list
}

// OwnCBOR implements crypto.OwnCBOR.
func (m *EventMark) OwnCBOR() {}

// AppendCBOR implements crypto.CBORAppender.
func (m *EventMark) AppendCBOR(b []byte) []byte {
	b = crypto.AppendArray(b, 4)
	b = crypto.AppendBytes(b, m.Tx[:])
	b = crypto.AppendUint(b, uint64(m.Height))
	b = orNothing(b, &m.DeclaredBy)
	return crypto.AppendBool(b, m.Undone)
}

// ParseCBOR implements crypto.CBORParser.
func (m *EventMark) ParseCBOR(p *crypto.PlainCBOR) {
	if p.Struct(4) {
		p.Fixed(m.Tx[:])
		m.Height = height(p)
		parseOrNothing(p, &m.DeclaredBy)
		m.Undone = p.Bool()
	}
}

// OwnCBOR implements crypto.OwnCBOR.
func (s *Shipment) OwnCBOR() {}

func (s *Shipment) setKey(key string) bool {
	id, ok := strings.CutPrefix(key, "transfer/")
	return ok && len(id) == len(s.Event) && copy(s.Event[:], id) == len(id)
}

func (s *Shipment) names() [3][]byte { return [3][]byte{s.From[:], s.To[:], s.Owner[:]} }

func (s *Shipment) tallies() [4]*Tally { return [4]*Tally{&s.Shipped, &s.Rejected, &s.Short, &s.Void} }

// AppendCBOR implements crypto.CBORAppender.
func (s *Shipment) AppendCBOR(b []byte) []byte {
	b = crypto.AppendArray(b, 15)
	b = crypto.AppendBytes(b, s.Tx[:])
	b, names := appendDistinct(b, s.names())
	b = crypto.AppendUint(b, names)
	b = crypto.AppendText(b, short(s.Party))
	b = crypto.AppendUint(b, uint64(s.Height))
	b = crypto.AppendInt(b, s.TimeMs)
	b = crypto.AppendUint(b, s.OpenItems)
	b = packedAmounts(b, s.Quantities)
	b = crypto.AppendUint(b, uint64(s.State))
	for _, t := range s.tallies() {
		b = crypto.AppendUint(crypto.AppendArray(b, 2), t.Items)
		b = packedAmounts(b, t.Quantities)
	}
	return crypto.AppendUint(hashes(b, s.Disputes), s.OpenLines)
}

// ParseCBOR implements crypto.CBORParser.
func (s *Shipment) ParseCBOR(p *crypto.PlainCBOR) {
	if !p.Struct(15) {
		return
	}
	p.Fixed(s.Tx[:])
	names := p.Shared()
	parseDistinct(p, names, p.Uint(1<<6-1), s.names())
	var room [textRoom]byte
	party, _ := readText(p, room[:0])
	s.Party = ownText(p, party)
	s.Height = height(p)
	s.TimeMs = p.Int(64)
	s.OpenItems = p.Uint(math.MaxUint64)
	s.Quantities = parsePackedAmounts(p)
	s.State = ShipmentState(p.Uint(math.MaxUint8))
	for _, t := range s.tallies() {
		if !p.Struct(2) {
			return
		}
		t.Items = p.Uint(math.MaxUint64)
		t.Quantities = parsePackedAmounts(p)
	}
	s.Disputes = parseHashes(p)
	s.OpenLines = p.Uint(math.MaxUint64)
}

// AppendCBOR implements crypto.CBORAppender.
func (s *Seen) AppendCBOR(b []byte) []byte {
	return crypto.AppendBool(crypto.AppendUint(crypto.AppendArray(b, 2), uint64(s.Height)), s.OK)
}

// AppendCBOR implements crypto.CBORAppender.
func (u *undoRecord) AppendCBOR(b []byte) []byte {
	b = crypto.AppendArray(crypto.AppendArray(b, 1), len(u.Events))
	for i := range u.Events {
		e := &u.Events[i]
		b = crypto.AppendBytes(crypto.AppendArray(b, 3), e.Event[:])
		b = crypto.AppendBytes(crypto.AppendBool(b, e.Known), e.Notes)
	}
	return b
}
