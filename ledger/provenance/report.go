package provenance

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Report is what a certificate shows, after everything in it was checked. What the ledger does not know is empty.
type Report struct {
	Genesis crypto.Hash   `json:"genesis"`
	Network string        `json:"network,omitempty"` // its name, where genesis was given
	Subject string        `json:"subject"`           // canonical
	Height  quorum.Height `json:"height"`            // everything is as it was after this block
	Block   crypto.Hash   `json:"block"`
	TimeMs  int64         `json:"timeMs"` // of the block, ms since the Unix epoch
	Epoch   quorum.Epoch  `json:"epoch"`
	Signed  Signed        `json:"signed"`

	// Complete: every event of the subject and of everything it was made of and packed in is here. Else Cuts says what is
	// not.
	Complete bool  `json:"complete"`
	Depth    int   `json:"depth"` // steps back that were asked for
	Cuts     []Cut `json:"cuts,omitempty"`

	// Recalled: an open notice that stops goods lies over the subject, its lot, its class, something it was made of, or what it
	// is packed in now, returnable crates and the like aside.
	Recalled bool `json:"recalled"`
	// Spreading: at this height a notice somewhere on the ledger had not yet reached all that was made from its subjects.
	// It does not matter to a complete certificate, which looks at them all.
	Spreading bool     `json:"spreading,omitempty"`
	Notices   []Notice `json:"notices,omitempty"`

	Custody Custody   `json:"custody"`
	Journey []Step    `json:"journey"` // what happened to the subject, by itself or in a container, as recorded
	Things  []Thing   `json:"things"`  // the subject first
	Events  []Event   `json:"events"`  // of all things, as recorded
	Holders []Holding `json:"holders,omitempty"`
	Places  []Site    `json:"places,omitempty"` // of the events, where master data says something about them

	// Stale: the validators that are taken on trust were elected longer ago than the trusting period of the network. Old keys
	// could have made another history; compare a block with a source you trust (Trust.Pin).
	Stale      bool  `json:"stale,omitempty"`
	TrustedMs  int64 `json:"trustedMs"`            // from when on the validators are taken on trust, ms since the Unix epoch
	TrustingMs int64 `json:"trustingMs,omitempty"` // the trusting period in ms, where genesis was given

	// AgeMs is how long before the check the block of Height was, in ms; 0 if no time of the check was given. Negative: it is of
	// the future, or the clock of whoever checks is wrong. What happened since is not here.
	AgeMs int64 `json:"ageMs,omitempty"`

	Proofs Proofs `json:"proofs"`
}

// Signed is who made the state final.
type Signed struct {
	Block      quorum.Height  `json:"block"` // whose header commits to the state; the certificate is of it or of a later one
	Validators []SignedBy     `json:"validators"`
	Power      quorum.Power   `json:"power"` // of them
	Quorum     quorum.Power   `json:"quorum"`
	Total      quorum.Power   `json:"total"` // of all validators of the epoch
	Time       int64          `json:"timeMs"`
	Epochs     []quorum.Epoch `json:"epochs"` // the first and the last that were followed
}

// SignedBy is a validator that signed.
type SignedBy struct {
	Key      crypto.PublicKey `json:"key"`
	Operator crypto.Address   `json:"operator"`
	Power    quorum.Power     `json:"power"`
}

// Cut is a place where the history is not followed.
type Cut struct {
	ID     string `json:"id"`
	Reason string `json:"reason"` // "depth": it was used to make Of; "events": it has too many
	Of     string `json:"of,omitempty"`
	Events uint64 `json:"events,omitempty"`
}

// The reasons of a Cut.
const (
	CutDepth  = "depth"
	CutEvents = "events"
)

// Org is an account with the name that its organisation has on the ledger.
type Org struct {
	Address crypto.Address `json:"address"`
	Name    string         `json:"name,omitempty"`
}

// Notice is a recall or another notice, open or released, over something in the history.
type Notice struct {
	ID           crypto.Hash   `json:"id"`
	Type         string        `json:"type"` // "recall", "withdrawal", "quarantine" or "alert"
	Open         bool          `json:"open"`
	Blocks       bool          `json:"blocks"` // it stops goods while it is open
	Issuer       *Org          `json:"issuer"`
	Reason       string        `json:"reason,omitempty"`
	Instructions string        `json:"instructions,omitempty"`
	TimeMs       int64         `json:"timeMs"`
	Height       quorum.Height `json:"height"`
	ReleasedAt   quorum.Height `json:"releasedAt,omitempty"`
	Over         []string      `json:"over"`          // the things of the history that are under it
	Only         bool          `json:"containerOnly"` // only containers are in which the subject is not now, or returnable ones
}

// Custody is where the subject is and with whom, as the state says. For lots it is empty.
type Custody struct {
	State     string   `json:"state,omitempty"`
	Custodian *Org     `json:"custodian,omitempty"`
	Owner     *Org     `json:"owner,omitempty"`
	Parent    string   `json:"parent,omitempty"` // what it is packed in
	Place     string   `json:"place,omitempty"`
	To        *Org     `json:"to,omitempty"` // in transit: the receiver
	Party     string   `json:"party,omitempty"`
	ExpiryMs  int64    `json:"expiryMs,omitempty"`
	LotNumber string   `json:"lot,omitempty"`
	Flags     []string `json:"flags,omitempty"` // "unverified": its origin; "tainted": an event was declared erroneous; "undone": so was what brought it onto the ledger
}

// Holding is a time for which somebody had the subject, by the events of the journey. The last one is held against the
// state.
type Holding struct {
	Holder *Org        `json:"holder"`
	FromMs int64       `json:"fromMs"` // time of the event, ms since the Unix epoch
	How    string      `json:"how"`    // ActMade, ActReceived or HowSeen
	Event  crypto.Hash `json:"event"`
}

// HowSeen is how somebody came to hold what nobody on the ledger had made.
const HowSeen = "seen first"

// Step is an event of the journey.
type Step struct {
	Event crypto.Hash `json:"event"`
	Index int         `json:"index"`        // into Report.Events
	In    string      `json:"in,omitempty"` // the container in which the subject was part of it
	Act   string      `json:"act"`          // what it did to the subject, or to that container; see Event.Undone
}

// Relations of a thing to the subject.
const (
	RelSubject   = "subject"
	RelPart      = "lot"       // the lot that the subject, or something it was made of, is of
	RelSource    = "source"    // it was made of this
	RelContainer = "container" // it, or something it was made of, was packed in this
)

// Thing is a thing of the history.
type Thing struct {
	ID       string   `json:"id"`
	Kind     string   `json:"kind"` // "item" or "lot"
	Relation string   `json:"relation"`
	Depth    int      `json:"depth"` // steps back from the subject
	State    string   `json:"state,omitempty"`
	BornBy   *Org     `json:"bornBy,omitempty"`
	Lot      string   `json:"lot,omitempty"`
	ExpiryMs int64    `json:"expiryMs,omitempty"`
	Flags    []string `json:"flags,omitempty"`
	About    []Fact   `json:"masterData,omitempty"` // of it or of its product, as somebody recorded it
	Count    uint64   `json:"count"`                // of its events, as the state says
	Events   []int    `json:"events,omitempty"`     // into Report.Events, in order of the chain
	Cut      bool     `json:"cut,omitempty"`        // they are not here
	Made     []Making `json:"made,omitempty"`
	Packed   []string `json:"packedIn,omitempty"`
}

// Fact is an attribute of master data.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Site is a place with what somebody recorded about it.
type Site struct {
	ID    string `json:"id"` // canonical
	About []Fact `json:"masterData"`
}

// Making is one event of a transformation that made a thing.
type Making struct {
	Event          crypto.Hash   `json:"event"`
	Transformation crypto.Hash   `json:"transformation"` // the same for all events of one transformationID of an author
	Height         quorum.Height `json:"height"`
	Amount         string        `json:"amount,omitempty"` // made of a lot
	Inputs         []string      `json:"inputs,omitempty"` // of all of the transformation, with the first of its events
	Beyond         bool          `json:"beyond,omitempty"` // the inputs lie beyond the depth
}

// Event is an event as the ledger recorded it.
type Event struct {
	Hash        crypto.Hash   `json:"hash"`
	Tx          crypto.Hash   `json:"transaction"`
	Height      quorum.Height `json:"height"`
	RecordedMs  int64         `json:"recordedMs"` // time of the block, ms since the Unix epoch
	TimeMs      int64         `json:"timeMs"`     // as the author states it
	Time        string        `json:"time"`       // the same, as written
	Author      *Org          `json:"author"`     // who signed it
	OrgThen     string        `json:"orgThen,omitempty"`
	Type        string        `json:"type"`
	Action      string        `json:"action,omitempty"`
	BizStep     string        `json:"bizStep,omitempty"`
	Disposition string        `json:"disposition,omitempty"`
	Place       string        `json:"place,omitempty"`
	Inputs      []string      `json:"inputs,omitempty"`
	Outputs     []string      `json:"outputs,omitempty"`
	Parent      string        `json:"parent,omitempty"`
	To          []string      `json:"to,omitempty"`     // destinations
	Claims      []string      `json:"claims,omitempty"` // certification
	Flags       []string      `json:"flags,omitempty"`  // what the rules had to say, as sentences
	Declared    crypto.Hash   `json:"declaredBy,omitzero"`
	Undone      bool          `json:"undone,omitempty"`  // it was declared erroneous, and nothing of it stands
	Reason      string        `json:"reason,omitempty"`  // of an error declaration
	Declares    crypto.Hash   `json:"declares,omitzero"` // the event that it declares erroneous
	Things      []string      `json:"things"`            // of the history, that it names
}

// Proofs counts what was checked.
type Proofs struct {
	Bytes        int `json:"bytes,omitempty"`
	Handovers    int `json:"handovers"`
	Headers      int `json:"headers"`
	Certificates int `json:"certificates"`
	Signatures   int `json:"signatures"`
	Records      int `json:"records"`
	Transactions int `json:"transactions"`
	Receipts     int `json:"receipts"`
	Events       int `json:"events"`
	Things       int `json:"things"`
}
