package ledger

import (
	"encoding/binary"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// State keys are a namespace, a slash and what names the record. Identifiers are in canonical form; they hold no NUL,
// which separates the parts of a key.

// Keys of single records.
const (
	keyGenesis    = "genesis"    // crypto.Hash
	keyParams     = "params"     // Params
	keySupply     = "supply"     // Supply
	keyValidators = "validators" // validatorList
	keyRegistrars = "registrars" // uint64: how many there are
	keyRegulators = "regulators" // uint64: how many there are
	keyGuards     = "guards"     // guards
	keyUpgrades   = "upgrades"   // upgrades; none before the first is decided
	keyEpoch      = "epoch"      // epochRecord: the epoch that the next block is in
	keyReleases   = "releases"   // releaseQueue
	keySlashes    = "slashes"    // slashLog
	keyUndos      = "undos"      // undoQueue
	keyEvidence   = "evidence"   // evidenceCount
)

func key(space string, parts ...string) []byte {
	n := len(space) + 1
	for _, p := range parts {
		n += len(p) + 1
	}
	b := append(make([]byte, 0, n), space...)
	b = append(b, '/')
	for i, p := range parts {
		if i > 0 {
			b = append(b, 0)
		}
		b = append(b, p...)
	}
	return b
}

func ordinal(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:])
}

// AccountKey is the state key of an [Account].
func AccountKey(a crypto.Address) []byte { return key("acct", string(a[:])) }

// OrganisationKey is the state key of an [Organisation].
func OrganisationKey(a crypto.Address) []byte { return key("org", string(a[:])) }

// nameStateKey is where the owner of an organisation's name is.
func nameStateKey(name string) []byte { return key("name", nameKey(name)) }

// PartyKey is the state key of the organisation that a party identifier, in canonical form, names.
func PartyKey(id string) []byte { return key("party", id) }

// PrefixKey is the state key of a [Prefix].
func PrefixKey(digits string) []byte { return key("prefix", digits) }

// ClaimKey is the state key of an organisation's open claim to a prefix.
func ClaimKey(digits string, a crypto.Address) []byte { return key("claim", digits, string(a[:])) }

// DelegationKey is the state key of a [Delegation].
func DelegationKey(from, to crypto.Address, scope string) []byte {
	return key("deleg", string(from[:])+string(to[:])+scope)
}

// RegistrarKey is the state key that exists for every registrar.
func RegistrarKey(a crypto.Address) []byte { return key("registrar", string(a[:])) }

// MasterDataKey is the state key of [MasterData].
func MasterDataKey(typ, id string) []byte { return key("master", typ, id) }

// ItemKey is the state key of an [Item]; id in canonical form.
func ItemKey(id string) []byte { return key("obj", id) }

// ContentsKey is the state key of the [Contents] of an item.
func ContentsKey(id string) []byte { return key("contains", id) }

// LotKey is the state key of a [Lot] or class.
func LotKey(id string) []byte { return key("lot", id) }

// BalanceKey is the state key of a [Balance].
func BalanceKey(lot string, custodian crypto.Address, unit string, status Status) []byte {
	return key("bal", lot, string(custodian[:])+string(rune(status))+unit)
}

// TransitKey is the state key of a [Transit]. To is the zero Address for shipments to nobody on the ledger.
func TransitKey(lot, unit string, from, to crypto.Address) []byte {
	return key("transit", lot, unit, string(from[:])+string(to[:]))
}

// receiversKey is where the [parties] are to whom shipments of a lot are under way from somebody.
func receiversKey(lot, unit string, from crypto.Address) []byte {
	return key("receivers", lot, unit, string(from[:]))
}

// shippersKey is where the [parties] are from whom shipments of a lot are under way to somebody.
func shippersKey(lot, unit string, to crypto.Address) []byte {
	return key("shippers", lot, unit, string(to[:]))
}

// ShipmentKey is the state key of a [Shipment].
func ShipmentKey(event crypto.Hash) []byte { return key("transfer", string(event[:])) }

// AssociationKey is the state key of the [Associations] of a device or component.
func AssociationKey(child string) []byte { return key("assoc", child) }

// AttachedKey is the state key of what is and was [Attached] to a parent.
func AttachedKey(parent string) []byte { return key("attached", parent) }

// MadeKey is the state key of the n-th [Edge] that made an item or lot.
func MadeKey(id string, n uint64) []byte { return key("made", id, ordinal(n)) }

// UsedKey is the state key of the n-th [Edge] that used an item or lot.
func UsedKey(id string, n uint64) []byte { return key("used", id, ordinal(n)) }

// LinkKey is the state key of a [Link].
func LinkKey(link crypto.Hash) []byte { return key("link", string(link[:])) }

// EventKey is the state key of an [EventMark].
func EventKey(author crypto.Address, event crypto.Hash) []byte {
	return key("event", string(author[:])+string(event[:]))
}

// eventIDKey is where the hash of the event with an author's event id is. Error declarations repeat the id of the
// event that they declare, so they have a space of their own.
func eventIDKey(author crypto.Address, eventID string, declaration bool) []byte {
	space := "eventid"
	if declaration {
		space = "errorid"
	}
	return key(space, string(author[:])+eventID)
}

// SeenKey is the state key of a [Seen].
func SeenKey(tx crypto.Hash) []byte { return key("seen", string(tx[:])) }

// includedKey is where the ids of a block's transactions are, until they are forgotten.
func includedKey(h quorum.Height) []byte { return key("included", ordinal(uint64(h))) }

// undoKey is where it is kept what the events of a transaction changed, until they cannot be undone any more.
func undoKey(tx crypto.Hash) []byte { return key("undo", string(tx[:])) }

// undoBlockKey is where the n-th block with such transactions is listed.
func undoBlockKey(n uint64) []byte { return key("undos", ordinal(n)) }

// releaseKey is where the n-th entry of the queue of releases is.
func releaseKey(n uint64) []byte { return key("release", ordinal(n)) }

// ValidatorKey is the state key of a [Validator]; id is the key it was registered with.
func ValidatorKey(id crypto.PublicKey) []byte { return key("val", string(id[:])) }

// rotatedKey is where the id of the validator is that a later key belongs to.
func rotatedKey(k crypto.PublicKey) []byte { return key("valkey", string(k[:])) }

// peerOwnerKey is where the id of the validator is whose node shows a key to its peers.
func peerOwnerKey(k crypto.PublicKey) []byte { return key("valpeer", string(k[:])) }

// StakeKey is the state key of what an account has bonded with a validator (uint64); id as in ValidatorKey.
func StakeKey(id crypto.PublicKey, owner crypto.Address) []byte {
	return key("stake", string(id[:])+string(owner[:]))
}

// holdersKey is where the accounts are that have money bonded with a validator or unbonding from it.
func holdersKey(id crypto.PublicKey) []byte { return key("holders", string(id[:])) }

// operatorKey is where the ids of an operator's validators are.
func operatorKey(a crypto.Address) []byte { return key("operator", string(a[:])) }

// TombstoneKey is the state key of the [Tombstone] of an operator.
func TombstoneKey(operator crypto.Address) []byte { return key("tombstone", string(operator[:])) }

// pastEpochKey is where an ended epoch is, as long as evidence about it counts.
func pastEpochKey(n quorum.Epoch) []byte { return key("epochs", ordinal(uint64(n))) }

// setKey is where the validators of a set are, as long as an epoch with it is kept.
func setKey(hash crypto.Hash) []byte { return key("set", string(hash[:])) }

// dutyKey is where the slots of a validator in the current epoch are counted, by its index in the set.
func dutyKey(index int) []byte { return key("duty", ordinal(uint64(index))) }

// nameKey folds a name so that names that look alike are one: ASCII letters in lower case, runs of spaces as one.
func nameKey(name string) string {
	fields := strings.FieldsFunc(name, func(r rune) bool { return r == ' ' })
	folded := []byte(strings.Join(fields, " "))
	for i, c := range folded {
		if c >= 'A' && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
	}
	return string(folded)
}
