package trace

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waybill/epcis"
)

var rewriteGolden = flag.Bool("rewrite-golden", false, "write testdata/random.txt anew")

// anything appends events of all kinds to a world, likely or not: things made of each other, packed into each other, sold and
// taken back, at times that come in any order, under several spellings, with declarations of error.
type anything struct {
	*world
	rng *rand.Rand
}

var (
	anyThings = []string{
		bag1, bag2, "https://id.gs1.org/01/09521006000217/21/1", case1, case2, pallet1, pallet2, saladBox, crate,
		"https://id.gs1.org/01/09521006000217/10/S-0603/21/3", "urn:epc:id:sgtin:9521006.000021.4", "urn:example:thing:1",
		"https://example.com/things/2", "https://id.gs1.org/01/09521006000218/21/wrong-check-digit",
	}
	anyGoods = []string{farmA, farmB, packed, salad, "https://id.gs1.org/01/09521006000217", "urn:example:goods:1"}
	anySteps = []string{
		"", "commissioning", "shipping", "departing", "receiving", "accepting", "packing", "unpacking", "storing", "holding", "retail_selling",
		"destroying", "void_shipping", "cycle_counting", "inspecting",
	}
	anyPlaces    = []string{"", fieldA, coolerDock, "urn:epc:id:sgln:9521003.00001.7", kitchen, store1}
	anyParties   = []string{coolerCo, packerCo, makerCo, storeCo1}
	anyProcesses = []string{"", "", "", "urn:uuid:22222222-2222-4222-8222-222222222222", "urn:epc:id:gdti:9521006.00001.P1"}
)

func (a anything) of(list []string) string { return list[a.rng.IntN(len(list))] }

func (a anything) odds(percent int) bool { return a.rng.IntN(100) < percent }

func (a anything) things() []string {
	var out []string
	for range a.rng.IntN(4) {
		out = append(out, a.of(anyThings))
	}
	return out
}

func (a anything) goods() []epcis.Quantity {
	var list []string
	for range a.rng.IntN(3) {
		s := a.of(anyGoods)
		if a.odds(80) {
			s += fmt.Sprintf("=%d%s", a.rng.IntN(60), a.of([]string{"KGM", "LBR", "", "GRM", "LTR"}))
		}
		list = append(list, s)
	}
	return amounts(list...)
}

func (a anything) parties() []epcis.TypedRef {
	if a.odds(50) {
		return nil
	}
	return parties(a.of([]string{"possessing_party", "owning_party", "location"}), a.of(anyParties))
}

func (a anything) place() *epcis.Location {
	if at := a.of(anyPlaces); at != "" {
		return &epcis.Location{ID: at}
	}
	return nil
}

func (a anything) event() {
	a.by(a.of([]string{"A", "B", ""}))
	if len(a.events) > 0 && a.odds(8) {
		a.declare()
		return
	}
	e := &epcis.Event{Type: epcis.EventType(1 + a.rng.IntN(5)), BizStep: a.of(anySteps), EventTime: epcis.NewTimestamp(int64(a.rng.IntN(30)) * 3_600_000)}
	e.Disposition = a.of([]string{"", "active", "retail_sold", "destroyed", "in_transit"})
	e.Action = epcis.Action(a.of([]string{"ADD", "ADD", "OBSERVE", "DELETE"}))
	e.ReadPoint, e.BizLocation, e.Sources, e.Destinations = a.place(), a.place(), a.parties(), a.parties()
	if a.odds(10) {
		e.EventID = fmt.Sprintf("urn:uuid:11111111-1111-4111-8111-1111111111%02d", len(a.events)%100)
	}
	if a.odds(10) {
		e.BizTransactions = []epcis.TypedRef{{Type: "po", ID: "urn:epc:id:gdti:9521006.00002.77"}}
	}
	switch e.Type {
	case epcis.ObjectEvent:
		if e.EPCs, e.Quantities = a.things(), a.goods(); a.odds(30) {
			e.ILMD = lotILMD("S-0603")
		}
	case epcis.TransformationEvent:
		e.Action, e.TransformationID = "", a.of(anyProcesses)
		e.InputEPCs, e.InputQuantities, e.OutputEPCs, e.OutputQuantities = a.things(), a.goods(), a.things(), a.goods()
	case epcis.TransactionEvent:
		if e.EPCs, e.Quantities = a.things(), a.goods(); a.odds(30) {
			e.ParentID = a.of(anyThings)
		}
	default:
		e.ParentID = a.of(anyThings)
		if e.Action != epcis.ActionDelete || a.odds(60) {
			e.ChildEPCs, e.ChildQuantities = a.things(), a.goods()
		}
	}
	a.add(e)
	if meta := &a.metas[len(a.metas)-1]; a.odds(50) {
		meta.Hash = e.Hash().String()
	}
}

// declare says that an earlier event was wrong, or that one of somebody else was.
func (a anything) declare() {
	at := a.rng.IntN(len(a.events))
	wrong := *a.events[at]
	wrong.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(1), Reason: "incorrect_data"}
	if a.odds(80) {
		a.org = a.metas[at].Org
	}
	a.add(&wrong)
	if a.odds(30) {
		meta := &a.metas[len(a.metas)-1]
		meta.Flags = append(meta.Flags, "tainted")
	}
}

func randomWorld(t *testing.T, seed uint64) *world {
	a := anything{newWorld(t), rand.New(rand.NewPCG(seed, 20))}
	for range 4 + a.rng.IntN(40) {
		a.event()
	}
	return a.world
}

// listed is a world whose events are listed once by what they name.
type listed struct {
	*world
	refs map[string][]Ref
}

func listOf(w *world) listed {
	l := listed{w, map[string][]Ref{}}
	for i, e := range w.events {
		for _, m := range mentionsOf(spellings{}, e) {
			if refs := l.refs[m.key]; len(refs) == 0 || refs[len(refs)-1] != w.refs[i] {
				l.refs[m.key] = append(refs, w.refs[i])
			}
		}
	}
	return l
}

// EventsOf implements Source.
func (l listed) EventsOf(_ context.Context, keys []string, limit int) ([][]Ref, error) {
	lists := make([][]Ref, len(keys))
	for i, key := range keys {
		lists[i] = l.refs[key][:min(limit, len(l.refs[key]))]
	}
	return lists, nil
}

// everything is what all questions to a world are answered with.
func everything(t *testing.T, src Source) string {
	t.Helper()
	var out strings.Builder
	say := func(answer any, err error) {
		var refused *Error
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		data, jsonErr := json.Marshal(answer)
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		fmt.Fprintf(&out, "%s %v\n", data, err)
	}
	ctx, all := t.Context(), append(slices.Clone(anyThings), anyGoods...)
	for _, limits := range []Limits{{}, {Nodes: 4}, {Depth: 2}, {Events: 6}, {Nodes: 7, Events: 12}} {
		for _, item := range all {
			for _, f := range []tracer{Back, Forward} {
				g, err := f(ctx, src, item, limits)
				say(g, err)
			}
		}
		g, err := ForwardAll(ctx, src, all[:5], limits)
		say(g, err)
		sheet, err := Balance(ctx, src, BalanceRequest{Goods: anyGoods[:4], FromMs: 8 * 3_600_000}, limits)
		say(sheet, err)
	}
	return out.String()
}

// The answers about random events are, byte for byte, those of testdata/random.txt: a walk may become faster, and nothing else.
func TestRandomWorlds(t *testing.T) {
	at := filepath.Join("testdata", "random.txt")
	worlds := uint64(100)
	if testing.Short() && !*rewriteGolden {
		worlds = 25
	}
	var lines []string
	for seed := range worlds {
		sum := sha256.Sum256([]byte(everything(t, listOf(randomWorld(t, seed)))))
		lines = append(lines, fmt.Sprintf("%d %x", seed, sum[:12]))
	}
	if *rewriteGolden {
		if err := os.WriteFile(at, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(string(data), "\n")
	if len(want) < len(lines) {
		t.Fatalf("%s has %d worlds", at, len(want))
	}
	for i, line := range lines {
		if line != want[i] {
			t.Fatalf("world %s, want %s", line, want[i])
		}
	}
}

// cancelled ends the context of a trace after some questions.
type cancelled struct {
	Source
	left   int
	cancel context.CancelFunc
}

func (c *cancelled) EventsOf(ctx context.Context, keys []string, limit int) ([][]Ref, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.Source.EventsOf(ctx, keys, limit)
}

// A trace that nobody waits for any more ends.
func TestTraceEndsWithItsContext(t *testing.T) {
	for left := 1; left < 4; left++ {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := Back(ctx, &cancelled{lettuce(t), left, cancel}, bag1, Limits{}); !errors.Is(err, context.Canceled) {
			t.Errorf("after %d questions: %v", left, err)
		}
	}
}
