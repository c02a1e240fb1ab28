package ledger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"

	"waybill/crypto"
	"waybill/epcis"
)

// disputePayload reads "dispute #3 KIND=ID*AMOUNTUNIT@CONTAINER>FOUND …" and "resolve D1 LINE=OUTCOME …"; nil if the verb
// is neither.
func (s *scenario) disputePayload(f []string) Payload {
	switch f[0] {
	case "dispute":
		p := &Dispute{Shipment: s.hash(f[1])}
		for _, w := range f[2:] {
			p.Lines = append(p.Lines, s.disputeLine(w))
		}
		return p
	case "resolve":
		p := &Resolve{Dispute: s.hash(f[1])}
		for _, w := range f[2:] {
			n, outcome, _ := strings.Cut(w, "=")
			line, err := strconv.ParseUint(n, 10, 16)
			if err != nil {
				s.t.Fatal(err)
			}
			l := Resolution{Line: uint16(line)}
			if err := l.Outcome.UnmarshalText([]byte(outcome)); err != nil {
				s.t.Fatal(err)
			}
			p.Lines = append(p.Lines, l)
		}
		return p
	}
	return nil
}

// hash finds what a label stands for.
func (s *scenario) hash(label string) crypto.Hash {
	for text, l := range s.labels {
		if l != label {
			continue
		}
		h, err := crypto.ParseHash(text)
		if err != nil {
			s.t.Fatal(err)
		}
		return h
	}
	return crypto.Hash{0xff} // nothing there
}

func (s *scenario) disputeLine(w string) DisputeLine {
	var l DisputeLine
	kind, rest, _ := strings.Cut(w, "=")
	if err := l.Kind.UnmarshalText([]byte(kind)); err != nil {
		s.t.Fatal(err)
	}
	rest, l.Found, _ = strings.Cut(rest, ">")
	rest, l.In, _ = strings.Cut(rest, "@")
	id, amount, _ := strings.Cut(rest, "*")
	if number := strings.TrimRight(amount, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"); number != "" {
		n, err := epcis.ParseDecimal(number)
		if err != nil {
			s.t.Fatal(err)
		}
		l.Amount = AmountOf(n)
	}
	l.Unit = strings.TrimLeft(amount, "0123456789.")
	l.ID, l.In, l.Found = s.id(id), s.id(l.In), s.id(l.Found)
	return l
}

// shipments prints the arithmetic of shipments: what was shipped is the sum of what follows it.
func (s *scenario) shipments(d *datadriven.TestData) string {
	var out []string
	for _, label := range lines(d.Input) {
		sh, err := ReadShipment(s.net.view, s.hash(strings.TrimSuffix(label, "!")))
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		if sh == nil {
			out = append(out, label+": no shipment")
			continue
		}
		text := fmt.Sprintf("%s: %s", label, sh.State)
		for _, part := range []struct {
			name  string
			tally Tally
		}{
			{"shipped", sh.Shipped}, {"accepted", sh.Accepted()}, {"open", Tally{Items: sh.OpenItems, Quantities: sh.Quantities}},
			{"rejected", sh.Rejected}, {"short", sh.Short}, {"void", sh.Void},
		} {
			if what := s.tally(part.tally); what != "" {
				text += "\n  " + part.name + " " + what
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

func (s *scenario) tally(t Tally) string {
	var parts []string
	if t.Items > 0 {
		parts = append(parts, fmt.Sprintf("%d things", t.Items))
	}
	for _, q := range t.Quantities {
		if !q.Amount.IsZero() || q.Unmeasured {
			parts = append(parts, s.relabel(strings.TrimRight(q.Amount.String()+" "+q.Unit, " ")+" of "+q.Lot))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func (s *scenario) disputes(d *datadriven.TestData) string {
	var out []string
	b := &blockRun{o: newOverlay(s.net.view)}
	for _, label := range lines(d.Input) {
		rec, err := ReadDispute(s.net.view, s.hash(label))
		if err != nil || rec == nil {
			d.Fatalf(s.t, "%s: %v, %v", label, rec, err)
		}
		text := fmt.Sprintf("%s: %s ships, %s receives, %d open", label, b.orgName(rec.From), b.orgName(rec.To), rec.Open)
		for i, l := range rec.Lines {
			text += fmt.Sprintf("\n  %d %s", i, l.Kind)
			if !l.Amount.IsZero() {
				text += " " + strings.TrimRight(l.Amount.String()+" "+l.Unit, " ") + " of"
			}
			text += " " + l.ID
			if l.In != "" {
				text += " in " + l.In
			}
			if l.Found != "" {
				text += ", found " + l.Found
			}
			text += ": " + rec.Outcomes[i].String()
			if rec.LineOpen(i) && rec.Outcomes[i] != 0 {
				text += ", still missing"
			}
		}
		out = append(out, s.relabel(text))
	}
	return strings.Join(out, "\n")
}
