package main

import (
	"sort"
	"strconv"
	"strings"

	"waybill/api"
	"waybill/epcis/gs1"
)

// drawScope shows a scope to a person: the holders with their answers, then what they have, items of one product in a line.
func drawScope(p *printer, s *api.ScopeInfo, names *directory) {
	if s.Notice != nil {
		noticePairs(p, s.Notice)
	}
	p.pairs([2]string{"scope of", strings.Join(s.Subjects, ", ")}, [2]string{"as of block", number(s.Height)})
	if s.Spreading {
		p.line("The notice has not reached yet all that was made of these goods; it does so in the next blocks.")
	}
	p.line("")
	if len(s.Entries) == 0 {
		p.line("Nobody on record has or had any of it.")
		return
	}
	p.title("Who has it")
	p.rows([]string{"HOLDER", "STATUS", "WHAT", "HOW MUCH", "WHERE", "SINCE"}, scopeRows(s, names))
	if len(s.Missing) > 0 {
		p.line("")
		p.title("Not accounted for")
		rows := make([][]string, 0, len(s.Missing))
		for _, m := range s.Missing {
			rows = append(rows, []string{names.label(m.Lot), amount(m.Missing, m.UOM), amount(m.Made, m.UOM), amount(m.Accounted, m.UOM)})
		}
		p.rows([]string{"LOT", "MISSING", "MADE", "FOUND"}, rows)
	}
	if s.Notice == nil {
		return
	}
	p.line("")
	p.title("Answers")
	rows := make([][]string, 0, len(s.Holders))
	for _, h := range s.Holders {
		row := []string{scopeHolder(&h), h.Answer, "", ""}
		if h.Address.IsZero() {
			row[1] = "is not on this ledger"
		}
		if h.StillHas {
			row[1] += ", and has some"
		}
		if h.Ack != nil {
			row[2], row[3] = clock(h.Ack.TimeMs), h.Ack.Note
		}
		rows = append(rows, row)
	}
	p.rows([]string{"WHO", "ANSWER", "WHEN", "NOTE"}, rows)
}

func scopeHolder(h *api.ScopeHolder) string {
	if h.Address.IsZero() {
		return h.Party
	}
	return holderName(&h.Holder)
}

// scopeRows puts single items of one product with the same holder, status, place and container into one row.
func scopeRows(s *api.ScopeInfo, names *directory) [][]string {
	type row struct {
		cells   []string
		serials []string
	}
	var rows []*row
	same := map[string]*row{}
	for i := range s.Entries {
		e := &s.Entries[i]
		holder := e.Party
		if e.Holder != nil {
			holder = holderName(e.Holder)
		}
		if e.To != nil {
			holder += " → " + holderName(e.To)
		} else if e.Status == "in_transit" && e.Party != "" {
			holder += " → " + e.Party
		}
		where := e.Place
		if e.Carrier != "" {
			where = "in " + e.Carrier
		}
		status := strings.ReplaceAll(e.Status, "_", " ")
		if len(e.MadeInto) > 0 {
			status += " into " + names.madeInto(e.MadeInto)
		}
		cells := []string{holder, status, names.label(e.Item), amount(e.Quantity, e.UOM), where, clock(e.SinceMs)}
		if e.Quantity != "" || e.Unmeasured {
			if e.Unmeasured {
				cells[3] = strings.TrimSpace(cells[3] + " and more that nobody measured")
			}
			rows = append(rows, &row{cells: cells})
			continue
		}
		serial := serialOf(e.Item)
		cells[2] = strings.TrimSuffix(cells[2], " "+serial)
		key := strings.Join(cells[:5], "\x00")
		if same[key] == nil {
			same[key] = &row{cells: cells}
			rows = append(rows, same[key])
		}
		same[key].serials = append(same[key].serials, serial)
	}
	out := make([][]string, 0, len(rows))
	for _, r := range rows {
		if len(r.serials) > 0 {
			r.cells[3] = strconv.Itoa(len(r.serials)) + " (" + listed(r.serials) + ")"
		}
		out = append(out, r.cells)
	}
	return out
}

// label names an item by its product where that is known.
func (d *directory) label(id string) string {
	class := ""
	if parsed, err := gs1.Parse(id); err == nil {
		class = parsed.Class().Canonical()
	}
	return productLabel(d, class, id)
}

// madeInto names what something became: the products, each once.
func (d *directory) madeInto(ids []string) string {
	seen := map[string]int{}
	for _, id := range ids {
		label := d.label(id)
		if serial := serialOf(id); serial != "" {
			label = strings.TrimSuffix(label, " "+serial)
		}
		seen[label]++
	}
	var out []string
	for label, n := range seen {
		if n > 1 {
			label = strconv.Itoa(n) + " × " + label
		}
		out = append(out, label)
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}
