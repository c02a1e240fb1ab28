package explore

import (
	"fmt"
	"slices"
	"time"

	"waybill/consensus/quorum"
)

// Graph is the bounded exhaustive exploration: four validators of equal stake, one of them faulty, the first views, every
// order in which blocks and certificates reach machines and in which machines lose patience.
//
// What can happen. A block that its leader made, or the faulty leader's two in every place where a block may stand,
// reaches a machine; so does any certificate that the votes given so far and the faulty validator's, which says
// everything, suffice for; a machine that has not left its view runs out of time; and, if asked for, a machine crashes,
// once, and keeps what was synced. Messages are never lost, and may take for ever. Votes short of a quorum are not
// delivered: they change nothing but what the leader's own nullify does, which running out of time does, too.
//
// How. A machine's next state depends on its own state and on what reaches it, so the real machine runs once for each
// such pair, from its beginning, and the result is kept: see [subject] and [meaning]. The states of all three machines
// together are then a matter of looking up. That two histories with one meaning behave alike is checked by random walks
// with whole machines and the real bytes: [Graph.Walk].
//
// In every state: no two certificates are possible that cannot both exist (two notarizations of a view; a finalization
// and a nullification; final blocks of different chains), the ledgers agree, no machine halts, none signs what it must
// not.
type Graph struct {
	w     *world
	views int
	x     *lexicon
	local [3]localTable
	opts  GraphOptions
	visit func(globalState) // is told of every state; nil is nobody

	list  []stepID // of steps
	found []globalState
	stack []invisible
	stamp uint32

	report GraphReport
	fault  string
}

// faultyIndex is the faulty validator, the last one.
const faultyIndex = 3

// GraphOptions bound an exploration.
type GraphOptions struct {
	Leaders   []int // of the views that are explored; 3 is the faulty validator
	Restarts  int   // of each machine, 0 or 1
	NoFinals  bool  // finalizations reach nobody; what they could show is checked all the same
	Every     bool  // all orders, also of what nobody can tell apart
	MaxStates int   // 0 is no bound
	MaxTime   time.Duration
}

// GraphReport is what an exploration covered.
type GraphReport struct {
	Leaders     string
	LocalStates int // of single machines, by meaning
	LocalSteps  int // computed by running a machine
	States      int
	Transitions int
	Depth       int  // steps from the beginning to the farthest state
	Exhausted   bool // no state within the bounds was left out
	Blocks      int
	Finals      int // states in which some machine has a final block
	Took        time.Duration
}

// String is one line.
func (r GraphReport) String() string {
	frontier := "exhausted"
	if !r.Exhausted {
		frontier = "cut off"
	}
	return fmt.Sprintf("leaders %s: %d states, %d transitions, depth %d, %s; %d blocks, %d states with a final block; "+
		"%d states of single machines from %d runs of the machine; %v",
		r.Leaders, r.States, r.Transitions, r.Depth, frontier, r.Blocks, r.Finals, r.LocalStates, r.LocalSteps, r.Took.Round(time.Millisecond))
}

// localTable is what is known about one machine's states.
type localTable struct {
	states []localState
	ids    map[string]uint32
}

type localState struct {
	key       string // what it means
	from      uint32 // how it was first reached
	by        stepID
	depth     int
	view      quorum.View
	exited    bool // the current view
	restarted bool
	signed    bits
	known     bits
	built     []blockID
	final     []blockID
	next      []uint32 // by step; unknown where it was not computed
	stamp     uint32
}

const unknown = ^uint32(0)

// globalState is the three machines' states, 21 bits each.
type globalState uint64

const localBits = 21

func (s globalState) of(i int) uint32 { return uint32(s>>(i*localBits)) & (1<<localBits - 1) }

func (s globalState) with(i int, id uint32) globalState {
	return s&^(globalState(1<<localBits-1)<<(i*localBits)) | globalState(id)<<(i*localBits)
}

// NewGraph prepares an exploration.
func NewGraph(o GraphOptions) *Graph {
	set := equalSet(4)
	slate := slateLed(set, append(slices.Clone(o.Leaders), faultyIndex)) // nobody builds above
	w := newWorld(set, slate, []bool{faultyIndex: true})
	g := &Graph{w: w, views: len(o.Leaders), x: newLexicon(), opts: o}
	g.report.Leaders = names(o.Leaders)
	for i := range g.local {
		g.local[i].ids = map[string]uint32{}
		g.keep(i, g.newSubject(i), 0, 0)
	}
	return g
}

// keep gives a machine's state its number.
func (g *Graph) keep(i int, s *subject, from uint32, by stepID) uint32 {
	if s.fault != "" {
		g.fault = fmt.Sprintf("%s: %s", name(i), s.fault)
	}
	key := meaning(s.m, s.ids) + string(flags(s.restarted))
	if g.opts.Restarts > 0 && !s.restarted {
		key += s.disk()
	}
	t := &g.local[i]
	if id, ok := t.ids[key]; ok {
		return id
	}
	id := uint32(len(t.states))
	status := s.m.Status()
	l := localState{key: key, from: from, by: by, view: status.View, restarted: s.restarted, signed: s.signed, known: s.known,
		built: s.built, final: s.final}
	for n, v := range g.x.votes {
		if s.signed.has(n) && v.view == l.view && v.kind != quorum.KindNotarize {
			l.exited = true
		}
	}
	if id > 0 {
		l.depth = t.states[from].depth + 1
	}
	t.states, t.ids[key] = append(t.states, l), id
	g.report.LocalStates++
	return id
}

// run brings a machine to a state by the history that reached it first.
func (g *Graph) run(i int, id uint32) *subject {
	s := g.newSubject(i)
	for _, step := range g.history(i, id) {
		s.take(g.x.steps[step])
	}
	return s
}

func (g *Graph) history(i int, id uint32) []stepID {
	l := &g.local[i].states[id]
	out := make([]stepID, l.depth)
	for k := l.depth - 1; k >= 0; k-- {
		out[k] = l.by
		l = &g.local[i].states[l.from]
	}
	return out
}

// after is the state of machine i after a step.
func (g *Graph) after(i int, id uint32, step stepID) uint32 {
	if l := &g.local[i].states[id]; int(step) < len(l.next) && l.next[step] != unknown {
		return l.next[step]
	}
	s := g.run(i, id)
	s.take(g.x.steps[step])
	g.report.LocalSteps++
	next := g.keep(i, s, id, step)
	l := &g.local[i].states[id]
	for len(l.next) <= int(step) {
		l.next = append(l.next, unknown)
	}
	l.next[step] = next
	return next
}

// Explore goes through all states, nearest first, until there are no more or a bound is reached. The error says what was
// broken, and how to get there.
func (g *Graph) Explore() (GraphReport, error) {
	started := time.Now()
	seen := map[globalState]struct{}{0: {}}
	level := []globalState{0}
	g.report.Exhausted = true
	for len(level) > 0 && g.fault == "" {
		var next []globalState
		for _, s := range level {
			g.check(s)
			if g.visit != nil {
				g.visit(s)
			}
			for _, t := range g.successors(s) {
				g.report.Transitions++
				if _, ok := seen[t]; !ok {
					seen[t] = struct{}{}
					next = append(next, t)
				}
			}
			if g.fault != "" {
				g.fault += "\n" + g.describe(s)
				break
			}
		}
		g.report.States += len(level)
		if full := g.opts.MaxStates > 0 && len(seen) > g.opts.MaxStates; full || g.opts.MaxTime > 0 && time.Since(started) > g.opts.MaxTime {
			g.report.Exhausted = len(next) == 0
			break
		}
		if level = next; len(level) > 0 {
			g.report.Depth++
		}
	}
	g.report.Blocks, g.report.Took = len(g.x.blocks), time.Since(started)
	if g.fault != "" {
		return g.report, fmt.Errorf("leaders %s: %s", g.report.Leaders, g.fault)
	}
	return g.report, nil
}

// successors are the states to go to next. Unless all are asked for, they are those after a visible step of one machine:
// one that signs or builds something. Nobody else can tell whether, or when, the others happened, and what made them
// possible stays; so every history can be put into an order in which the invisible steps of a machine come right before
// its next visible one, and nothing that can be signed is missed.
func (g *Graph) successors(s globalState) []globalState {
	out := g.found[:0]
	for i := range g.local {
		g.stamp++
		g.stack = append(g.stack[:0], invisible{id: s.of(i)})
		for len(g.stack) > 0 {
			at := g.stack[len(g.stack)-1]
			g.stack = g.stack[:len(g.stack)-1]
			for _, step := range g.steps(s.with(i, at.id), i) {
				next := g.after(i, at.id, step)
				switch {
				case next == at.id:
				case g.opts.Every || g.visible(i, at.id, next):
					if !g.marked(i, next) && (g.opts.Every || !g.postponable(i, at, step, next)) {
						out = append(out, s.with(i, next))
					}
				case !g.marked(i, next):
					g.checkLedgers(g.locals(s.with(i, next)))
					g.stack = append(g.stack, invisible{id: next, from: at.id, by: step, some: true})
				}
			}
		}
	}
	g.found = out
	return out
}

// invisible is a machine's state after invisible steps, and the last of them, if there is any.
type invisible struct {
	id, from uint32
	by       stepID
	some     bool
}

// postponable reports whether the last invisible step before a visible one could as well come right after it, with the
// same result: then it will, and the state is found from there.
func (g *Graph) postponable(i int, at invisible, step stepID, result uint32) bool {
	if !at.some || g.x.steps[at.by].kind > stepVotes {
		return false
	}
	early := g.after(i, at.from, step)
	return early != at.from && g.visible(i, at.from, early) && !g.visible(i, early, result) && g.after(i, early, at.by) == result
}

// marked reports whether it was asked about this state of machine i since the last stamp.
func (g *Graph) marked(i int, id uint32) bool {
	l := &g.local[i].states[id]
	was := l.stamp == g.stamp
	l.stamp = g.stamp
	return was
}

func (g *Graph) visible(i int, from, to uint32) bool {
	a, b := &g.local[i].states[from], &g.local[i].states[to]
	return a.signed != b.signed || len(a.built) != len(b.built)
}

func (g *Graph) locals(s globalState) (l [3]*localState) {
	for i := range l {
		l[i] = &g.local[i].states[s.of(i)]
	}
	return l
}

// steps lists what can happen to machine i in a state, and may change it.
func (g *Graph) steps(s globalState, i int) []stepID {
	l := g.locals(s)
	own, a, b := l[i], l[(i+1)%3], l[(i+2)%3]
	out := g.list[:0]
	for _, b := range g.available(l) {
		if g.x.blocks[b].view <= own.view || own.view <= quorum.View(g.views) {
			out = append(out, g.x.step(logicalStep{stepBlock, int(b)}))
		}
	}
	for v := range g.x.votes {
		if own.known.has(v) || g.opts.NoFinals && g.x.finalizing.has(v) {
			continue
		}
		if a.signed.has(v) && b.signed.has(v) || own.signed.has(v) && (a.signed.has(v) || b.signed.has(v)) {
			out = append(out, g.x.step(logicalStep{stepVotes, v}))
		}
	}
	if own.view <= quorum.View(g.views) && !own.exited {
		out = append(out, g.x.step(logicalStep{kind: stepTimeout}))
	}
	if g.opts.Restarts > 0 && !own.restarted {
		out = append(out, g.x.step(logicalStep{kind: stepRestart}))
	}
	g.list = out
	return out
}

// available lists the blocks that were made, and those that the faulty leader could make: in each of its views two on
// every block that can be shown, where all views between can be shown to be given up.
func (g *Graph) available(l [3]*localState) (out []blockID) {
	for _, s := range l {
		out = append(out, s.built...)
	}
	certain := twoOf(&l[0].signed, &l[1].signed, &l[2].signed) // what the faulty vote completes
	for v := quorum.View(1); int(v) <= g.views; v++ {
		if g.w.slate.Leader(v) != faultyIndex {
			continue
		}
		for u := v; u > 0; u-- { // the parent's view is u-1
			if u < v && !certain.has(g.x.vote(logicalVote{quorum.KindNullify, u, anchorID})) {
				break
			}
			if u == 1 {
				out = append(out, g.pair(blockKey{view: v, parent: anchorID})...)
				break
			}
			for n := range g.x.votes {
				if said := g.x.votes[n]; said.kind == quorum.KindNotarize && said.view == u-1 && certain.has(n) {
					out = append(out, g.pair(blockKey{view: v, parent: said.block, shown: quorum.KindNotarize})...)
				}
			}
		}
	}
	return out
}

func (g *Graph) pair(k blockKey) []blockID {
	k.variant = 'x'
	x := g.x.block(k)
	k.variant = 'y'
	return []blockID{x, g.x.block(k)}
}

// check looks at everything that could be certified in a state, and at the ledgers.
func (g *Graph) check(s globalState) {
	l := g.locals(s)
	certain := twoOf(&l[0].signed, &l[1].signed, &l[2].signed)
	var possible []logicalVote
	for n, v := range g.x.votes {
		if certain.has(n) {
			possible = append(possible, v)
		}
	}
	for i, a := range possible {
		for _, b := range possible[:i] {
			if g.exclude(a, b) || g.exclude(b, a) {
				g.fault = fmt.Sprintf("certificates of %v and of %v are both possible", a, b)
			}
		}
	}
	if g.checkLedgers(l) {
		g.report.Finals++
	}
}

// checkLedgers compares what is final on the machines, and reports whether anything is.
func (g *Graph) checkLedgers(l [3]*localState) (final bool) {
	for i, a := range l {
		final = final || len(a.final) > 0
		for _, b := range l[:i] {
			for k := range min(len(a.final), len(b.final)) {
				if a.final[k] != b.final[k] {
					g.fault = fmt.Sprintf("FORK at height %d: blocks %d and %d", k+1, a.final[k], b.final[k])
				}
			}
		}
		for k, f := range a.final {
			if g.x.height(f) != k+1 || k > 0 && g.x.blocks[f].parent != a.final[k-1] {
				g.fault = fmt.Sprintf("%s has the final chain %v", name(i), a.final)
			}
		}
	}
	return final
}

// exclude reports whether certificates of a and b cannot both exist.
func (g *Graph) exclude(a, b logicalVote) bool {
	switch {
	case a.kind == quorum.KindNotarize && b.kind == quorum.KindNotarize, a.kind == quorum.KindNotarize && b.kind == quorum.KindFinalize:
		return a.view == b.view && a.block != b.block
	case a.kind == quorum.KindFinalize && b.kind == quorum.KindNullify:
		return a.view == b.view
	case a.kind == quorum.KindFinalize && b.kind == quorum.KindFinalize:
		return !g.x.descends(a.block, b.block) && !g.x.descends(b.block, a.block)
	}
	return false
}

// describe tells what each machine went through to a state.
func (g *Graph) describe(s globalState) string {
	out := ""
	for i := range g.local {
		out += "  " + name(i) + ":"
		for _, step := range g.history(i, s.of(i)) {
			out += " " + g.word(g.x.steps[step])
		}
		out += "\n"
	}
	for i, k := range g.x.blocks {
		out += fmt.Sprintf("  block %d: view %d on %d (shown by %v) %c\n", i, k.view, k.parent, k.shown, k.variant)
	}
	return out
}

func (g *Graph) word(s logicalStep) string {
	switch s.kind {
	case stepBlock:
		return fmt.Sprintf("block(%d)", s.which)
	case stepVotes:
		v := g.x.votes[s.which]
		return fmt.Sprintf("%v(%d, %d)", v.kind, v.view, v.block)
	case stepTimeout:
		return "timeout"
	}
	return "restart"
}
