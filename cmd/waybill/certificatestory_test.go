package main

import (
	"fmt"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/provenance"
)

// pieReport is a certificate of a pie: of flour, of which there are two bags of one lot, and of milk from outside the ledger.
func pieReport() *provenance.Report {
	const day = 24 * 60 * 60 * 1000
	baker, mill := &provenance.Org{Address: crypto.Address{1}, Name: "Baker"}, &provenance.Org{Address: crypto.Address{2}, Name: "Mill, Inc."}
	const (
		pie   = "https://id.gs1.org/01/09521001100014/21/P1"
		bag1  = "https://id.gs1.org/01/09521002100013/21/1"
		bag2  = "https://id.gs1.org/01/09521002100013/21/2"
		bags  = "https://id.gs1.org/01/09521002100013/10/F7"
		milk  = "https://id.gs1.org/01/09521003100012/10/M1"
		oven  = "urn:epc:id:sgln:9521001.00001.0"
		store = "urn:epc:id:sgln:9521001.00002.5"
	)
	return &provenance.Report{
		Subject: pie, Network: "test", Height: 9, TimeMs: 1_777_622_400_000,
		Signed:  provenance.Signed{Epochs: make([]quorum.Epoch, 2)},
		Custody: provenance.Custody{State: "in_transit", Custodian: baker, To: &provenance.Org{Name: "Shop"}},
		Places:  []provenance.Site{{ID: canonical(oven), About: []provenance.Fact{{Name: "name", Value: "The Oven"}}}},
		Things: []provenance.Thing{
			{ID: pie, Kind: "item", Relation: provenance.RelSubject, BornBy: baker, Events: []int{1, 2, 3, 4}, Made: []provenance.Making{{Inputs: []string{bag1, bag2, milk}}}},
			{ID: bag1, Kind: "item", Relation: provenance.RelSource, BornBy: mill, Lot: bags, Events: []int{0}, About: []provenance.Fact{{Name: "productName", Value: "Flour"}}},
			{ID: bag2, Kind: "item", Relation: provenance.RelSource, BornBy: mill, Lot: bags, Events: []int{0}, About: []provenance.Fact{{Name: "productName", Value: "Flour"}}},
		},
		Events: []provenance.Event{
			{Author: mill, Type: "ObjectEvent", Action: "ADD", TimeMs: 1_777_622_400_000, Place: "urn:epc:id:sgln:9521002.00001.0"},
			{Author: baker, Type: "TransformationEvent", TimeMs: 1_777_622_400_000 + day, Place: oven, Outputs: []string{pie}},
			{Author: baker, Type: "ObjectEvent", Action: "OBSERVE", BizStep: "inspecting", TimeMs: 1_777_622_400_000 + 2*day, Place: canonical(oven)},
			{Author: baker, Type: "ObjectEvent", Action: "OBSERVE", BizStep: "shipping", TimeMs: 1_777_622_400_000 + 3*day, Place: store},
			{Author: baker, Type: "ObjectEvent", Action: "OBSERVE", TimeMs: 1_777_622_400_000 + 4*day, Place: "urn:x:y", Undone: true},
		},
		Journey: []provenance.Step{{Index: 1, Act: provenance.ActMade}, {Index: 2, Act: provenance.ActSeen}, {Index: 3, Act: provenance.ActShipped}, {Index: 4, Act: provenance.ActSeen}},
	}
}

// TestStory: what somebody in a shop reads.
func TestStory(t *testing.T) {
	r := pieReport()
	s := storyOf(r)
	var got strings.Builder
	fmt.Fprintf(&got, "%s|%s|%s|%s\n", s.Title, s.Label, s.Made, s.Now)
	for _, one := range s.Of {
		fmt.Fprintf(&got, "%s %d\n", one.Text, len(one.Of))
	}
	for _, at := range s.Stops {
		fmt.Fprintf(&got, "%s|%s|%s%s|%s\n", at.When, at.Who, at.Where, at.Number, at.What)
	}
	const want = `GTIN 09521001100014 · serial P1||made by Baker on 2 May 2026 at The Oven|in transit, with Baker, on its way to Shop
2 × Flour, lot F7 of “Mill, Inc.” (1 May 2026, GLN 9521002000016) 0
GTIN 09521003100012 · lot M1 (not on the ledger) 0
2026-05-02 08:00|Baker|The Oven|made, inspecting
2026-05-04 08:00|Baker|GLN 9521001000024 / 5|shipped
`
	if got.String() != want {
		t.Errorf("the story is\n%s\ninstead of\n%s", got.String(), want)
	}
	r.Things[0].About = []provenance.Fact{{Name: "https://gs1.org/voc/productName", Value: "Apple pie"}}
	if s := storyOf(r); s.Title != "Apple pie" || s.Label != "GTIN 09521001100014 · serial P1" {
		t.Errorf("%+v", s)
	}
	r.Cuts = []provenance.Cut{{ID: r.Things[1].ID, Reason: provenance.CutDepth, Of: r.Subject}}
	if s := storyOf(r); !strings.Contains(s.Of[0].Text, "what it was made of is not shown") {
		t.Errorf("%+v", s.Of)
	}
	r.Things[0].BornBy, r.Things[0].Events = nil, []int{2}
	if s := storyOf(r); s.Made != "first recorded by Baker on 3 May 2026 at The Oven" {
		t.Errorf("%s", s.Made)
	}
}

// TestStoryIsShort: thousands of sources and stops make a page for a telephone, which says that there is more; things that were
// made of each other end.
func TestStoryIsShort(t *testing.T) {
	r := pieReport()
	for i := range 3000 {
		id := fmt.Sprintf("https://id.gs1.org/01/09521003100012/21/%d", i)
		next := fmt.Sprintf("https://id.gs1.org/01/09521003100012/21/%d", (i+1)%3000)
		r.Things = append(r.Things, provenance.Thing{ID: id, Kind: "item", Relation: provenance.RelSource, Made: []provenance.Making{{Inputs: []string{next, r.Subject}}}})
		r.Things[0].Made[0].Inputs = append(r.Things[0].Made[0].Inputs, id)
		r.Events = append(r.Events, provenance.Event{Author: &provenance.Org{Address: crypto.Address{byte(i), byte(i >> 8)}}, TimeMs: int64(i)})
		r.Journey = append(r.Journey, provenance.Step{Index: len(r.Events) - 1, Act: provenance.ActSeen})
	}
	s := storyOf(r)
	count := 0
	var add func([]source)
	add = func(list []source) {
		for _, one := range list {
			count++
			add(one.Of)
		}
	}
	add(s.Of)
	if count != maxSources || !s.More || len(s.Stops) != maxStops || s.Left != 3002-maxStops {
		t.Errorf("%d sources (more: %v), %d stops and %d left", count, s.More, len(s.Stops), s.Left)
	}
	page, err := renderPage(certificateView{SHA256: strings.Repeat("ab", 32), Report: r})
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); !strings.Contains(text, "… 2978 more, which are in the certificate …") || !strings.Contains(text, "… and more, which is in the certificate.") {
		t.Error("the page does not say that there is more")
	}
}

// TestPageForPeople: what people look for comes first and is open, what proves it last and closed.
func TestPageForPeople(t *testing.T) {
	for recalled, want := range map[bool]string{false: "<strong>No recall is open</strong>", true: "<strong>RECALLED: do not use, sell or ship it</strong>"} {
		r := pieReport()
		r.Recalled = recalled
		page, err := renderPage(certificateView{SHA256: strings.Repeat("ab", 32), Report: r})
		if err != nil {
			t.Fatal(err)
		}
		first, last, found := strings.Cut(string(page), "<details>")
		if !found || !strings.Contains(first, want) || strings.Contains(first, "No recall is open") == recalled {
			t.Errorf("recalled %v: %s is not said first", recalled, want)
		}
		at := 0
		for _, part := range []string{"<h1>GTIN 09521001100014 · serial P1</h1>", "Made by Baker on 2 May 2026 at The Oven.", want, "<h2>Made from</h2>", "<h2>Where it has been</h2>", "data:image/png"} {
			i := strings.Index(first[at:], part)
			if i < 0 {
				t.Errorf("%s is missing or out of order", part)
				continue
			}
			at += i
		}
		if strings.Contains(first, "id.gs1.org") || strings.Contains(first, "urn:") {
			t.Error("a shopper is shown bare identifiers")
		}
		for _, part := range []string{"How to check it", "It proves", "It does not prove", "thing by thing", "ab"} {
			if !strings.Contains(last, part) {
				t.Errorf("%s is not said", part)
			}
		}
		if strings.Contains(string(page), "<details open") || strings.Count(string(page), "<details>") != 3 {
			t.Error("the technical parts are not closed")
		}
		for _, part := range []string{"width=device-width", "prefers-color-scheme: dark", "@media print"} {
			if !strings.Contains(string(page), part) {
				t.Errorf("the page has no %s", part)
			}
		}
	}
}
