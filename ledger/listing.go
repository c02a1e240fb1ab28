package ledger

import (
	"bytes"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Lists of records. Rules read single keys and need none; people ask "what is under way to me?". [PlacesOf] says in which
// lists a state record stands, as a function of the record alone, so that whoever keeps lists (ledger/index) keeps them
// right by looking at the writes of each block, and can make them again from the state.

// List names a list. Most have one part for each party or thing, which the scope of a [Place] names.
type List byte

// The lists. Those with an Open in their name leave out what is closed, decided, empty or over; the others only grow.
const (
	ListNotices         List = 'n'
	ListOpenNotices     List = 'N'
	ListIssuedNotices   List = 'i' // scope: issuer
	ListDisputes        List = 'd'
	ListOpenDisputes    List = 'D'
	ListPartyDisputes   List = 'q' // scope: shipper, and receiver
	ListOpenPartyDisp   List = 'Q'
	ListShipmentDispute List = 'x' // scope: shipping event
	ListInbound         List = 't' // scope: receiver; shipments
	ListOpenInbound     List = 'T'
	ListOutbound        List = 'f' // scope: shipper; shipments
	ListOpenOutbound    List = 'F'
	ListStock           List = 'b' // scope: custodian; balances by state key
	ListOpenStock       List = 'B'
	ListProposals       List = 'p'
	ListOpenProposals   List = 'P'
	ListAttestations    List = 'c'
	ListIssuedClaims    List = 'g' // scope: issuer; attestations
	ListHeldClaims      List = 'h' // scope: subject; attestations
	ListAnchors         List = 'a'
	ListPartyAnchors    List = 'y' // scope: author; anchors
	ListAboutAnchors    List = 'o' // scope: what they are about; anchors
)

// Place is where a record stands in a list: newest last.
type Place struct {
	List   List
	Scope  string        // whose part of the list; "" where it has none
	Height quorum.Height // of the block that made the record
	ID     string        // hash, URI or state key of the record
	Off    bool          // the record is not, or no longer, in the list
}

// PlacesOf returns the places of a state record; none for records that are in no list, and for a deleted one (value nil),
// whose places stay: who reads a list reads the records too. The error is of kind ErrState.
func PlacesOf(stateKey, value []byte) ([]Place, error) {
	space, _, ok := bytes.Cut(stateKey, []byte{'/'})
	if !ok || value == nil {
		return nil, nil
	}
	switch string(space) {
	case "bal":
		return placesOfBalance(stateKey, value)
	case "transfer":
		return placesAs(stateKey, value, (*Shipment).places)
	case "notice":
		return placesAs(stateKey, value, (*NoticeRecord).places)
	case "dispute":
		return placesAs(stateKey, value, (*DisputeRecord).places)
	case "proposal":
		return placesAs(stateKey, value, (*Proposal).places)
	case "cert":
		return placesAs(stateKey, value, (*Attestation).places)
	case "anchor":
		return placesAs(stateKey, value, (*AnchorRecord).places)
	}
	return nil, nil
}

// ListedSpaces are the beginnings of the state keys that PlacesOf has places for.
func ListedSpaces() []string {
	return []string{"bal/", "transfer/", "notice/", "dispute/", "proposal/", "cert/", "anchor/"}
}

func placesAs[T any](stateKey, value []byte, places func(*T) []Place) ([]Place, error) {
	rec, err := decodeRecord[T](stateKey, value)
	if err != nil {
		return nil, err
	}
	return places(rec), nil
}

func scopeOf(a crypto.Address) string { return string(a[:]) }

func (n *NoticeRecord) places() []Place {
	id := string(n.ID[:])
	return []Place{
		{List: ListNotices, Height: n.Height, ID: id},
		{List: ListOpenNotices, Height: n.Height, ID: id, Off: n.ReleasedAt != 0},
		{List: ListIssuedNotices, Scope: scopeOf(n.Issuer), Height: n.Height, ID: id},
	}
}

func (d *DisputeRecord) places() []Place {
	id, over := string(d.ID[:]), d.Open == 0
	out := []Place{
		{List: ListDisputes, Height: d.Height, ID: id},
		{List: ListOpenDisputes, Height: d.Height, ID: id, Off: over},
		{List: ListShipmentDispute, Scope: string(d.Shipment[:]), Height: d.Height, ID: id},
	}
	for _, party := range []crypto.Address{d.From, d.To} {
		out = append(out, Place{List: ListPartyDisputes, Scope: scopeOf(party), Height: d.Height, ID: id},
			Place{List: ListOpenPartyDisp, Scope: scopeOf(party), Height: d.Height, ID: id, Off: over})
	}
	return out
}

func (s *Shipment) places() []Place {
	id, over := string(s.Event[:]), s.State == ShipmentClosed || s.State == ShipmentVoid
	out := []Place{
		{List: ListOutbound, Scope: scopeOf(s.From), Height: s.Height, ID: id},
		{List: ListOpenOutbound, Scope: scopeOf(s.From), Height: s.Height, ID: id, Off: over},
	}
	to := s.Party // a party that is not on the ledger is found by its identifier
	if !s.To.IsZero() {
		to = scopeOf(s.To)
	}
	if !s.To.IsZero() && s.Party != "" { // it was to that party until somebody on the ledger turned out to be it
		out = append(out, Place{List: ListOpenInbound, Scope: s.Party, Height: s.Height, ID: id, Off: true})
	}
	return append(out, Place{List: ListInbound, Scope: to, Height: s.Height, ID: id},
		Place{List: ListOpenInbound, Scope: to, Height: s.Height, ID: id, Off: over})
}

func (p *Proposal) places() []Place {
	id := string(p.ID[:])
	return []Place{
		{List: ListProposals, Height: p.Height, ID: id},
		{List: ListOpenProposals, Height: p.Height, ID: id, Off: p.State != ProposalOpen},
	}
}

func (a *Attestation) places() []Place {
	return []Place{
		{List: ListAttestations, Height: a.Height, ID: a.ID},
		{List: ListIssuedClaims, Scope: scopeOf(a.Issuer), Height: a.Height, ID: a.ID},
		{List: ListHeldClaims, Scope: scopeOf(a.Subject), Height: a.Height, ID: a.ID},
	}
}

func (a *AnchorRecord) places() []Place {
	id := string(a.Document[:])
	out := []Place{
		{List: ListAnchors, Height: a.Height, ID: id},
		{List: ListPartyAnchors, Scope: scopeOf(a.Author), Height: a.Height, ID: id},
	}
	if a.About != "" {
		out = append(out, Place{List: ListAboutAnchors, Scope: a.About, Height: a.Height, ID: id})
	}
	return out
}

// BalanceAt is whose balance of what a state key is of.
type BalanceAt struct {
	Lot       string // canonical
	Custodian crypto.Address
	Unit      string
	Status    Status
}

// ReadBalanceAt returns whose balance of what stands under a state key, and the balance; nil if there is none.
func ReadBalanceAt(v View, stateKey []byte) (BalanceAt, *Balance, error) {
	at, err := ParseBalanceKey(stateKey)
	if err != nil {
		return at, nil, err
	}
	b, err := read[Balance](v, stateKey)
	return at, b, err
}

// ParseBalanceKey reads a state key that BalanceKey made.
func ParseBalanceKey(stateKey []byte) (BalanceAt, error) {
	rest, ok := bytes.CutPrefix(stateKey, []byte("bal/"))
	lot, rest, cut := bytes.Cut(rest, []byte{0})
	var at BalanceAt
	if !ok || !cut || len(rest) < len(at.Custodian)+1 {
		return at, malformed(ErrState, "state key %q is of no balance", stateKey)
	}
	at.Lot = string(lot)
	copy(at.Custodian[:], rest)
	at.Status, at.Unit = Status(rest[len(at.Custodian)]), string(rest[len(at.Custodian)+1:])
	return at, nil
}

func placesOfBalance(stateKey, value []byte) ([]Place, error) {
	at, err := ParseBalanceKey(stateKey)
	if err != nil {
		return nil, err
	}
	bal, err := decodeRecord[Balance](stateKey, value)
	if err != nil {
		return nil, err
	}
	scope, id := scopeOf(at.Custodian), string(stateKey)
	return []Place{
		{List: ListStock, Scope: scope, ID: id},
		{List: ListOpenStock, Scope: scope, ID: id, Off: bal.Amount.IsZero() && !bal.Unmeasured},
	}, nil
}

// Beginnings of state keys, to list what begins so.

// LotBalances is how the keys of all balances of a lot begin; id in canonical form.
func LotBalances(lot string) []byte { return key("bal", lot, "") }

// LotTransits is how the keys of all lists of shipments of a lot begin that are under way; id in canonical form.
func LotTransits(lot string) []byte { return key("transit", lot, "") }

// TransitAt is what a list of shipments under way is about.
type TransitAt struct {
	Lot, Unit string
	From, To  crypto.Address // To is zero for nobody on the ledger
}

// ParseTransitKey reads a state key that TransitKey made.
func ParseTransitKey(stateKey []byte) (TransitAt, error) {
	var at TransitAt
	rest, ok := bytes.CutPrefix(stateKey, []byte("transit/"))
	lot, rest, hasUnit := bytes.Cut(rest, []byte{0})
	unit, rest, hasParties := bytes.Cut(rest, []byte{0})
	if !ok || !hasUnit || !hasParties || len(rest) != len(at.From)+len(at.To) {
		return at, malformed(ErrState, "state key %q is of no shipments under way", stateKey)
	}
	at.Lot, at.Unit = string(lot), string(unit)
	copy(at.To[:], rest[copy(at.From[:], rest):])
	return at, nil
}

// ReadTransitAt returns what a list of shipments under way is about, and the list; nil if there is none.
func ReadTransitAt(v View, stateKey []byte) (TransitAt, *Transit, error) {
	at, err := ParseTransitKey(stateKey)
	if err != nil {
		return at, nil, err
	}
	t, err := read[Transit](v, stateKey)
	return at, t, err
}

// ClassBalances is how the keys of all balances of a class and its lots begin. Another class may begin with the same
// letters: look at what ParseBalanceKey says.
func ClassBalances(class string) []byte { return key("bal", class) }

// ItemsNamed is how the keys of all items begin whose identifier begins so.
func ItemsNamed(stem string) []byte { return ItemKey(stem) }

// LotsNamed is how the keys of all lots begin whose identifier begins so.
func LotsNamed(stem string) []byte { return LotKey(stem) }

// AcksOf is how the keys of all answers to a notice begin; an address follows.
func AcksOf(notice crypto.Hash) []byte { return key("ack", string(notice[:])) }

// AckedBy reads whose answer the state key of an [Ack] is.
func AckedBy(stateKey []byte) (crypto.Address, error) {
	var a crypto.Address
	if len(stateKey) != len(AckKey(crypto.Hash{}, a)) {
		return a, malformed(ErrState, "state key %q is of no acknowledgement", stateKey)
	}
	copy(a[:], stateKey[len(stateKey)-len(a):])
	return a, nil
}

// Organisations is how the keys of all organisations begin; an address follows.
func Organisations() []byte { return key("org") }

// YieldsOf is how the keys of all declared yields of an organisation begin; the class follows.
func YieldsOf(a crypto.Address) []byte { return key("yield", string(a[:])) }

// String returns the letter of the list.
func (l List) String() string { return fmt.Sprintf("list %q", byte(l)) }

// ParamsKey is the state key of the [Params] in force.
func ParamsKey() []byte { return []byte(keyParams) }
