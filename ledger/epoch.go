package ledger

import (
	"bytes"
	"cmp"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Epoch is the time between two hand-overs from one validator set to the next.
type Epoch struct {
	Number       quorum.Epoch
	Set          *quorum.Set
	AnchorHeight quorum.Height // of the closing block of the epoch before; the genesis block has 0
	AnchorHash   crypto.Hash   // of that block; zero in the state of the genesis block, which cannot hold its own hash
	AnchorTimeMs int64         // of that block, ms since the Unix epoch
}

// CurrentEpoch returns the epoch that the block after this state is in.
func CurrentEpoch(v View) (*Epoch, error) {
	rec, err := must[epochRecord](v, []byte(keyEpoch))
	if err != nil {
		return nil, err
	}
	set, err := readSet(v, rec.ValidatorSet)
	if err != nil {
		return nil, err
	}
	return &Epoch{
		Number: rec.Number, Set: set,
		AnchorHeight: rec.AnchorHeight, AnchorHash: rec.AnchorHash, AnchorTimeMs: rec.AnchorTimeMs,
	}, nil
}

// ReadEpochSet returns the validators of an epoch; nil if it has not begun or evidence about it no longer counts.
func ReadEpochSet(v View, n quorum.Epoch) (*quorum.Set, error) {
	rec, err := must[epochRecord](v, []byte(keyEpoch))
	if err != nil {
		return nil, err
	}
	if n == rec.Number {
		return readSet(v, rec.ValidatorSet)
	}
	past, err := read[pastEpoch](v, pastEpochKey(n))
	if err != nil || past == nil {
		return nil, err
	}
	return readSet(v, past.ValidatorSet)
}

func readSet(v View, hash crypto.Hash) (*quorum.Set, error) {
	rec, err := must[setRecord](v, setKey(hash))
	if err != nil {
		return nil, err
	}
	list := make([]quorum.Validator, len(rec.Members))
	for i, m := range rec.Members {
		list[i] = quorum.Validator{Key: m.Key, Power: m.Power, Operator: m.Operator}
	}
	set, err := quorum.NewSet(list)
	if err != nil {
		return nil, malformedBy(ErrState, err, "validator set %s", hash)
	}
	return set, nil
}

func recordOf(set *quorum.Set, last quorum.Epoch) setRecord {
	rec := setRecord{Last: last, Members: make([]member, set.Len())}
	for i := range rec.Members {
		v := set.At(i)
		rec.Members[i] = member{Key: v.Key, Power: v.Power, Operator: v.Operator}
	}
	return rec
}

// PeerKeyOf returns the key that the node of a validator shows to its peers, for any consensus key that the validator has
// had: the set in force may hold an older one. Zero: it has none, or is not registered.
func PeerKeyOf(v View, key crypto.PublicKey) (crypto.PublicKey, error) {
	rec, err := ReadValidator(v, key)
	if err != nil || rec == nil {
		return crypto.PublicKey{}, err
	}
	return rec.PeerKey, nil
}

// Closes reports whether the block of height h and time timeMs is the last of the epoch that began after the anchor:
// EpochLength blocks are over, or EpochMs are and the next epoch would have another validator set (changed). A network in
// which nothing changes does not make epochs only because time passes.
func Closes(p *Params, anchorHeight quorum.Height, anchorTimeMs int64, h quorum.Height, timeMs int64, changed bool) bool {
	if h <= anchorHeight {
		return false
	}
	return uint64(h-anchorHeight) >= p.EpochLength || changed && timeMs-anchorTimeMs >= p.EpochMs
}

// NextSet returns the validators whom this state elects for the epoch after its current one: of those with at least
// MinBond, neither jailed nor tombstoned, the MaxValidators with the most stake, ties to the smaller key; as near to that
// as one third of the power may change in one step (quorum.LimitChange). If nobody qualifies the current set goes on: a
// network without validators could never have any again.
//
// It belongs in the header of the closing block of the current epoch, so the state must not be older than the anchor.
func NextSet(v View) (*quorum.Set, error) {
	now, err := CurrentEpoch(v)
	if err != nil {
		return nil, err
	}
	params, err := ReadParams(v)
	if err != nil {
		return nil, err
	}
	all, err := ReadValidators(v)
	if err != nil {
		return nil, err
	}
	elected := slices.DeleteFunc(all, func(c Validator) bool { return !c.electable(params.MinBond) })
	if len(elected) == 0 {
		return now.Set, nil
	}
	slices.SortFunc(elected, func(a, b Validator) int {
		return cmp.Or(cmp.Compare(b.Stake, a.Stake), bytes.Compare(a.Key[:], b.Key[:]))
	})
	elected = elected[:min(len(elected), quorum.MaxValidators)]
	list := make([]quorum.Validator, len(elected))
	for i, c := range elected {
		list[i] = quorum.Validator{Key: c.Key, Power: quorum.Power(c.Stake), Operator: c.Operator}
	}
	wanted, err := quorum.NewSet(list)
	if err != nil {
		return nil, malformedBy(ErrState, err, "electing validators")
	}
	return withoutDoubles(v, now.Set, quorum.LimitChange(now.Set, wanted))
}

// withoutDoubles keeps a validator whose key changes from having more power, with both keys together, than it has stake
// or had power: the new key grows only as fast as the old one shrinks. Else power would stand in a set with no money
// behind it.
func withoutDoubles(v View, now, next *quorum.Set) (*quorum.Set, error) {
	list, changed := next.Validators(), false
	owners := make([]*Validator, len(list))
	for i := range list {
		var err error
		if owners[i], err = ReadValidator(v, list[i].Key); err != nil {
			return nil, err
		}
	}
	for i, owner := range owners {
		if owner == nil || owner.Key != list[i].Key {
			continue
		}
		var had, has quorum.Power
		for j, other := range owners {
			if other == nil || other.ID != owner.ID {
				continue
			}
			has += list[j].Power
			if k, ok := now.Index(list[j].Key); ok {
				had += now.At(k).Power
			}
		}
		if most := max(had, quorum.Power(owner.Stake)); has > most {
			list[i].Power, changed = list[i].Power-min(list[i].Power, has-most), true
		}
	}
	if !changed {
		return next, nil
	}
	set, err := quorum.NewSet(slices.DeleteFunc(list, func(m quorum.Validator) bool { return m.Power == 0 }))
	if err != nil {
		return nil, malformedBy(ErrState, err, "electing validators")
	}
	return set, nil
}
