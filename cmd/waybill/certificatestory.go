package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"waybill/epcis/gs1"
	"waybill/ledger/provenance"
)

// What a certificate tells somebody in a shop: what it is, who made it of what, where it has been. Names stand for numbers
// wherever somebody gave one; everything else is further down, for who wants to check.

// story is a certificate for a shopper. Texts are plain: whoever shows them makes them safe.
type story struct {
	Title string   // the product, else the identifier
	Label string   // what stands on the label: GTIN, lot, serial
	Made  string   // by whom, when and where; "" if no event says so
	Of    []source // what it was made of
	More  bool     // and there is more than is listed
	Stops []stop   // where it has been, in order
	Left  int      // stops in the middle that are left out
	Now   string   // where it is
}

// source is a thing, or several alike, that something was made of.
type source struct {
	Text string
	Of   []source
}

// stop is a time that the subject spent with somebody at a place, or on its way.
type stop struct {
	When, Who, What string
	Where           string // the name of the place
	Number          string // of a place that nobody named
}

// Bounds of a story: it is a page for a telephone. The certificate has everything.
const (
	maxSources = 60
	maxStops   = 24
	maxAlike   = 2000 // things that are looked at
)

func storyOf(r *provenance.Report) *story {
	t := &teller{r: r, byID: map[string][]*provenance.Thing{}, cut: map[string]bool{}, told: map[string]bool{}}
	for i := range r.Things {
		if thing := &r.Things[i]; thing.Relation != provenance.RelContainer {
			t.byID[thing.ID] = append(t.byID[thing.ID], thing)
		}
	}
	for _, c := range r.Cuts {
		t.cut[c.ID] = true
	}
	subject := &r.Things[0]
	s := &story{Title: short(factName(subject.About)), Label: labelOf(r.Subject, subject.Lot)}
	if s.Title == "" {
		s.Title, s.Label = s.Label, ""
	}
	s.Made = t.made(subject)
	t.told[t.kindOf(r.Subject)] = true
	s.Of = t.sources(t.inputs(r.Subject))
	s.More = t.more
	s.Stops, s.Left = stopsOf(r)
	s.Now = nowText(r)
	return s
}

// teller makes a story.
type teller struct {
	r    *provenance.Report
	byID map[string][]*provenance.Thing
	cut  map[string]bool
	told map[string]bool // kinds of things that were listed
	seen int             // things looked at
	rows int
	more bool
}

// made says who made a thing, when and where.
func (t *teller) made(thing *provenance.Thing) string {
	e, born := t.origin(thing)
	by := thing.BornBy
	if by == nil && e != nil {
		by = e.Author
	}
	if by == nil {
		return ""
	}
	verb := "made by "
	if !born {
		verb = "first recorded by "
	}
	text := verb + orgText(by)
	if e != nil {
		text += " on " + dayOf(e.TimeMs)
		if e.Place != "" {
			text += " at " + placeName(t.r, e.Place)
		}
	}
	return text
}

// origin is the event that made a thing, or the first about it. False: it did not make it.
func (t *teller) origin(thing *provenance.Thing) (e *provenance.Event, born bool) {
	for _, i := range thing.Events {
		at := &t.r.Events[i]
		if at.Undone || !at.Declares.IsZero() {
			continue
		}
		if slices.Contains(at.Outputs, thing.ID) || at.Type == "ObjectEvent" && at.Action == "ADD" {
			return at, true
		}
		if e == nil {
			e = at
		}
	}
	return e, false
}

// inputs lists what a thing was made of, by itself or as a part of its lot.
func (t *teller) inputs(id string) []string {
	var out []string
	for _, thing := range t.byID[id] {
		for _, m := range thing.Made {
			out = append(out, m.Inputs...)
		}
		if thing.Lot != id {
			for _, lot := range t.byID[thing.Lot] {
				for _, m := range lot.Made {
					out = append(out, m.Inputs...)
				}
			}
		}
	}
	return out
}

// kindOf is the same for things that a shopper takes for the same: those of one lot.
func (t *teller) kindOf(id string) string {
	for _, thing := range t.byID[id] {
		if thing.Kind == "item" && thing.Lot != "" {
			return thing.Lot
		}
	}
	return id
}

// sources lists things, those of a kind together, with what they were made of.
func (t *teller) sources(ids []string) []source {
	groups := map[string][]string{}
	var order []string
	for _, id := range ids {
		if t.seen++; t.seen > maxAlike {
			t.more = true
			break
		}
		kind := t.kindOf(id)
		if len(groups[kind]) == 0 {
			order = append(order, kind)
		}
		if !slices.Contains(groups[kind], id) {
			groups[kind] = append(groups[kind], id)
		}
	}
	var out []source
	for _, kind := range order {
		if t.rows++; t.rows > maxSources {
			t.more = true
			break
		}
		alike := groups[kind]
		one := source{Text: t.sourceText(alike)}
		if t.told[kind] {
			one.Text += ", as above"
		} else {
			t.told[kind] = true
			var inputs []string
			for _, id := range alike {
				if len(inputs) > maxAlike {
					t.more = true
					break
				}
				inputs = append(inputs, t.inputs(id)...)
			}
			one.Of = t.sources(inputs)
		}
		out = append(out, one)
	}
	return out
}

// sourceText is, for example, "Romaine lettuce, lot L2 of Acme Foods (20 November 2026, North Field)".
func (t *teller) sourceText(alike []string) string {
	id := alike[0]
	things := t.byID[id]
	label, lot := labelOf(id, ""), ""
	if len(things) == 0 {
		return label + " (not on the ledger)"
	}
	thing := things[0]
	if thing.Kind == "item" {
		lot = lotNumber(thing.Lot)
	}
	text := label
	if name := factName(thing.About); name != "" {
		text = called(name)
		if part := shortLabel(id); part != "" && len(alike) == 1 {
			text += ", " + part
		}
	}
	if len(alike) > 1 {
		text = fmt.Sprintf("%d × %s", len(alike), strings.TrimSuffix(text, ", "+shortLabel(id)))
	}
	if lot != "" {
		text += ", lot " + lot
	}
	e, born := t.origin(thing)
	switch {
	case thing.BornBy != nil:
		text += " of " + orgText(thing.BornBy)
	case e != nil && e.Author != nil:
		text += ", first recorded by " + orgText(e.Author)
	}
	if e != nil && (born || thing.BornBy == nil) {
		text += " (" + dayOf(e.TimeMs)
		if e.Place != "" {
			text += ", " + placeName(t.r, e.Place)
		}
		text += ")"
	}
	if t.cut[id] {
		text += "; what it was made of is not shown"
	}
	return text
}

// stopsOf draws the events of the journey together that somebody recorded at one place one after the other.
func stopsOf(r *provenance.Report) (out []stop, left int) {
	var last *provenance.Event
	var acts []string
	for _, s := range r.Journey {
		e := &r.Events[s.Index]
		if e.Undone || s.Act == provenance.ActDeclared {
			continue
		}
		act := actWord(s, e)
		if last != nil && sameOrg(last.Author, e.Author) && canonical(last.Place) == canonical(e.Place) {
			if !slices.Contains(acts, act) {
				acts = append(acts, act)
				out[len(out)-1].What = strings.Join(acts, ", ")
			}
			continue
		}
		last, acts = e, []string{act}
		one := stop{When: eventClock(e.TimeMs), Who: orgText(e.Author), What: act}
		if name := siteName(r, e.Place); name != e.Place {
			one.Where = name
		} else {
			one.Number = placeName(r, e.Place)
		}
		out = append(out, one)
	}
	if left = len(out) - maxStops; left <= 0 {
		return out, 0
	}
	return slices.Delete(out, maxStops/2, maxStops/2+left), left
}

func sameOrg(a, b *provenance.Org) bool {
	return a == b || a != nil && b != nil && a.Address == b.Address
}

// actWord is what happened, in a word or two.
func actWord(s provenance.Step, e *provenance.Event) string {
	if s.Act == provenance.ActSeen && e.BizStep != "" {
		return strings.ReplaceAll(e.BizStep, "_", " ")
	}
	return s.Act
}

// nowText says where it is; "" of lots, of which there are parts in many places.
func nowText(r *provenance.Report) string {
	c := &r.Custody
	if c.State == "" {
		return ""
	}
	text := strings.ReplaceAll(c.State, "_", " ")
	if c.Custodian != nil {
		text += ", with " + orgText(c.Custodian)
	}
	if c.To != nil {
		text += ", on its way to " + orgText(c.To)
	}
	return text
}

// labelOf is what stands on a label, for example "GTIN 09521321123450 · lot L1 · serial 17". lot is that of an item whose
// identifier does not show it.
func labelOf(id, lot string) string {
	parsed, err := gs1.Parse(id)
	if err != nil || parsed.Key() == gs1.KeyOpaque {
		return id
	}
	value := parsed.Key().String() + " " + parsed.Value()
	if gtin, ok := parsed.GTIN(); ok {
		value = "GTIN " + gtin
	}
	parts := []string{value}
	if parsed.Lot() != "" {
		lot = parsed.Lot()
	}
	if lot = lotNumber(lot); lot != "" {
		parts = append(parts, "lot "+lot)
	}
	if parsed.Serial() != "" {
		parts = append(parts, "serial "+parsed.Serial())
	}
	return strings.Join(parts, " · ")
}

// shortLabel is what tells a thing from others of its product: its lot or serial.
func shortLabel(id string) string {
	parsed, err := gs1.Parse(id)
	switch {
	case err != nil:
		return ""
	case parsed.Serial() != "":
		return "serial " + parsed.Serial()
	case parsed.Lot() != "":
		return "lot " + parsed.Lot()
	}
	return ""
}

// lotNumber is the number of a lot that may be given as an identifier.
func lotNumber(lot string) string {
	if parsed, err := gs1.Parse(lot); err == nil && parsed.Lot() != "" {
		return parsed.Lot()
	}
	return lot
}

// thingName is what a thing of the history is called: by its product's name, else by its label.
func thingName(r *provenance.Report, id string) string {
	for i := range r.Things {
		if t := &r.Things[i]; t.ID == id {
			if name := factName(t.About); name != "" {
				return strings.TrimSuffix(called(name)+", "+shortLabel(id), ", ")
			}
		}
	}
	return labelOf(id, "")
}

// placeName is what master data calls a place, else its number.
func placeName(r *provenance.Report, id string) string {
	if name := siteName(r, id); name != id {
		return name
	}
	parsed, err := gs1.Parse(id)
	if err != nil || parsed.Key() != gs1.KeySGLN {
		return id
	}
	if part := parsed.Qualifier("254"); part != "" {
		return "GLN " + parsed.Value() + " / " + part
	}
	return "GLN " + parsed.Value()
}

// short cuts a name that would fill the page.
func short(name string) string {
	if chars := []rune(name); len(chars) > maxCalled {
		return string(chars[:maxCalled]) + "…"
	}
	return name
}

// dayOf is the day of a time in ms since the Unix epoch, in UTC.
func dayOf(ms int64) string { return time.UnixMilli(ms).UTC().Format("2 January 2006") }
