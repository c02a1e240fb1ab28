package main

import (
	"slices"
	"strconv"
	"strings"

	"waybill/epcis/trace"
)

// origins lists where a trace back ends.
func (t *traceText) origins() {
	var rows [][]string
	for i := range t.g.Nodes {
		n := &t.g.Nodes[i]
		if !t.inTree(n) || len(t.next[n.ID]) > 0 || n.ID == t.g.Root || t.folded[n.ID] {
			continue
		}
		who := ""
		if len(n.Events) > 0 {
			who = recordedBy(&t.g.Events[n.Events[0].Event])
		}
		rows = append(rows, []string{t.label(n.ID), who, eventClock(n.FirstMs)})
	}
	if len(rows) > 0 {
		t.line("")
		t.title("Where it comes from")
		t.rows([]string{"ORIGIN", "RECORDED BY", "FIRST SEEN"}, rows)
	}
}

// whereabouts lists where everything is that a trace forward found.
func (t *traceText) whereabouts() {
	type key struct{ holder, status, what, uom string }
	var order []key
	items, amounts := map[key][]string{}, map[key][]string{}
	for i := range t.g.Nodes {
		n := &t.g.Nodes[i]
		if n.Role == trace.RoleCarrier || n.Role == trace.RoleContent {
			continue
		}
		for _, h := range n.Holdings {
			if h.Status == trace.StatusConsumed {
				continue
			}
			holder := t.party(h.Party)
			if h.Status == trace.StatusInTransit && h.To != "" {
				holder += " → " + t.party(h.To)
			}
			what, serial := t.label(n.ID), ""
			if n.Kind == trace.KindInstance {
				serial = serialOf(n.ID)
				what = strings.TrimSuffix(what, " "+serial)
			}
			k := key{holder, statusWords(h.Status), what, h.UOM}
			if items[k] == nil && amounts[k] == nil {
				order = append(order, k)
			}
			if serial != "" {
				items[k] = append(items[k], serial)
			} else {
				amounts[k] = append(amounts[k], h.Quantity)
			}
		}
	}
	rows := make([][]string, 0, len(order))
	for _, k := range order {
		rows = append(rows, []string{k.holder, k.status, k.what, quantityText(items[k], amounts[k], k.uom)})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	t.line("")
	t.title("Where it is now")
	if len(rows) == 0 {
		t.line("nothing of it is left")
		return
	}
	t.rows([]string{"HOLDER", "STATUS", "WHAT", "HOW MUCH"}, rows)
}

func quantityText(serials, amounts []string, uom string) string {
	if len(serials) > 0 {
		return strconv.Itoa(len(serials)) + " (" + listed(serials) + ")"
	}
	parts := make([]string, 0, len(amounts))
	for _, a := range amounts {
		if a == "" {
			a = "an unstated amount"
		}
		parts = append(parts, amount(a, uom))
	}
	return strings.Join(parts, " + ")
}
