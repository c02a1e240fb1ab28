package explore

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"waybill/consensus/quorum"
)

// Scenario is one history of twins: n validators of equal stake, of which those in Twins run as two copies, in rounds
// that each have a leader and a partition of the copies.
type Scenario struct {
	Validators int
	Twins      []int   // indices in the set; the second copies follow the validators in this order
	Leaders    []int   // of the rounds; nil leaves them to Slate
	Slate      uint64  // seed of the slate when Leaders is nil
	Sides      [][]int // by round and copy: the block of the partition it is in
	Halting    bool    // copies see each other's votes, and halt
	Hasty      []bool  // rounds that end before any timer runs out
	Loss       int     // messages lost in a thousand
	Shuffled   bool    // messages arrive in an order drawn from Seed
	Restarts   []Restart
	Seed       uint64

	watch io.Writer
}

// Restart is a crash and restart of a copy at the beginning of a round.
type Restart struct{ Round, Copy int }

// String tells the scenario in words: copies of each block of the partition by letter, twins' second copies with a dash.
func (s Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d validators, twins %s:", s.Validators, names(s.Twins))
	for r, sides := range s.Sides {
		leader := "?"
		if s.Leaders != nil {
			leader = name(s.Leaders[r])
		}
		fmt.Fprintf(&b, " %s:%s", leader, s.blocks(sides))
		if s.Hasty != nil && s.Hasty[r] {
			b.WriteByte('!')
		}
	}
	fmt.Fprintf(&b, "; loss %d/1000, shuffled %v, halting %v, restarts %v, seed %d", s.Loss, s.Shuffled, s.Halting, s.Restarts, s.Seed)
	return b.String()
}

func names(list []int) string {
	s := ""
	for _, i := range list {
		s += name(i)
	}
	return s
}

func (s Scenario) blocks(sides []int) string {
	var parts []string
	for block := range len(sides) {
		part := ""
		for i, side := range sides {
			switch {
			case side != block:
			case i < s.Validators:
				part += name(i)
			default:
				part += name(s.Twins[i-s.Validators]) + "'"
			}
		}
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "|")
}

// cluster makes the machines of the scenario.
func (s *Scenario) cluster(set *quorum.Set, slate *quorum.Slate, beyond bool) (*cluster, *lockstep) {
	faulty := make([]bool, s.Validators)
	for _, t := range s.Twins {
		faulty[t] = true
	}
	w := newWorld(set, slate, faulty)
	c := &cluster{w: w, rng: rand.New(rand.NewPCG(s.Seed, 2)), oracle: newOracle(w, beyond), gentle: !s.Halting, watch: s.watch}
	l := newLockstep(c)
	l.loss, l.shuffled = s.Loss, s.Shuffled
	for i := range s.Validators {
		newNode(c, i)
	}
	for _, t := range s.Twins {
		newNode(c, t)
	}
	for _, n := range c.nodes {
		n.boot()
	}
	return c, l
}

// rounds plays the rounds of the scenario.
func (s *Scenario) rounds(c *cluster, l *lockstep) {
	for r, sides := range s.Sides {
		for i, n := range c.nodes {
			n.side = uint8(sides[i])
		}
		for _, x := range s.Restarts {
			if x.Round == r {
				c.nodes[x.Copy].crash()
				c.nodes[x.Copy].boot()
			}
		}
		p := steady
		if s.Hasty != nil && s.Hasty[r] {
			p = hasty
		}
		l.play(p)
		if c.oracle.fault != nil {
			return
		}
	}
}

// run plays the scenario to its end: the rounds, the heal, and progress.
func (s *Scenario) run(set *quorum.Set, slate *quorum.Slate) (Report, error) {
	c, l := s.cluster(set, slate, false)
	if s.rounds(c, l); c.oracle.fault == nil {
		l.heal()
	}
	return c.sum(), c.oracle.fault
}

// twinRounds is the number of rounds before the heal.
const twinRounds = 7

// TwinsPlan draws the scenario of a seed: four validators and one twin, or seven and two.
func TwinsPlan(seed uint64) Scenario {
	rng := rand.New(rand.NewPCG(seed, 0x7715))
	s := Scenario{Validators: 4, Seed: seed, Slate: rng.Uint64N(1 << 20), Halting: rng.IntN(4) == 0, Shuffled: rng.IntN(2) == 0}
	twins := 1
	if rng.IntN(5) == 0 {
		s.Validators, twins = 7, 2
	}
	s.Twins = rng.Perm(s.Validators)[:twins]
	blocks := []int{2, 2, 2, 3, s.Validators + twins}[rng.IntN(5)]
	s.Sides = make([][]int, twinRounds)
	hasty := rng.IntN(3) == 0
	for r := range s.Sides {
		s.Sides[r] = make([]int, s.Validators+twins)
		for i := range s.Sides[r] {
			s.Sides[r][i] = rng.IntN(blocks)
		}
		if rng.IntN(6) == 0 {
			clear(s.Sides[r])
		}
		s.Hasty = append(s.Hasty, hasty && rng.IntN(3) == 0)
	}
	if rng.IntN(3) == 0 {
		s.Loss = []int{20, 100, 300}[rng.IntN(3)]
	}
	if rng.IntN(3) == 0 {
		for range 1 + rng.IntN(4) {
			s.Restarts = append(s.Restarts, Restart{Round: rng.IntN(twinRounds), Copy: rng.IntN(len(s.Sides[0]))})
		}
	}
	return s
}

// Twins plays the scenario of a seed. The error is a [*Failure].
func Twins(seed uint64) (Report, error) { return twins(seed, nil) }

func twins(seed uint64, watch io.Writer) (Report, error) {
	s := TwinsPlan(seed)
	s.watch = watch
	set := equalSet(s.Validators)
	report, err := s.run(set, slateOf(set, s.Slate))
	if err != nil {
		return report, &Failure{What: "twins", Seed: seed, Detail: err.Error(), Story: s.String()}
	}
	return report, nil
}
