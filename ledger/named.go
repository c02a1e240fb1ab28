package ledger

import "waybill/crypto"

// Named is what an event names, as the ledger reads it: identifiers in canonical form, each once in a list. The event is
// on the chain of everything named that was on the ledger.
type Named struct {
	Parent                           string // "" if there is none
	Goods, Children, Inputs, Outputs NamedGoods
	Declares                         crypto.Hash // of an error declaration: the event that it declares wrong; else zero
}

// NamedGoods are the items and the lots (or classes) of one pair of lists of an event.
type NamedGoods struct {
	Items, Lots []string
}

// Named returns what event i of a capture names; i must be below the number of its events.
func (tx *Transaction) Named(i int) Named {
	e := &tx.events[i]
	return Named{
		Parent: e.parent.id, Goods: e.goods.named(), Children: e.children.named(), Inputs: e.inputs.named(), Outputs: e.makes.named(),
		Declares: e.original,
	}
}

func (g *goods) named() NamedGoods {
	var n NamedGoods
	for _, t := range g.items {
		n.Items = append(n.Items, t.id)
	}
	for i := range g.lots {
		n.Lots = append(n.Lots, g.lots[i].id)
	}
	return n
}

// Holds reports whether the list names the item, or with lot true the lot or class.
func (g *NamedGoods) Holds(id string, lot bool) bool {
	list := g.Items
	if lot {
		list = g.Lots
	}
	for _, other := range list {
		if other == id {
			return true
		}
	}
	return false
}

// Holds reports whether the event names the item, or with lot true the lot or class, anywhere.
func (n *Named) Holds(id string, lot bool) bool {
	return !lot && n.Parent == id && id != "" || n.Goods.Holds(id, lot) || n.Children.Holds(id, lot) || n.Inputs.Holds(id, lot) || n.Outputs.Holds(id, lot)
}

// CanonicalID returns the spelling under which the state knows an identifier: the canonical one, or the identifier as it
// is where it does not parse.
func CanonicalID(id string) string { return canonical(id) }
