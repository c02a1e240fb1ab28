package ledger

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Validator is a registered validator. Its ID, the key it was registered with, names it in the state for ever; Key is
// what it signs votes with now, and may change.
type Validator struct {
	_        struct{} `cbor:",toarray"`
	ID       crypto.PublicKey
	Key      crypto.PublicKey
	PeerKey  crypto.PublicKey // zero: genesis named none
	Name     string
	Operator crypto.Address
	Stake    uint64 // smallest unit, of all who bonded
	Since    quorum.Height

	Jailed        bool  // for being down; not elected until its operator says Unjail
	JailedUntilMs int64 // block time before which that is refused, ms since the Unix epoch
	Tombstoned    bool  // its operator was punished; never elected again
}

// electable reports whether the validator may be in the next set.
func (v *Validator) electable(minBond uint64) bool {
	return v.Stake >= minBond && !v.Jailed && !v.Tombstoned
}

// validatorList is the ids of the validators with stake that are not tombstoned, in order of registration.
type validatorList struct {
	_    struct{} `cbor:",toarray"`
	Keys []crypto.PublicKey
}

// operatorRecord is the validators of an operator.
type operatorRecord struct {
	_   struct{} `cbor:",toarray"`
	IDs []crypto.PublicKey
}

// holders is the accounts with money bonded with a validator or unbonding from it, in order of arrival. It is what a
// punishment goes through, and bounded for that.
type holders struct {
	_        struct{} `cbor:",toarray"`
	Accounts []crypto.Address
}

// Tombstone is the one punishment of an operator.
type Tombstone struct {
	_         struct{}         `cbor:",toarray"`
	Validator crypto.PublicKey // the key that signed
	Offence   quorum.Offence
	Epoch     quorum.Epoch // of the offence
	View      quorum.View
	Evidence  crypto.Hash // quorum.Evidence.ID
	Height    quorum.Height
	TimeMs    int64  // of the block that punished, ms since the Unix epoch
	Ppm       uint64 // share taken, in millionths
	Taken     uint64 // smallest unit
}

// slashLog is the punishments inside the evidence window, oldest first; they make the next ones heavier.
type slashLog struct {
	_       struct{} `cbor:",toarray"`
	Entries []slashEntry
}

type slashEntry struct {
	_        struct{}     `cbor:",toarray"`
	Epoch    quorum.Epoch // in which it was punished
	TimeMs   int64
	SharePpm uint64 // of the power of the epoch of the offence
}

// epochRecord is the current epoch. The hash of the genesis block depends on the state and so cannot be in it: in epoch 0
// AnchorHash is zero until the first block.
type epochRecord struct {
	_            struct{} `cbor:",toarray"`
	Number       quorum.Epoch
	ValidatorSet crypto.Hash
	AnchorHeight quorum.Height
	AnchorHash   crypto.Hash
	AnchorTimeMs int64
	Oldest       quorum.Epoch // the oldest that is kept
}

// pastEpoch is an ended epoch.
type pastEpoch struct {
	_            struct{} `cbor:",toarray"`
	ValidatorSet crypto.Hash
	EndTimeMs    int64 // of the closing block
}

// setRecord is a validator set in its own order, and the last epoch known to have it.
type setRecord struct {
	_       struct{} `cbor:",toarray"`
	Members []member
	Last    quorum.Epoch
}

type member struct {
	_        struct{} `cbor:",toarray"`
	Key      crypto.PublicKey
	Power    quorum.Power
	Operator crypto.Address
}

func (s *setRecord) total() uint64 {
	sum := uint64(0)
	for i := range s.Members {
		sum = mustAdd(sum, uint64(s.Members[i].Power))
	}
	return sum
}

// duty counts what a validator did as leader in the current epoch.
type duty struct {
	_         struct{} `cbor:",toarray"`
	Delivered uint64   // blocks
	Missed    uint64   // views it led that gave none
}

func (d *duty) slots() uint64 { return mustAdd(d.Delivered, d.Missed) }

// releaseQueue says which entries of the queue exist: First up to, not including, Next.
type releaseQueue struct {
	_           struct{} `cbor:",toarray"`
	First, Next uint64
}

// releaseEntry is an account whose release of that validator and epoch is to be looked at when the epoch is out of the
// evidence window. Entries have ascending epochs.
type releaseEntry struct {
	_         struct{} `cbor:",toarray"`
	Account   crypto.Address
	Validator crypto.PublicKey
	Epoch     quorum.Epoch
}

// Supply is all money, in the smallest unit. Total never changes: it is always the sum of the other fields; Balances,
// Bonded and Unbonding are the sums over all accounts.
type Supply struct {
	_         struct{} `cbor:",toarray"`
	Total     uint64
	Balances  uint64
	Bonded    uint64
	Unbonding uint64
	FeePool   uint64 // fees not yet paid to validators
	Reserve   uint64 // set aside by genesis for rewards
	Burned    uint64 // taken from offenders; nobody's for ever
}
