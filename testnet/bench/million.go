package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"waybill/epcis"
	"waybill/epcis/trace"
	"waybill/ledger"
	"waybill/ledger/index"
	"waybill/ledger/store"
)

// large is a ledger of many events on disk, with its index.
type large struct {
	c      *chain
	s      *store.Store
	x      *index.Index
	items  []string // some of the things on it
	source string   // root of the forward graph
	mixed  string   // root of the back graph
}

// ahead is how many blocks are made while others are executed.
const ahead = 4

// build makes a ledger of some events.
func (l *large) build(dir string, seed uint64, events int, progress io.Writer) ([]row, error) {
	var err error
	if l.c, err = newChain(seed); err != nil {
		return nil, err
	}
	if l.s, err = store.Open(dir, l.c.genesis, store.Options{}); err != nil {
		return nil, err
	}
	if l.x, err = index.New(l.s.DB(), l.s, index.Options{Apply: l.s.Apply}); err != nil {
		return nil, err
	}
	blocks, failed := make(chan *block, ahead), make(chan error, 1)
	go func() { failed <- l.produce(events, blocks) }()
	start := time.Now()
	var executed execution
	var indexed time.Duration
	for b := range blocks {
		e, err := runBlocks(l.s, []*block{b})
		if err != nil {
			return nil, err
		}
		executed.blocks, executed.events, executed.took = executed.blocks+1, executed.events+e.events, executed.took+e.took
		at := time.Now()
		if err := l.x.CatchUp(context.Background()); err != nil {
			return nil, err
		}
		indexed += time.Since(at)
		if executed.blocks%25 == 0 {
			_, _ = fmt.Fprintf(progress, "\r%d of %d events in %s", executed.events, events, time.Since(start).Round(time.Second)) // to the terminal
		}
	}
	_, _ = fmt.Fprintln(progress)
	if err := <-failed; err != nil {
		return nil, err
	}
	if err := l.s.Sync(); err != nil {
		return nil, err
	}
	took := time.Since(start)
	bytes, err := folderBytes(dir)
	return []row{
		{fmt.Sprintf("build a ledger of %d events", executed.events), "minutes", fmt.Sprintf("%s, %.0f /s with making, executing and indexing", took.Round(time.Second), float64(executed.events)/took.Seconds())},
		{"  execution of it", "", fmt.Sprintf("%.0f /s in %d blocks, while the next ones are made", executed.rate(), executed.blocks)},
		{"  indexing of it", "", fmt.Sprintf("%.0f /s", float64(executed.events)/indexed.Seconds())},
		{"  on disk", "", fmt.Sprintf("%.1f MB, %.0f bytes an event, index and history included", float64(bytes)/1e6, float64(bytes)/float64(executed.events))},
	}, err
}

// produce makes the blocks: the graphs in the middle of everything else.
func (l *large) produce(events int, out chan<- *block) error {
	defer close(out)
	made, graphs := 0, false
	rng := rand.New(rand.NewPCG(7, 7))
	for made < events {
		if !graphs && made >= events/2 {
			graphs = true
			list, err := l.graphs()
			if err != nil {
				return err
			}
			for _, b := range list {
				made += b.events
				out <- b
			}
		}
		b, err := l.c.bulk(whole, batchesPerBlock, true)
		if err != nil {
			return err
		}
		l.items = append(l.items, someItem(b, rng))
		made += b.events
		out <- b
	}
	return nil
}

// someItem is a thing that an event of the block names.
func someItem(b *block, rng *rand.Rand) string {
	for {
		c := b.Transactions[rng.IntN(len(b.Transactions))].Transaction().Payload().(*ledger.Capture)
		e, err := epcis.DecodeEvent(c.Events[rng.IntN(len(c.Events))])
		if err != nil {
			panic("bench: an event of our own making: " + err.Error())
		}
		if list := append(e.EPCs, e.ChildEPCs...); len(list) > 0 {
			return list[rng.IntN(len(list))]
		}
	}
}

// graphs makes the blocks of the trace rows.
func (l *large) graphs() ([]*block, error) {
	var arrived []*epcis.Event
	var list []*block
	for _, part := range []struct {
		company int
		events  func(m *maker) []*epcis.Event
	}{
		{0, func(m *maker) (made []*epcis.Event) { l.source, made, arrived = m.forwardGraph(); return made }},
		{1, func(*maker) []*epcis.Event { return arrived }},
		{2, func(m *maker) (made []*epcis.Event) { l.mixed, made = m.backGraph(); return made }},
	} {
		b, err := l.c.only(part.company, part.events)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}

func folderBytes(dir string) (sum int64, err error) {
	err = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// questions asks what people ask, of a ledger that was just opened.
func (l *large) questions(ctx context.Context, times int) ([]row, error) {
	var rows []row
	var took []time.Duration
	for i := range 20 * times {
		start := time.Now()
		n, err := history(ctx, l.x, l.items[(i*7919)%len(l.items)])
		if err != nil || n == 0 {
			return nil, fmt.Errorf("the history of %s has %d events: %w", l.items[i%len(l.items)], n, err)
		}
		took = append(took, time.Since(start))
	}
	rows = append(rows, row{"history of an item", "p95 < 20 ms", spread(took)})
	for _, q := range l.traces() {
		took, nodes := []time.Duration{}, 0
		cpu := cpuTime()
		for range times {
			start := time.Now()
			g, err := q.walk(ctx, l.x, q.item, trace.Limits{})
			if err != nil {
				return nil, err
			}
			took, nodes = append(took, time.Since(start)), len(g.Nodes)
		}
		cpu = (cpuTime() - cpu) / time.Duration(times)
		first := took[0] // asked when little of it was in the memory of the database
		rows = append(rows, row{q.what, q.goal, fmt.Sprintf("first %s, %s; %s of processor time; %d nodes", brief(first), spread(took), brief(cpu), nodes)})
	}
	return rows, nil
}

// traced is a question that walks a graph.
type traced struct {
	name, what, goal, item string
	walk                   func(context.Context, trace.Source, string, trace.Limits) (*trace.Graph, error)
}

func (l *large) traces() []traced {
	return []traced{
		{"back", "trace back over a graph", "< 500 ms", l.mixed, trace.Back},
		{"forward", "trace forward over a graph", "< 500 ms", l.source, trace.Forward},
		{"scope", "recall scope: forward, holdings counted", "< 1 s", l.source, scope},
	}
}

// history reads what the API shows as the history of an item.
func history(ctx context.Context, x *index.Index, item string) (int, error) {
	refs, err := trace.EventsOf(ctx, x, trace.Key(item), 1000)
	if err != nil {
		return 0, err
	}
	events, err := x.Events(ctx, refs)
	if err != nil {
		return 0, err
	}
	for i, ref := range refs {
		_ = trace.Summary(ref, events[i].Event, events[i].Meta)
	}
	return len(refs), nil
}

// scope is a forward trace with its holdings added up by party, place and status.
func scope(ctx context.Context, src trace.Source, item string, l trace.Limits) (*trace.Graph, error) {
	g, err := trace.Forward(ctx, src, item, l)
	if err != nil {
		return nil, err
	}
	held := map[[3]string]int{}
	for i := range g.Nodes {
		for _, h := range g.Nodes[i].Holdings {
			held[[3]string{h.Party, h.Place, string(h.Status)}]++
		}
	}
	if len(held) < 3 {
		return nil, fmt.Errorf("the goods of a recall are in %d kinds of hands, there should be more", len(held))
	}
	return g, nil
}

// again closes the ledger and opens it, so that nothing is warm that a restart would not warm.
func (l *large) again(dir string) (row, error) {
	tip := l.s.Tip()
	if err := l.s.Close(); err != nil {
		return row{}, err
	}
	start := time.Now()
	var err error
	if l.s, err = store.Open(dir, l.c.genesis, store.Options{}); err != nil {
		return row{}, err
	}
	took := time.Since(start)
	if l.s.Tip() != tip {
		return row{}, fmt.Errorf("the ledger was closed at %+v and is open at %+v", tip, l.s.Tip())
	}
	l.x, err = index.New(l.s.DB(), l.s, index.Options{Apply: l.s.Apply})
	return row{"open it again", "", brief(took)}, err
}

// more executes further blocks on the large ledger with one core.
func (l *large) more(runs int) (row, error) {
	r, err := executionRow(l.c, l.s, load{stocked, false, batchesPerFullBlock, timedFullBlocks}, runs)
	r.what = "execute bulk events on it, one core"
	return r, err
}
