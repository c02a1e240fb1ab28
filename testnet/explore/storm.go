package explore

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"waybill/consensus"
	"waybill/consensus/quorum"
)

// StormPlan is everything that happens to a network in virtual time, all of it drawn from Seed.
type StormPlan struct {
	Seed    uint64
	Stakes  []quorum.Power // by index in the set
	Faulty  map[int]string // conduct by index
	Slate   uint64
	Loss    int // of a hundred messages, lost
	Twice   int // of a hundred messages, delivered twice
	DelayMs int // most on the way, until the heal
	SkewMs  []int
	Splits  []Split
	Crashes []Crash
	Closes  quorum.Height // of the block that ends the epoch; 0 is none
	FaultMs int           // when all of that ends
}

// Split cuts validators apart for a time: who is on different sides does not hear each other.
type Split struct {
	FromMs, UntilMs int
	Side            uint32 // bit i: validator i is on the far side
	OneWay          bool   // the far side still hears the near one
}

// Crash stops a validator for a time.
type Crash struct{ AtMs, ForMs, Validator int }

const (
	progressMs = 10_000 // within which a healed network has to make progress
	healedMs   = 4      // most on the way after the heal
	stormMax   = 400_000
)

// NewStormPlan draws the plan of a seed.
func NewStormPlan(seed uint64) StormPlan {
	rng := rand.New(rand.NewPCG(seed, 0x5708))
	n := []int{4, 4, 4, 5, 7}[rng.IntN(5)]
	p := StormPlan{
		Seed: seed, Faulty: map[int]string{}, Slate: rng.Uint64N(1 << 20),
		Loss: []int{0, 2, 10, 30}[rng.IntN(4)], Twice: []int{0, 0, 10, 50}[rng.IntN(4)],
		DelayMs: []int{2, 8, 20, 60}[rng.IntN(4)], FaultMs: 300 + rng.IntN(700),
	}
	powers := make([]quorum.Power, n)
	skewed := rng.IntN(2) == 0
	for i := range powers {
		powers[i] = 10
		if skewed {
			powers[i] = []quorum.Power{1, 2, 3, 5, 8, 10, 13, 20}[rng.IntN(8)]
		}
	}
	set := newSet(powers)
	for i := range n {
		p.Stakes = append(p.Stakes, set.At(i).Power)
		p.SkewMs = append(p.SkewMs, 0)
	}
	if rng.IntN(3) == 0 {
		for i := range n {
			p.SkewMs[i] = rng.IntN(200) - 100
		}
	}
	p.corrupt(rng, uint64(set.Total()))
	for range rng.IntN(3) {
		from := rng.IntN(p.FaultMs)
		p.Splits = append(p.Splits, Split{from, from + 1 + rng.IntN(p.FaultMs-from), uint32(rng.IntN(1 << n)), rng.IntN(4) == 0})
	}
	for range rng.IntN(4) {
		p.Crashes = append(p.Crashes, Crash{rng.IntN(p.FaultMs), 1 + rng.IntN(300), rng.IntN(n)})
	}
	if rng.IntN(12) == 0 { // everybody at once
		at := rng.IntN(p.FaultMs)
		for i := range n {
			p.Crashes = append(p.Crashes, Crash{at, 1 + rng.IntN(100), i})
		}
	}
	if rng.IntN(3) == 0 {
		p.Closes = quorum.Height(1 + rng.IntN(8))
	}
	return p
}

// corrupt draws who is faulty, of less than a third of the stake, and how.
func (p *StormPlan) corrupt(rng *rand.Rand, total uint64) {
	var power uint64
	for _, i := range rng.Perm(len(p.Stakes)) {
		if s := uint64(p.Stakes[i]); 3*(power+s) < total && rng.IntN(8) > 0 {
			power += s
			p.Faulty[i] = conducts[rng.IntN(len(conducts))].name
		}
	}
}

// String is the plan in words.
func (p StormPlan) String() string {
	var faulty []string
	for i := range p.Stakes {
		if c, ok := p.Faulty[i]; ok {
			faulty = append(faulty, name(i)+" "+c)
		}
	}
	return fmt.Sprintf("stakes %v, faulty: %s; loss %d%%, twice %d%%, delay %d ms, skew %v, splits %v, crashes %v, "+
		"closes at %d, heals at %d ms",
		p.Stakes, strings.Join(faulty, ", "), p.Loss, p.Twice, p.DelayMs, p.SkewMs, p.Splits, p.Crashes, p.Closes, p.FaultMs)
}

// storm is the medium of a plan: a queue of events in virtual time.
type storm struct {
	c      *cluster
	plan   *StormPlan
	queue  queue
	healed bool
}

// Storm plays the plan of a seed. The error is a [*Failure].
func Storm(seed uint64) (Report, error) { return stormOf(seed, nil) }

func stormOf(seed uint64, watch io.Writer) (Report, error) {
	p := NewStormPlan(seed)
	report, err := p.run(watch)
	if err != nil {
		err = &Failure{What: "storm", Seed: seed, Detail: err.Error(), Story: p.String()}
	}
	return report, err
}

func (p *StormPlan) run(watch io.Writer) (Report, error) {
	set := newSet(p.Stakes)
	faulty := make([]bool, len(p.Stakes))
	for i := range p.Faulty {
		faulty[i] = true
	}
	w := newWorld(set, slateOf(set, p.Slate), faulty)
	c := &cluster{
		w: w, rng: rand.New(rand.NewPCG(p.Seed, 3)), oracle: newOracle(w, false),
		gentle: true, closes: p.Closes, now: startMs, watch: watch,
	}
	c.timing = consensus.Timing{Base: 20, Min: 10, Max: 800, MinBlockInterval: 10, Precision: 500, StatusEvery: 300}
	s := &storm{c: c, plan: p}
	c.medium = s
	for i := range p.Stakes {
		n := newNode(c, i)
		n.skew = consensus.Duration(p.SkewMs[i])
		for _, x := range conducts {
			if x.name == p.Faulty[i] {
				n.evil = x.make()
			}
		}
		s.at(c.rng.IntN(20), n.boot)
	}
	for _, x := range p.Crashes {
		n := c.nodes[x.Validator]
		s.at(x.AtMs, n.crash)
		s.at(x.AtMs+x.ForMs, n.boot)
	}
	s.until(startMs + consensus.Time(p.FaultMs))
	s.heal()
	c.report.SimMs = int(c.now - startMs)
	return c.sum(), c.oracle.fault
}

// heal ends all faults of the network, and demands progress within progressMs: one block more than anybody has, or, if
// the epoch is to end, its end.
func (s *storm) heal() {
	c := s.c
	s.healed = true
	for _, n := range c.nodes {
		n.boot()
	}
	goal, from := c.highest()+1, c.now
	for c.oracle.fault == nil && !s.done(goal) {
		if c.now > from+progressMs {
			c.fail("no progress in %d ms after the heal%s", progressMs, c.describe())
			return
		}
		s.until(c.now + 20)
	}
	c.report.SlowestMs = int(c.now - from)
	if c.closes > 0 && c.oracle.fault == nil {
		s.ended()
	}
}

func (s *storm) done(goal int) bool {
	if s.c.closes == 0 {
		return s.c.lowest() >= goal
	}
	over := true
	s.c.honest(func(n *node) { over = over && n.over() })
	return over
}

// ended looks at an epoch that is over on every honest node, and lets some more time pass: nobody may do anything any
// more.
func (s *storm) ended() {
	s.c.report.Closed++
	tail := 0
	s.c.honest(func(n *node) {
		if !n.machine.Snapshot().Over {
			s.c.fail("%s has made the closing block final and goes on", n)
		}
		if n.ledger[len(n.ledger)-1].Certificate.Certificate().Tail != nil {
			tail = 1
		}
	})
	s.c.report.Tails += tail
	s.until(s.c.now + 100)
}

// at makes something happen at a time after the start.
func (s *storm) at(ms int, do func()) { s.queue.push(event{at: startMs + consensus.Time(ms), do: do}) }

// until lets time pass.
func (s *storm) until(end consensus.Time) {
	for s.c.oracle.fault == nil && len(s.queue.events) > 0 && s.queue.events[0].at <= end {
		e := s.queue.pop()
		s.c.now = e.at
		switch {
		case e.do != nil:
			e.do()
		case e.m != nil:
			e.to.receive(e.m)
		case e.to.up && e.to.life == e.life && e.to.deadlines[e.timer] == e.due:
			e.to.step(consensus.TimerFired{ID: e.timer})
		}
		if s.queue.seq > stormMax {
			s.c.fail("%d events: the machines do not come to rest", s.queue.seq)
		}
	}
	s.c.now = max(s.c.now, end)
}

func (s *storm) carry(from *node, to int, m *message) {
	for _, o := range s.c.nodes {
		if o == from || to != consensus.Everyone && o.self != to {
			continue
		}
		if !s.reaches(from, o) {
			continue
		}
		copies := 1
		if s.plan.Twice > 0 && s.c.rng.IntN(100) < s.plan.Twice {
			copies = 2
		}
		for range copies {
			if !s.healed && s.plan.Loss > 0 && s.c.rng.IntN(100) < s.plan.Loss {
				s.c.report.Lost++
				continue
			}
			s.queue.push(event{at: s.c.now.Add(consensus.Duration(s.hop())), to: o, m: m})
		}
	}
}

func (s *storm) hop() int {
	if s.healed {
		return 1 + s.c.rng.IntN(healedMs)
	}
	return 1 + s.c.rng.IntN(s.plan.DelayMs)
}

func (s *storm) build(n *node, b *consensus.BuildRequest) {
	wait := max(0, int(b.NotBefore-s.c.now.Add(n.skew)))
	s.later(n, wait+s.c.rng.IntN(2), func() { n.build(b) })
}

// workCrash is the end of a node by its own doing.
const workCrash workKind = 100

func (s *storm) work(n *node, what workKind, do func()) {
	ms := 0
	switch what {
	case workSign:
		ms = s.c.rng.IntN(4)
		// One journal: votes become durable in the order in which they were asked for.
		n.busyUntil = max(n.busyUntil, s.c.now.Add(consensus.Duration(ms)))
		ms = int(n.busyUntil - s.c.now)
	case workValidate:
		ms = s.c.rng.IntN(4)
		if !s.healed && s.c.rng.IntN(30) == 0 {
			ms += s.c.rng.IntN(200)
		}
	case workFetch:
		if !s.healed && s.plan.Loss > 0 && s.c.rng.IntN(100) < s.plan.Loss {
			return
		}
		ms = 2 * s.hop()
	case workSync:
		ms = 2*s.hop() + 10
	}
	s.later(n, ms, do)
}

// later does something unless the node has crashed by then.
func (s *storm) later(n *node, ms int, do func()) {
	life := n.life
	s.queue.push(event{at: s.c.now.Add(consensus.Duration(ms)), do: func() {
		if n.up && n.life == life {
			do()
		}
	}})
}

func (s *storm) arm(n *node, t consensus.TimerRequest) {
	at := max(s.c.now, t.At.Add(-n.skew))
	s.queue.push(event{at: at, to: n, life: n.life, timer: t.ID, due: t.At})
}

func (s *storm) reaches(from, to *node) bool {
	if s.healed {
		return true
	}
	at := int(s.c.now - startMs)
	for _, x := range s.plan.Splits {
		a, b := x.Side>>from.self&1, x.Side>>to.self&1
		if at >= x.FromMs && at < x.UntilMs && a != b && !(x.OneWay && a == 0) {
			return false
		}
	}
	return true
}
