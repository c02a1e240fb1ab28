package ledger

import (
	"slices"

	"waybill/crypto"
)

// maxAncestry bounds how many transformations and inputs of them are looked at to rule out a genealogical cycle.
const maxAncestry = 16_384

// idsPerWork is how many identifiers are merged or looked up for the work of one thing handled; see work.go.
const idsPerWork = 16

// transform is a TransformationEvent: inputs are used up, outputs come into being, and edges both ways say so.
func (e *eventRun) transform() *Finding {
	if f := e.checkAcyclic(); f != nil {
		return f
	}
	link := e.linkID()
	before, _ := get[Link](e.o, LinkKey(link))
	inputs, f := e.useUp(link)
	if f != nil {
		return f
	}
	if f := e.make(link); f != nil {
		return f
	}
	if f := e.extendLink(link, inputs); f != nil {
		return f
	}
	e.derive(link, inputs, len(before.Outputs) > 0)
	return nil
}

// useUp ends the inputs. What a flagged rule leaves out has no edge.
func (e *eventRun) useUp(link crypto.Hash) ([]usedInput, *Finding) {
	used := make([]usedInput, 0, len(e.e.inputs.items)+len(e.e.inputs.lots))
	for _, t := range e.e.inputs.items {
		ended, f := e.end(t, StateConsumed)
		if f != nil {
			return nil, f
		}
		if ended {
			e.edgeItem(t.id, link, true)
		}
		used = append(used, usedInput{id: t.id, holds: e.holdsOf(t), edge: ended, amount: amountOf{thing: t}})
	}
	for _, l := range e.e.inputs.lots {
		taken, f := e.debit(l)
		if f != nil {
			return nil, f
		}
		if taken != nil {
			e.edgeLot(l, link, true)
		}
		used = append(used, usedInput{id: l.id, holds: HoldsOf(l.id, ""), edge: taken != nil, amount: l})
	}
	return used, nil
}

// make brings the outputs into being.
func (e *eventRun) make(link crypto.Hash) *Finding {
	for _, t := range e.e.makes.items {
		made, f := e.commissionItem(t, true)
		if f != nil {
			return f
		}
		if made {
			e.edgeItem(t.id, link, false)
		}
	}
	for _, l := range e.e.makes.lots {
		if f := e.produce(l); f != nil {
			return f
		}
		e.edgeLot(l, link, false)
	}
	return nil
}

// linkID names the transformation: the event, or what the author's events with one transformationID have in common.
func (e *eventRun) linkID() crypto.Hash {
	id := e.e.event.TransformationID
	if id == "" {
		return e.e.hash
	}
	// Under the tag of chains, whose messages are two hashes: this one is longer, so it is none of them.
	var pad [2 * crypto.HashSize]byte
	return crypto.Sum(crypto.TagItemChain, pad[:], e.author[:], []byte(id))
}

func (e *eventRun) edgeItem(id string, link crypto.Hash, used bool) {
	item, _ := get[Item](e.o, e.o.itemKey(id))
	edge := Edge{Event: e.e.hash, Link: link, Height: e.height}
	if used {
		put(e.o, UsedKey(id, item.Used), edge)
		item.Used++
	} else {
		put(e.o, MadeKey(id, item.Made), edge)
		item.Made++
	}
	put(e.o, e.o.itemKey(id), item)
}

func (e *eventRun) edgeLot(l amountOf, link crypto.Hash, used bool) {
	lot, _ := get[Lot](e.o, LotKey(l.id))
	edge := Edge{Event: e.e.hash, Link: link, Height: e.height, Unit: l.unit, Amount: l.amount}
	if used {
		put(e.o, UsedKey(l.id, lot.Used), edge)
		lot.Used++
	} else {
		put(e.o, MadeKey(l.id, lot.Made), edge)
		lot.Made++
	}
	put(e.o, LotKey(l.id), lot)
}

func (e *eventRun) extendLink(id crypto.Hash, used []usedInput) *Finding {
	link, _ := get[Link](e.o, LinkKey(id))
	if !e.mayWork((len(link.Inputs) + len(link.Outputs)) / idsPerWork) {
		return e.tooMuchWork()
	}
	link.Inputs = mergeIDs(link.Inputs, &e.e.inputs)
	link.Outputs = mergeIDs(link.Outputs, &e.e.makes)
	if len(link.Inputs) > maxContents || len(link.Outputs) > maxContents {
		return e.judge(finding(CodeTransformFull, "/transformationID", e.e.event.TransformationID, decimal(maxContents)))
	}
	if f := e.weigh(&link, spent(used)); f != nil {
		return f
	}
	e.claimInputs(&link, used)
	if f := e.claim(&e.e.makes, &link); f != nil {
		return f
	}
	put(e.o, LinkKey(id), link)
	return nil
}

// mergeIDs returns an ascending list with the identifiers of goods added.
func mergeIDs(list []string, g *goods) []string {
	list = slices.Clone(list)
	for _, t := range g.items {
		list = append(list, t.id)
	}
	for i := range g.lots {
		list = append(list, g.lots[i].id)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// checkAcyclic is R11: no output may be among what the inputs were made of. An output that was never used for anything
// is nobody's ancestor, which settles all new things at once; for the others the ancestry of the inputs is searched.
func (e *eventRun) checkAcyclic() *Finding {
	before, _ := get[Link](e.o, LinkKey(e.linkID()))
	inputs, outputs := mergeIDs(before.Inputs, &e.e.inputs), mergeIDs(before.Outputs, &e.e.makes)
	suspects := map[string]bool{}
	for _, id := range outputs {
		if _, both := slices.BinarySearch(inputs, id); both {
			return e.judge(finding(CodeGenealogyCycle, e.e.whereMade(id), id))
		}
		if e.used(id) > 0 {
			suspects[id] = true
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	return e.searchAncestry(inputs, suspects)
}

// whereMade is the pointer of an output; that of an earlier event's is the transformationID.
func (c *capturedEvent) whereMade(id string) string {
	for _, t := range c.makes.items {
		if t.id == id {
			return t.at
		}
	}
	for _, l := range c.makes.lots {
		if l.id == id {
			return l.at
		}
	}
	return "/transformationID"
}

func (b *blockRun) used(id string) uint64 {
	if item, ok := get[Item](b.o, b.o.itemKey(id)); ok {
		return item.Used
	}
	lot, _ := get[Lot](b.o, LotKey(id))
	return lot.Used
}

func (e *eventRun) made(id string) uint64 {
	if item, ok := get[Item](e.o, e.o.itemKey(id)); ok {
		return item.Made
	}
	lot, _ := get[Lot](e.o, LotKey(id))
	return lot.Made
}

// searchAncestry walks from the inputs to what they were made of, breadth first, until a suspect turns up.
func (e *eventRun) searchAncestry(inputs []string, suspects map[string]bool) *Finding {
	queue, seen, steps := slices.Clone(inputs), map[string]bool{}, 0
	for i := 0; i < len(queue); i++ {
		id := queue[i]
		if seen[id] {
			continue
		}
		seen[id] = true
		if suspects[id] {
			return e.judge(finding(CodeGenealogyCycle, e.e.whereMade(id), id))
		}
		for n := range e.made(id) {
			edge, _ := get[Edge](e.o, MadeKey(id, n))
			link, _ := get[Link](e.o, LinkKey(edge.Link))
			if !e.mayWork(1 + len(link.Inputs)) {
				return e.tooMuchWork()
			}
			if steps += 1 + len(link.Inputs); steps > maxAncestry {
				return e.judge(finding(CodeGenealogyDepth, "/outputQuantityList", id))
			}
			queue = append(queue, link.Inputs...)
		}
	}
	return nil
}
