package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// Conflict points at what a finding collides with. Fields that do not apply are zero.
type Conflict struct {
	_      struct{} `cbor:",toarray"`
	Event  crypto.Hash
	Tx     crypto.Hash
	Height quorum.Height
}

// IsZero reports whether there is no conflict.
func (c Conflict) IsZero() bool { return c.Event.IsZero() && c.Tx.IsZero() && c.Height == 0 }

// Finding is one thing that a rule has to say: a refusal, or a flag. What is stored and hashed is the code and its
// arguments; the sentences are made from them, so that wording can improve without changing a byte of the ledger.
type Finding struct {
	_          struct{} `cbor:",toarray"`
	Code       Code
	EventIndex int32    // of a capture; -1: the transaction as a whole
	Field      string   // JSON pointer within the event, or field of the payload, for example "/epcList/0"
	Conflict   Conflict // the earlier event or transaction that stands in the way
	Args       []string // what the sentences name, in the order of the code's template
}

// Flag is a finding that did not refuse its event.
type Flag = Finding

// OK reports whether there is nothing to say.
func (f Finding) OK() bool { return f.Code == CodeOK }

// Rule returns the number of the rule, for example "R6"; "" where none of the numbered rules speaks.
func (f Finding) Rule() string { return f.Code.Rule() }

// Detail says what is wrong, one sentence.
func (f Finding) Detail() string { return f.fill(f.Code.info().detail) }

// Remedy says what would make it legal, one sentence.
func (f Finding) Remedy() string { return f.fill(f.Code.info().remedy) }

// String is the whole finding as a sentence for a person, for example "R2: Salinas Farm does not hold company prefix
// 9521321 (Green Valley does, since height 12): /epcList/0. Ask Green Valley for a delegation or use your own prefix."
func (f Finding) String() string {
	if f.OK() {
		return "accepted"
	}
	var b strings.Builder
	if rule := f.Rule(); rule != "" {
		b.WriteString(rule + ": ")
	}
	b.WriteString(f.Detail())
	if f.Field != "" {
		b.WriteString(": " + f.Field)
	}
	if !f.Conflict.Event.IsZero() {
		fmt.Fprintf(&b, " (conflicts with event %s at height %d)", f.Conflict.Event, f.Conflict.Height)
	} else if !f.Conflict.Tx.IsZero() {
		fmt.Fprintf(&b, " (conflicts with transaction %s at height %d)", f.Conflict.Tx, f.Conflict.Height)
	}
	b.WriteString(".")
	if remedy := f.Remedy(); remedy != "" {
		b.WriteString(" " + remedy + ".")
	}
	return b.String()
}

// fill replaces {0}, {1}… in a template by the arguments. {0t} shows milliseconds since the Unix epoch as a time, {0d}
// milliseconds as a duration. A missing argument is "?".
func (f Finding) fill(template string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		placeholder, after, _ := strings.Cut(rest, "}")
		b.WriteString(f.arg(placeholder))
		template = after
	}
}

func (f Finding) arg(placeholder string) string {
	n := int(placeholder[0] - '0')
	if n >= len(f.Args) {
		return "?"
	}
	ms, err := strconv.ParseInt(f.Args[n], 10, 64)
	switch {
	case err != nil || len(placeholder) == 1:
		return f.Args[n]
	case placeholder[1] == 't':
		return epcis.NewTimestamp(ms).Text
	}
	return duration(ms)
}

// duration writes milliseconds in the largest unit of which there are at least two.
func duration(ms int64) string {
	for _, u := range []struct {
		ms   int64
		name string
	}{{24 * 3600 * 1000, "days"}, {3600 * 1000, "hours"}, {60 * 1000, "minutes"}, {1000, "seconds"}} {
		if ms >= 2*u.ms {
			return strconv.FormatInt(ms/u.ms, 10) + " " + u.name
		}
	}
	return strconv.FormatInt(ms, 10) + " ms"
}

// RuleError is a well-formed transaction that breaks a rule; errors.Is(err, ledger.CodeSeen) asks for which.
type RuleError struct {
	Finding
}

// Error is the finding as a sentence.
func (e *RuleError) Error() string { return e.Finding.String() }

// Unwrap lets errors.Is find the code.
func (e *RuleError) Unwrap() error { return e.Code }

// EventStatus is what became of one event of a capture.
type EventStatus uint8

// The statuses.
const (
	EventNone       EventStatus = 0 // the transaction ended before its events were looked at
	EventAccepted   EventStatus = 1
	EventDuplicate  EventStatus = 2 // the author recorded the same event before; nothing happened
	EventRefused    EventStatus = 3
	EventRolledBack EventStatus = 4 // another event of the capture was refused
)

// Receipt is what became of a transaction. A refused one had no effect but its fee.
type Receipt struct {
	_       struct{} `cbor:",toarray"`
	Tx      crypto.Hash
	Finding               // why the transaction was refused; CodeOK if it was not
	Fee     uint64        // smallest unit, tip included, as taken from the payer
	Org     string        // name of the author's organisation at the time; captures only
	Events  []crypto.Hash // canonical hashes of a capture's events, in order
	Status  []byte        // an EventStatus for each event
	Refused []Finding     // the refused events of a capture that proceeded
	Flags   []Flag        // what was flagged and recorded all the same
}

func (r *Receipt) status(i int) EventStatus {
	if i >= len(r.Status) {
		return EventNone
	}
	return EventStatus(r.Status[i])
}

// EventStatus returns what became of event i.
func (r *Receipt) EventStatus(i int) EventStatus { return r.status(i) }

// Executed reports whether the transaction counts as executed: its id is taken and its fee paid. One that breaks R1 (not
// signed by its author, expired, executed before, unable to pay, or without what it depends on), and evidence that does not
// count, leaves nothing in the
// state, and may still be executed by a later block where its receipt says otherwise.
func (r *Receipt) Executed() bool {
	refused := r.Code >= CodeForeignNetwork && r.Code <= CodeDependencyFailed || r.Code >= CodeEvidenceFuture && r.Code <= CodeEvidencePunished ||
		r.Code == CodeTooFewSigned || r.Code == CodeTooFewSponsors || r.Code == CodeNotJudged
	return !refused
}

// Err returns nil for a transaction that took effect, else a [RuleError].
func (r *Receipt) Err() error {
	if r.OK() {
		return nil
	}
	return &RuleError{r.Finding}
}

// Encode returns the canonical CBOR: a leaf of the receipts root.
func (r *Receipt) Encode() []byte { return mustMarshal(r) }

// Bounds of what a receipt repeats from its transaction, so that it always encodes.
const (
	maxReceiptFlags = 4096
	maxArgBytes     = 256
)

// bound cuts what is longer. Identifiers of GS1 never are.
func (r *Receipt) bound() {
	r.Flags = r.Flags[:min(len(r.Flags), maxReceiptFlags)]
	r.Finding.bound()
	for i := range r.Flags {
		r.Flags[i].bound()
	}
	for i := range r.Refused {
		r.Refused[i].bound()
	}
}

func (f *Finding) bound() {
	for i, arg := range f.Args {
		if len(arg) > maxArgBytes || !utf8.ValidString(arg) {
			f.Args[i] = strings.ToValidUTF8(arg[:min(len(arg), maxArgBytes)], "") + "…"
		}
	}
}

// maxReceiptBytes bounds a receipt: findings and flags are bounded per event.
const maxReceiptBytes = 8 << 20

// DecodeReceipt reads the bytes of Encode; the error is of kind ErrEncoding or ErrTooLarge.
func DecodeReceipt(data []byte) (*Receipt, error) {
	if len(data) > maxReceiptBytes {
		return nil, malformed(ErrTooLarge, "a receipt is at most %d bytes, got %d", maxReceiptBytes, len(data))
	}
	r := new(Receipt)
	if err := crypto.Unmarshal(data, r); err != nil {
		return nil, malformedBy(ErrEncoding, err, "receipt")
	}
	return r, nil
}

// ReceiptsRoot is the Merkle root over the encoded receipts of a block.
func ReceiptsRoot(receipts []Receipt) crypto.Hash {
	leaves := make([][]byte, len(receipts))
	for i := range receipts {
		leaves[i] = receipts[i].Encode()
	}
	return crypto.MerkleRoot(leaves)
}

// ChainReceipts is the chain of receipts roots after a block: before is the chain after its parent, zero for the genesis
// block, and root the [ReceiptsRoot] of the block. A header carries the chain up to its ExecHeight, and so commits to the
// receipts of every block up to there, whether or not another header names that block's height.
func ChainReceipts(before, root crypto.Hash) crypto.Hash {
	return crypto.Sum(crypto.TagReceiptsChain, before[:], root[:])
}
