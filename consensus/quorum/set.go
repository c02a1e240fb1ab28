package quorum

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"waybill/crypto"
)

// Power is voting power: units of bonded stake.
type Power uint64

// Bounds of a validator set.
const (
	MaxValidators       = 256
	MaxTotalPower Power = 1 << 60 // so that two thirds of it, doubled, stay far inside 64 bits
)

// Validator is a member of a set: the key that votes, its power, and the account that answers for it.
type Validator struct {
	Key      crypto.PublicKey
	Power    Power
	Operator crypto.Address
}

// Set is the validators of one epoch, sorted by power descending, then key ascending; a validator is named by its
// index. Immutable and safe for concurrent use.
type Set struct {
	validators []Validator
	index      map[crypto.PublicKey]int
	total      Power
	hash       crypto.Hash
	keys       *crypto.KeyCache
}

// NewSet sorts and checks validators; the order given does not matter. It refuses with kind ErrSet: no or too many
// validators, a key twice, a key that is no point on the curve, zero power, and a total above MaxTotalPower.
func NewSet(validators []Validator) (*Set, error) {
	n := len(validators)
	if n == 0 || n > MaxValidators {
		return nil, refuse(ErrSet, "a set has 1 to %d validators, got %d", MaxValidators, n)
	}
	s := &Set{
		validators: slices.Clone(validators),
		index:      make(map[crypto.PublicKey]int, n),
		keys:       crypto.NewKeyCache(n),
	}
	slices.SortFunc(s.validators, func(a, b Validator) int {
		if c := cmp.Compare(b.Power, a.Power); c != 0 {
			return c
		}
		return bytes.Compare(a.Key[:], b.Key[:])
	})
	for i, v := range s.validators {
		if v.Power == 0 {
			return nil, refuse(ErrSet, "validator %s has no power", v.Key)
		}
		if v.Power > MaxTotalPower-s.total {
			return nil, refuse(ErrSet, "the total power exceeds %d", MaxTotalPower)
		}
		if _, twice := s.index[v.Key]; twice {
			return nil, refuse(ErrSet, "validator %s is listed twice", v.Key)
		}
		if !v.Key.Valid() {
			return nil, refuse(ErrSet, "validator key %s is not a point on the curve", v.Key)
		}
		s.total += v.Power
		s.index[v.Key] = i
	}
	s.hash = hashValidators(s.validators)
	return s, nil
}

// validatorSize is the length of one validator in an encoded set: key, power, operator.
const validatorSize = crypto.PublicKeySize + 8 + crypto.AddressSize

// MaxSetSize is the length in bytes of the largest encoded set.
const MaxSetSize = 2 + MaxValidators*validatorSize

// hashValidators is Sum(TagValidatorSet, Encode()).
func hashValidators(validators []Validator) crypto.Hash {
	return crypto.Sum(crypto.TagValidatorSet, encodeValidators(validators))
}

func encodeValidators(validators []Validator) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(validators)))
	for _, v := range validators {
		b = append(b, v.Key[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(v.Power))
		b = append(b, v.Operator[:]...)
	}
	return b
}

// Encode writes the number of validators (2 bytes), then key:33, power:8, operator:20 of each, in order of the set.
func (s *Set) Encode() []byte { return encodeValidators(s.validators) }

// DecodeSet accepts exactly what Encode writes: a valid set in its own order. Errors are of kind ErrEncoding or ErrSet.
func DecodeSet(b []byte) (*Set, error) {
	r := reader{crypto.ReadFields(b)}
	n := int(r.U16())
	if n > MaxValidators || !r.Short() && n*validatorSize != r.Left() {
		return nil, refuse(ErrEncoding, "a set of %d validators in %d bytes (at most %d validators)", n, len(b), MaxValidators)
	}
	validators := make([]Validator, n)
	for i := range validators {
		v := &validators[i]
		copy(v.Key[:], r.Bytes(len(v.Key)))
		v.Power = Power(r.U64())
		copy(v.Operator[:], r.Bytes(len(v.Operator)))
	}
	if err := r.done("validator set"); err != nil {
		return nil, err
	}
	s, err := NewSet(validators)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(s.validators, validators) {
		return nil, refuse(ErrEncoding, "the validators of a set are out of order")
	}
	return s, nil
}

// Len is the number of validators.
func (s *Set) Len() int { return len(s.validators) }

// At returns validator i; it panics outside [0, Len).
func (s *Set) At(i int) Validator { return s.validators[i] }

// Index returns the index of the validator with this key; false if there is none.
func (s *Set) Index(key crypto.PublicKey) (int, bool) {
	i, ok := s.index[key]
	return i, ok
}

// Validators returns a copy of the members in order.
func (s *Set) Validators() []Validator { return slices.Clone(s.validators) }

// Total is W, the power of all validators.
func (s *Set) Total() Power { return s.total }

// Quorum is Q = floor(2W/3)+1. Any two quorums share more than a third of the power, so at least one honest validator
// while less than a third is faulty.
func (s *Set) Quorum() Power { return quorumOf(s.total) }

// Blocking is B = W-Q+1: the least power without which no quorum forms. Any group of this power has an honest member
// while less than a third is faulty.
func (s *Set) Blocking() Power { return s.total - s.Quorum() + 1 }

func quorumOf(total Power) Power { return 2*total/3 + 1 }

// Hash commits to keys, powers, operators and their order.
func (s *Set) Hash() crypto.Hash { return s.hash }

// has reports whether i is the index of a member.
func (s *Set) has(i uint16) bool { return int(i) < len(s.validators) }
