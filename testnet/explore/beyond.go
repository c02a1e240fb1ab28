package explore

import (
	"fmt"
	"io"
	"math/rand/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// beyondPlan is a scenario in which twins hold 34 to 66 % of the stake, mostly apart, each copy with a part of the
// honest, so that both sides can reach a quorum if the stakes allow it.
type beyondPlan struct {
	Scenario
	stakes []quorum.Power
	share  int // of the faulty, in percent
}

func (p beyondPlan) String() string {
	return fmt.Sprintf("stakes %v, %d%% faulty, %s", p.stakes, p.share, p.Scenario)
}

func newBeyondPlan(seed uint64) (beyondPlan, *quorum.Set) {
	rng := rand.New(rand.NewPCG(seed, 0xbe))
	for { // until the stakes can be shared out so
		n := 4 + rng.IntN(4)
		p := beyondPlan{stakes: make([]quorum.Power, n)}
		for i := range p.stakes {
			p.stakes[i] = quorum.Power(1 + rng.IntN(12))
		}
		set := newSet(p.stakes)
		var power, total uint64
		order := rng.Perm(n)
		want := uint64(34 + rng.IntN(33))
		for i := range n {
			total += uint64(set.At(i).Power)
		}
		for _, i := range order {
			if s := uint64(set.At(i).Power); 100*(power+s) <= want*total {
				power += s
				p.Twins = append(p.Twins, i)
			}
		}
		if p.share = int(100 * power / total); p.share < 34 || len(p.Twins) == n {
			continue
		}
		p.Validators, p.Seed, p.Slate, p.Halting = n, seed, rng.Uint64N(1<<20), rng.IntN(8) == 0
		p.Shuffled = rng.IntN(2) == 0
		p.Loss = []int{0, 0, 50}[rng.IntN(3)]
		if p.split(rng, set, power, total) || rng.IntN(8) == 0 { // some in which no fork is possible, too
			return p, set
		}
	}
}

// split draws the rounds: the first copies of the twins with one part of the honest, the second with the other.
// It reports whether both sides have a quorum.
func (p *beyondPlan) split(rng *rand.Rand, set *quorum.Set, faulty, total uint64) (both bool) {
	copies := p.Validators + len(p.Twins)
	side := make([]int, copies)
	for range 30 {
		near, far := faulty, faulty
		for i := range p.Validators {
			side[i] = rng.IntN(2)
			if side[i] == 0 {
				near += uint64(set.At(i).Power)
			} else {
				far += uint64(set.At(i).Power)
			}
		}
		for k, t := range p.Twins { // counted on both sides already
			if side[t] == 0 {
				near -= uint64(set.At(t).Power)
			} else {
				far -= uint64(set.At(t).Power)
			}
			side[t], side[p.Validators+k] = 0, 1
		}
		if both = 3*near > 2*total && 3*far > 2*total; both {
			break
		}
	}
	for range 4 + rng.IntN(6) {
		row := append([]int(nil), side...)
		if rng.IntN(5) == 0 {
			for i := range row {
				row[i] = rng.IntN(2)
			}
		}
		p.Sides = append(p.Sides, row)
	}
	if rng.IntN(2) == 0 { // they fork late
		clear(p.Sides[0])
	}
	return both
}

// Beyond plays a seed with more than a third of the stake faulty. If the chain forks, every fork must name validators of
// a third of the stake, by two signatures each, and nobody honest. The error is a [*Failure].
func Beyond(seed uint64) (Report, error) { return beyond(seed, nil) }

func beyond(seed uint64, watch io.Writer) (Report, error) {
	p, set := newBeyondPlan(seed)
	p.watch = watch
	c, l := p.cluster(set, slateOf(set, p.Slate), true)
	p.rounds(c, l)
	if c.forks(); c.report.Forks > 0 {
		c.report.Forked = 1
	}
	for _, n := range c.nodes { // whoever sees both sides now halts, and says why
		n.side = 0
	}
	for range 3 {
		if c.oracle.fault == nil {
			l.play(calm)
		}
	}
	if c.oracle.fault != nil {
		return c.sum(), &Failure{What: "beyond", Seed: seed, Detail: c.oracle.fault.Error(), Story: p.String()}
	}
	return c.sum(), nil
}

// forks finds the pairs of honest nodes whose ledgers differ, and judges what is accused for each.
func (c *cluster) forks() {
	c.honest(func(a *node) {
		c.honest(func(b *node) {
			if a.id >= b.id || c.oracle.fault != nil {
				return
			}
			for i := range min(len(a.ledger), len(b.ledger)) {
				if a.ledger[i].Hash != b.ledger[i].Hash {
					c.fork(a, b, i)
					return
				}
			}
		})
	})
}

// fork judges the accusation that follows from the different blocks at place i of two ledgers.
func (c *cluster) fork(a, b *node, i int) {
	c.report.Forks++
	evidence, err := quorum.Accuse(c.w.domain, a.branch(i), b.branch(i))
	if err != nil {
		c.fail("%s and %s have different blocks at height %d, and nobody is accused: %v", a, b, i+1, err)
		return
	}
	guilty := map[uint16]bool{}
	var power uint64
	for _, e := range evidence {
		c.oracle.accused(a, e)
		if err := e.Verify(c.w.domain); err != nil {
			c.fail("the accusation of %s over height %d does not verify: %v", name(int(e.Signer())), i+1, err)
		}
		if !guilty[e.Signer()] {
			guilty[e.Signer()] = true
			power += c.w.power[e.Signer()]
		}
	}
	if 3*power < c.w.total {
		c.fail("the fork of %s and %s at height %d names power %d of %d", a, b, i+1, power, c.w.total)
	}
	c.report.Culprits += len(guilty)
}

// branch is the certified chain under the finalization of the block at place i of the ledger.
func (n *node) branch(i int) quorum.Branch {
	b := quorum.Branch{Final: n.ledger[i].Certificate.Certificate()}
	for h := b.Final.Block; ; {
		p, ok := n.blocks[h]
		if !ok || h == (crypto.Hash{}) {
			return b
		}
		proposal := p.Proposal()
		b.Links = append(b.Links, quorum.Link{Header: proposal.Header, Justification: proposal.Justification})
		h = proposal.Header.Parent
	}
}
