package ledger

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// SetThreshold makes the author an m-of-n account: so many of its active keys must sign whatever it says from the next
// block on, as author or as sponsor. The active keys are that of its address, unless it was revoked, and those that were
// added. M is at least 1, and at most 6 and the number of keys that stay active whatever is scheduled.
type SetThreshold struct {
	_ struct{} `cbor:",toarray"`
	M uint8
}

// maxThreshold leaves room among the signatures of a transaction for a sponsor and the key of a new validator.
const maxThreshold = MaxSignatures - 2

// Kind returns KindSetThreshold.
func (*SetThreshold) Kind() Kind { return KindSetThreshold }

func (p *SetThreshold) check() error {
	if p.M == 0 || p.M > maxThreshold {
		return malformed(ErrPayload, "from 1 to %d keys of an account may have to sign, not %d", maxThreshold, p.M)
	}
	return nil
}

func (p *SetThreshold) effects(t *txRun) *Finding {
	acct, _ := get[Account](t.o, AccountKey(t.author))
	if n := acct.fewestKeys(t.author, t.height+1); int(p.M) > n {
		return refuse(CodeBadThreshold, "/m", t.author.String(), decimal(n), decimal(int(p.M)))
	}
	acct.Threshold = p.M
	put(t.o, AccountKey(t.author), acct)
	return nil
}

// Needed is how many of its active keys must sign for the account.
func (a *Account) Needed() int { return max(1, int(a.Threshold)) }

// ActiveKeys counts the keys that may sign for the account at address at height h.
func (a *Account) ActiveKeys(address crypto.Address, h quorum.Height) int {
	n, own := 0, true
	for i := range a.Keys {
		k := &a.Keys[i]
		if k.Key.Address() == address {
			own = false
		}
		if k.activeAt(h) {
			n++
		}
	}
	if own {
		n++
	}
	return n
}

// fewestKeys is the least number of active keys that the account has at any height from h on, as things are scheduled.
func (a *Account) fewestKeys(address crypto.Address, h quorum.Height) int {
	least := a.ActiveKeys(address, h)
	for i := range a.Keys { // the number falls only where a key ends
		if end := a.Keys[i].Until; end > h {
			least = min(least, a.ActiveKeys(address, end))
		}
	}
	return least
}

// signers counts the active keys of an account that signed. No key signs a transaction twice.
func (b *blockRun) signers(tx *Transaction, acct *Account, address crypto.Address) int {
	n := 0
	for i := range tx.Signatures {
		if acct.KeyActive(address, tx.Signatures[i].Key, b.height) {
			n++
		}
	}
	return n
}

// checkSigned asks whether enough keys signed for an account; none and too few are different mistakes.
func (b *blockRun) checkSigned(tx *Transaction, acct *Account, address crypto.Address, none, few Code) *Finding {
	switch n := b.signers(tx, acct, address); {
	case n >= acct.Needed():
		return nil
	case n == 0:
		return refuse(none, "/signatures", address.String(), decimal(b.height))
	default:
		return refuse(few, "/signatures", address.String(), decimal(acct.Needed()), decimal(n), decimal(b.height))
	}
}
