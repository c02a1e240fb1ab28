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
		Custody: provenance.Custody{State: "active", Custodian: org, Owner: org, Place: name, Parent: name, Flags: []string{"tainted", "unverified"}},
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
		"(01)09521007700010(21)S1": "https://id.gs1.org/01/09521007700010/21/S1?certificate=sha256-ab",
		"urn:example:thing":        "urn:example:thing?certificate=sha256-ab",
		"https://a.example/x?y=1":  "https://a.example/x?y=1&certificate=sha256-ab",
	} {
		if got := linkOf(id, "ab"); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	if _, err := renderPage(hostileReport(strings.Repeat("x", 5000))); err != nil {
		t.Errorf("an identifier that is too long for a code: %v", err)
	}
}
