package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"waybill/epcis/gs1"
	"waybill/epcis/trace"
	"waybill/epcis/unit"
)

// naming gives identifiers the names people know them by; "" where there is none.
type naming interface {
	// Party names the organisation of a party or place identifier.
	Party(id string) string
	// Product names the product that an item or lot is of.
	Product(class, item string) string
}

// traceText draws a trace as an indented tree: every node with its history, below it what it was made of (back) or what
// became of it (forward). Nodes of one kind with the same history and the same relatives are drawn once, as a group.
type traceText struct {
	*printer
	g     *trace.Graph
	names naming
	next  map[string][]trace.Edge // from a node to those below it
	drawn map[string]bool         // by the first id of its group
	brief bool                    // leave out histories

	folded map[string]bool // lots that are told of by their members only
}

// maxNamed is how many members of a group are named.
const maxNamed = 12

func drawTrace(p *printer, g *trace.Graph, names naming, brief bool) {
	t := &traceText{printer: p, g: g, names: names, next: map[string][]trace.Edge{}, drawn: map[string]bool{}, folded: map[string]bool{}, brief: brief}
	for _, e := range g.Edges {
		upper, lower := e.From, e.To
		if g.Direction == trace.DirectionBack {
			upper, lower = e.To, e.From
		}
		if below := g.Node(lower); below != nil && t.inTree(below) && !t.linked(upper, e) {
			t.next[upper] = append(t.next[upper], e)
		}
	}
	t.foldLots()
	if root := g.Node(g.Root); root != nil {
		t.node([]*trace.Node{root}, "", "", nil)
	}
	if g.Direction == trace.DirectionBack {
		t.origins()
	} else {
		t.whereabouts()
	}
	if g.Withdrawn > 0 {
		t.line("")
		t.line("%d event(s) were left out because their authors declared them erroneous.", g.Withdrawn)
	}
	if g.Truncated {
		t.line("")
		t.title("This is not the whole trace: %s.", strings.Join(g.Reasons, "; "))
	}
}

// inTree leaves out pallets and other carriers, which are told of in the histories of what they carried.
func (t *traceText) inTree(n *trace.Node) bool { return n.Role != trace.RoleCarrier }

// linked reports whether a part that is attached to a thing is below it already, because the thing was made of it.
func (t *traceText) linked(upper string, e trace.Edge) bool {
	return e.Kind == trace.EdgeAssociated && slices.ContainsFunc(t.next[upper], func(o trace.Edge) bool { return o.From == e.From && o.To == e.To })
}

// foldLots leaves out lots that say no more than the label of their members does: that they are of this lot.
func (t *traceText) foldLots() {
	if t.g.Direction != trace.DirectionBack {
		return
	}
	for id, edges := range t.next {
		t.next[id] = slices.DeleteFunc(edges, func(e trace.Edge) bool {
			if e.Kind == trace.EdgeMember && len(t.next[e.From]) == 0 {
				t.folded[e.From] = true
				return true
			}
			return false
		})
	}
}

// node draws a group of like nodes and what is below it.
func (t *traceText) node(group []*trace.Node, first, indent string, via *trace.Edge) {
	head := group[0]
	t.WriteString(t.paint(faint, first) + t.paint(bold, t.groupLabel(group)))
	if via != nil && via.Quantity != "" && t.g.Direction == trace.DirectionBack {
		t.WriteString(show(" · " + amount(via.Quantity, via.UOM)))
	}
	t.WriteString("  " + t.paint(statusStyle(head.Status), t.statusText(head)) + "\n")
	if t.drawn[head.ID] {
		t.line("%s    (drawn above)", indent)
		return
	}
	t.drawn[head.ID] = true
	below := t.below(head)
	bar := "  "
	if len(below) > 0 {
		bar = "│ "
	}
	if !t.brief {
		t.history(head, indent+bar)
	}
	if len(below) > 0 {
		t.line("%s│ %s", indent, t.linkWords(below))
	}
	for i, b := range below {
		branch, continued := "├─ ", "│  "
		if i == len(below)-1 {
			branch, continued = "└─ ", "   "
		}
		t.node(b.nodes, indent+branch, indent+continued, &b.edge)
	}
	if len(below) == 0 && !head.Expanded && t.g.Truncated {
		t.line("%s  … not followed further", indent)
	}
}

// branch is a group of like nodes below another.
type branch struct {
	edge  trace.Edge // of the first one
	nodes []*trace.Node
}

// below groups what is below a node.
func (t *traceText) below(n *trace.Node) []branch {
	var out []branch
	index := map[string]int{}
	for _, e := range t.next[n.ID] {
		id := e.From
		if t.g.Direction == trace.DirectionForward {
			id = e.To
		}
		other := t.g.Node(id)
		key := string(e.Kind) + t.signature(other)
		if i, ok := index[key]; ok {
			if !slices.Contains(out[i].nodes, other) {
				out[i].nodes = append(out[i].nodes, other)
			}
			continue
		}
		index[key] = len(out)
		out = append(out, branch{e, []*trace.Node{other}})
	}
	return out
}

// signature is the same for nodes that can be drawn as one: instances of one class and lot with the same history and the
// same nodes below.
func (t *traceText) signature(n *trace.Node) string {
	if n.Kind != trace.KindInstance {
		return n.ID
	}
	var s strings.Builder
	fmt.Fprint(&s, n.Class, "|", n.Lot, "|", n.Status, "|", n.Party, "|", n.Role)
	for _, v := range n.Events {
		fmt.Fprint(&s, "|", v.Event, v.Via)
	}
	for _, e := range t.next[n.ID] {
		fmt.Fprint(&s, "|", e.Kind, e.From, ">", e.To)
	}
	return strings.ReplaceAll(s.String(), n.ID, "self")
}

func (t *traceText) linkWords(below []branch) string {
	kinds := map[trace.EdgeKind]bool{}
	for _, b := range below {
		kinds[b.edge.Kind] = true
	}
	back := t.g.Direction == trace.DirectionBack
	switch {
	case len(kinds) > 1 && back:
		return "made of or part of:"
	case kinds[trace.EdgeTransformed] && back:
		return "made of:"
	case kinds[trace.EdgePacked] && back:
		return "held:"
	case kinds[trace.EdgeAssociated] && back:
		return "attached to it:"
	case kinds[trace.EdgeAssociated] && len(kinds) == 1:
		return "attached to:"
	case kinds[trace.EdgeMember] && back:
		return "of the lot:"
	case len(kinds) > 1:
		return "became or was packed into:"
	case kinds[trace.EdgeTransformed]:
		return "became:"
	case kinds[trace.EdgePacked]:
		return "packed into:"
	}
	return "single items of it:"
}

// history writes one line for each event of a node.
func (t *traceText) history(n *trace.Node, indent string) {
	for _, v := range n.Events {
		e := &t.g.Events[v.Event]
		words := t.eventWords(n, v, e)
		who := recordedBy(e)
		line := fmt.Sprintf("%s  %s  %-22s %s", indent, eventClock(e.TimeMs), who, words)
		if len(e.Flags) > 0 {
			line += "  [flagged: " + strings.Join(e.Flags, ", ") + "]"
		}
		t.WriteString(t.paint(faint, strings.TrimRight(line, " ")) + "\n")
	}
}

// recordedBy names the author of an event.
func recordedBy(e *trace.Event) string {
	if e.Org != "" {
		return e.Org
	}
	return shortAddress(e.Author)
}

func eventClock(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04") }

// eventWords says what an event did to a node.
func (t *traceText) eventWords(n *trace.Node, v trace.Visit, e *trace.Event) string {
	words := stepWords(e)
	switch {
	case e.Type == "TransformationEvent" && t.made(n, v.Event):
		words = "made"
	case e.Type == "TransformationEvent":
		words = "used up"
	case e.BizStep == "shipping" && e.To != "":
		words = "shipped to " + t.party(e.To)
	case e.BizStep == "receiving" && e.From != "":
		words = "received from " + t.party(e.From)
	}
	if v.Via != "" {
		words += ", in " + t.label(v.Via)
	}
	return words
}

// made reports whether an event brought a node into being.
func (t *traceText) made(n *trace.Node, event int) bool {
	for _, e := range t.g.Edges {
		if e.Kind == trace.EdgeTransformed && e.To == n.ID && slices.Contains(e.Events, event) {
			return true
		}
	}
	// What the root of a forward graph was made of is not in the graph: its first event is then what made it.
	return t.g.Direction == trace.DirectionForward && n.ID == t.g.Root && n.Events[0].Event == event
}

// stepWords turns a business step of the Core Business Vocabulary into plain words.
func stepWords(e *trace.Event) string {
	words := map[string]string{
		"commissioning": "first recorded", "shipping": "shipped", "receiving": "received", "packing": "packed", "unpacking": "unpacked",
		"storing": "stored", "transporting": "on the road", "retail_selling": "sold", "inspecting": "inspected",
		"creating_class_instance": "made", "assembling": "attached", "departing": "departed", "arriving": "arrived",
		"loading": "loaded", "unloading": "unloaded", "accepting": "accepted", "void_shipping": "shipment voided",
		"destroying": "destroyed", "decommissioning": "taken out of use", "repackaging": "repacked", "dispensing": "dispensed",
		"sampling": "sampled", "installing": "installed", "cycle_counting": "counted", "holding": "held back",
	}
	if w, ok := words[e.BizStep]; ok {
		return w
	}
	if e.BizStep != "" {
		step := e.BizStep[strings.LastIndexAny(e.BizStep, "/:#")+1:]
		return strings.ReplaceAll(step, "_", " ")
	}
	return strings.TrimSuffix(e.Type, "Event") + " " + strings.ToLower(e.Action)
}

// label names a node for a person.
func (t *traceText) label(id string) string {
	n := t.g.Node(id)
	parsed, err := gs1.Parse(id)
	if err != nil || parsed.Key() == gs1.KeyOpaque {
		return id
	}
	class := parsed.Class().Canonical()
	if n != nil && n.Class != "" {
		class = n.Class
	}
	return productLabel(t.names, class, id)
}

// productLabel names an item or lot by its product and its lot or serial number.
func productLabel(names naming, class, id string) string {
	parsed, err := gs1.Parse(id)
	if err != nil || parsed.Key() == gs1.KeyOpaque {
		return id
	}
	name := names.Product(class, id)
	switch parsed.Key() {
	case gs1.KeySSCC:
		return "pallet " + parsed.Value()
	case gs1.KeySGTIN, gs1.KeyLGTIN, gs1.KeyGTIN:
		if name == "" {
			gtin, _ := parsed.GTIN()
			name = "product " + gtin
		}
		if lot := parsed.Lot(); lot != "" {
			name += ", lot " + lot
		}
	default:
		if name == "" {
			name = parsed.Key().String() + " " + parsed.Value()
		}
	}
	if s := parsed.Serial(); s != "" {
		name += " " + s
	}
	return name
}

// groupLabel names a group: "6 × Romaine case (lot PA): A1, A2…".
func (t *traceText) groupLabel(group []*trace.Node) string {
	head := group[0]
	lot := ""
	if head.Lot != "" && head.Kind == trace.KindInstance {
		lot = " (lot " + head.Lot[strings.LastIndex(head.Lot, "/")+1:] + ")"
	}
	if len(group) == 1 {
		return t.label(head.ID) + lot
	}
	serials := make([]string, 0, len(group))
	for _, n := range group {
		serials = append(serials, serialOf(n.ID))
	}
	name := strings.TrimSuffix(t.label(head.ID), " "+serialOf(head.ID))
	return fmt.Sprintf("%d × %s%s: %s", len(group), name, lot, listed(serials))
}

// listed names the first of some serial numbers: shorter ones first, so that S9 comes before S10.
func listed(serials []string) string {
	sorted := slices.Clone(serials)
	slices.SortFunc(sorted, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	if len(sorted) > maxNamed {
		sorted = append(sorted[:maxNamed], "…")
	}
	return strings.Join(sorted, ", ")
}

func serialOf(id string) string {
	if parsed, err := gs1.Parse(id); err == nil && parsed.Serial() != "" {
		return parsed.Serial()
	}
	return id
}

// statusText says where a node is now.
func (t *traceText) statusText(n *trace.Node) string {
	words := statusWords(n.Status)
	holder := t.party(n.Party)
	if len(n.Holdings) > 1 {
		return t.holdingsText(n)
	}
	switch {
	case n.Status == trace.StatusInTransit && len(n.Holdings) == 1 && n.Holdings[0].To != "":
		return words + " from " + holder + " to " + t.party(n.Holdings[0].To)
	case holder != "" && n.Status != trace.StatusConsumed:
		return words + " · " + holder
	}
	return words
}

// maxHoldings is how many parts of a lot are told of in one line.
const maxHoldings = 4

// holdingsText says where the parts of a lot are.
func (t *traceText) holdingsText(n *trace.Node) string {
	parts := make([]string, 0, len(n.Holdings))
	for i, h := range n.Holdings {
		if i == maxHoldings {
			parts = append(parts, "…")
			break
		}
		text := strings.TrimSpace(amount(h.Quantity, h.UOM) + " " + statusWords(h.Status))
		if h.Status != trace.StatusConsumed {
			text += " · " + t.party(h.Party)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func statusWords(s trace.Status) string {
	if s == trace.StatusConsumed {
		return "used up"
	}
	return strings.ReplaceAll(string(s), "_", " ")
}

func statusStyle(s trace.Status) style {
	if s == trace.StatusOnHand || s == trace.StatusInTransit {
		return green
	}
	return faint
}

func (t *traceText) party(id string) string {
	if id == "" {
		return ""
	}
	if name := t.names.Party(id); name != "" {
		return name
	}
	if strings.HasPrefix(id, "wb1") {
		return shortAddress(id)
	}
	return id
}

// amount is a quantity with the symbol of its unit (UN/ECE Recommendation 20), or its code if the unit is unknown.
func amount(quantity, uom string) string {
	symbol := uom
	if u, ok := unit.Lookup(uom); ok {
		symbol = u.Symbol
	}
	return strings.TrimSpace(quantity + " " + symbol)
}

// shortAddress is enough of an address to tell it from others on a page.
func shortAddress(a string) string {
	if len(a) > 16 {
		return a[:10] + "…" + a[len(a)-4:]
	}
	return a
}
