package ledger

import (
	"fmt"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// BenchmarkNextSetRotation is an election when every validator of the largest set has just changed its key.
func BenchmarkNextSetRotation(b *testing.B) {
	v := mapView{}
	v[keyParams] = mustMarshal(shortEpochs())
	var list []quorum.Validator
	var ids []crypto.PublicKey
	for i := range quorum.MaxValidators {
		c := Validator{ID: keyOf(fmt.Sprint("id ", i)).Public(), Key: keyOf(fmt.Sprint("new ", i)).Public(), Stake: 1_000}
		v[string(ValidatorKey(c.ID))], v[string(rotatedKey(c.Key))] = mustMarshal(c), mustMarshal(c.ID)
		ids = append(ids, c.ID)
		list = append(list, quorum.Validator{Key: c.ID, Power: 1_000})
	}
	set, err := quorum.NewSet(list)
	if err != nil {
		b.Fatal(err)
	}
	v[keyValidators] = mustMarshal(validatorList{Keys: ids})
	v[string(setKey(set.Hash()))] = mustMarshal(recordOf(set, 0))
	v[keyEpoch] = mustMarshal(epochRecord{ValidatorSet: set.Hash()})
	for b.Loop() {
		if _, err := NextSet(v); err != nil {
			b.Fatal(err)
		}
	}
}
