package quorum

import (
	"bytes"
	"slices"
)

// LimitChange moves from the current set towards the wanted one so far that at most a third of the current power
// changes: the sum of |power after - power before| over all validators is at most floor(W/3), W being the power of
// current. It returns wanted itself when that is within the limit. So any two sets that follow each other share two
// thirds of the older one's power, and a light client can step from one to the next.
//
// Half of the change is set aside for cuts and half for growth, each for both as far as the other leaves it unused:
// were all cuts made first, a set that is replaced as a whole would shrink to nothing before anybody joins. Among cuts,
// validators that leave come first; among growth, validators that stay come first; then by key. A step may be partial,
// and a validator joins only when there is room for it.
//
// The result is never empty, and a pure function of the two sets. Repeated with one wanted set it reaches that set, if
// both have power 3 or more: of less, a third is nothing.
func LimitChange(current, wanted *Set) *Set {
	m := newMove(current, wanted)
	if m.cuts+m.growth <= m.limit {
		return wanted
	}
	forCuts := min(m.cuts, max(m.limit/2, m.limit-min(m.limit, m.growth)))
	left := m.limit - m.cut(forCuts)
	left -= m.grow(left)
	m.cut(left)
	return m.result()
}

// step is one validator on the way: its power now and in the end.
type step struct {
	Validator
	wanted Power
}

// move is a change from one set to another under way.
type move struct {
	steps        []step // by key
	limit        Power
	cuts, growth Power // sums of what separates the two sets
}

func newMove(current, wanted *Set) *move {
	m := &move{limit: current.total / 3}
	for _, v := range current.validators {
		s := step{Validator: v}
		if i, stays := wanted.index[v.Key]; stays {
			s.wanted, s.Operator = wanted.validators[i].Power, wanted.validators[i].Operator
		}
		m.cuts += s.Power - min(s.Power, s.wanted)
		m.growth += s.wanted - min(s.Power, s.wanted)
		m.steps = append(m.steps, s)
	}
	for _, v := range wanted.validators {
		if _, known := current.index[v.Key]; !known {
			m.growth += v.Power
			m.steps = append(m.steps, step{Validator{v.Key, 0, v.Operator}, v.Power})
		}
	}
	slices.SortFunc(m.steps, func(a, b step) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return m
}

// cut takes up to budget off validators with too much power, and returns how much it took.
func (m *move) cut(budget Power) (spent Power) {
	for _, leaving := range []bool{true, false} {
		for i := range m.steps {
			s := &m.steps[i]
			if s.Power <= s.wanted || (s.wanted == 0) != leaving {
				continue
			}
			d := min(s.Power-s.wanted, budget-spent)
			s.Power -= d
			spent += d
		}
	}
	return spent
}

// grow gives up to budget to validators with too little power, and returns how much it gave.
func (m *move) grow(budget Power) (spent Power) {
	total, members := m.sums()
	budget = min(budget, MaxTotalPower-total)
	for _, joining := range []bool{false, true} {
		for i := range m.steps {
			s := &m.steps[i]
			if s.Power >= s.wanted || (s.Power == 0) != joining || spent == budget {
				continue
			}
			if joining {
				if members == MaxValidators {
					break
				}
				members++
			}
			d := min(s.wanted-s.Power, budget-spent)
			s.Power += d
			spent += d
		}
	}
	return spent
}

// sums returns the power and number of validators at present.
func (m *move) sums() (total Power, members int) {
	for i := range m.steps {
		if p := m.steps[i].Power; p > 0 {
			total += p
			members++
		}
	}
	return total, members
}

func (m *move) result() *Set {
	var validators []Validator
	for i := range m.steps {
		if m.steps[i].Power > 0 {
			validators = append(validators, m.steps[i].Validator)
		}
	}
	s, err := NewSet(validators)
	if err != nil {
		// Keys come from two valid sets, each once; power and number were kept within bounds.
		panic("quorum: " + err.Error())
	}
	return s
}
