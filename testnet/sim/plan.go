package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Plan is everything that happens to a network, all of it derived from Seed.
type Plan struct {
	Seed  uint64
	Theme string // what it is mostly about, for people

	Stakes []uint64 // of each node at the start; 0: it follows without voting, and may join later
	Faulty [][]Kind // of each node, how it misbehaves; nil: honest
	Clocks []Clock  // of each node
	Sides  []Side   // for twins: who talks to which copy, from when

	EpochLength uint64   // blocks of an epoch; 0: the first epoch does not end
	EpochMs     int64    // after which an epoch ends if a change is pending; 0: never
	Changes     []Change // of the validators

	Escapes []Escape // with the real ledger

	Loss    int      // of a hundred messages, lost
	Twice   int      // of a hundred messages, delivered twice
	DelayMs [2]int64 // least and most
	ExecMs  [2]int64 // executing a block takes, least and most

	Splits  []Split
	Crashes []Crash
	Submits []Submit
	FaultMs int64 // when everything heals
	LimitMs int64 // after that, how long progress may take

	MaxMs    int64 // consensus.Timing.Max
	Reforms  bool  // every epoch has other parameters
	Slashing bool  // the ledger is the real one: evidence is punished, stake is money
	Behind   bool  // node 0 is to catch up after everything healed
	Fork     bool  // a third or more is faulty: forks are allowed and must be attributable; nothing heals
}

// Clock is how a node's clock differs from the true one.
type Clock struct {
	OffsetMs int64
	DriftPpm int64 // parts of a million it runs fast; negative: slow
	JumpAtMs int64 // when it jumps, once; 0: never
	JumpMs   int64 // by how much
	Astray   bool  // outside of what the network must live with: liveness does not count on the node
}

// Change sets a node's wanted stake from a height on. Zero leaves.
type Change struct {
	Height uint64
	Node   int
	Stake  uint64
}

// Escape is a try of one who misbehaves to get its stake away: it unbonds all of it, or changes its key.
type Escape struct {
	AtMs   int64
	Node   int
	Rotate bool
}

// Side assigns nodes to the copies of twins from a time on: bit i says that node i talks to the second one.
type Side struct {
	AtMs int64
	Mask uint64
}

// Shape is how a partition parts nodes.
type Shape uint8

// The shapes.
const (
	SplitGroups Shape = iota // two groups: bit i of Side says that node i is on the far side
	SplitRing                // everybody hears its two neighbours in the ring only
)

// Split cuts links for a time.
type Split struct {
	FromMs, UntilMs int64
	Shape           Shape
	Side            uint64
	OneWay          bool  // the far side still hears the near one
	PeriodMs        int64 // 0: all the time; else it comes and goes, a period each
}

// Fault is what happens to a node's disk when it stops.
type Fault uint8

// The faults.
const (
	FaultCrash      Fault = iota // the power goes
	FaultWrite                   // a write fails, and the node stops
	FaultSync                    // a sync fails, and the node stops
	FaultFull                    // the disk is full for ForMs
	FaultWipe                    // the data folder is lost: the node must not sign
	FaultNoSigner                // the signer's file is lost: the node must not sign
	FaultOldSigner               // the signer's file comes back as it was earlier: the node must not sign in the past
	FaultOldJournal              // everything but the signer's file comes back as it was earlier: likewise
)

// Crash stops a node and starts it again with what its disk kept.
type Crash struct {
	AtMs, ForMs int64
	Node        int
	Keep        int // of a hundred unsynced writes, kept
	Fault       Fault
}

// Submit gives a transaction to a node.
type Submit struct {
	AtMs int64
	Node int
}

// NewPlan makes the plan of a seed. A few seeds in a row cover calm and rough networks, honest and lying ones alike.
func NewPlan(seed uint64) Plan {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	p := newNetwork(seed, rng)
	switch k := rng.IntN(20); {
	case k < 11:
		p.Theme = "adversaries"
		p.corrupt(rng)
	case k < 13:
		p.Theme = "clocks"
		p.skewClocks(rng)
	case k < 15:
		p.Theme = "disks"
		p.breakDisks(rng)
	default:
		p.Theme = "crashes"
	}
	if rng.IntN(3) == 0 || p.has(Leaver) || p.has(Reconfigurer) {
		p.reconfigure(rng)
	}
	if rng.IntN(20) == 0 {
		p.blackout(rng)
	}
	if rng.IntN(400) == 0 {
		p.absence(rng)
	}
	return p
}

// newNetwork draws the size, the network's faults, crashes and transactions.
func newNetwork(seed uint64, rng *rand.Rand) Plan {
	n := []int{4, 4, 4, 4, 4, 4, 5, 7}[rng.IntN(8)]
	p := Plan{
		Seed: seed, MaxMs: 1_000,
		Loss:    []int{0, 0, 2, 10, 30}[rng.IntN(5)],
		Twice:   []int{0, 0, 5, 30}[rng.IntN(4)],
		DelayMs: [][2]int64{{1, 3}, {1, 20}, {5, 60}, {1, 200}}[rng.IntN(4)],
		ExecMs:  [][2]int64{{0, 3}, {0, 3}, {0, 3}, {0, 40}, {60, 120}}[rng.IntN(5)],
		FaultMs: 800 + rng.Int64N(1_200),
		LimitMs: 60_000,
		Faulty:  make([][]Kind, n),
	}
	for range n {
		p.Stakes = append(p.Stakes, []uint64{10, 10, 10, 7, 13, 20}[rng.IntN(6)])
		p.Clocks = append(p.Clocks, Clock{OffsetMs: rng.Int64N(200) - 100})
	}
	for range rng.IntN(3) {
		p.split(rng)
	}
	for range rng.IntN(4) {
		p.Crashes = append(p.Crashes, Crash{
			AtMs: rng.Int64N(p.FaultMs), ForMs: 1 + rng.Int64N(400), Node: rng.IntN(n), Keep: []int{0, 50, 100}[rng.IntN(3)],
		})
	}
	for range 1 + rng.IntN(5) {
		p.Submits = append(p.Submits, Submit{AtMs: rng.Int64N(p.FaultMs * 3 / 4), Node: rng.IntN(n)})
	}
	return p
}

// split adds a partition of any shape.
func (p *Plan) split(rng *rand.Rand) {
	from := rng.Int64N(p.FaultMs)
	s := Split{FromMs: from, UntilMs: from + 1 + rng.Int64N(p.FaultMs-from), OneWay: rng.IntN(4) == 0}
	switch rng.IntN(5) {
	case 0:
		s.Shape, s.OneWay = SplitRing, false
	case 1:
		s.Side = 1 << rng.IntN(len(p.Stakes))
	default:
		s.Side = rng.Uint64N(1 << len(p.Stakes))
	}
	if rng.IntN(4) == 0 {
		s.PeriodMs = 20 + rng.Int64N(200)
	}
	p.Splits = append(p.Splits, s)
}

// corrupt makes validators misbehave that have less than a third of the stake; now and then the most that leaves a
// quorum among the others to the unit.
func (p *Plan) corrupt(rng *rand.Rand) {
	if rng.IntN(4) == 0 { // W = 3f+1
		p.Stakes[0] = 10
		rest := len(p.Stakes) - 1
		for i := range rest {
			p.Stakes[i+1] = uint64(21 / rest)
		}
		p.Stakes[1] += uint64(21 % rest)
		p.Faulty[0] = pickKinds(rng)
		p.Stakes[0], p.Faulty[0] = 10, pickKinds(rng)
	} else {
		for range 1 + rng.IntN(2) {
			i := rng.IntN(len(p.Stakes))
			if p.Faulty[i] == nil && p.bearable(p.Stakes[i]+p.weak()) {
				p.Faulty[i] = pickKinds(rng)
			}
		}
	}
	p.twinSides(rng)
}

// pickKinds draws one or two ways to misbehave.
func pickKinds(rng *rand.Rand) []Kind {
	list := []Kind{Kind(rng.IntN(int(kinds)))}
	if second := Kind(rng.IntN(int(kinds))); rng.IntN(3) == 0 && second != list[0] && list[0] != Silent && second != Silent {
		list = append(list, second)
	}
	return list
}

func (p *Plan) twinSides(rng *rand.Rand) {
	for at := int64(0); at < p.FaultMs+p.LimitMs && len(p.Sides) < 64; at += 100 + rng.Int64N(800) {
		p.Sides = append(p.Sides, Side{AtMs: at, Mask: rng.Uint64()})
	}
}

// total is the stake of the first epoch.
func (p *Plan) total() (sum uint64) {
	for _, s := range p.Stakes {
		sum += s
	}
	return sum
}

// weak is the stake of those on whom nothing may depend: who misbehave, whose clock is astray, or who lost what they
// signed.
func (p *Plan) weak() (sum uint64) {
	for i, s := range p.Stakes {
		if p.unreliable(i) {
			sum += s
		}
	}
	return sum
}

func (p *Plan) unreliable(i int) bool {
	if len(p.Faulty[i]) > 0 || p.Clocks[i].Astray {
		return true
	}
	return slices.ContainsFunc(p.Crashes, func(c Crash) bool { return c.Node == i && c.Fault >= FaultWipe })
}

// bearable reports whether the others are a quorum without this stake: f <= W - (floor(2W/3)+1).
func (p *Plan) bearable(stake uint64) bool { return 3*stake < p.total() }

// skewClocks sets clocks wrong, makes them jump and drift. Those of less than a third of the stake go far astray.
func (p *Plan) skewClocks(rng *rand.Rand) {
	for i := range p.Clocks {
		c := &p.Clocks[i]
		if rng.IntN(2) == 0 {
			c.DriftPpm = rng.Int64N(4_000) - 2_000
		}
		if rng.IntN(3) == 0 {
			c.JumpAtMs, c.JumpMs = 1+rng.Int64N(p.FaultMs), rng.Int64N(200)-100
		}
	}
	weak := p.weakest()
	if !p.bearable(p.Stakes[weak] + p.weak()) {
		return
	}
	c := &p.Clocks[weak]
	c.Astray = true
	far := []int64{-3_600_000, -5_000, -900, 900, 5_000, 3_600_000}[rng.IntN(6)]
	if rng.IntN(2) == 0 {
		c.OffsetMs += far
	} else {
		c.JumpAtMs, c.JumpMs = 1+rng.Int64N(p.FaultMs), far
	}
}

// breakDisks makes disks fail. Of less than a third of the stake, what was signed is lost as well.
func (p *Plan) breakDisks(rng *rand.Rand) {
	for range 1 + rng.IntN(3) {
		p.Crashes = append(p.Crashes, Crash{
			AtMs: rng.Int64N(p.FaultMs), ForMs: 1 + rng.Int64N(600), Node: rng.IntN(len(p.Stakes)),
			Keep: []int{0, 50, 100}[rng.IntN(3)], Fault: FaultWrite + Fault(rng.IntN(3)),
		})
	}
	if weak := p.weakest(); rng.IntN(2) == 0 && p.bearable(p.Stakes[weak]+p.weak()) {
		p.Crashes = append(p.Crashes, Crash{
			AtMs: p.FaultMs/4 + rng.Int64N(p.FaultMs*3/4), ForMs: 1 + rng.Int64N(400), Node: weak,
			Keep: []int{0, 50, 100}[rng.IntN(3)], Fault: FaultWipe + Fault(rng.IntN(4)),
		})
	}
}

// reconfigure ends epochs after few blocks and changes the validators: stakes move, a node joins, one leaves. Those who
// may fail keep less than a third at any time, whichever of the changes have been made.
func (p *Plan) reconfigure(rng *rand.Rand) {
	p.EpochLength = uint64(3 + rng.IntN(6))
	if rng.IntN(3) == 0 {
		p.EpochLength, p.EpochMs = 1_000, 200+rng.Int64N(600)
	}
	for range rng.IntN(3) { // who joins
		p.Stakes = append(p.Stakes, 0)
		p.Faulty = append(p.Faulty, nil)
		p.Clocks = append(p.Clocks, Clock{OffsetMs: rng.Int64N(200) - 100})
	}
	least := slices.Clone(p.Stakes)
	for range rng.IntN(5) {
		c := Change{Height: rng.Uint64N(30), Node: rng.IntN(len(p.Stakes)), Stake: []uint64{0, 0, 5, 10, 12, 15, 25}[rng.IntN(7)]}
		was := least[c.Node]
		least[c.Node] = min(was, c.Stake)
		if p.unreliable(c.Node) {
			least[c.Node] = was
			c.Stake = min(c.Stake, p.Stakes[c.Node])
		}
		if !p.safe(least) {
			least[c.Node] = was
			continue
		}
		p.Changes = append(p.Changes, c)
	}
	for i := range p.Faulty {
		if slices.Contains(p.Faulty[i], Leaver) {
			p.EpochLength = uint64(3 + rng.IntN(2))
			p.Changes = append(p.Changes, Change{Height: 1, Node: i})
		}
	}
	p.Reforms = p.Seed%2 == 0
}

// has reports whether anybody misbehaves so.
func (p *Plan) has(k Kind) bool {
	return slices.ContainsFunc(p.Faulty, func(list []Kind) bool { return slices.Contains(list, k) })
}

// safe reports whether the least stake that the reliable ever have leaves the others below a third.
func (p *Plan) safe(least []uint64) bool {
	var reliable uint64
	members := 0
	for i, s := range least {
		if !p.unreliable(i) {
			reliable += s
			if s > 0 {
				members++
			}
		}
	}
	return 2*p.weak() < reliable && members >= 3
}

// weakest is the validator of the least stake, without whom the others are always a quorum.
func (p *Plan) weakest() int {
	weakest := 0
	for i, s := range p.Stakes {
		if s < p.Stakes[weakest] {
			weakest = i
		}
	}
	return weakest
}

// blackout stops everybody at once, and takes from every disk what was not synced: what is final must then be in
// the journals of those who voted for it.
func (p *Plan) blackout(rng *rand.Rand) {
	at := rng.Int64N(p.FaultMs)
	for i := range p.Stakes {
		p.Crashes = append(p.Crashes, Crash{AtMs: at, ForMs: 1 + rng.Int64N(300), Node: i})
	}
}

// absence turns the plan into one where a validator is away while the others go on, for longer than one answer
// of block sync covers. It comes back before the network heals, so that it also has to catch up under loss.
func (p *Plan) absence(rng *rand.Rand) {
	p.Theme = "absence"
	p.Splits, p.Crashes, p.Submits = nil, nil, nil
	for i := range p.Faulty {
		p.Faulty[i], p.Clocks[i].Astray, p.Clocks[i].JumpMs, p.Clocks[i].OffsetMs = nil, false, 0, min(max(p.Clocks[i].OffsetMs, -100), 100)
	}
	p.DelayMs = [][2]int64{{1, 3}, {1, 20}}[rng.IntN(2)]
	p.Loss, p.ExecMs[0], p.ExecMs[1] = min(p.Loss, 2), 0, min(p.ExecMs[1], 40)
	p.FaultMs = 9_000
	away := p.weakest()
	const backMs = 8_000
	p.Crashes = []Crash{{AtMs: 200, ForMs: backMs - 200, Node: away, Keep: []int{0, 50, 100}[rng.IntN(3)]}}
	for at := int64(0); at < backMs; at += 40 {
		p.Submits = append(p.Submits, Submit{AtMs: at, Node: (away + 1 + rng.IntN(len(p.Stakes)-1)) % len(p.Stakes)})
	}
	if rng.IntN(2) == 0 { // and again, while it catches up
		p.Crashes = append(p.Crashes, Crash{AtMs: backMs + rng.Int64N(200), ForMs: 1 + rng.Int64N(300), Node: away, Keep: 0})
	}
}

// String describes the plan in a line.
func (p Plan) String() string {
	faulty := ""
	for i, list := range p.Faulty {
		for _, k := range list {
			faulty += fmt.Sprintf(", node %d: %s", i, k)
		}
	}
	if p.Reforms {
		faulty += ", other parameters in each epoch"
	}
	return fmt.Sprintf("seed %d (%s): stakes %v, loss %d%%, repeated %d%%, delay %d-%d ms, %d splits, %d crashes, "+
		"%d transactions, epochs of %d blocks, %d changes%s",
		p.Seed, p.Theme, p.Stakes, p.Loss, p.Twice, p.DelayMs[0], p.DelayMs[1], len(p.Splits), len(p.Crashes),
		len(p.Submits), p.EpochLength, len(p.Changes), faulty)
}
