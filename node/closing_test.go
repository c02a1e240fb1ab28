package node

import (
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// TestClosingRuleIsChecked: which block closes the epoch and whom it hands over to follow from the state; a header that
// says anything else is invalid.
func TestClosingRuleIsChecked(t *testing.T) {
	l := newLab(t, 4, 4, 6, 0)
	l.traffic(40, 0)
	l.run("a start", 20_000, func() bool { return l.height() >= 3 })
	r := l.nodes[0].replica
	closing := quorum.Header{Height: 6, ExecHeight: 1, Flags: quorum.FlagClosing, NextValidatorSet: l.first.Hash()}
	early, other, missed := closing, closing, closing
	early.Height = 5
	other.NextValidatorSet = crypto.Hash{1}
	missed.Flags, missed.NextValidatorSet = 0, crypto.Hash{}
	for name, c := range map[string]struct {
		h    quorum.Header
		good bool
	}{
		"right": {closing, true}, "too early": {early, false}, "another set": {other, false}, "not closing": {missed, false},
	} {
		if ready, err := r.checkClosing(c.h); !ready || (err == nil) != c.good {
			t.Errorf("%s: ready %t, %v", name, ready, err)
		}
	}
}
