package explore

import (
	"slices"
	"sync"

	"waybill/consensus/quorum"
)

// Shape is a finite family of twins scenarios: four validators of equal stake, A running as two copies, some rounds, and
// in each a partition of the five copies into at most two blocks. Scenarios have an index below Size; of those that
// differ only in the names of B, C and D, and in which copy of A is the second, one is canonical, the others are not
// played.
type Shape struct {
	Rounds int
	// Separated leaves only the partitions that keep the copies of A apart, and A leads every round. Otherwise all
	// sixteen partitions, and every validator as leader.
	Separated bool
	// Halting lets copies of A stop when they see each other's votes.
	Halting bool
}

const (
	shapeValidators = 4
	shapeCopies     = shapeValidators + 1 // the last one is the second copy of validator 0
	secondCopy      = shapeCopies - 1
)

// choices is the number of leaders and partitions of one round.
func (s Shape) choices() uint64 {
	if s.Separated {
		return 1 << (shapeValidators - 1)
	}
	return shapeValidators << (shapeCopies - 1)
}

// Size is the number of scenarios, canonical or not.
func (s Shape) Size() uint64 {
	size := uint64(1)
	for range s.Rounds {
		size *= s.choices()
	}
	return size
}

// turn is a leader and the copies that are not in the block of copy 0, as bits.
type turn struct {
	leader int
	far    uint8
}

// turns takes an index apart, the first round being its highest digit.
func (s Shape) turns(index uint64) []turn {
	out := make([]turn, s.Rounds)
	for r := s.Rounds - 1; r >= 0; r-- {
		digit := index % s.choices()
		index /= s.choices()
		if s.Separated {
			out[r] = turn{far: uint8(digit)<<1 | 1<<secondCopy}
		} else {
			out[r] = turn{leader: int(digit % shapeValidators), far: uint8(digit/shapeValidators) << 1}
		}
	}
	return out
}

// renamings are the ways to rename copies: B, C and D among themselves, and the copies of A.
var renamings = sync.OnceValue(func() [][shapeCopies]int {
	var out [][shapeCopies]int
	for _, p := range [][3]int{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}} {
		out = append(out, [shapeCopies]int{0, p[0], p[1], p[2], secondCopy}, [shapeCopies]int{secondCopy, p[0], p[1], p[2], 0})
	}
	return out
})

// renamed is the turn under other names of the copies.
func (t turn) renamed(names *[shapeCopies]int) turn {
	out := turn{leader: t.leader}
	if t.leader != 0 {
		out.leader = names[t.leader]
	}
	for i, to := range names {
		out.far |= t.far >> i & 1 << to
	}
	if out.far&1 == 1 { // copy 0 is in the near block by definition
		out.far ^= 1<<shapeCopies - 1
	}
	return out
}

func (t turn) less(o turn) int {
	if t.leader != o.leader {
		return t.leader - o.leader
	}
	return int(t.far) - int(o.far)
}

// canonical reports whether no renaming gives an earlier scenario.
func canonical(turns []turn) bool {
	for _, names := range renamings() {
		for _, t := range turns {
			if d := t.renamed(&names).less(t); d < 0 {
				return false
			} else if d > 0 {
				break
			}
		}
	}
	return true
}

// Enumeration plays the scenarios of a shape. It may be used by several goroutines at once.
type Enumeration struct {
	Shape
	slates sync.Map // by leaders as a string, *quorum.Slate
}

// Canonical is the number of scenarios that are played.
func (e *Enumeration) Canonical() uint64 {
	count := uint64(0)
	for i := range e.Size() {
		if canonical(e.turns(i)) {
			count++
		}
	}
	return count
}

// Scenario returns the scenario of an index; false if it is not canonical.
func (e *Enumeration) Scenario(index uint64) (Scenario, bool) {
	turns := e.turns(index)
	if !canonical(turns) {
		return Scenario{}, false
	}
	s := Scenario{Validators: shapeValidators, Twins: []int{0}, Halting: e.Halting}
	for _, t := range turns {
		s.Leaders = append(s.Leaders, t.leader)
		sides := make([]int, shapeCopies)
		for i := range sides {
			sides[i] = int(t.far >> i & 1)
		}
		s.Sides = append(s.Sides, sides)
	}
	return s, true
}

// Play plays the scenario of an index; false if it is not canonical, so that nothing was played. The error is a
// [*Failure].
func (e *Enumeration) Play(index uint64) (Report, bool, error) {
	s, ok := e.Scenario(index)
	if !ok {
		return Report{}, false, nil
	}
	set := equalSet(s.Validators)
	report, err := s.run(set, e.slate(set, s.Leaders))
	if err != nil {
		err = &Failure{What: "scenario", Seed: index, Detail: err.Error(), Story: s.String()}
	}
	return report, true, err
}

func (e *Enumeration) slate(set *quorum.Set, leaders []int) *quorum.Slate {
	key := names(leaders)
	if s, ok := e.slates.Load(key); ok {
		return s.(*quorum.Slate)
	}
	s := slateLed(set, leaders)
	if s == nil {
		panic("no slate begins with leaders " + key)
	}
	e.slates.Store(key, s)
	return s
}

// leads reports whether the slate has these leaders first.
func leads(s *quorum.Slate, leaders []int) bool {
	return slices.Equal(leadersOf(s, len(leaders)), leaders)
}
