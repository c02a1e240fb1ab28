package ledger

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
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
	Amount Amount // zero for items
	Found  string // of a wrong lot or product: what arrived instead
	Note   string
}

// Outcome is how a line of a dispute ends.
type Outcome uint8

// The outcomes, and who may state them.
const (
	Credited  Outcome = 1 // shipper, of a shortage: the goods never left and are the shipper's
	Lost      Outcome = 2 // shipper, of a shortage: the goods are gone
	Delivered Outcome = 3 // receiver, of a shortage: the goods came after all
	Returned  Outcome = 4 // shipper, of rejected goods: they are back in the shipper's hands
	Kept      Outcome = 5 // receiver, of rejected goods: accepted after all
	Destroyed Outcome = 6 // receiver, of rejected goods
	Agreed    Outcome = 7 // shipper, of an overage or of what arrived instead: it was shipped too
	Declined  Outcome = 8 // shipper, of an overage, of what arrived instead or of missing data: it was not
	Supplied  Outcome = 9 // shipper, of missing data
	Withdrawn Outcome = 10
)

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
	Lines    []DisputeLine  // identifiers canonical
	Outcomes []Outcome      // of each line; 0: open
	Note     string
	Document crypto.Hash
	Height   quorum.Height
	TimeMs   int64 // of its block, ms since the Unix epoch
	Open     uint16
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

func (p *Dispute) check() error { return nil }

func (p *Resolve) check() error { return nil }

func (p *Dispute) effects(t *txRun) *Finding { return refuse(CodeInternal, "") }

func (p *Resolve) effects(t *txRun) *Finding { return refuse(CodeInternal, "") }
