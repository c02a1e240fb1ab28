package ledger

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// NoticeType is what a notice asks for. Its text is "recall", "withdrawal", "quarantine" or "alert".
type NoticeType uint8

// The types. All but Alert stop shipping and selling (R12).
const (
	Recall     NoticeType = 1 // goods are to come back from everybody, consumers included
	Withdrawal NoticeType = 2 // goods are to come back from the trade
	Quarantine NoticeType = 3 // goods are to stay where they are until more is known
	Alert      NoticeType = 4 // holders are told something; nothing is stopped
)

// Notice is a warning about goods by who may give it: the holder of the company prefix of all of them, or a regulator.
// The transaction's id names it.
type Notice struct {
	_            struct{} `cbor:",toarray"`
	Type         NoticeType
	Subjects     []string         // items, lots or classes; a class is every lot and serial of it
	Reason       string           // for people
	Instructions string           // for people, what to do with the goods
	Accepts      []crypto.Address // besides the issuer, to whom the goods may still be shipped: who collects or destroys them
	Document     crypto.Hash      // of the notice as published; zero: none
}

// AckStatus is what an organisation did about a notice.
type AckStatus uint8

// The statuses, in the order in which they usually come.
const (
	AckReceived  AckStatus = 1 // it knows
	AckStopped   AckStatus = 2 // what it holds is blocked
	AckReturned  AckStatus = 3
	AckDestroyed AckStatus = 4
	AckNothing   AckStatus = 5 // it looked and holds nothing
)

// AcknowledgeNotice answers a notice; a later answer replaces an earlier one.
type AcknowledgeNotice struct {
	_      struct{} `cbor:",toarray"`
	Notice crypto.Hash
	Status AckStatus
	Note   string
}

// ReleaseNotice ends a notice; by its issuer, or whoever holds the same authority now.
type ReleaseNotice struct {
	_      struct{} `cbor:",toarray"`
	Notice crypto.Hash
	Reason string
}

// Authority is why an organisation may give a notice. Its text is "holder", "regulator" or "origin".
type Authority uint8

// The authorities.
const (
	AsHolder    Authority = 1 // it holds the company prefix of every subject, or a delegation
	AsRegulator Authority = 2
	AsOrigin    Authority = 3 // the subjects are under nobody's prefix, and it brought them onto the ledger
)

// NoticeRecord is a notice in the state.
type NoticeRecord struct {
	_            struct{} `cbor:",toarray"`
	ID           crypto.Hash
	Type         NoticeType
	Issuer       crypto.Address
	Authority    Authority
	Subjects     []string // canonical, ascending
	Reason       string
	Instructions string
	Accepts      []crypto.Address
	Document     crypto.Hash
	Height       quorum.Height
	TimeMs       int64         // of its block, ms since the Unix epoch
	Released     crypto.Hash   // the transaction that released it; zero: it is open
	ReleasedAt   quorum.Height // 0: it is open
}

// Ack is the answer of an organisation to a notice.
type Ack struct {
	_            struct{} `cbor:",toarray"`
	Organisation crypto.Address
	Status       AckStatus
	Note         string
	Height       quorum.Height
	TimeMs       int64 // of its block, ms since the Unix epoch
}

// Hold lists the notices, open or released, that a thing is under: as their subject, or made from one. An item is also
// under those of its lot and its class, and a lot under those of its class; they have holds of their own.
type Hold struct {
	_       struct{}      `cbor:",toarray"`
	Notices []crypto.Hash // ascending
	More    bool          // there were more than the list takes: the thing is blocked while any notice is open
}

// Notices counts the open notices that block goods. While Head is not Tail, a notice has not yet reached all that was made
// from its subjects.
type Notices struct {
	_          struct{} `cbor:",toarray"`
	Open       uint64
	Head, Tail uint64 // of the queue of things to follow
}

// Kind returns KindNotice.
func (*Notice) Kind() Kind { return KindNotice }

// Kind returns KindAcknowledgeNotice.
func (*AcknowledgeNotice) Kind() Kind { return KindAcknowledgeNotice }

// Kind returns KindReleaseNotice.
func (*ReleaseNotice) Kind() Kind { return KindReleaseNotice }

// NoticeKey is the state key of a [NoticeRecord].
func NoticeKey(id crypto.Hash) []byte { return key("notice", string(id[:])) }

// AckKey is the state key of an [Ack].
func AckKey(notice crypto.Hash, a crypto.Address) []byte {
	return key("ack", string(notice[:])+string(a[:]))
}

// HoldKey is the state key of the [Hold] of an item, lot or class; id in canonical form.
func HoldKey(id string) []byte { return key("hold", id) }

// NoticesKey is the state key of [Notices]; there is no such record before the first notice.
func NoticesKey() []byte { return []byte("notices") }

// ReadNotice returns a notice; nil if there is none with that id.
func ReadNotice(v View, id crypto.Hash) (*NoticeRecord, error) {
	return read[NoticeRecord](v, NoticeKey(id))
}

// ReadAck returns the answer of an organisation to a notice; nil if it gave none.
func ReadAck(v View, notice crypto.Hash, a crypto.Address) (*Ack, error) {
	return read[Ack](v, AckKey(notice, a))
}

// ReadHold returns the notices that a thing itself is under; nil if there never was one. See [Hold] for lot and class.
func ReadHold(v View, id string) (*Hold, error) { return read[Hold](v, HoldKey(canonical(id))) }

// ReadNotices returns how many notices are open; nil before the first one.
func ReadNotices(v View) (*Notices, error) { return read[Notices](v, NoticesKey()) }

func (p *Notice) check() error { return nil }

func (p *AcknowledgeNotice) check() error { return nil }

func (p *ReleaseNotice) check() error { return nil }

func (p *Notice) effects(t *txRun) *Finding { return refuse(CodeInternal, "") }

func (p *AcknowledgeNotice) effects(t *txRun) *Finding { return refuse(CodeInternal, "") }

func (p *ReleaseNotice) effects(t *txRun) *Finding { return refuse(CodeInternal, "") }
