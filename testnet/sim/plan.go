package sim

import (
	"fmt"
	"math/rand/v2"
)

// Plan is everything that happens to a network, all of it derived from Seed.
type Plan struct {
	Seed    uint64
	Stakes  []uint64 // one validator each
	SkewMs  []int64  // clock offset of each
	Loss    int      // of a hundred messages, lost
	Twice   int      // of a hundred messages, delivered twice
	DelayMs [2]int64 // least and most
	ExecMs  [2]int64 // executing a block takes, least and most
	Splits  []Split
	Crashes []Crash
	Submits []Submit
	FaultMs int64 // when everything heals
	LimitMs int64 // after that, how long progress may take
}

// Split cuts the links between two groups for a time.
type Split struct {
	FromMs, UntilMs int64
	Side            uint64 // bit i: validator i is on the far side
	OneWay          bool   // the far side still hears the near one
}

// Crash stops a validator and starts it again with what its disk kept.
type Crash struct {
	AtMs, ForMs int64
	Node        int
	Keep        int // of a hundred unsynced writes, kept
}

// Submit gives a transaction to a node.
type Submit struct {
	AtMs int64
	Node int
}

// NewPlan makes the plan of a seed. A few seeds in a row cover calm and rough networks alike.
func NewPlan(seed uint64) Plan {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	n := []int{4, 4, 4, 5, 7}[rng.IntN(5)]
	p := Plan{
		Seed:    seed,
		Loss:    []int{0, 0, 2, 10, 30}[rng.IntN(5)],
		Twice:   []int{0, 0, 5, 30}[rng.IntN(4)],
		DelayMs: [][2]int64{{1, 3}, {1, 20}, {5, 60}, {1, 200}}[rng.IntN(4)],
		FaultMs: 1_500 + rng.Int64N(2_500),
		LimitMs: 30_000,
	}
	for range n {
		p.Stakes = append(p.Stakes, []uint64{10, 10, 10, 7, 13, 20}[rng.IntN(6)])
		p.SkewMs = append(p.SkewMs, rng.Int64N(200)-100)
	}
	for range rng.IntN(4) {
		from := rng.Int64N(p.FaultMs)
		p.Splits = append(p.Splits, Split{
			FromMs: from, UntilMs: from + 1 + rng.Int64N(p.FaultMs-from), Side: rng.Uint64N(1 << n), OneWay: rng.IntN(4) == 0,
		})
	}
	for range rng.IntN(5) {
		p.Crashes = append(p.Crashes, Crash{
			AtMs: rng.Int64N(p.FaultMs), ForMs: 1 + rng.Int64N(800), Node: rng.IntN(n), Keep: []int{0, 50, 100}[rng.IntN(3)],
		})
	}
	for range 1 + rng.IntN(8) {
		p.Submits = append(p.Submits, Submit{AtMs: rng.Int64N(p.FaultMs), Node: rng.IntN(n)})
	}
	p.ExecMs = [][2]int64{{0, 3}, {0, 3}, {0, 3}, {0, 40}, {60, 120}}[rng.IntN(5)]
	if rng.IntN(20) == 0 {
		p.blackout(rng)
	}
	if rng.IntN(10) == 0 {
		p.SkewMs[p.weakest()] += []int64{-900, -500, 500, 900}[rng.IntN(4)]
	}
	if rng.IntN(80) == 0 {
		p.absence(rng)
	}
	return p
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
	p.Splits, p.Crashes, p.Submits = nil, nil, nil
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

// String is the line that reproduces the plan.
func (p Plan) String() string {
	return fmt.Sprintf("seed %d: %d validators, stakes %v, loss %d%%, repeated %d%%, delay %d-%d ms, %d splits, %d crashes, %d transactions",
		p.Seed, len(p.Stakes), p.Stakes, p.Loss, p.Twice, p.DelayMs[0], p.DelayMs[1], len(p.Splits), len(p.Crashes), len(p.Submits))
}
