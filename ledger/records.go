package ledger

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// State records. Each is stored as the canonical CBOR of its struct under the key that keys.go gives it; that of an Item,
// Contents, Shipment and EventMark is shorter, see "Records" in the package doc. Records are
// values: a slice inside one is never changed in place, only replaced.

// Account is who can author transactions: the key whose address it is, the keys added to it, and its money.
type Account struct {
	_         struct{} `cbor:",toarray"`
	Balance   uint64   // smallest unit, free to spend
	Bonded    uint64   // staked with validators
	Unbonding []Release
	Keys      []AccountKeyRecord // added or revoked keys; the key of the address is active unless revoked here
	Threshold uint8              // how many active keys must sign; 0 and 1: one
}

// Release is unbonded money on its way to being free: it is when evidence about Epoch no longer counts.
type Release struct {
	_         struct{}         `cbor:",toarray"`
	Validator crypto.PublicKey // the validator's id
	Epoch     quorum.Epoch     // the last one in which it may have given the validator power
	Amount    uint64
}

// AccountKeyRecord is one key of an account: it signs from From until, not including, Until.
type AccountKeyRecord struct {
	_     struct{} `cbor:",toarray"`
	Key   crypto.PublicKey
	From  quorum.Height
	Until quorum.Height // 0: no end
}

func (k *AccountKeyRecord) activeAt(h quorum.Height) bool {
	return h >= k.From && (k.Until == 0 || h < k.Until)
}

// KeyActive reports whether signatures of key count for the account at address at height h.
func (a *Account) KeyActive(address crypto.Address, key crypto.PublicKey, h quorum.Height) bool {
	for i := range a.Keys {
		if a.Keys[i].Key == key {
			return a.Keys[i].activeAt(h)
		}
	}
	return key.Address() == address
}

// Organisation is a company or authority that acts on the ledger. It is named by the address of its account.
type Organisation struct {
	_        struct{} `cbor:",toarray"`
	Address  crypto.Address
	Name     string
	Roles    []string
	Parties  []string // canonical
	Prefixes []string // company prefixes it holds, ascending
	Admitted bool
	Since    quorum.Height
}

// partyRecord says whom a name or party identifier belongs to.
type partyRecord struct {
	_            struct{} `cbor:",toarray"`
	Organisation crypto.Address
}

// Prefix is a GS1 company prefix and who held it when.
type Prefix struct {
	_       struct{} `cbor:",toarray"`
	Digits  string
	Holders []Tenure // oldest first; the last one holds it if it has no end
}

// Tenure is the time for which somebody held a prefix.
type Tenure struct {
	_          struct{} `cbor:",toarray"`
	Holder     crypto.Address
	From       quorum.Height
	Until      quorum.Height  // 0: no end
	ApprovedBy crypto.Address // registrar; zero: genesis, or a network without registrars
}

// Holder returns who holds the prefix now; false if nobody does.
func (p *Prefix) Holder() (Tenure, bool) {
	if n := len(p.Holders); n > 0 && p.Holders[n-1].Until == 0 {
		return p.Holders[n-1], true
	}
	return Tenure{}, false
}

// Claim is an organisation's open claim to a prefix.
type Claim struct {
	_      struct{} `cbor:",toarray"`
	Height quorum.Height
}

// Delegation lets To commission and describe identifiers under Scope in the name of From.
type Delegation struct {
	_        struct{} `cbor:",toarray"`
	From, To crypto.Address
	Scope    string // company prefix, or canonical class
	Since    quorum.Height
	UntilMs  int64 // block time, ms since the Unix epoch; 0: no end
}

// activeAt reports whether the delegation counts in a block of that time.
func (d *Delegation) activeAt(timeMs int64) bool { return d.UntilMs == 0 || timeMs < d.UntilMs }

// MasterData is what an organisation recorded about a product, location or party.
type MasterData struct {
	_          struct{} `cbor:",toarray"`
	Type       string
	ID         string // canonical
	Attributes []Attribute
	Author     crypto.Address
	Height     quorum.Height
	Version    uint64 // 1 for the first
	Flags      ItemFlags
}

// ItemState is where an item is in its life. Its text is "active", "in_transit", "consumed", "decommissioned",
// "destroyed", "observed", "disputed", "rejected" or "lost".
type ItemState uint8

// The states.
const (
	StateObserved       ItemState = 0 // seen by somebody, held by nobody on this ledger
	StateActive         ItemState = 1
	StateInTransit      ItemState = 2
	StateConsumed       ItemState = 3 // input of a transformation
	StateDecommissioned ItemState = 4
	StateDestroyed      ItemState = 5
	StateDisputed       ItemState = 6 // shipped, and the receiver says that it did not arrive: nobody may act on it
	StateRejected       ItemState = 7 // the receiver has it and did not accept it
	StateLost           ItemState = 8 // shipped, not arrived, and gone
)

// String returns the text.
func (s ItemState) String() string {
	names := [...]string{"observed", "active", "in_transit", "consumed", "decommissioned", "destroyed", "disputed", "rejected", "lost"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// MarshalText returns the text of String.
func (s ItemState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ended reports whether nothing may happen to the item any more.
func (s ItemState) ended() bool {
	return s >= StateConsumed && s <= StateDestroyed || s == StateLost
}

// disputed reports whether an open line of a dispute says what becomes of the item.
func (s ItemState) disputed() bool { return s == StateDisputed || s == StateRejected }

// ItemFlags are marks on items and lots.
type ItemFlags uint32

// The marks.
const (
	FlagUnverified     ItemFlags = 1 << iota // origin: not born here, or its identifier is under nobody's prefix
	FlagTainted                              // an event about it was declared erroneous
	FlagUncommissioned                       // no ObjectEvent commissioned it: a transformation's output, a container first packed, or taken over
	FlagUnmeasured                           // some amounts of it were not stated
	FlagUndone                               // what brought it into being was declared erroneous and undone: only its chain is left, it is not on the ledger
	FlagShared                               // others than BornBy made some of it: a class without lots under nobody's prefix
)

// Names lists the marks as words: "unverified", "tainted", "unmeasured", "undone", "shared".
func (f ItemFlags) Names() []string {
	var out []string
	for _, m := range []struct {
		flag ItemFlags
		name string
	}{{FlagUnverified, "unverified"}, {FlagTainted, "tainted"}, {FlagUnmeasured, "unmeasured"}, {FlagUndone, "undone"}, {FlagShared, "shared"}} {
		if f&m.flag != 0 {
			out = append(out, m.name)
		}
	}
	return out
}

// Chain is the hash chain over the events that named a thing: with one proof of it a list of events is known to be
// complete. Head is Sum(TagItemChain, previous head, event hash), the zero Hash before the first event.
type Chain struct {
	_      struct{} `cbor:",toarray"`
	Count  uint64
	Head   crypto.Hash
	LastMs int64 // latest event time so far, ms since the Unix epoch
}

// NextHead is the head of a chain after one more event.
func NextHead(head, event crypto.Hash) crypto.Hash {
	return crypto.Sum(crypto.TagItemChain, head[:], event[:])
}

// Item is one thing with an identifier of its own.
type Item struct {
	_           struct{} `cbor:",toarray"`
	ID          string   // canonical
	State       ItemState
	Flags       ItemFlags
	Owner       crypto.Address // zero: unknown
	Custodian   crypto.Address // zero: nobody on this ledger; in transit or disputed: the shipper
	Parent      string         // what it is packed in; "" if it is not
	Shipment    crypto.Hash    // the shipping event while in transit, disputed or rejected
	Place       string         // canonical location where it was last seen
	Lot         string         // canonical lot it belongs to, or the lot number where it has no GTIN
	ExpiryMs    int64          // ms since the Unix epoch; 0: none known
	Disposition string         // the last one stated
	BornBy      crypto.Address // author of the event that created it
	BornEvent   crypto.Hash
	BornHeight  quorum.Height
	LastEvent   crypto.Hash // the last event that changed custody, packing or life
	LastHeight  quorum.Height
	OwnerSince  uint64 // Chain.Count when ownership last passed
	PackedSince uint64 // Chain.Count of Parent when packed
	Levels      uint8  // most levels of packing below it since it was last empty

	// InsideExpiryMs is the soonest expiry date of what was packed in it, at any depth, since it was last empty; ms since the
	// Unix epoch, 0: none known.
	InsideExpiryMs int64

	Made, Used uint64 // transformations that made it and used it up
	Moves      uint64 // events that changed it, observations aside, or anything packed in it while nothing contained it
	Chain      Chain
}

// Contents is what is packed directly in an item.
type Contents struct {
	_          struct{}       `cbor:",toarray"`
	Items      []string       // canonical, ascending
	Quantities []PackedAmount // by lot, then unit, ascending
}

// PackedAmount is an amount of a lot in a container.
type PackedAmount struct {
	_          struct{} `cbor:",toarray"`
	Lot        string   // canonical
	Unit       string
	Amount     Amount
	Unmeasured bool // and an amount that was not stated
}

// Lot is a batch of a product, or a class without batch, counted and not told apart.
type Lot struct {
	_          struct{} `cbor:",toarray"`
	ID         string   // canonical
	Flags      ItemFlags
	LotNumber  string         // as the master data of its commissioning says
	ExpiryMs   int64          // ms since the Unix epoch; 0: none known
	Units      []string       // in which it was counted, ascending; "" is a count of pieces
	BornBy     crypto.Address // who had some first; before that, who saw it first
	BornEvent  crypto.Hash
	LastEvent  crypto.Hash // the last event that changed a balance of it
	LastHeight quorum.Height
	Made       uint64 // transformations that made it
	Used       uint64 // transformations that used it
	Moves      uint64 // events that changed it, observations aside
	Undone     uint64 // how many of Moves were undone while others stood
	Chain      Chain
}

// Balance is what a custodian holds of a lot in one unit and with one status, loose: not packed, not in transit.
type Balance struct {
	_          struct{} `cbor:",toarray"`
	Amount     Amount
	Unmeasured bool          // and an amount that was not stated
	Takes      uint64        // events that lowered it
	Sets       uint64        // acts for which it counted how much there was: it was counted, set, or not measured
	Arrivals   uint64        // receipts and takings back that it came by
	LastTake   crypto.Hash   // the last event that lowered or set it
	TakenAt    quorum.Height // of LastTake
}

// Shipment is goods under way to a receiver. What was shipped is under way, accepted, rejected, short or taken back; see
// [Shipment.Accepted].
type Shipment struct {
	_          struct{}    `cbor:",toarray"`
	Event      crypto.Hash // the shipping event, which names it
	Tx         crypto.Hash
	From       crypto.Address
	To         crypto.Address // zero: not on the ledger, see Party
	Party      string         // the receiver as the event names it, canonical; "" if it names none
	Owner      crypto.Address // who owns the goods when received; zero: unchanged
	Height     quorum.Height
	TimeMs     int64 // of the block, ms since the Unix epoch
	OpenItems  uint64
	Quantities []PackedAmount // not yet received
	State      ShipmentState
	Shipped    Tally         // as shipped, and what disputes took out of its containers or added by agreement
	Rejected   Tally         // by disputes that were not withdrawn
	Short      Tally         // by disputes that were not withdrawn
	Void       Tally         // taken back by the shipper
	Disputes   []crypto.Hash // oldest first
	OpenLines  uint64        // lines of disputes without an outcome
}

// ShipmentState is "open", "closed" (all received, or accounted for by disputes), "void" (what was open went back) or
// "disputed".
type ShipmentState uint8

// The states.
const (
	ShipmentOpen   ShipmentState = 0
	ShipmentClosed ShipmentState = 1
	ShipmentVoid   ShipmentState = 2

	ShipmentDisputed ShipmentState = 3 // lines of a dispute are open; something may be under way too
)

// String returns the text.
func (s ShipmentState) String() string {
	names := [...]string{"open", "closed", "void", "disputed"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// MarshalText returns the text of String.
func (s ShipmentState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Transit lists the open shipments of a lot in one unit from one party to another, oldest first.
type Transit struct {
	_         struct{} `cbor:",toarray"`
	Shipments []crypto.Hash
}

// Edge is one act that made or used an item or lot.
type Edge struct {
	_      struct{} `cbor:",toarray"`
	Event  crypto.Hash
	Link   crypto.Hash // where all inputs and outputs of the act are
	Height quorum.Height
	Unit   string
	Amount Amount // zero for items
}

// Link is the inputs and outputs of one transformation: of one event, or of all events of an author with the same
// transformationID.
type Link struct {
	_         struct{}      `cbor:",toarray"`
	Inputs    []string      // canonical, ascending
	Outputs   []string      // canonical, ascending
	In, Out   []Weight      // by class and unit, ascending
	Unweighed bool          // part of what went in has no mass or volume that is known
	Claimed   []ClaimWeight // of what went in with a claim, what no output has taken up; by claim and unit, ascending
}

// EventMark is what the ledger keeps of an accepted event of an author.
type EventMark struct {
	_          struct{} `cbor:",toarray"`
	Tx         crypto.Hash
	Height     quorum.Height
	DeclaredBy crypto.Hash // the last error declaration about it; zero: none
	Undone     bool        // and its effects are undone: the state is as if it had not been
}

// Seen is what became of a transaction that may still be sent again.
type Seen struct {
	_      struct{} `cbor:",toarray"`
	Height quorum.Height
	OK     bool // it took effect
}

// included is the ids of a block, one after the other.
type included struct {
	_   struct{} `cbor:",toarray"`
	IDs []byte
}
