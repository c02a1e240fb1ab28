package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// TestSlashLogIsNotFlushed: whoever was a third of the power, in two halves, must not get the second half off lightly by
// having many tiny operators of his own punished in between.
func TestSlashLogIsNotFlushed(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 3_000, 3_000, 2_000, 2_000))
	b := &blockRun{o: newOverlay(n.view), params: n.genesis.Params, height: 9, timeMs: n.timeMs + 1}
	if others := b.logSlash(170_000); others != 0 {
		t.Fatalf("others: %d", others)
	}
	for i := range 3 * maxSlashLog {
		b.timeMs++
		if others := b.logSlash(1); others != min(million, 170_000+uint64(i)) {
			t.Fatalf("after %d tiny punishments the others had %d", i, others)
		}
	}
	log, _ := get[slashLog](b.o, []byte(keySlashes))
	if len(log.Entries) > maxSlashLog {
		t.Errorf("%d entries", len(log.Entries))
	}
	// They still age.
	b.epoch.Number, b.timeMs = b.epoch.Number+quorum.Epoch(b.params.UnbondingEpochs)+1, b.timeMs+b.params.UnbondingMs()+1
	if others := b.logSlash(1); others != 0 {
		t.Errorf("after the window the others had %d", others)
	}
}

// TestRotationOfMany: when all others change their keys at once, in whatever order the keys are, the power of one that
// does not must hardly rise: the set must not shrink to those who stay.
func TestRotationOfMany(t *testing.T) {
	const count = 10
	stakes := slices.Repeat([]uint64{1_000}, count)
	old, fresh := make([]string, count), make([]string, count)
	for i := range count {
		old[i], fresh[i] = fmt.Sprint("val ", i), fmt.Sprint("fresh ", i)
	}
	byKey := func(a, b string) int {
		x, y := keyOf(a).Public(), keyOf(b).Public()
		return bytes.Compare(x[:], y[:])
	}
	slices.SortFunc(old, byKey)
	for name, order := range map[string]func(a, b string) int{
		"same order": byKey, "reverse order": func(a, b string) int { return byKey(b, a) }, "any order": strings.Compare,
	} {
		n := newNet(t, stakers(shortEpochs(), stakes...))
		stays := keyOf(old[count-1]).Public()
		slices.SortFunc(fresh, order)
		for i, from := range old[:count-1] {
			operator := "op " + strings.TrimPrefix(from, "val ")
			n.want(n.tx(operator, &RotateValidatorKey{Old: keyOf(from).Public(), New: keyOf(fresh[i]).Public()}, fresh[i]), CodeOK)
		}
		for epoch := range 40 {
			now := n.epoch().Set
			n.close()
			next := n.epoch().Set
			if moved := changeOf(now, next); moved > uint64(now.Total()/3) {
				t.Fatalf("%s: epoch %d changes %d of %d", name, epoch, moved, now.Total())
			}
			i, _ := next.Index(stays)
			if share := 100 * next.At(i).Power / next.Total(); share > 15 {
				t.Fatalf("%s: after %d epochs who stays has %d %% of the power", name, epoch+1, share)
			}
		}
		for _, key := range old[:count-1] {
			if _, in := n.epoch().Set.Index(keyOf(key).Public()); in {
				t.Errorf("%s: an old key is still there", name)
			}
		}
		if n.epoch().Set.Total() != 10_000 {
			t.Errorf("%s: total %d", name, n.epoch().Set.Total())
		}
	}
}

// TestElectionNeverFails: whatever the stakes, rotations and present powers, the state elects a set: else no node could
// ever close the epoch. At most a third changes, nobody has more than stake and past explain, and in the end the set is
// what the stake wants.
func TestElectionNeverFails(t *testing.T) {
	property(t, func(rt *rapid.T) {
		v := mapView{}
		p := shortEpochs()
		p.MinBond = 1
		v[keyParams] = mustMarshal(p)
		top := rapid.SampledFrom([]uint64{1, 2, 5, 100, 1 << 40}).Draw(rt, "top")
		var ids []crypto.PublicKey
		var now []quorum.Validator
		for i := range rapid.IntRange(1, 9).Draw(rt, "validators") {
			id := keyOf(fmt.Sprint("id ", i)).Public()
			c := Validator{ID: id, Key: id, Operator: keyOf("op").Address(), Stake: rapid.Uint64Range(0, top).Draw(rt, "stake")}
			if rapid.Bool().Draw(rt, "rotated") {
				c.Key = keyOf(fmt.Sprint("rotated ", i)).Public()
				v[string(rotatedKey(c.Key))] = mustMarshal(id)
				if power := rapid.Uint64Range(0, top).Draw(rt, "new power"); power > 0 && rapid.Bool().Draw(rt, "both") {
					now = append(now, quorum.Validator{Key: c.Key, Power: quorum.Power(power), Operator: c.Operator})
				}
			}
			c.Jailed = rapid.IntRange(0, 5).Draw(rt, "jail") == 0
			v[string(ValidatorKey(id))] = mustMarshal(c)
			if c.Stake > 0 {
				ids = append(ids, id)
			}
			if power := rapid.Uint64Range(0, top).Draw(rt, "power"); power > 0 {
				now = append(now, quorum.Validator{Key: id, Power: quorum.Power(power), Operator: c.Operator})
			}
		}
		if len(now) == 0 {
			return
		}
		v[keyValidators] = mustMarshal(validatorList{Keys: ids})
		for range 60 {
			set, err := quorum.NewSet(now)
			if err != nil {
				rt.Fatal(err)
			}
			v[string(setKey(set.Hash()))] = mustMarshal(recordOf(set, 0))
			v[keyEpoch] = mustMarshal(epochRecord{ValidatorSet: set.Hash()})
			next, err := NextSet(v)
			if err != nil {
				rt.Fatal(err)
			}
			if moved := changeOf(set, next); moved > uint64(set.Total()/3) {
				rt.Fatalf("%d of %d moved", moved, set.Total())
			}
			checkExplained(rt, v, set, next)
			now = next.Validators()
		}
	})
}

// checkExplained holds the power of each validator, with all its keys, against its stake and its power before.
func checkExplained(rt *rapid.T, v View, before, after *quorum.Set) {
	sum := func(set *quorum.Set) map[crypto.PublicKey]uint64 {
		out := map[crypto.PublicKey]uint64{}
		for _, m := range set.Validators() {
			c, err := ReadValidator(v, m.Key)
			if err != nil || c == nil {
				rt.Fatal("no validator")
			}
			out[c.ID] += uint64(m.Power)
		}
		return out
	}
	had := sum(before)
	for id, has := range sum(after) {
		c, err := ReadValidator(v, id)
		if err != nil {
			rt.Fatal(err)
		}
		if has > max(had[id], c.Stake) {
			rt.Fatalf("power %d, before %d, stake %d", has, had[id], c.Stake)
		}
	}
}
