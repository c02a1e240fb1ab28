package ledger

import (
	"strings"
	"unicode/utf8"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// DisputeKind is the exception that a receiver states. Its text is "shortage", "overage", "damage", "wrong_lot",
// "wrong_product" or "data_missing".
type DisputeKind uint8

// The kinds.
const (
	Shortage     DisputeKind = 1 // shipped and not arrived
	Overage      DisputeKind = 2 // arrived and not shipped
	Damage       DisputeKind = 3 // arrived and rejected
	WrongLot     DisputeKind = 4 // another lot arrived instead: short of one, over of the other
	WrongProduct DisputeKind = 5 // another product arrived instead
	DataMissing  DisputeKind = 6 // the goods came without data that they need; no goods change hands by it
)

var disputeKindNames = [...]string{
	Shortage: "shortage", Overage: "overage", Damage: "damage", WrongLot: "wrong_lot", WrongProduct: "wrong_product", DataMissing: "data_missing",
}

// String returns the text.
func (k DisputeKind) String() string { return enumText("dispute kind", disputeKindNames[:], uint8(k)) }

// MarshalText returns the text of String.
func (k DisputeKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the text of String; the error is of kind ErrPayload.
func (k *DisputeKind) UnmarshalText(text []byte) error {
	n, err := enumOf("dispute kind", disputeKindNames[:], text)
	if err == nil {
		*k = DisputeKind(n)
	}
	return err
}

// takes reports whether a line of that kind says that goods which were shipped did not arrive.
func (k DisputeKind) takes() bool { return k == Shortage || k == WrongLot || k == WrongProduct }

// Bounds of disputes.
const (
	maxDisputeLines = 256
	maxDisputeNote  = 1024 // bytes, of a dispute, a line or a resolution
	maxDisputes     = 64   // of one shipment
)

// Dispute is the receiver's word that a shipment is not what was shipped. With what it received, it accounts for all of
// it: accepted, rejected and short are what was shipped. The transaction's id names it.
type Dispute struct {
	_        struct{}    `cbor:",toarray"`
	Shipment crypto.Hash // the shipping event
	Lines    []DisputeLine
	Note     string
	Document crypto.Hash // evidence, for example a photograph; zero: none
}

// DisputeLine is one exception.
type DisputeLine struct {
	_      struct{} `cbor:",toarray"`
	Kind   DisputeKind
	ID     string // the item or lot as shipped; of an overage, as arrived; "" for missing data about the whole
	Unit   string
	Amount Amount // zero: the item, or all of the lot in this unit that is not received
	In     string // the container that a quantity was packed in; "" for items and what was shipped loose
	Found  string // of a wrong lot or product: what arrived instead, as much of it
	Note   string
}

// Outcome is how a line of a dispute ends. Its text is "credited", "lost", "delivered", "returned", "kept", "destroyed",
// "agreed", "declined", "supplied" or "withdrawn".
type Outcome uint8

// The outcomes, and who may state them.
const (
	Credited  Outcome = 1  // shipper, of a shortage: the goods never left and are the shipper's
	Lost      Outcome = 2  // shipper, of a shortage: the goods are gone
	Delivered Outcome = 3  // receiver, of a shortage: the goods came after all
	Returned  Outcome = 4  // shipper, of rejected goods: they are back in the shipper's hands
	Kept      Outcome = 5  // receiver, of rejected goods: accepted after all
	Destroyed Outcome = 6  // receiver, of rejected goods
	Agreed    Outcome = 7  // shipper, of an overage or of what arrived instead: it was shipped too, in place of what is short
	Declined  Outcome = 8  // shipper, of an overage, of what arrived instead or of missing data: it was not
	Supplied  Outcome = 9  // shipper, of missing data
	Withdrawn Outcome = 10 // receiver: goods are under way again, as before the dispute; rejected ones it has parted with count as accepted
)

var outcomeNames = [...]string{
	Credited: "credited", Lost: "lost", Delivered: "delivered", Returned: "returned", Kept: "kept", Destroyed: "destroyed",
	Agreed: "agreed", Declined: "declined", Supplied: "supplied", Withdrawn: "withdrawn",
}

// String returns the text; of an open line, which has no outcome, "open".
func (o Outcome) String() string {
	if o == 0 {
		return "open"
	}
	return enumText("outcome", outcomeNames[:], uint8(o))
}

// MarshalText returns the text of String.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the text of String; the error is of kind ErrPayload. Nobody can state "open".
func (o *Outcome) UnmarshalText(text []byte) error {
	n, err := enumOf("outcome", outcomeNames[:], text)
	if err == nil {
		*o = Outcome(n)
	}
	return err
}

// ends reports whether the outcome is one for a line of a kind. A wrong lot or product ends like a shortage; that the
// shipper declines what arrived instead leaves it a shortage.
func (o Outcome) ends(k DisputeKind) bool {
	switch o {
	case Credited, Lost, Delivered:
		return k.takes()
	case Returned, Kept, Destroyed:
		return k == Damage
	case Agreed:
		return k == Overage || k == WrongLot || k == WrongProduct
	case Declined:
		return k == Overage || k == WrongLot || k == WrongProduct || k == DataMissing
	case Supplied:
		return k == DataMissing
	}
	return o == Withdrawn
}

// receivers reports whether the outcome is the receiver's to state, not the shipper's.
func (o Outcome) receivers() bool {
	return o == Delivered || o == Kept || o == Destroyed || o == Withdrawn
}

// Resolve ends lines of a dispute.
type Resolve struct {
	_       struct{} `cbor:",toarray"`
	Dispute crypto.Hash
	Lines   []Resolution
	Note    string
}

// Resolution is the outcome of one line.
type Resolution struct {
	_       struct{} `cbor:",toarray"`
	Line    uint16   // index in the dispute
	Outcome Outcome
}

// DisputeRecord is a dispute in the state.
type DisputeRecord struct {
	_        struct{} `cbor:",toarray"`
	ID       crypto.Hash
	Shipment crypto.Hash
	From, To crypto.Address // shipper and receiver
	Lines    []DisputeLine  // identifiers, units and amounts as the ledger counts them
	Goods    []PackedAmount // what each line took out of the shipment and keeps while open, if it was a quantity; Lot "" if not
	Outcomes []Outcome      // of each line; 0: open
	Resolved []crypto.Hash  // the transaction that stated the outcome of each line

	ResolvedMs []int64 // time of its block, ms since the Unix epoch; 0: open

	Note     string
	Document crypto.Hash
	Height   quorum.Height
	TimeMs   int64 // of its block, ms since the Unix epoch
	Open     uint16
}

// LineOpen reports whether a line still waits for an outcome: it has none, or its shipper declined what arrived instead
// and the goods are still missing.
func (d *DisputeRecord) LineOpen(i int) bool {
	return d.Outcomes[i] == 0 || d.Outcomes[i] == Declined && d.Lines[i].Kind.takes()
}

// Kind returns KindDispute.
func (*Dispute) Kind() Kind { return KindDispute }

// Kind returns KindResolve.
func (*Resolve) Kind() Kind { return KindResolve }

// DisputeKey is the state key of a [DisputeRecord].
func DisputeKey(id crypto.Hash) []byte { return key("dispute", string(id[:])) }

// ReadDispute returns a dispute; nil if there is none with that id.
func ReadDispute(v View, id crypto.Hash) (*DisputeRecord, error) {
	return read[DisputeRecord](v, DisputeKey(id))
}

// ReadDisputes returns the disputes about a shipment, oldest first.
func ReadDisputes(v View, shipment crypto.Hash) ([]DisputeRecord, error) {
	sh, err := ReadShipment(v, shipment)
	if err != nil || sh == nil {
		return nil, err
	}
	out := make([]DisputeRecord, 0, len(sh.Disputes))
	for _, id := range sh.Disputes {
		d, err := must[DisputeRecord](v, DisputeKey(id))
		if err != nil {
			return nil, err
		}
		out = append(out, *d)
	}
	return out, nil
}

// ReadDisputeOf returns the open dispute that an item, or what it is packed in, is the object of, and the line; nil if
// there is none.
func ReadDisputeOf(v View, id string) (*DisputeRecord, int, error) {
	item, err := ReadItem(v, id)
	if err != nil || item == nil || !item.State.disputed() {
		return nil, 0, err
	}
	for root := item; root.Parent != ""; {
		if root, err = ReadItemRecord(v, root.Parent); err != nil || root == nil {
			return nil, 0, err
		}
		item = root
	}
	disputes, err := ReadDisputes(v, item.Shipment)
	for i := range disputes {
		for n := range disputes[i].Lines {
			if disputes[i].Lines[n].ID == item.ID && disputes[i].LineOpen(n) {
				return &disputes[i], n, nil
			}
		}
	}
	return nil, 0, err
}

func (p *Dispute) check() error {
	if n := len(p.Lines); n == 0 || n > maxDisputeLines {
		return malformed(ErrPayload, "a dispute has 1 to %d lines, got %d", maxDisputeLines, n)
	}
	if err := checkNote(p.Note); err != nil {
		return err
	}
	for i := range p.Lines {
		if err := p.Lines[i].check(); err != nil {
			return malformedBy(ErrPayload, err, "line %d", i)
		}
	}
	return nil
}

func (l *DisputeLine) check() error {
	if l.Kind < Shortage || l.Kind > DataMissing {
		return malformed(ErrPayload, "dispute kind %d is unknown", l.Kind)
	}
	if l.ID != "" || l.Kind != DataMissing {
		if err := checkNamed("id", l.ID); err != nil {
			return err
		}
	}
	if wrong := l.Kind == WrongLot || l.Kind == WrongProduct; wrong != (l.Found != "") {
		return malformed(ErrPayload, "what was found is for a wrong lot or product, and only for these")
	} else if wrong {
		if err := checkNamed("found", l.Found); err != nil {
			return err
		}
	}
	if l.In != "" {
		if err := checkNamed("in", l.In); err != nil {
			return err
		}
	}
	if err := l.checkAmount(); err != nil {
		return err
	}
	return checkNote(l.Note)
}

// checkAmount accepts amounts in their one form that a balance can hold.
func (l *DisputeLine) checkAmount() error {
	d, err := epcis.NewDecimal(l.Amount.Coefficient, int(l.Amount.Exponent))
	if err != nil || AmountOf(d) != l.Amount || !countable(d) {
		return malformed(ErrPayload, "amount %d × 10^%d is negative, not in its one form or beyond what the ledger counts",
			l.Amount.Coefficient, l.Amount.Exponent)
	}
	if len(l.Unit) > 3 {
		return malformed(ErrPayload, "unit %q is no code of UN/ECE Recommendation 20", l.Unit)
	}
	for _, c := range []byte(l.Unit) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return malformed(ErrPayload, "unit %q is no code of UN/ECE Recommendation 20", l.Unit)
		}
	}
	if l.Kind == DataMissing && (!l.Amount.IsZero() || l.Unit != "" || l.In != "") {
		return malformed(ErrPayload, "missing data has no amount")
	}
	return nil
}

// checkNamed accepts every spelling of an identifier that an event can have brought onto the ledger: networks that flag R3
// take over broken ones.
func checkNamed(what, id string) error {
	if id == "" || len(id) > maxIDBytes || !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' }) {
		return malformed(ErrPayload, "%s has 1 to %d bytes of UTF-8 that print, got %d", what, maxIDBytes, len(id))
	}
	return nil
}

func (p *Resolve) check() error {
	if n := len(p.Lines); n == 0 || n > maxDisputeLines {
		return malformed(ErrPayload, "a resolution has 1 to %d lines, got %d", maxDisputeLines, n)
	}
	for _, l := range p.Lines {
		if l.Outcome < Credited || l.Outcome > Withdrawn {
			return malformed(ErrPayload, "outcome %d is unknown", l.Outcome)
		}
		if l.Line >= maxDisputeLines {
			return malformed(ErrPayload, "a dispute has at most %d lines, line %d is none", maxDisputeLines, l.Line)
		}
	}
	return checkNote(p.Note)
}

func checkNote(s string) error { return checkProse("note", s, maxDisputeNote) }

func (p *Dispute) effects(t *txRun) *Finding { return t.dispute(p) }

func (p *Resolve) effects(t *txRun) *Finding { return t.resolve(p) }
