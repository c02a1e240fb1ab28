package wallet

import (
	"cmp"
	"slices"
	"time"

	"waybill/crypto"
	"waybill/ledger"
)

// Bodies as the tests of this package need them.

// RegisterOrganisation makes the author an organisation, or changes its roles, parties and keys.
func (b *Builder) RegisterOrganisation(org ledger.RegisterOrganisation) (ledger.Body, error) {
	return b.Build(&org)
}

// AdmitOrganisation is a registrar's word that an organisation may act, or no longer may.
func (b *Builder) AdmitOrganisation(organisation crypto.Address, admitted bool) (ledger.Body, error) {
	return b.Build(&ledger.AdmitOrganisation{Organisation: organisation, Admitted: admitted})
}

// AddKey lets a further key sign for the author from a height on; 0: from the next block.
func (b *Builder) AddKey(key crypto.PublicKey, fromHeight uint64) (ledger.Body, error) {
	return b.Build(&ledger.AddKey{Key: key, FromHeight: fromHeight})
}

// RevokeKey ends a key of the author from a height on; 0: from the next block.
func (b *Builder) RevokeKey(key crypto.PublicKey, fromHeight uint64) (ledger.Body, error) {
	return b.Build(&ledger.RevokeKey{Key: key, FromHeight: fromHeight})
}

// ClaimPrefix asks for a GS1 company prefix, for example "9521321".
func (b *Builder) ClaimPrefix(prefix string) (ledger.Body, error) {
	return b.Build(&ledger.ClaimPrefix{Prefix: prefix})
}

// ApprovePrefix is a registrar's word that an organisation holds a prefix.
func (b *Builder) ApprovePrefix(prefix string, organisation crypto.Address) (ledger.Body, error) {
	return b.Build(&ledger.ApprovePrefix{Prefix: prefix, Organisation: organisation})
}

// Delegate lets another organisation commission and describe identifiers of the scope, a prefix or a class, in the
// author's name until a block time; the zero time: until revoked.
func (b *Builder) Delegate(to crypto.Address, scope string, until time.Time) (ledger.Body, error) {
	p := &ledger.Delegate{To: to, Scope: scope}
	if !until.IsZero() {
		// Zero on the ledger means for ever, so the first millisecond of 1970 and before must not become that.
		if p.UntilMs = until.UnixMilli(); p.UntilMs <= 0 {
			return ledger.Body{}, refuse(ErrContent, "a delegation until %s is over already; choose a later time", until.UTC().Format(time.RFC3339))
		}
	}
	return b.Build(p)
}

// RevokeDelegation ends a delegation at once.
func (b *Builder) RevokeDelegation(to crypto.Address, scope string) (ledger.Body, error) {
	return b.Build(&ledger.RevokeDelegation{To: to, Scope: scope})
}

// PutMasterData describes a "product", "location" or "party". Attributes may come in any order.
func (b *Builder) PutMasterData(kind, id string, attributes []ledger.Attribute) (ledger.Body, error) {
	sorted := slices.Clone(attributes)
	slices.SortFunc(sorted, func(x, y ledger.Attribute) int { return cmp.Compare(x.Name, y.Name) })
	return b.Build(&ledger.PutMasterData{Type: kind, ID: id, Attributes: sorted})
}

// Transfer moves money, in the smallest unit; 0 only opens the receiver's account.
func (b *Builder) Transfer(to crypto.Address, amount uint64) (ledger.Body, error) {
	return b.Build(&ledger.Transfer{To: to, Amount: amount})
}

// RegisterValidator announces a consensus key and the peer key of its node with a first stake, in the smallest unit. The
// consensus key signs too: use a Draft.
func (b *Builder) RegisterValidator(key, peerKey crypto.PublicKey, name string, stake uint64) (ledger.Body, error) {
	return b.Build(&ledger.RegisterValidator{Key: key, PeerKey: peerKey, Name: name, Stake: stake})
}

// RotateValidatorKey gives a validator of the author a new consensus key, which signs too: use a Draft. A zero peer key
// leaves the one it has.
func (b *Builder) RotateValidatorKey(present, next, peerKey crypto.PublicKey) (ledger.Body, error) {
	return b.Build(&ledger.RotateValidatorKey{Old: present, New: next, NewPeerKey: peerKey})
}

// Unjail lets a validator of the author that was jailed be elected again.
func (b *Builder) Unjail(validator crypto.PublicKey) (ledger.Body, error) {
	return b.Build(&ledger.Unjail{Validator: validator})
}

// Bond adds to the author's stake in a validator, in the smallest unit.
func (b *Builder) Bond(validator crypto.PublicKey, amount uint64) (ledger.Body, error) {
	return b.Build(&ledger.Bond{Validator: validator, Amount: amount})
}

// Unbond takes from the author's stake in a validator, in the smallest unit.
func (b *Builder) Unbond(validator crypto.PublicKey, amount uint64) (ledger.Body, error) {
	return b.Build(&ledger.Unbond{Validator: validator, Amount: amount})
}
