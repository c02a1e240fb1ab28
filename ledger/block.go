package ledger

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// Block is a finalized block whose transactions are decoded and verified.
type Block struct {
	Header       quorum.Header
	Transactions []VerifiedTransaction
	Next         *quorum.Set // closing blocks: the set of the next epoch, which Header.NextValidatorSet names; else nil
}

// Write sets a state key to a value. A nil Value deletes.
type Write struct {
	Key, Value []byte
}

// Update is everything that a block changes. It feeds the store, the indexes and the proofs alike.
type Update struct {
	Height       quorum.Height
	Block        crypto.Hash
	Writes       []Write   // ascending by key, no key twice, nothing that was so before
	Receipts     []Receipt // one for each transaction, in order
	ReceiptsRoot crypto.Hash
	Events       []EventRecord // of captures, in order; duplicates are left out
}

// EventRecord is an event as the ledger recorded it, or refused it.
type EventRecord struct {
	Hash     crypto.Hash // of the canonical event
	Tx       crypto.Hash
	TxIndex  int // in the block
	Index    int // in the transaction
	Height   quorum.Height
	TimeMs   int64 // of the block
	Author   crypto.Address
	Org      string // name of the author's organisation then; "" if it had none
	Event    *epcis.Event
	Flags    []Flag
	Accepted bool // false: refused, see the receipt
}

// Declares says what an error declaration came to: "undone", "tainted", or "" where it came to nothing or is none.
func (r *EventRecord) Declares() string {
	for i := range r.Flags {
		switch r.Flags[i].Code {
		case CodeUndone, CodeUndoneBefore:
			return "undone"
		case CodeStandsOn, CodeChangedSince, CodeWindowOver, CodeTooMuchToUndo:
			return "tainted"
		}
	}
	return ""
}

// EventsOf rebuilds the records of a stored block, exactly as Apply returned them in Update.Events. The lists must be
// those of the block, in order.
func EventsOf(header quorum.Header, txs []*Transaction, receipts []Receipt) []EventRecord {
	var out []EventRecord
	for i, tx := range txs {
		if i < len(receipts) {
			out = appendEvents(out, header, i, tx, &receipts[i])
		}
	}
	return out
}

// events is how many events the transactions carry.
func (b *Block) events() int {
	n := 0
	for _, vt := range b.Transactions {
		if vt.tx != nil {
			n += len(vt.tx.events)
		}
	}
	return n
}

func appendEvents(out []EventRecord, header quorum.Header, txIndex int, tx *Transaction, r *Receipt) []EventRecord {
	for i := range tx.events {
		status := r.status(i)
		if status == EventNone || status == EventDuplicate {
			continue
		}
		e := &tx.events[i]
		record := EventRecord{
			Hash: e.hash, Tx: tx.id, TxIndex: txIndex, Index: i, Height: header.Height, TimeMs: header.TimeMs,
			Author: tx.Body.Author, Org: r.Org, Event: e.event, Accepted: status == EventAccepted,
		}
		for _, f := range r.Flags {
			if int(f.EventIndex) == i {
				record.Flags = append(record.Flags, f)
			}
		}
		out = append(out, record)
	}
	return out
}
