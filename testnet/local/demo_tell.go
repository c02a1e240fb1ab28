package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waybill/api"
	"waybill/epcis/trace"
)

// What the demonstration asks the network about.
const (
	demoBag = "urn:epc:id:sgtin:9521007.070001.S1"
	demoLot = "urn:epc:class:lgtin:9521001.010001.A1"
)

// tellTraces asks two nodes two questions, and makes sure that the answers hold what they must.
func (d *demo) tellTraces(ctx context.Context) error {
	d.out.title("4. A customer asks: where has this bag of salad been? (asked of node4, which was down for a while)")
	back, err := d.clients[crashing].TraceBack(ctx, demoBag, trace.Limits{})
	if err != nil {
		return err
	}
	if err := d.opts.ShowTrace(ctx, d.opts.Out, d.clients[crashing], back); err != nil {
		return err
	}
	if err := mustReach(back, demoLot, "urn:epc:class:lgtin:9521002.010001.B1"); err != nil {
		return err
	}
	d.out.title("5. The authority asks: something is wrong with lot A1 of Salinas Farm. Who else got that lettuce? (asked of node2)")
	forward, err := d.clients[1].TraceForward(ctx, demoLot, trace.Limits{})
	if err != nil {
		return err
	}
	if err := d.opts.ShowTrace(ctx, d.opts.Out, d.clients[1], forward); err != nil {
		return err
	}
	if err := mustReach(forward, demoBag, "urn:epc:id:sgtin:9521007.070001.S12", "urn:epc:id:sgtin:9521004.150001.A8"); err != nil {
		return err
	}
	return mustRemain(forward, "100")
}

// mustRemain makes sure that a trace forward knows how much of its root is still on hand.
func mustRemain(g *trace.Graph, quantity string) error {
	for _, h := range g.Node(g.Root).Holdings {
		if h.Status == trace.StatusOnHand && h.Quantity == quantity {
			return nil
		}
	}
	return fmt.Errorf("the trace of %s does not know that %s of it is still on hand", g.Root, quantity)
}

// mustReach makes sure that a trace is whole and names what it has to.
func mustReach(g *trace.Graph, items ...string) error {
	if g.Truncated {
		return fmt.Errorf("the trace of %s is not whole: %v", g.Root, g.Reasons)
	}
	for _, item := range items {
		if g.Node(trace.Key(item)) == nil {
			return fmt.Errorf("the trace of %s does not reach %s", g.Root, item)
		}
	}
	return nil
}

func (d *demo) tellFrauds(context.Context) error {
	d.out.title("6. Three frauds, and how the network refused each")
	if len(d.frauds) != len(frauds()) {
		return errNotRefused
	}
	for i, f := range d.frauds {
		conflict := "event " + f.fault.Conflict
		if f.fault.Conflict == "" {
			a := d.approvals[d.company("maker").prefix]
			conflict = fmt.Sprintf("the approval of the prefix for SaladWorks, transaction %s in block %d", a.tx, a.height)
		} else if f.fault.ConflictAt != 0 {
			conflict += fmt.Sprintf(" in block %d", f.fault.ConflictAt)
		}
		d.out.say("   %d. %s.\n      refused   by rule %s (%s), on the record in block %d\n      because   %s\n      field     %s\n      conflict  %s\n      remedy    %s\n",
			i+1, f.says, f.fault.Rule, f.fault.Code, f.height, f.fault.Detail, f.fault.Pointer, conflict, f.fault.Help)
	}
	return nil
}

// errApart are nodes that do not agree.
var errApart = errors.New("the nodes do not report the same ledger")

// compareNodes waits until all nodes report the same height, block and state.
func (d *demo) compareNodes(ctx context.Context) error {
	d.out.title("9. All four nodes hold the same ledger")
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		list, err := d.statuses(ctx)
		if err == nil && same(list) {
			for i, s := range list {
				d.out.say("   node%d  height %d  block %s  state %s", i+1, s.Height, s.BlockHash, s.StateRoot)
			}
			d.out.say("   %d events of %d companies are on the record.", d.events, len(d.companies))
			return nil
		}
		select {
		case <-ctx.Done():
			for i, s := range list {
				d.out.say("   node%d  height %d  block %s  state %s", i+1, s.Height, s.BlockHash, s.StateRoot)
			}
			return errors.Join(errApart, err)
		case <-time.After(4 * pollEvery):
		}
	}
}

func (d *demo) statuses(ctx context.Context) ([]*api.Status, error) {
	var out []*api.Status
	for _, client := range d.clients {
		s, err := client.Status(ctx)
		if err != nil {
			return out, err
		}
		out = append(out, s)
	}
	return out, nil
}

func same(list []*api.Status) bool {
	for _, s := range list {
		if s.Height != list[0].Height || s.BlockHash != list[0].BlockHash || s.StateRoot != list[0].StateRoot {
			return false
		}
	}
	return len(list) > 0
}
