package sim

import "math/rand/v2"

// NewForkPlan makes the plan of a seed for a network in which validators of 34 to 66 % of the stake collude: each runs a
// copy for either half of the honest, who do not hear of each other. Forks are to be expected; each must name a third of
// the stake at least, and nobody honest.
func NewForkPlan(seed uint64) Plan {
	rng := rand.New(rand.NewPCG(seed, 0xf04c))
	honest, liars := 2+rng.IntN(4), 1+rng.IntN(3)
	p := Plan{
		Seed: seed, Theme: "beyond a third", Fork: true, MaxMs: 1_000, LimitMs: 60_000,
		Loss: []int{0, 0, 2, 10}[rng.IntN(4)], Twice: []int{0, 0, 5}[rng.IntN(3)],
		DelayMs: [][2]int64{{1, 3}, {1, 20}}[rng.IntN(2)], ExecMs: [2]int64{0, 3}, FaultMs: 700 + rng.Int64N(600),
	}
	bad := 34 + rng.IntN(33) // of a hundred
	p.share(100-bad, honest, nil)
	first := rng.IntN(2)
	for i := range liars {
		kinds := []Kind{Twins}
		if rng.IntN(3) == 0 {
			kinds = append(kinds, []Kind{Double, Equivocator, Replayer, Framer}[rng.IntN(4)])
		}
		p.share(bad*(i+1)/liars-bad*i/liars, 1, kinds)
	}
	p.Clocks = make([]Clock, len(p.Stakes))
	var side uint64 // every other one, so that the halves are about equal
	for i := first; i < honest; i += 2 {
		side |= 1 << i
	}
	meet := p.FaultMs * 3 / 4
	p.Splits = []Split{{UntilMs: meet, Side: side}}
	p.Sides = []Side{{Mask: side}}
	if rng.IntN(4) == 0 { // now and then the sides change, too
		for at := int64(100); at < p.FaultMs; at += 100 + rng.Int64N(400) {
			p.Sides = append(p.Sides, Side{AtMs: at, Mask: rng.Uint64()})
		}
	}
	for at := int64(0); at < meet; at += 60 {
		p.Submits = append(p.Submits, Submit{AtMs: at, Node: rng.IntN(honest)})
	}
	return p
}

// share adds n nodes who have a stake between them.
func (p *Plan) share(stake, n int, kinds []Kind) {
	for i := range n {
		p.Stakes = append(p.Stakes, uint64(stake*(i+1)/n-stake*i/n))
		p.Faulty = append(p.Faulty, kinds)
	}
}

// NewCatchUpPlan makes the plan of a seed in which a node is away while the others make blocks, and comes back to peers
// of whom two thirds lie to it: a validator, as far as a third of the stake allows, and strangers.
func NewCatchUpPlan(seed uint64) Plan {
	rng := rand.New(rand.NewPCG(seed, 0xca7c))
	p := Plan{
		Seed: seed, Theme: "catching up", MaxMs: 1_000, LimitMs: 180_000, Loss: []int{0, 0, 2}[rng.IntN(3)],
		DelayMs: [2]int64{1, 3}, ExecMs: [2]int64{0, 3}, FaultMs: 1_200 + rng.Int64N(2_500),
	}
	const behind = 0
	p.share(50, 5, nil) // node 0 is the one behind
	p.Faulty[1] = []Kind{SyncLiar}
	if rng.IntN(2) == 0 { // one that does not vote
		p.Stakes[behind] = 0
	}
	for range 5 { // with node 1 they are six of nine
		kinds := []Kind{SyncLiar}
		if rng.IntN(4) == 0 {
			kinds = append(kinds, []Kind{Spammer, Mutator, Replayer}[rng.IntN(3)])
		}
		p.share(0, 1, kinds)
	}
	p.Clocks = make([]Clock, len(p.Stakes))
	if rng.IntN(3) == 0 {
		p.EpochLength = uint64(4 + rng.IntN(12))
	}
	p.Crashes = []Crash{{AtMs: 1 + rng.Int64N(100), ForMs: 1 << 40, Node: behind, Keep: []int{0, 50, 100}[rng.IntN(3)]}}
	for at := int64(0); at < p.FaultMs; at += 40 {
		p.Submits = append(p.Submits, Submit{AtMs: at, Node: 2 + rng.IntN(3)})
	}
	p.Behind = true
	return p
}

// NewSlashPlan makes the plan of a seed for a network with the real ledger, in which validators of less than a third of
// the stake contradict themselves, and try to get away with it: by unbonding, or with another key.
func NewSlashPlan(seed uint64) Plan {
	rng := rand.New(rand.NewPCG(seed, 0x51a5))
	p := Plan{
		Seed: seed, Theme: "punishment", Slashing: true, MaxMs: 1_000, LimitMs: 60_000,
		Loss: []int{0, 0, 2, 10}[rng.IntN(4)], Twice: []int{0, 5}[rng.IntN(2)],
		DelayMs: [][2]int64{{1, 3}, {1, 20}}[rng.IntN(2)], ExecMs: [2]int64{0, 3}, FaultMs: 700 + rng.Int64N(800),
		EpochLength: uint64(3 + rng.IntN(6)), EpochMs: 3_600_000,
	}
	if rng.IntN(3) == 0 {
		p.EpochLength, p.EpochMs = 1_000, 200+rng.Int64N(400)
	}
	liars := []int{1, 1, 2}[rng.IntN(3)]
	p.share(700, 4+rng.IntN(2), nil)
	for range liars {
		kinds := []Kind{[]Kind{Double, Equivocator, Twins}[rng.IntN(3)]}
		if rng.IntN(3) == 0 {
			kinds = append(kinds, []Kind{Replayer, Framer, Withholder}[rng.IntN(3)])
		}
		p.share(300/liars, 1, kinds)
		if rng.IntN(3) > 0 {
			p.Escapes = append(p.Escapes, Escape{AtMs: rng.Int64N(p.FaultMs), Node: len(p.Stakes) - 1, Rotate: rng.IntN(2) == 0})
		}
	}
	p.Clocks = make([]Clock, len(p.Stakes))
	p.twinSides(rng)
	if rng.IntN(3) == 0 {
		p.split(rng)
	}
	for at := int64(0); at < p.FaultMs; at += 50 + rng.Int64N(60) {
		p.Submits = append(p.Submits, Submit{AtMs: at, Node: rng.IntN(len(p.Stakes))})
	}
	return p
}
