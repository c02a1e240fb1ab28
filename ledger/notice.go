package ledger

import (
	"slices"
	"strings"
	"unicode/utf8"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
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

var noticeTypeNames = []string{Recall: "recall", Withdrawal: "withdrawal", Quarantine: "quarantine", Alert: "alert"}

// String returns the text.
func (t NoticeType) String() string { return wordOf(noticeTypeNames, uint8(t), "notice type") }

// MarshalText returns the text of String.
func (t NoticeType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the text of String.
func (t *NoticeType) UnmarshalText(text []byte) error {
	n, err := numberOf(noticeTypeNames, text, "notice type")
	*t = NoticeType(n)
	return err
}

// wordOf is the text of an enum whose zero means nothing.
func wordOf(names []string, n uint8, what string) string {
	if n > 0 && int(n) < len(names) {
		return names[n]
	}
	return what + " " + decimal(uint64(n))
}

// numberOf reads the text of such an enum; the error is of kind ErrPayload.
func numberOf(names []string, text []byte, what string) (uint8, error) {
	for i, name := range names {
		if i > 0 && name == string(text) {
			return uint8(i), nil
		}
	}
	return 0, malformed(ErrPayload, "%s %q is not one of %s", what, text, strings.Join(names[1:], ", "))
}

// Notice is a warning about goods by who may give it: the holder of the company prefix of all of them, or a regulator.
// The transaction's id names it.
type Notice struct {
	_            struct{} `cbor:",toarray"`
	Type         NoticeType
	Subjects     []string         // items, lots or classes; a class is every lot and serial of it, except AsOrigin
	Reason       string           // for people
	Instructions string           // for people, what to do with the goods
	Accepts      []crypto.Address // besides the issuer, to whom the goods may still be shipped: who collects or destroys them
	Document     crypto.Hash      // of the notice as published; zero: none
}

// AckStatus is what an organisation did about a notice. Its text is "received", "stopped", "returned", "destroyed" or
// "nothing".
type AckStatus uint8

// The statuses, in the order in which they usually come.
const (
	AckReceived  AckStatus = 1 // it knows
	AckStopped   AckStatus = 2 // what it holds is blocked
	AckReturned  AckStatus = 3
	AckDestroyed AckStatus = 4
	AckNothing   AckStatus = 5 // it looked and holds nothing
)

var ackStatusNames = []string{AckReceived: "received", AckStopped: "stopped", AckReturned: "returned", AckDestroyed: "destroyed", AckNothing: "nothing"}

// String returns the text.
func (s AckStatus) String() string {
	return wordOf(ackStatusNames, uint8(s), "status of an acknowledgement")
}

// MarshalText returns the text of String.
func (s AckStatus) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text of String.
func (s *AckStatus) UnmarshalText(text []byte) error {
	n, err := numberOf(ackStatusNames, text, "status of an acknowledgement")
	*s = AckStatus(n)
	return err
}

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

var authorityNames = []string{AsHolder: "holder", AsRegulator: "regulator", AsOrigin: "origin"}

// String returns the text.
func (a Authority) String() string { return wordOf(authorityNames, uint8(a), "authority") }

// MarshalText returns the text of String.
func (a Authority) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the text of String.
func (a *Authority) UnmarshalText(text []byte) error {
	n, err := numberOf(authorityNames, text, "authority")
	*a = Authority(n)
	return err
}

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

// blocks reports whether the notice stops goods now.
func (r *NoticeRecord) blocks() bool { return r.Type != Alert && r.Released.IsZero() }

// names reports whether an item, lot or class, in canonical form, is a subject of the notice.
func (r *NoticeRecord) names(id string) bool {
	_, found := slices.BinarySearch(r.Subjects, id)
	return found
}

// reachesAll reports whether the notice is about all lots and serials of a class: one that names the class, by who has a say over
// all of it. Who only brought some in has none over what others did.
func (r *NoticeRecord) reachesAll(class string) bool {
	return r.names(class) && r.Authority != AsOrigin
}

// takes reports whether goods under the notice may go to somebody: the issuer, or who it says collects them.
func (r *NoticeRecord) takes(a crypto.Address) bool {
	return !a.IsZero() && (a == r.Issuer || slices.Contains(r.Accepts, a))
}

// Hold lists the notices, open or released, that a thing is under: as their subject, or made from one. An item is also
// under those of its lot and its class, and a lot under those of its class; they have holds of their own. See [HoldsOf].
// When the list is full, released ones give way.
type Hold struct {
	_       struct{}      `cbor:",toarray"`
	Notices []crypto.Hash // ascending
	More    uint64        // how many there are besides, each in a record of its own: see overflow.go
}

// Notices counts the open notices that block goods. While Head is not Tail, a notice has not yet reached all that was made
// from its subjects; [ReadFollowing] says which.
type Notices struct {
	_          struct{} `cbor:",toarray"`
	Open       uint64
	Head, Tail uint64 // of the queue of notices that have something left to follow
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

// Bounds of notices.
const (
	maxSubjects     = 256  // of one notice
	maxAccepts      = 64   // of one notice
	maxReasonBytes  = 1024 // of reasons and notes
	maxInstructions = 4096 // bytes

	// maxOpenNotices bounds the open notices of one issuer; regulators, whom the network has chosen, may have more. One
	// issuer alone so never fills the list of a Hold.
	maxOpenNotices          = 64
	maxOpenNoticesRegulator = 256
)

func (p *Notice) check() error {
	if p.Type < Recall || p.Type > Alert {
		return malformed(ErrPayload, "%s is unknown", p.Type)
	}
	if n := len(p.Subjects); n == 0 || n > maxSubjects {
		return malformed(ErrPayload, "a notice has 1 to %d subjects, got %d", maxSubjects, n)
	}
	seen := make(map[string]bool, len(p.Subjects))
	for _, id := range p.Subjects {
		if err := checkSubject(id); err != nil {
			return err
		}
		if seen[canonical(id)] {
			return malformed(ErrPayload, "subject %s stands twice", id)
		}
		seen[canonical(id)] = true
	}
	if p.Reason == "" {
		return malformed(ErrPayload, "a notice gives a reason")
	}
	if err := checkProse("reason", p.Reason, maxReasonBytes); err != nil {
		return err
	}
	if err := checkProse("instructions", p.Instructions, maxInstructions); err != nil {
		return err
	}
	return checkAccepts(p.Accepts)
}

// checkSubject accepts what goods can be: items, lots, classes, and URIs that GS1 does not know.
func checkSubject(id string) error {
	if err := checkID("subject "+id, id); err != nil {
		return err
	}
	parsed, _ := gs1.Parse(id)
	if len(parsed.Canonical()) > maxIDBytes {
		return malformed(ErrPayload, "subject %s has more than %d bytes in canonical form", id, maxIDBytes)
	}
	switch parsed.Key() {
	case gs1.KeySGLN, gs1.KeyPGLN, gs1.KeyPayTo, gs1.KeyGSRN, gs1.KeyGSRNP:
		return malformed(ErrPayload, "subject %s is a %s; a notice is about items, lots or classes", id, parsed.Key())
	}
	return nil
}

func checkAccepts(list []crypto.Address) error {
	if len(list) > maxAccepts {
		return malformed(ErrPayload, "a notice names at most %d who accept the goods, got %d", maxAccepts, len(list))
	}
	for i, a := range list {
		if err := checkAddress("who accepts the goods", a); err != nil {
			return err
		}
		if slices.Contains(list[:i], a) {
			return malformed(ErrPayload, "%s stands twice among who accept the goods", a)
		}
	}
	return nil
}

// checkProse accepts UTF-8 for people: lines, but no other control characters.
func checkProse(what, s string, most int) error {
	if len(s) > most || !utf8.ValidString(s) {
		return malformed(ErrPayload, "%s has at most %d bytes of UTF-8, got %d", what, most, len(s))
	}
	for _, r := range s {
		if (r < ' ' && r != '\n' && r != '\t') || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return malformed(ErrPayload, "%s has a character that does not print", what)
		}
	}
	return nil
}

func checkNoticeID(id crypto.Hash) error {
	if id.IsZero() {
		return malformed(ErrPayload, "the notice is the zero hash")
	}
	return nil
}

func (p *AcknowledgeNotice) check() error {
	if p.Status < AckReceived || p.Status > AckNothing {
		return malformed(ErrPayload, "%s is unknown", p.Status)
	}
	if err := checkNoticeID(p.Notice); err != nil {
		return err
	}
	return checkProse("note", p.Note, maxReasonBytes)
}

func (p *ReleaseNotice) check() error {
	if err := checkNoticeID(p.Notice); err != nil {
		return err
	}
	return checkProse("reason", p.Reason, maxReasonBytes)
}

func (p *Notice) effects(t *txRun) *Finding { return t.give(p) }

func (p *AcknowledgeNotice) effects(t *txRun) *Finding { return t.acknowledge(p) }

func (p *ReleaseNotice) effects(t *txRun) *Finding { return t.release(p) }
