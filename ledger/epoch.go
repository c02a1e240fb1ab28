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

// EpochRule says when an epoch ends. The zero value ends none.
type EpochRule struct {
	Length uint64 // blocks from the anchor to the closing block; 0: never by height
	Ms     int64  // age in ms at which the epoch ends if the next one has other validators; 0: never by time
}

// EpochRule is the rule of the network.
func (p *Params) EpochRule() EpochRule { return EpochRule{Length: p.EpochLength, Ms: p.EpochMs} }

// Full reports whether the block of height h must close the epoch that began after the anchor.
func (r EpochRule) Full(anchor, h quorum.Height) bool {
	return r.Length > 0 && h > anchor && uint64(h-anchor) >= r.Length
}

// Overdue reports whether a block of time timeMs must close the epoch if the next one has other validators. A network in
// which nothing changes does not make epochs only because time passes.
func (r EpochRule) Overdue(anchorMs, timeMs int64) bool {
	return r.Ms > 0 && timeMs-anchorMs >= r.Ms
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
	return approach(v, now.Set, wanted)
}

// maxPasses bounds how often the growth that is withheld from new keys is offered to others.
const maxPasses = 12

// approach moves from a set towards the wanted one, by at most a third of the power and never to a validator's having
// more power, with its old and new keys together, than it has stake or had power: a new key grows only as fast as the
// old one shrinks. Else power would stand in a set with no money behind it.
//
// What new keys must not have yet is offered to the others. Else, when many change their keys at once, the old keys
// would shrink while the growth went to new keys that may not grow, and the power would fall to those who did nothing.
func approach(v View, now, wanted *quorum.Set) (*quorum.Set, error) {
	owners := map[crypto.PublicKey]*Validator{}
	for _, set := range []*quorum.Set{now, wanted} {
		for _, m := range set.Validators() {
			owner, err := ReadValidator(v, m.Key)
			if err != nil {
				return nil, err
			}
			owners[m.Key] = owner
		}
	}
	var next *quorum.Set
	for range maxPasses {
		var capped map[crypto.PublicKey]quorum.Power
		var err error
		if next, capped, err = withoutDoubles(owners, now, quorum.LimitChange(now, wanted)); err != nil || len(capped) == 0 {
			return next, err
		}
		less, err := withPowers(wanted, capped)
		if err != nil || less == nil {
			return next, err
		}
		wanted = less
	}
	return next, nil
}

// withoutDoubles takes from new keys what they must not have yet, and returns their powers.
func withoutDoubles(owners map[crypto.PublicKey]*Validator, now, next *quorum.Set) (*quorum.Set, map[crypto.PublicKey]quorum.Power, error) {
	type sums struct{ had, has quorum.Power }
	byID := map[crypto.PublicKey]sums{}
	for _, m := range next.Validators() {
		if owner := owners[m.Key]; owner != nil {
			s := byID[owner.ID]
			s.has += m.Power
			if k, ok := now.Index(m.Key); ok {
				s.had += now.At(k).Power
			}
			byID[owner.ID] = s
		}
	}
	capped := map[crypto.PublicKey]quorum.Power{}
	for _, m := range next.Validators() {
		owner := owners[m.Key]
		if owner == nil || owner.Key != m.Key {
			continue
		}
		s := byID[owner.ID]
		if most := max(s.had, quorum.Power(owner.Stake)); s.has > most {
			capped[m.Key] = m.Power - min(m.Power, s.has-most)
		}
	}
	if len(capped) == 0 {
		return next, nil, nil
	}
	set, err := withPowers(next, capped) // somebody is left: whoever had power in now
	return set, capped, err
}

// withPowers is a set with other powers of some members; who has none is left out. Nil: nobody has any.
func withPowers(set *quorum.Set, powers map[crypto.PublicKey]quorum.Power) (*quorum.Set, error) {
	var list []quorum.Validator
	for _, m := range set.Validators() {
		if p, ok := powers[m.Key]; ok {
			m.Power = p
		}
		if m.Power > 0 {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	out, err := quorum.NewSet(list)
	if err != nil {
		return nil, malformedBy(ErrState, err, "electing validators")
	}
	return out, nil
}
