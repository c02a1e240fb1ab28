package wallet

import (
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
// for that account is for the network to say.
//
// A Draft is not safe for use by several goroutines while it is signed or combined.
type Draft struct {
	items []draftItem
}

type draftItem struct {
	id      crypto.Hash
	body    ledger.Body
	payload ledger.Payload
	signers []crypto.Address                   // who must sign, author first
	signed  map[crypto.Address]ledger.SignedBy // by whom it is signed for
}

// DraftView is one transaction of a draft, for a person to look at before signing. Do not change what it points to.
type DraftView struct {
	ID      crypto.Hash
	Body    ledger.Body
	Payload ledger.Payload
	Signed  []crypto.Address // accounts (or, by its address, a validator key) that have signed, author first
	Missing []crypto.Address // those that must still sign
}

// NewDraft makes a draft of unsigned transactions of one network. Errors: *Error of kind ErrDraft, *ledger.FormError.
func NewDraft(bodies ...ledger.Body) (*Draft, error) {
	if n := len(bodies); n == 0 || n > maxDraftTransactions {
		return nil, refuse(ErrDraft, "a draft holds 1 to %d transactions, got %d", maxDraftTransactions, n)
	}
	d := &Draft{}
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
			signers: signersOf(&tx.Body, tx.Payload()), signed: map[crypto.Address]ledger.SignedBy{}})
	}
	return d, nil
}

// View lists the transactions in the order in which they are to be sent.
func (d *Draft) View() []DraftView {
	views := make([]DraftView, len(d.items))
	for i, it := range d.items {
		views[i] = DraftView{ID: it.id, Body: it.body, Payload: it.payload}
		for _, s := range it.signers {
			if _, ok := it.signed[s]; ok {
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

// SignFor signs as Sign does, for an account that added the key to its own (ledger.AddKey). Signing again changes nothing.
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
		if _, ok := it.signed[account]; !ok {
			it.signed[account] = s
		}
	}
	if !found {
		return refuse(ErrContent, "%s is neither author nor sponsor nor new validator of a transaction in this draft; use the wallet that is", account)
	}
	return nil
}

// checkRole refuses another key in the place of a validator's: an account may have many keys, a validator has one.
func (it *draftItem) checkRole(account crypto.Address, key crypto.PublicKey) error {
	own, ok := newValidatorKey(it.payload)
	isAccount := account == it.body.Author || it.body.Sponsor != nil && account == *it.body.Sponsor
	if ok && !isAccount && own != key {
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
	for i := range d.items {
		for account, s := range other.items[i].signed {
			if _, ok := d.items[i].signed[account]; !ok {
				d.items[i].signed[account] = s
			}
		}
	}
	return nil
}

// Transactions returns the signed transactions in the order in which they are to be sent, or ErrDraft when somebody has
// not signed.
func (d *Draft) Transactions() ([]*ledger.Transaction, error) {
	if missing := d.Missing(); len(missing) > 0 {
		return nil, refuse(ErrDraft, "%s has not signed; pass the draft on to whoever holds that key", missing[0])
	}
	txs := make([]*ledger.Transaction, len(d.items))
	for i, it := range d.items {
		signatures := make([]ledger.SignedBy, 0, len(it.signers))
		for _, account := range it.signers {
			signatures = append(signatures, it.signed[account])
		}
		tx, err := ledger.NewTransaction(it.body, signatures)
		if err != nil {
			return nil, err
		}
		txs[i] = tx
	}
	return txs, nil
}
