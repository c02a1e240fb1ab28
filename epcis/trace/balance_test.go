package trace

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"waybill/epcis"
)

// balance computes a sheet and writes each line as one text.
func (w *world) balance(r BalanceRequest) *Sheet {
	w.t.Helper()
	s, err := Balance(w.t.Context(), w, r, Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range append(s.Lines, s.Totals...) {
		checkSum(w.t, b)
	}
	return s
}

// checkSum holds the equation of the sheet.
func checkSum(t interface{ Fatalf(string, ...any) }, b BalanceLine) {
	sum := epcis.Decimal{}
	for _, p := range []struct {
		text string
		sign int64
	}{{b.Opening, 1}, {b.Produced, 1}, {b.Received, 1}, {b.Settled, 1}, {b.Unexplained, 1}, {b.Consumed, -1}, {b.Shipped, -1}, {b.Sold, -1}, {b.Destroyed, -1}} {
		d, err := epcis.ParseDecimal(p.text)
		if err != nil {
			t.Fatalf("%+v: %v", b, err)
		}
		d.Coefficient *= p.sign
		if sum, err = sum.Add(d); err != nil {
			t.Fatalf("%+v: %v", b, err)
		}
	}
	if sum.String() != b.Closing {
		t.Fatalf("%+v does not add up: closing should be %s", b, sum)
	}
}

func (b BalanceLine) text() string {
	s := fmt.Sprintf("%s open %s made %s in %s used %s out %s sold %s lost %s unexplained %s close %s", b.UOM, b.Opening, b.Produced, b.Received,
		b.Consumed, b.Shipped, b.Sold, b.Destroyed, b.Unexplained, b.Closing)
	if b.Counts > 0 {
		s += fmt.Sprintf(" counted %s (%d)", b.Counted, b.Counts)
	}
	if len(b.Unmeasured) > 0 {
		s += " unmeasured " + b.Unmeasured[0].Flow
	}
	return s
}

func wantLines(t *testing.T, got []BalanceLine, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if got[i].text() != want[i] {
			t.Errorf("line %d\n got %s\nwant %s", i, got[i].text(), want[i])
		}
	}
}

func TestBalanceOfASite(t *testing.T) {
	w := newWorld(t)
	w.by("Farm A").born(fieldA, farmA+"=400KGM")
	w.ship("", packerCo, fieldA, farmA+"=350KGM")
	w.by("Packer").receive("", packerCo, packhouse, farmA+"=350KGM")
	w.make(packhouse, []string{farmA + "=100LBR"}, []string{packed + "=45KGM"})
	counted := w.object(epcis.ActionObserve, "cycle_counting", packhouse, farmA+"=300KGM")
	w.object(epcis.ActionDelete, "destroying", packhouse, farmA+"=0.05TNE")
	lost := w.object(epcis.ActionObserve, "stock_taking", packhouse, farmA+"=251KGM")
	w.object(epcis.ActionObserve, "retail_selling", packhouse, farmA+"=1KGM")

	r := BalanceRequest{Goods: []string{farmA, packed}, Party: "Packer"}
	s := w.balance(r)
	wantLines(t, s.Lines,
		"KGM open 0 made 0 in 350 used 45.359237 out 0 sold 1 lost 50 unexplained -3.640763 close 250 counted 251 (2)",
		"KGM open 0 made 45 in 0 used 0 out 0 sold 0 lost 0 unexplained 0 close 45")
	r.Site = packhouse
	wantLines(t, w.balance(r).Lines[:1], s.Lines[0].text())
	r.Goods, r.FromMs, r.ToMs = r.Goods[:1], counted.EventTime.UnixMilli()+1, lost.EventTime.UnixMilli()
	wantLines(t, w.balance(r).Lines, "KGM open 300 made 0 in 0 used 0 out 0 sold 0 lost 50 unexplained 0 close 250")
	r.FromMs, r.ToMs, r.Party, r.Site = 0, 0, "", fieldA
	wantLines(t, w.balance(r).Lines, "KGM open 0 made 400 in 0 used 0 out 350 sold 0 lost 0 unexplained 0 close 50")
	r.Site = ""
	wantLines(t, w.balance(r).Totals, "KGM open 0 made 400 in 350 used 45.359237 out 350 sold 1 lost 50 unexplained -3.640763 close 300 counted 251 (2)")
}

// Goods move with the pallet they are on, whatever else the event names, and counts are of what is loose.
func TestBalanceFollowsContainers(t *testing.T) {
	w := newWorld(t)
	w.by("Packer").born(packhouse, packed+"=100KGM")
	w.pack(packhouse, case1, packed+"=30KGM")
	w.pack(packhouse, case1, packed+"=10000GRM")
	w.pack(packhouse, pallet1, case1)
	w.object(epcis.ActionObserve, "cycle_counting", packhouse, packed+"=60KGM")
	w.object(epcis.ActionObserve, "holding", packhouse, packed+"=5KGM")
	w.object(epcis.ActionObserve, "cycle_counting", packhouse, packed+"=55KGM")
	w.ship("", makerCo, packhouse, pallet1, packed+"=45KGM")
	w.by("Maker").receive("", makerCo, kitchen, pallet1)
	w.unpack(kitchen, case1, packed+"=15KGM")
	w.object(epcis.ActionObserve, "stock_taking", kitchen, packed+"=14KGM")
	w.make(kitchen, []string{pallet1, packed + "=14KGM"}, []string{salad + "=20"})

	wantLines(t, w.balance(BalanceRequest{Goods: []string{packed}, Party: "Packer"}).Lines,
		"KGM open 0 made 100 in 0 used 0 out 45 sold 0 lost 0 unexplained 0 close 55 counted 55 (2)")
	wantLines(t, w.balance(BalanceRequest{Goods: []string{packed}, Party: "Maker"}).Lines,
		"KGM open 0 made 0 in 40 used 14 out 0 sold 0 lost 0 unexplained -1 close 25 counted 14 (1)")
}

func TestBalanceOfSerials(t *testing.T) {
	w := newWorld(t)
	w.by("Packer")
	for _, c := range []string{case1, case2} {
		e := w.born(packhouse, c)
		e.ILMD = lotILMD("L9")
		e.Namespaces = []epcis.Namespace{{Prefix: "cbvmda", URI: "urn:epcglobal:cbv:mda:"}}
	}
	w.pack(packhouse, pallet1, case1)
	w.ship("", makerCo, packhouse, pallet1)
	w.object(epcis.ActionDelete, "decommissioning", packhouse, case2)
	w.object(epcis.ActionDelete, "decommissioning", packhouse, case2)
	lot := LotOf(w.events[0], case1)
	if lot == "" {
		t.Fatal("the cases of this world have no GTIN")
	}
	s := w.balance(BalanceRequest{Goods: []string{lot}, Party: "Packer"})
	wantLines(t, s.Lines, " open 0 made 2 in 0 used 0 out 1 sold 0 lost 1 unexplained 0 close 0")
	if !s.Lines[0].Serials || s.Lines[0].Class == "" || s.Totals[0].Goods != s.Lines[0].Class {
		t.Errorf("%+v", s)
	}
}

func TestBalanceNamesWhatWasNotMeasured(t *testing.T) {
	w := newWorld(t)
	w.born(fieldA, farmA, farmA+"=1CS", farmA+"=2DZN", farmA+"=5")
	w.ship("", packerCo, fieldA, farmA+"=999999999999999999KGM")
	w.object(epcis.ActionObserve, "void_shipping", fieldA, farmA+"=999999999999999999KGM")
	w.ship("", packerCo, fieldA, farmA+"=0.5KGM")
	s := w.balance(BalanceRequest{Goods: []string{farmA}})
	wantLines(t, s.Lines,
		" open 0 made 29 in 0 used 0 out 0 sold 0 lost 0 unexplained 0 close 29 unmeasured produced",
		"CS open 0 made 1 in 0 used 0 out 0 sold 0 lost 0 unexplained 0 close 1",
		"KGM open 0 made 0 in 0 used 0 out 0.5 sold 0 lost 0 unexplained 0 close -0.5")
	w.ship("", packerCo, fieldA, farmA+"=999999999999999999KGM")
	if b := w.balance(BalanceRequest{Goods: []string{farmA}}).Lines[2]; len(b.Unmeasured) != 1 || b.Unmeasured[0].Flow != "shipped" || b.Closing != "-0.5" {
		t.Errorf("a sum that does not fit: %+v", b)
	}
}

func TestBalanceLeavesOutWhatWasWithdrawn(t *testing.T) {
	w := newWorld(t)
	w.born(fieldA, farmA+"=10KGM")
	wrong := w.born(fieldA, farmA+"=90KGM")
	wrong.EventID = "urn:uuid:11111111-1111-4111-8111-111111111111"
	again := *wrong
	again.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(1)}
	w.add(&again)
	wantLines(t, w.balance(BalanceRequest{Goods: []string{farmA}}).Lines, "KGM open 0 made 10 in 0 used 0 out 0 sold 0 lost 0 unexplained 0 close 10")
}

func TestBalanceLimits(t *testing.T) {
	w := newWorld(t)
	w.born(fieldA, farmA+"=10KGM")
	for i := range 4 {
		w.pack(fieldA, fmt.Sprintf("urn:epc:id:sscc:9521006.000000000%d", i), farmA+"=1KGM")
	}
	for _, l := range []struct {
		limits Limits
		want   int
	}{{Limits{Nodes: 5, Events: 5}, 0}, {Limits{Nodes: 4, Events: 5}, 1}, {Limits{Nodes: 5, Events: 4}, 1}} {
		s, err := Balance(t.Context(), w, BalanceRequest{Goods: []string{farmA}}, l.limits)
		if err != nil || (len(s.Truncated) > 0) != (l.want > 0) {
			t.Errorf("%+v: %v, %v", l.limits, s.Truncated, err)
		}
	}
	for _, goods := range [][]string{nil, {""}} {
		if _, err := Balance(t.Context(), w, BalanceRequest{Goods: goods}, Limits{}); !errors.Is(err, ErrItem) {
			t.Errorf("goods %q: %v", goods, err)
		}
	}
}

// Whatever is recorded, lines add up, no unit is lost, and the sheet is the same whatever order things were recorded in.
func TestBalanceAddsUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		goods := []string{farmA, farmB}
		amount := func() string {
			return fmt.Sprintf("%s=%d%s", rapid.SampledFrom(goods).Draw(rt, "goods"), rapid.IntRange(0, 2000).Draw(rt, "n"),
				rapid.SampledFrom([]string{"KGM", "LBR", "GRM", "", "DZN", "LTR"}).Draw(rt, "unit"))
		}
		container := func() string { return rapid.SampledFrom([]string{case1, case2, pallet1}).Draw(rt, "container") }
		for range rapid.IntRange(1, 25).Draw(rt, "events") {
			w.by(rapid.SampledFrom([]string{"A", "B"}).Draw(rt, "author"))
			switch rapid.IntRange(0, 8).Draw(rt, "act") {
			case 0:
				w.born(fieldA, amount(), amount())
			case 1:
				w.ship("", packerCo, fieldA, amount(), container())
			case 2:
				w.receive("", packerCo, packhouse, amount(), container())
			case 3:
				w.pack(fieldA, container(), amount(), container())
			case 4:
				w.unpack(fieldA, container(), amount(), container())
			case 5:
				w.make(fieldA, []string{amount(), container()}, []string{amount()})
			case 6:
				w.object(epcis.ActionObserve, rapid.SampledFrom([]string{"cycle_counting", "holding", "storing", "void_shipping", "retail_selling"}).Draw(rt, "step"), fieldA, amount())
			case 7:
				w.object(epcis.ActionDelete, "destroying", fieldA, amount(), container())
			case 8:
				w.aggregate(epcis.ActionDelete, "unpacking", fieldA, container())
			}
		}
		all, a, b := w.balance(BalanceRequest{Goods: goods}), w.balance(BalanceRequest{Goods: goods, Party: "A"}), w.balance(BalanceRequest{Goods: goods, Party: "B"})
		again := w.balance(BalanceRequest{Goods: []string{farmB, farmA}})
		if fmt.Sprint(all) != fmt.Sprint(again) {
			rt.Fatalf("%+v\nand\n%+v", all, again)
		}
		for _, l := range all.Lines {
			parts := epcis.Decimal{}
			for _, s := range []*Sheet{a, b} {
				for _, o := range s.Lines {
					if o.Goods == l.Goods && o.UOM == l.UOM && o.Serials == l.Serials {
						d, _ := epcis.ParseDecimal(o.Produced)
						parts, _ = parts.Add(d)
					}
				}
			}
			if parts.String() != l.Produced {
				rt.Fatalf("A and B produced %s, all of it is %s", parts, l.Produced)
			}
		}
	})
}

func TestBalanceTakesInDisputes(t *testing.T) {
	w := newWorld(t)
	w.by("Farm A").born(fieldA, farmA+"=250KGM")
	shipped := w.ship("", packerCo, fieldA, farmA+"=40KGM")
	w.by("Packer").receive("", packerCo, packhouse, farmA+"=36KGM")
	credit := Settlement{Goods: farmA, Account: "Farm A", Amount: epcis.Measure{Amount: epcis.Decimal{Coefficient: 4000}, UOM: "GRM"}, TimeMs: shipped.EventTime.UnixMilli() + 1<<40}
	if credit.Places, _ = PlacesOf(shipped); !slices.Equal(credit.Places, []string{fieldA}) {
		t.Errorf("shipped from %q", credit.Places)
	}
	for name, tc := range map[string]struct {
		change                    func(*BalanceRequest)
		opening, settled, closing string
	}{
		"all":               {func(*BalanceRequest) {}, "0", "4", "250"},
		"its party":         {func(r *BalanceRequest) { r.Party = "Farm A" }, "0", "4", "214"},
		"another party":     {func(r *BalanceRequest) { r.Party = "Packer" }, "0", "0", "36"},
		"its site":          {func(r *BalanceRequest) { r.Site = fieldA }, "0", "4", "214"},
		"another site":      {func(r *BalanceRequest) { r.Site = packhouse }, "0", "0", "36"},
		"no site":           {func(r *BalanceRequest) { r.Site, r.Settled[0].Places = fieldA, nil }, "0", "0", "210"},
		"before the period": {func(r *BalanceRequest) { r.FromMs = credit.TimeMs + 1 }, "250", "0", "250"},
		"after the period":  {func(r *BalanceRequest) { r.ToMs = credit.TimeMs }, "0", "0", "246"},
	} {
		q := BalanceRequest{Goods: []string{farmA}, Settled: []Settlement{credit}}
		tc.change(&q)
		if l := w.balance(q).Lines[0]; l.Opening != tc.opening || l.Settled != tc.settled || l.Closing != tc.closing {
			t.Errorf("%s: %+v", name, l)
		}
	}
}
