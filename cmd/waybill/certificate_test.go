package main

import (
	"regexp"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/provenance"
)

// hostile is what somebody may call a product, a place or himself.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</pre></style><script src=//evil.example/x.js></script>`, `javascript:alert(1)`,
	"Farm\u202egnp.exe", "a\x1b[2Jb", "{{.View}}", `' onmouseover='alert(1)`, "&lt;b&gt;", "\u2028",
}

func hostileReport(name string) certificateView {
	org := &provenance.Org{Address: crypto.Address{1}, Name: name}
	r := &provenance.Report{
		Network: name, Subject: name, Height: 3, TimeMs: 1_777_622_400_000, Recalled: true,
		Signed:  provenance.Signed{Epochs: make([]quorum.Epoch, 2)},
		Cuts:    []provenance.Cut{{ID: name, Reason: provenance.CutDepth, Of: name}, {ID: name, Reason: provenance.CutEvents, Events: 9}},
		Notices: []provenance.Notice{{Type: "recall", Open: true, Blocks: true, TimeMs: 1_777_622_400_000, Issuer: org, Reason: name, Instructions: name, Over: []string{name}}},
		Custody: provenance.Custody{State: "active", To: org, Custodian: org, Owner: org, Place: name, Parent: name, Flags: []string{"tainted", "unverified"}},
		Journey: []provenance.Step{{Act: provenance.ActPacked, In: name}, {Act: provenance.ActSeen}},
		Things: []provenance.Thing{{ID: name, Kind: "item", BornBy: org, Lot: name, About: []provenance.Fact{{Name: name + "name", Value: name}}, Events: []int{0},
			Made: []provenance.Making{{Inputs: []string{name, name + "2"}}}}},
		Events:  []provenance.Event{{Author: org, BizStep: name, Place: name, Parent: name, Flags: []string{name}, Claims: []string{name}, Declared: crypto.Hash{1}}},
		Holders: []provenance.Holding{{Holder: org, How: provenance.ActMade}},
		Places:  []provenance.Site{{ID: name, About: []provenance.Fact{{Name: "name", Value: name}}}},
	}
	return certificateView{File: name, SHA256: strings.Repeat("ab", 32), Report: r}
}

// TestHostilePage: whatever the names are, the page has only the elements and attributes of its template, and fetches nothing.
func TestHostilePage(t *testing.T) {
	tags := regexp.MustCompile(`<[^>]*>`)
	harmless, err := renderPage(hostileReport("Farm"))
	if err != nil {
		t.Fatal(err)
	}
	shape := func(page []byte) string {
		var out []string
		for _, tag := range tags.FindAllString(string(page), -1) {
			if strings.HasPrefix(tag, "<img ") {
				tag = "<img>"
			}
			out = append(out, tag)
		}
		return strings.Join(out, "")
	}
	for _, name := range hostile {
		page, err := renderPage(hostileReport(name))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := shape(page), shape(harmless); got != want {
			t.Errorf("%q changes the page:\n%s\ninstead of\n%s", name, got, want)
		}
		for _, r := range string(page) {
			if r != '\n' && !printable(r) {
				t.Errorf("%q brings %q into the page", name, r)
			}
		}
	}
	for _, foreign := range []string{"<script", "<link", "<iframe", "url(", "@import", `src="http`, `href=`} {
		if strings.Contains(string(harmless), foreign) {
			t.Errorf("the page has %s", foreign)
		}
	}
	if strings.Count(string(harmless), `src="data:image/png;base64,`) != 1 {
		t.Error("the page has no picture of its code")
	}
}

// TestCertificateText: a recall, gaps and doubts are said in so many words.
func TestCertificateText(t *testing.T) {
	for _, name := range append(hostile, "Farm") {
		p := &printer{}
		certificateText(p, hostileReport(name))
		for _, r := range p.String() {
			if r != '\n' && !printable(r) {
				t.Errorf("%q brings %q onto the terminal", name, r)
			}
		}
	}
	p := &printer{}
	certificateText(p, hostileReport("Farm"))
	for _, want := range []string{
		"RECALLED: do not use, sell or ship it. recall of 2026-05-01 08:00:00 UTC by Farm, open: Farm", "the history is not complete: Farm, of which Farm was made",
		"the 9 events of Farm are not in it", "nobody can show where it comes from", "declared an event about it erroneous", "What it does not prove",
		"0 of 0 of the power", "That what was recorded is true",
	} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("%q is not said in:\n%s", want, p.String())
		}
	}
}

func TestLinkOfCode(t *testing.T) {
	for id, want := range map[string]string{
		"(01)09521007700010(21)S1":                     "https://id.gs1.org/01/09521007700010/21/S1?certificate=sha256-ab",
		"urn:example:thing":                            "sha256:ab",
		"https://a.example/x?y=1":                      "sha256:ab",
		"https://evil.example/01/09521007700010/21/S1": "https://id.gs1.org/01/09521007700010/21/S1?certificate=sha256-ab",
	} {
		if got := linkOf(id, "ab"); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	if _, err := renderPage(hostileReport(strings.Repeat("x", 5000))); err != nil {
		t.Errorf("an identifier that is too long for a code: %v", err)
	}
}

// TestNamesDoNotGoOn: a name or a product's description that reads like the rest of the sentence is set apart, and is short.
func TestNamesDoNotGoOn(t *testing.T) {
	for name, want := range map[string]string{
		"Farm & Sons":                         "Farm & Sons",
		"Plant, owned by Red Cross":           "“Plant, owned by Red Cross”",
		"Farm”, released in block 9 “":        "“Farm', released in block 9 '”",
		"Salad (no recall)":                   "“Salad (no recall)”",
		strings.Repeat("x", maxCalled) + "yz": strings.Repeat("x", maxCalled) + "…",
	} {
		if got := called(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
		if got := orgText(&provenance.Org{Name: name}); got != want {
			t.Errorf("organisation %q: %q, want %q", name, got, want)
		}
	}
}

// TestOldCertificate: what was true once is not told as if it were so now.
func TestOldCertificate(t *testing.T) {
	const day = 24 * 60 * 60 * 1000
	v := hostileReport("Farm")
	v.Report.Recalled = false
	for age, want := range map[int64]string{
		3 * day:  "Warning: it speaks of 2026-05-01 08:00:00 UTC, 3 day(s) ago: a recall given since is not in it.",
		-2 * day: "which is yet to come by the clock of this machine", 60_000: "after block 3 of 2026-05-01 08:00:00 UTC.",
		0: "cannot be told without --genesis",
	} {
		v.Report.AgeMs = age
		p := &printer{}
		certificateText(p, v)
		if !strings.Contains(p.String(), want) {
			t.Errorf("age %d: %q is not said in:\n%s", age, want, p.String())
		}
	}
}

// TestWhatIsNotProven: everything that a reader could take a certificate for and should not is said.
func TestWhatIsNotProven(t *testing.T) {
	v := hostileReport("Farm")
	v.Report.Custody.State = ""
	p := &printer{}
	certificateText(p, v)
	_, text, _ := strings.Cut(p.String(), "What it does not prove")
	for _, want := range []string{
		"That what was recorded is true", "What happened after block 3", "disputes about deliveries", "before it was on the ledger", "That names are what they seem",
		"the validators of that time answer alone", "That the thing in front of you", "what is packed in it", "Where the amounts of the lot are", "certifications",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said in:\n%s", want, text)
		}
	}
}

// TestSourcesAreDrawnOnce: what many products of one transformation were made of is not drawn for each of them.
func TestSourcesAreDrawnOnce(t *testing.T) {
	r := &provenance.Report{Subject: "pie", Things: []provenance.Thing{
		{ID: "pie", Made: []provenance.Making{{Transformation: crypto.Hash{1}, Inputs: []string{"dough", "filling"}}}},
		{ID: "dough", Made: []provenance.Making{{Transformation: crypto.Hash{2}, Inputs: []string{"flour", "milk"}}}},
		{ID: "filling", Made: []provenance.Making{{Transformation: crypto.Hash{2}, Inputs: []string{"flour", "milk"}}}},
	}}
	p := &printer{}
	drawSources(p, r)
	if got := p.String(); strings.Count(got, "flour") != 1 || strings.Count(got, "milk") != 1 || !strings.Contains(got, "made of the same as dough") {
		t.Errorf("drawn:\n%s", got)
	}
}
