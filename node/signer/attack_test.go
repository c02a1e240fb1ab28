package signer

import (
	"errors"
	"slices"
	"testing"

	"waybill/consensus/quorum"
)

// dying is a storage whose process dies at a write: neither that write nor any after it reaches the disk.
type dying struct {
	*memory
	left int
}

func (d *dying) Write(slot int, data []byte, sync bool) error {
	if d.left--; d.left < 0 {
		return errDisk
	}
	return d.memory.Write(slot, data, sync)
}

// TestRecoverCrash: a recovery that dies on the way leaves no file that would sign below its mark. The node may start
// without asking for a recovery next time.
func TestRecoverCrash(t *testing.T) {
	mark := Mark{2, 50, 2}
	for name, start := range map[string]memory{"missing": {}, "damaged": {now: [2][]byte{{1}, {2}}}} {
		for writes := range 6 {
			m := start
			if _, err := Recover(&dying{&m, writes}, options(NodeReserve), mark); err == nil && writes == 0 {
				t.Fatalf("%s: a recovery that wrote nothing", name)
			}
			for _, disk := range []*memory{{now: m.now}, m.lost()} {
				f, err := Open(disk, options(NodeReserve))
				if errors.Is(err, ErrMissing) || errors.Is(err, ErrDamaged) {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				// The folder was wiped: the journal knows nothing.
				if err := f.Reconcile(Known{Epoch: 2}); err != nil {
					continue
				}
				for _, r := range []Request{request(notarize, 2, 40, "A"), request(nullify, 2, 50, ""), request(propose, 2, 50, "A")} {
					if a, err := f.Sign([]Request{r}); err == nil && a[0].Refused == nil {
						t.Errorf("%s: after %d writes of a recovery: signed %+v", name, writes, r.Vote)
					}
				}
			}
		}
	}
}

// TestRecoverBelowCeiling: of a file that was not closed in order nobody knows what was signed up to its ceiling. A
// recovery at a mark below that must not declare the rest unsigned.
func TestRecoverBelowCeiling(t *testing.T) {
	m := created(t)
	f := opened(t, m, NodeReserve)
	var said []Request
	for v := range quorum.View(40) {
		said = append(said, request(notarize, 0, v+1, "A"))
		mustSign(t, f, said[v])
	}
	f, err := Recover(m.lost(), options(NodeReserve), Mark{0, 20, 2}) // the power goes; the journal is lost, too
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range slices.Backward(said) {
		r := request(notarize, 0, old.Vote.View, "B")
		if a, err := f.Sign([]Request{r}); err == nil && a[0].Refused == nil && conflict(r, old) {
			t.Fatalf("signed twice in view %d", r.Vote.View)
		}
	}
	// It is silent for a reserve at most.
	mustSign(t, f, request(notarize, 0, 20+NodeReserve+2, "B"), request(propose, 0, 20+NodeReserve+2, "B"))
}
