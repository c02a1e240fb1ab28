package node

import (
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// What an unfinished ancestor carries is not proposed again, and an ancestor that is final is unfinished until it is executed.
func TestAncestryReachesToTheLastExecutedBlock(t *testing.T) {
	b := newBench(t)
	c := newCandidates()
	chain := b.chain(t, 3)
	ids := make([]crypto.Hash, len(chain))
	for i, p := range chain {
		c.add(p)
		ids[i][0] = byte(i + 1)
		c.get(p.Hash()).ids = ids[i : i+1]
	}
	for final := range chain {
		for executed := quorum.Height(0); executed <= 3; executed++ {
			got, _ := c.ancestry(chain[2].Hash(), executed)
			for i, id := range ids {
				if want := quorum.Height(i+1) > executed; got[id] != want {
					t.Errorf("with %d final and %d executed, block %d counts: %v", final, executed, i+1, got[id])
				}
			}
		}
		c.setFinal(chain[final].Header(), chain[final].Hash())
	}
}
