package ledger

import (
	"math"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// The canonical CBOR of the records that nearly every event writes, by hand: what crypto.Marshal makes of the structs, for a
// tenth of the time. A field that is added to one of them is added here too; records_plain_test.go compares.

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

// AppendCBOR implements crypto.CBORAppender.
func (i *Item) AppendCBOR(b []byte) []byte {
	b = crypto.AppendArray(b, 24)
	b = crypto.AppendText(b, i.ID)
	b = crypto.AppendUint(b, uint64(i.State))
	b = crypto.AppendUint(b, uint64(i.Flags))
	b = crypto.AppendBytes(b, i.Owner[:])
	b = crypto.AppendBytes(b, i.Custodian[:])
	b = crypto.AppendText(b, i.Parent)
	b = crypto.AppendBytes(b, i.Shipment[:])
	b = crypto.AppendText(b, i.Place)
	b = crypto.AppendText(b, i.Lot)
	b = crypto.AppendInt(b, i.ExpiryMs)
	b = crypto.AppendText(b, i.Disposition)
	b = crypto.AppendBytes(b, i.BornBy[:])
	b = crypto.AppendBytes(b, i.BornEvent[:])
	b = crypto.AppendUint(b, uint64(i.BornHeight))
	b = crypto.AppendBytes(b, i.LastEvent[:])
	b = crypto.AppendUint(b, uint64(i.LastHeight))
	b = crypto.AppendUint(b, i.OwnerSince)
	b = crypto.AppendUint(b, i.PackedSince)
	b = crypto.AppendUint(b, uint64(i.Levels))
	b = crypto.AppendInt(b, i.InsideExpiryMs)
	b = crypto.AppendUint(b, i.Made)
	b = crypto.AppendUint(b, i.Used)
	b = crypto.AppendUint(b, i.Moves)
	return i.Chain.AppendCBOR(b)
}

// ParseCBOR implements crypto.CBORParser.
func (i *Item) ParseCBOR(p *crypto.PlainCBOR) {
	if !p.Struct(24) {
		return
	}
	i.ID = p.Text()
	i.State = ItemState(p.Uint(math.MaxUint8))
	i.Flags = ItemFlags(p.Uint(math.MaxUint32))
	p.Fixed(i.Owner[:])
	p.Fixed(i.Custodian[:])
	i.Parent = p.Text()
	p.Fixed(i.Shipment[:])
	i.Place = p.Text()
	i.Lot = p.Text()
	i.ExpiryMs = p.Int(64)
	i.Disposition = p.Text()
	p.Fixed(i.BornBy[:])
	p.Fixed(i.BornEvent[:])
	i.BornHeight = height(p)
	p.Fixed(i.LastEvent[:])
	i.LastHeight = height(p)
	i.OwnerSince = p.Uint(math.MaxUint64)
	i.PackedSince = p.Uint(math.MaxUint64)
	i.Levels = uint8(p.Uint(math.MaxUint8))
	i.InsideExpiryMs = p.Int(64)
	i.Made = p.Uint(math.MaxUint64)
	i.Used = p.Uint(math.MaxUint64)
	i.Moves = p.Uint(math.MaxUint64)
	i.Chain.ParseCBOR(p)
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

// AppendCBOR implements crypto.CBORAppender.
func (c *Contents) AppendCBOR(b []byte) []byte {
	b = crypto.AppendArray(crypto.AppendArray(b, 2), len(c.Items))
	for _, id := range c.Items {
		b = crypto.AppendText(b, id)
	}
	return packedAmounts(b, c.Quantities)
}

// ParseCBOR implements crypto.CBORParser.
func (c *Contents) ParseCBOR(p *crypto.PlainCBOR) {
	if !p.Struct(2) {
		return
	}
	c.Items = make([]string, p.Array(16))
	for i := range c.Items {
		c.Items[i] = p.Text()
	}
	c.Quantities = parsePackedAmounts(p)
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

// AppendCBOR implements crypto.CBORAppender.
func (m *EventMark) AppendCBOR(b []byte) []byte {
	b = crypto.AppendArray(b, 4)
	b = crypto.AppendBytes(b, m.Tx[:])
	b = crypto.AppendUint(b, uint64(m.Height))
	b = crypto.AppendBytes(b, m.DeclaredBy[:])
	return crypto.AppendBool(b, m.Undone)
}

// ParseCBOR implements crypto.CBORParser.
func (m *EventMark) ParseCBOR(p *crypto.PlainCBOR) {
	if p.Struct(4) {
		p.Fixed(m.Tx[:])
		m.Height = height(p)
		p.Fixed(m.DeclaredBy[:])
		m.Undone = p.Bool()
	}
}

// AppendCBOR implements crypto.CBORAppender.
func (s *Shipment) AppendCBOR(b []byte) []byte {
	b = crypto.AppendArray(b, 17)
	b = crypto.AppendBytes(b, s.Event[:])
	b = crypto.AppendBytes(b, s.Tx[:])
	b = crypto.AppendBytes(b, s.From[:])
	b = crypto.AppendBytes(b, s.To[:])
	b = crypto.AppendText(b, s.Party)
	b = crypto.AppendBytes(b, s.Owner[:])
	b = crypto.AppendUint(b, uint64(s.Height))
	b = crypto.AppendInt(b, s.TimeMs)
	b = crypto.AppendUint(b, s.OpenItems)
	b = packedAmounts(b, s.Quantities)
	b = crypto.AppendUint(b, uint64(s.State))
	for _, t := range [...]*Tally{&s.Shipped, &s.Rejected, &s.Short, &s.Void} {
		b = crypto.AppendUint(crypto.AppendArray(b, 2), t.Items)
		b = packedAmounts(b, t.Quantities)
	}
	return crypto.AppendUint(hashes(b, s.Disputes), s.OpenLines)
}

// ParseCBOR implements crypto.CBORParser.
func (s *Shipment) ParseCBOR(p *crypto.PlainCBOR) {
	if !p.Struct(17) {
		return
	}
	p.Fixed(s.Event[:])
	p.Fixed(s.Tx[:])
	p.Fixed(s.From[:])
	p.Fixed(s.To[:])
	s.Party = p.Text()
	p.Fixed(s.Owner[:])
	s.Height = height(p)
	s.TimeMs = p.Int(64)
	s.OpenItems = p.Uint(math.MaxUint64)
	s.Quantities = parsePackedAmounts(p)
	s.State = ShipmentState(p.Uint(math.MaxUint8))
	for _, t := range [...]*Tally{&s.Shipped, &s.Rejected, &s.Short, &s.Void} {
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
