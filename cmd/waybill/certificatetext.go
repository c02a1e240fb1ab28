package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"waybill/crypto"
	"waybill/ledger/provenance"
)

// What a certificate proves, in sentences. Terminal and page say the same.

// certificateSummary is what its maker is told.
func certificateSummary(p *printer, v certificateView) {
	p.pairs([2]string{"certificate", v.File}, [2]string{"bytes", number(v.Bytes)}, [2]string{"SHA-256", v.SHA256}, [2]string{"item", v.Report.Subject},
		[2]string{"as of block", fmt.Sprintf("%d, %s", v.Report.Height, clock(v.Report.TimeMs))}, [2]string{"shows", shows(v.Report)})
	verdict(p, v.Report)
}

func shows(r *provenance.Report) string {
	return fmt.Sprintf("%d events of %d things", len(r.Events), len(r.Things))
}

// certificateText is the whole report.
func certificateText(p *printer, v certificateView) {
	r := v.Report
	p.title("This certificate is genuine.")
	p.line("")
	verdict(p, r)
	p.line("")
	storyText(p, storyOf(r))
	p.title("What it proves")
	for _, s := range proven(r) {
		p.line("  • %s", s)
	}
	p.line("")
	p.title("What happened to it")
	rows := [][]string{}
	for _, s := range r.Journey {
		e := &r.Events[s.Index]
		rows = append(rows, []string{eventClock(e.TimeMs), stepText(r, s, e), orgText(e.Author), placeName(r, e.Place), "block " + number(e.Height)})
	}
	p.rows([]string{"WHEN", "WHAT", "RECORDED BY", "WHERE", "RECORDED IN"}, rows)
	if len(r.Things) > 1 {
		p.line("")
		p.title("What it was made of, thing by thing")
		drawSources(p, r)
	}
	for _, n := range r.Notices {
		p.line("")
		p.title("%s", noticeText(&n))
		for _, s := range noticeDetails(r, &n) {
			p.line("  %s", s)
		}
	}
	if marks := marked(r); len(marks) > 0 {
		p.line("")
		p.title("What the rules had to say")
		for _, m := range marks {
			p.line("  • %s", m)
		}
	}
	p.line("")
	p.title("What it does not prove")
	for _, s := range unproven(r) {
		p.line("  • %s", s)
	}
	p.line("")
	p.pairs([2]string{"SHA-256", v.SHA256}, [2]string{"bytes", number(v.Bytes)})
}

// storyText is the story of the page on a terminal.
func storyText(p *printer, s *story) {
	p.title("%s", s.Title)
	for _, line := range []string{s.Label, capital(s.Made), capital(s.Now)} {
		if line != "" {
			p.line("%s", line)
		}
	}
	if len(s.Of) > 0 {
		p.line("Made from:")
		sourceLines(p, s.Of, "  ")
	}
	if s.More {
		p.line("  … and more, below")
	}
	p.line("")
	p.title("Where it has been")
	rows := make([][]string, 0, len(s.Stops))
	for i, at := range s.Stops {
		if s.Left > 0 && i == maxStops/2 {
			rows = append(rows, []string{"…", fmt.Sprintf("%d more", s.Left), "", ""})
		}
		rows = append(rows, []string{at.When, at.Who, cmp.Or(at.Where, at.Number), at.What})
	}
	p.rows([]string{"FROM", "WHO", "WHERE", "WHAT"}, rows)
	p.line("")
}

func sourceLines(p *printer, list []source, indent string) {
	for _, one := range list {
		p.line("%s%s", indent, one.Text)
		sourceLines(p, one.Of, indent+"  ")
	}
}

// verdict is what matters most, loudest.
func verdict(p *printer, r *provenance.Report) {
	if r.Recalled {
		p.WriteString(p.paint(red, "RECALLED: do not use, sell or ship it. "+recallText(r)+" (as it was "+asOf(r)+")") + "\n")
	} else {
		p.WriteString(p.paint(green, "No recall, withdrawal or quarantine was open over it, what it was packed in or anything it is shown to be made of, "+asOf(r)+".") + "\n")
	}
	for _, w := range warnings(r) {
		p.WriteString(p.paint(red, "Warning: ") + show(w) + "\n")
	}
}

// asOf says of when everything is: nobody should take it for the present.
func asOf(r *provenance.Report) string {
	return fmt.Sprintf("after block %d of %s", r.Height, clock(r.TimeMs))
}

func recallText(r *provenance.Report) string {
	var out []string
	for i := range r.Notices {
		if n := &r.Notices[i]; n.Open && n.Blocks && !n.Only {
			out = append(out, noticeText(n)+": "+n.Reason)
		}
	}
	return strings.Join(out, "; ")
}

// The age from which on a certificate is called old, and how far ahead the clocks of validators may be; in ms.
const (
	oldMs   = 24 * 60 * 60 * 1000
	aheadMs = 60 * 60 * 1000
)

// ageWarnings say what the time of the check says about the certificate.
func ageWarnings(r *provenance.Report) []string {
	var out []string
	switch {
	case r.AgeMs >= oldMs:
		out = append(out, fmt.Sprintf("it speaks of %s, %d day(s) ago: a recall given since is not in it. Ask for a newer one.", clock(r.TimeMs), r.AgeMs/oldMs))
	case r.AgeMs <= -aheadMs:
		out = append(out, fmt.Sprintf("it speaks of %s, which is yet to come by the clock of this machine: one of them is wrong.", clock(r.TimeMs)))
	}
	if r.Stale {
		out = append(out, fmt.Sprintf("the validators that are taken on trust are those of %s, longer ago than the trusting period: compare a recent block with a source you trust and pass it as --checkpoint EPOCH:HASH.", clock(r.TrustedMs)))
	}
	if r.TrustingMs == 0 {
		out = append(out, fmt.Sprintf("the validators that are taken on trust are those of %s; whether that is too long ago cannot be told without --genesis.", clock(r.TrustedMs)))
	}
	return out
}

// warnings are what a reader must not miss.
func warnings(r *provenance.Report) []string {
	out := ageWarnings(r)
	for _, c := range r.Cuts {
		if c.Reason == provenance.CutDepth {
			out = append(out, fmt.Sprintf("the history is not complete: %s, of which %s was made, lies beyond the %d step(s) that were asked for.", thingName(r, c.ID), thingName(r, c.Of), r.Depth))
		} else {
			out = append(out, fmt.Sprintf("the history is not complete: the %d events of %s are not in it.", c.Events, thingName(r, c.ID)))
		}
	}
	if r.Spreading && !r.Complete {
		out = append(out, "at this height a notice was still on its way to what was made from its subjects, and parts of the history are missing here.")
	}
	for _, f := range r.Custody.Flags {
		switch f {
		case "unverified":
			out = append(out, "nobody can show where it comes from: it was taken over from outside the ledger, or its identifier is under nobody's company prefix.")
		case "undone":
			out = append(out, "what brought it onto the ledger was declared erroneous and undone: it is not on the ledger any more.")
		case "tainted":
			out = append(out, "somebody declared an event about it erroneous.")
		}
	}
	if n := len(r.Holders); n > 0 && r.Custody.Custodian != nil && r.Holders[n-1].Holder.Address != r.Custody.Custodian.Address {
		out = append(out, "the last who received it by the events is not who has it by the ledger's record; the record counts.")
	}
	return out
}

// proven are the statements of the certificate, one sentence each.
func proven(r *provenance.Report) []string {
	network := r.Network
	if network == "" {
		network = r.Genesis.String()
	}
	out := []string{fmt.Sprintf("It is about %s on the network %s, after block %d of %s.", r.Subject, network, r.Height, clock(r.TimeMs))}
	t := &r.Things[0]
	if t.BornBy != nil {
		out = append(out, fmt.Sprintf("%s brought it onto the ledger.", orgText(t.BornBy)))
	}
	if r.Custody.State != "" {
		out = append(out, custodyText(r))
	}
	out = append(out, fmt.Sprintf("%d event(s) named it since it was first on the ledger, and all of them are here, in order: the head of its chain of events is in the state of the ledger.", t.Count))
	sources, containers := 0, 0
	for _, t := range r.Things[1:] {
		if t.Relation == provenance.RelContainer {
			containers++
		} else {
			sources++
		}
	}
	whole := "with all of their events"
	if !r.Complete {
		whole = "with all of their events but for those named above"
	}
	if sources+containers == 0 {
		out = append(out, "No event says what it was made of, or that it was packed in anything.")
	} else {
		out = append(out, fmt.Sprintf("It was made of %d thing(s), directly and indirectly, and it or they were packed in %d container(s); they are all here %s.", sources, containers, whole))
	}
	out = append(out, "Every event is in a final block and was accepted by the rules of the ledger, the first of which checks the signature of its author.")
	if len(r.Notices) == 0 {
		out = append(out, "No notice (recall, withdrawal, quarantine, alert), open or released, is recorded over any of what is shown, its lots or its products.")
	} else {
		out = append(out, fmt.Sprintf("%d notice(s) are recorded over it or parts of its history; every one that the ledger lists is here.", len(r.Notices)))
	}
	return append(out, fmt.Sprintf("%d validators with %d of %d of the power signed the state that all of this is in (%d are needed), following %d change(s) of validators since epoch %d.",
		len(r.Signed.Validators), r.Signed.Power, r.Signed.Total, r.Signed.Quorum, r.Proofs.Handovers, r.Signed.Epochs[0]))
}

func custodyText(r *provenance.Report) string {
	c := &r.Custody
	who := "nobody on this ledger"
	if c.Custodian != nil {
		who = orgText(c.Custodian)
	}
	text := fmt.Sprintf("Its state is %s, and it is with %s", strings.ReplaceAll(c.State, "_", " "), who)
	if c.To != nil {
		text += ", on its way to " + orgText(c.To)
	}
	if c.Owner != nil {
		text += ", owned by " + orgText(c.Owner)
	}
	if c.Place != "" {
		text += ", last seen at " + placeName(r, c.Place)
	}
	if c.Parent != "" {
		text += ", packed in " + thingName(r, c.Parent)
	}
	return text + "."
}

// unproven is what nobody should take a certificate for.
func unproven(r *provenance.Report) []string {
	out := []string{
		"That what was recorded is true: the ledger shows who said what and when, and that nobody changed it since. Who commissions, ships or receives is answerable for it.",
		fmt.Sprintf("What happened after block %d: ask for a newer certificate.", r.Height),
		"What no event says: disputes about deliveries and how they ended, answers to notices, attestations, payments, and what was said about it before it was on the ledger.",
		"That names are what they seem: organisations named themselves, products and places are called what somebody called them last.",
		"That the time at which an old event was recorded, and what the rules had to say about it, are right: for those the validators of that time answer alone.",
		"That the thing in front of you is the one with this identifier: look at its label, and whether another one carries the same.",
	}
	if slices.ContainsFunc(r.Events, func(e provenance.Event) bool { return e.Parent == r.Subject }) {
		out = append(out, "That no notice lies over what is packed in it, and what that is: ask for certificates of the contents.")
	}
	if r.Custody.State == "" {
		out = append(out, "Where the amounts of the lot are, and how much is left of it.")
	}
	claims := false
	for i := range r.Events {
		claims = claims || len(r.Events[i].Claims) > 0
	}
	if claims {
		out = append(out, "That the certifications which events refer to are in force: they are named as their authors stated them.")
	}
	return out
}

// marked lists what the rules flagged about the subject itself.
func marked(r *provenance.Report) []string {
	var out []string
	for _, i := range r.Things[0].Events {
		e := &r.Events[i]
		for _, f := range e.Flags {
			out = append(out, eventClock(e.TimeMs)+" "+f)
		}
		if !e.Declared.IsZero() {
			out = append(out, fmt.Sprintf("%s its author declared the event %s erroneous", eventClock(e.TimeMs), e.Hash))
		}
	}
	return out
}

func orgText(o *provenance.Org) string {
	switch {
	case o == nil:
		return "nobody"
	case o.Name != "":
		return called(o.Name)
	}
	return o.Address.String()
}

// maxCalled bounds a name inside a sentence, in characters.
const maxCalled = 100

// called is a name that somebody chose, such that it cannot go on as if it were the sentence around it.
func called(name string) string {
	if chars := []rune(name); len(chars) > maxCalled {
		name = string(chars[:maxCalled]) + "…"
	}
	if !strings.ContainsAny(name, ",;:.()[]—•·“”\"") {
		return name
	}
	return "“" + strings.NewReplacer("“", "'", "”", "'").Replace(name) + "”"
}

// siteName is what master data calls a place, else its identifier.
func siteName(r *provenance.Report, id string) string {
	for i := range r.Places {
		if r.Places[i].ID == canonical(id) {
			if name := factName(r.Places[i].About); name != "" {
				return called(name)
			}
		}
	}
	return id
}

// factName is the attribute that names a product or place.
func factName(about []provenance.Fact) string {
	for _, f := range about {
		if strings.HasSuffix(strings.ToLower(f.Name), "name") {
			return f.Value
		}
	}
	return ""
}

func stepText(r *provenance.Report, s provenance.Step, e *provenance.Event) string {
	text := s.Act
	if e.BizStep != "" && !strings.HasPrefix(e.BizStep, s.Act[:min(4, len(s.Act))]) {
		text += " (" + strings.ReplaceAll(e.BizStep, "_", " ") + ")"
	}
	if s.In != "" {
		text += ", inside " + thingName(r, s.In)
	} else if e.Parent != "" && (s.Act == provenance.ActPacked || s.Act == provenance.ActUnpacked) {
		text += map[string]string{provenance.ActPacked: " in ", provenance.ActUnpacked: " from "}[s.Act] + thingName(r, e.Parent)
	}
	switch {
	case e.Undone:
		text += " — declared an error by its author, and undone"
	case !e.Declared.IsZero():
		text += " — declared an error by its author"
	}
	return text
}

// drawSources draws what the subject was made of, each thing below what it went into; what was drawn is not drawn again.
func drawSources(p *printer, r *provenance.Report) {
	byID := map[string][]*provenance.Thing{}
	for i := range r.Things {
		if t := &r.Things[i]; t.Relation != provenance.RelContainer {
			byID[t.ID] = append(byID[t.ID], t)
		}
	}
	seen, cut := map[string]bool{}, map[string]bool{}
	drawn := map[crypto.Hash]string{} // by transformation: of thousands of products of thousands of things each line stands once
	for _, c := range r.Cuts {
		cut[c.ID] = true
	}
	var draw func(id, indent string)
	draw = func(id, indent string) {
		text := id
		for _, t := range byID[id] {
			if name := factName(t.About); name != "" {
				text = called(name) + ", " + text
			}
			if t.BornBy != nil {
				text += ", by " + orgText(t.BornBy)
			}
			if t.Lot != "" && len(byID[t.Lot]) == 0 {
				text += ", lot " + t.Lot
			}
			text += fmt.Sprintf(", %d event(s)", t.Count)
		}
		switch {
		case cut[id]:
			text += ", not followed"
		case len(byID[id]) == 0:
			text += ", not on the ledger"
		}
		if seen[id] {
			p.line("%s%s, as above", indent, id)
			return
		}
		seen[id] = true
		p.line("%s%s", indent, text)
		for _, t := range byID[id] {
			if t.Kind == "item" && len(byID[t.Lot]) > 0 && t.Lot != id {
				draw(t.Lot, indent+"  of the lot ")
			}
			for _, m := range t.Made {
				if of, again := drawn[m.Transformation]; again && len(m.Inputs) > 0 {
					p.line("%s  made of the same as %s", strings.Repeat(" ", len([]rune(indent))), of)
					continue
				}
				if len(m.Inputs) > 0 && !m.Transformation.IsZero() {
					drawn[m.Transformation] = id
				}
				for _, in := range m.Inputs {
					draw(in, strings.Repeat(" ", len([]rune(indent)))+"  ")
				}
			}
		}
	}
	draw(r.Subject, "  ")
}

func noticeText(n *provenance.Notice) string {
	state := "open"
	if !n.Open {
		state = fmt.Sprintf("released in block %d", n.ReleasedAt)
	}
	return fmt.Sprintf("%s of %s by %s, %s", n.Type, clock(n.TimeMs), orgText(n.Issuer), state)
}

// maxOver bounds how many things a notice is told to be over.
const maxOver = 12

func overText(r *provenance.Report, over []string) string {
	var out []string
	for i, id := range over {
		if i == maxOver {
			out = append(out, fmt.Sprintf("and %d more", len(over)-i))
			break
		}
		out = append(out, thingName(r, id))
	}
	return strings.Join(out, "; ")
}

func noticeDetails(r *provenance.Report, n *provenance.Notice) []string {
	out := []string{"over " + overText(r, n.Over)}
	if n.Only {
		out[0] += ", in which it or what it was made of was packed"
	}
	if n.Reason != "" {
		out = append(out, "because: "+n.Reason)
	}
	if n.Instructions != "" {
		out = append(out, "what to do: "+n.Instructions)
	}
	return append(out, "notice "+n.ID.String())
}
