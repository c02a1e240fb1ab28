package wallet

import (
	"bytes"
	"fmt"
	"slices"

	"waybill/crypto"
	"waybill/ledger"
)

// Bounds of a draft. A capture of a whole document in proceed mode may be many transactions.
const (
	maxDraftTransactions = 256
	maxDraftSize         = 64 << 20 // bytes of the file
)

// Draft is transactions on their way between the people who must sign them: the author makes it and signs, a sponsor looks
// at it and signs, and when nobody is missing it gives transactions to send. Several people may sign copies at the same
// time and Combine them. Every signature in a Draft is valid for its transaction; whether the network lets that key sign
// for that account is for the network to say. Of an account that several people hold, as many keys sign as Need says.
//
// A Draft is not safe for use by several goroutines while it is signed or combined.
type Draft struct {
	items []draftItem
	needs map[crypto.Address]int // how many keys of an account sign; of others one
}

type draftItem struct {
	id      crypto.Hash
	body    ledger.Body
	payload ledger.Payload
	signers []crypto.Address                     // who must sign, author first
	signed  map[crypto.Address][]ledger.SignedBy // for whom it is signed, ascending by key
}

// DraftView is one transaction of a draft, for a person to look at before signing. Do not change what it points to.
type DraftView struct {
	ID      crypto.Hash
	Body    ledger.Body
	Payload ledger.Payload
	Signed  []crypto.Address // accounts (or, by its address, a validator key) that have signed, author first
	Missing []crypto.Address // those that must still sign
	Keys    []KeyCount       // of each of both, in that order
}

// KeyCount is how many keys have signed for an account, and how many must.
type KeyCount struct {
	Account        crypto.Address
	Signed, Needed int
}

// NewDraft makes a draft of unsigned transactions of one network. Errors: *Error of kind ErrDraft, *ledger.FormError.
func NewDraft(bodies ...ledger.Body) (*Draft, error) {
	if n := len(bodies); n == 0 || n > maxDraftTransactions {
		return nil, refuse(ErrDraft, "a draft holds 1 to %d transactions, got %d", maxDraftTransactions, n)
	}
	d := &Draft{needs: map[crypto.Address]int{}}
	for i, body := range bodies {
		tx, err := readable(body)
		if err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i+1, err)
		}
		if body.Genesis != bodies[0].Genesis {
			return nil, refuse(ErrDraft, "transaction %d is for another network than the first; make a draft for each network", i+1)
		}
		if slices.ContainsFunc(d.items, func(it draftItem) bool { return it.id == tx.ID() }) {
			return nil, refuse(ErrDraft, "transaction %d stands in the draft twice", i+1)
		}
		d.items = append(d.items, draftItem{id: tx.ID(), body: tx.Body, payload: tx.Payload(),
			signers: signersOf(&tx.Body, tx.Payload()), signed: map[crypto.Address][]ledger.SignedBy{}})
	}
	return d, nil
}

// Need says how many keys of an account must sign (ledger.Account.Needed of that account). It is refused, with kind
// ErrContent, when the account is neither author nor sponsor of a transaction, when so many signatures do not fit, and when
// more have signed already.
func (d *Draft) Need(account crypto.Address, keys int) error {
	found := false
	for i := range d.items {
		it := &d.items[i]
		if !it.isAccount(account) {
			continue
		}
		found = true
		if n := len(it.signed[account]); n > keys {
			return refuse(ErrContent, "%d keys of %s have signed already; make a new draft", n, account)
		}
	}
	switch {
	case !found:
		return refuse(ErrContent, "%s is neither author nor sponsor of a transaction in this draft", account)
	case keys < 1 || keys > ledger.MaxSignatures:
		return refuse(ErrContent, "a transaction has 1 to %d signatures, not %d", ledger.MaxSignatures, keys)
	}
	if delete(d.needs, account); keys > 1 {
		d.needs[account] = keys
	}
	return nil
}

// needed is how many keys must sign for an account.
func (d *Draft) needed(account crypto.Address) int { return max(1, d.needs[account]) }

// View lists the transactions in the order in which they are to be sent.
func (d *Draft) View() []DraftView {
	views := make([]DraftView, len(d.items))
	for i, it := range d.items {
		views[i] = DraftView{ID: it.id, Body: it.body, Payload: it.payload}
		for _, s := range it.signers {
			count := KeyCount{s, len(it.signed[s]), d.needed(s)}
			if views[i].Keys = append(views[i].Keys, count); count.Signed >= count.Needed {
				views[i].Signed = append(views[i].Signed, s)
			} else {
				views[i].Missing = append(views[i].Missing, s)
			}
		}
	}
	return views
}

// Missing lists who must still sign at least one of the transactions, each once; empty: the draft is complete.
func (d *Draft) Missing() []crypto.Address {
	var missing []crypto.Address
	for _, v := range d.View() {
		for _, a := range v.Missing {
			if !slices.Contains(missing, a) {
				missing = append(missing, a)
			}
		}
	}
	return missing
}

// Sign signs every transaction that names the key's own address as author, sponsor or new validator. It is refused, with
// kind ErrContent, when none does.
func (d *Draft) Sign(key crypto.PrivateKey) error { return d.SignFor(key.Address(), key) }

// SignFor signs as Sign does, for an account that added the key to its own (ledger.AddKey). Signing again with the same key
// changes nothing; when as many keys as are needed have signed, another one is refused, with kind ErrContent.
func (d *Draft) SignFor(account crypto.Address, key crypto.PrivateKey) error {
	found := false
	for _, it := range d.items {
		if !slices.Contains(it.signers, account) {
			continue
		}
		found = true
		s := ledger.SignedBy{Key: key.Public(), Signature: key.Sign(it.id)}
		if err := it.checkRole(account, s.Key); err != nil {
			return err
		}
		if !it.add(account, s, d.needed(account)) {
			return refuse(ErrContent, "%d keys have signed for %s, and no more are needed. If the network needs more, say so when the draft is made",
				d.needed(account), account)
		}
	}
	if !found {
		return refuse(ErrContent, "%s is neither author nor sponsor nor new validator of a transaction in this draft; use the wallet that is", account)
	}
	return nil
}

// add adds a signature, unless it is there; false: there are enough without it.
func (it *draftItem) add(account crypto.Address, s ledger.SignedBy, needed int) bool {
	list := it.signed[account]
	at, there := slices.BinarySearchFunc(list, s.Key, func(a ledger.SignedBy, k crypto.PublicKey) int { return bytes.Compare(a.Key[:], k[:]) })
	if there {
		return true
	}
	if len(list) >= needed {
		return false
	}
	it.signed[account] = slices.Insert(list, at, s)
	return true
}

// isAccount reports whether an account is author or sponsor.
func (it *draftItem) isAccount(account crypto.Address) bool {
	return account == it.body.Author || it.body.Sponsor != nil && account == *it.body.Sponsor
}

// checkRole refuses another key in the place of a validator's: an account may have many keys, a validator has one.
func (it *draftItem) checkRole(account crypto.Address, key crypto.PublicKey) error {
	own, ok := newValidatorKey(it.payload)
	if ok && !it.isAccount(account) && own != key {
		return refuse(ErrContent, "only the new validator's own key %s can sign for it", own)
	}
	return nil
}

// Combine adds the signatures of another copy of the same draft. It is refused, with kind ErrDraft, and nothing is added,
// when the other holds other transactions.
func (d *Draft) Combine(other *Draft) error {
	if len(d.items) != len(other.items) {
		return refuse(ErrDraft, "one draft holds %d transactions and the other %d; combine copies of one draft", len(d.items), len(other.items))
	}
	for i := range d.items {
		if d.items[i].id != other.items[i].id {
			return refuse(ErrDraft, "transaction %d is %s in one draft and %s in the other; combine copies of one draft", i+1, d.items[i].id, other.items[i].id)
		}
	}
	for account, n := range other.needs {
		d.needs[account] = max(d.needs[account], n)
	}
	for i := range d.items {
		for _, account := range d.items[i].signers {
			for _, s := range other.items[i].signed[account] {
				d.items[i].add(account, s, d.needed(account)) // what is more than enough is left out
			}
		}
	}
	return nil
}

// Transactions returns the signed transactions in the order in which they are to be sent, or ErrDraft when somebody has
// not signed.
func (d *Draft) Transactions() ([]*ledger.Transaction, error) {
	if missing := d.Missing(); len(missing) > 0 {
		return nil, refuse(ErrDraft, "%s has not signed%s; pass the draft on to whoever holds that key", missing[0], d.howOften(missing[0]))
	}
	txs := make([]*ledger.Transaction, len(d.items))
	for i, it := range d.items {
		signatures := make([]ledger.SignedBy, 0, len(it.signers))
		for _, account := range it.signers {
			signatures = append(signatures, it.signed[account]...)
		}
		tx, err := ledger.NewTransaction(it.body, signatures)
		if err != nil {
			return nil, err
		}
		txs[i] = tx
	}
	return txs, nil
}

// howOften says, of an account of which several keys sign, how many must.
func (d *Draft) howOften(account crypto.Address) string {
	if n := d.needed(account); n > 1 {
		return fmt.Sprintf(" with %d of its keys", n)
	}
	return ""
}
