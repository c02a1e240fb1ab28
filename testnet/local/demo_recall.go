package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// The recall: why, and what somebody tries all the same.
const (
	recallReason = "Listeria in a sample of a salad bag"
	forbidden    = "21-store-sells-recalled" // what a store tries
)

// recall lets the farm recall its lot, shows that what was made of it does not move any more and who has it, and releases it.
func (d *demo) recall(ctx context.Context) error {
	farm := d.company("farma")
	d.out.title("7. %s recalls lot A1: it and everything made from it stops, and everybody knows where it is", farm.name)
	done, err := d.perform(ctx, "recalling the lot", []act{{farm.wallet, farm.node, &ledger.Notice{
		Type: ledger.Recall, Subjects: []string{trace.Key(demoLot)}, Reason: recallReason, Instructions: "Stop selling it and call the hotline",
	}}})
	if err != nil {
		return err
	}
	notice := done[0].ID
	d.out.say("   %s recalls %s, block %d: %s.", farm.name, demoLot, done[0].Height, recallReason)
	if err := d.spread(ctx); err != nil {
		return err
	}
	if err := d.sellRecalled(ctx); err != nil {
		return err
	}
	if err := d.acknowledge(ctx, notice); err != nil {
		return err
	}
	if err := d.tellScope(ctx, notice); err != nil {
		return err
	}
	if err := d.certifyRecalled(ctx, done[0].Height); err != nil {
		return err
	}
	done, err = d.perform(ctx, "releasing the notice", []act{{farm.wallet, farm.node, &ledger.ReleaseNotice{Notice: notice, Reason: "the second sample was clean"}}})
	if err != nil {
		return err
	}
	d.released = done[0].Height
	d.out.say("\n   The second sample was clean: %s releases the notice in block %d.", farm.name, d.released)
	list, err := d.clients[0].Notices(ctx, api.NoticeFilter{State: "open"}, api.Page{})
	if err != nil {
		return err
	}
	if len(list.Notices) != 0 {
		return fmt.Errorf("%d notices are open after the release", len(list.Notices))
	}
	return nil
}

// spread waits until the notice has reached everything that was made of its lot.
func (d *demo) spread(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		list, err := d.clients[0].Notices(ctx, api.NoticeFilter{Subject: demoBag, State: "open"}, api.Page{})
		if err != nil {
			return err
		}
		if len(list.Notices) == 1 && !list.Spreading {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the recall does not reach the salad: %w", ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// errSold is a recalled bag that could be sold.
var errSold = errors.New("the network did not stop recalled goods as it must")

// sellRecalled lets a store try to sell a bag that was made from the lot.
func (d *demo) sellRecalled(ctx context.Context) error {
	store := d.company("store1")
	job, _, err := d.post(ctx, store, forbidden)
	if err != nil {
		return err
	}
	if job.Success || len(job.Errors) == 0 || len(job.Errors[0].Errors) == 0 {
		return errSold
	}
	fault := job.Errors[0].Errors[0]
	if fault.Rule != "R12" || fault.Help == "" {
		return fmt.Errorf("%w: refused by %s %s: %s", errSold, fault.Rule, fault.Code, fault.Detail)
	}
	d.out.say("   %s tries to sell a bag all the same.\n      refused   by rule %s (%s)\n      because   %s\n      remedy    %s", store.name, fault.Rule, fault.Code, fault.Detail, fault.Help)
	return nil
}

// acknowledge lets holders answer: what they did about it.
func (d *demo) acknowledge(ctx context.Context, notice crypto.Hash) error {
	var acts []act
	for _, answer := range []struct {
		company string
		status  ledger.AckStatus
		note    string
	}{{"store1", ledger.AckStopped, "five bags off the shelf"}, {"store2", ledger.AckReceived, ""}, {"cooler", ledger.AckStopped, "100 kg blocked"}} {
		c := d.company(answer.company)
		acts = append(acts, act{c.wallet, c.node, &ledger.AcknowledgeNotice{Notice: notice, Status: answer.status, Note: answer.note}})
	}
	_, err := d.perform(ctx, "acknowledging the recall", acts)
	return err
}

// tellScope asks one node who has it, and makes sure that the answer holds what it must.
func (d *demo) tellScope(ctx context.Context, notice crypto.Hash) error {
	client := d.clients[crashing]
	status, err := d.clients[0].Status(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	scope, err := client.AtLeast(status.Height).RecallScope(ctx, notice, 0)
	if err != nil {
		return err
	}
	d.out.say("\n   Who has it? One question to node%d, answered in %.0f ms as of block %d:", crashing+1, float64(time.Since(began).Microseconds())/1000, scope.Height)
	if scope.Truncated || len(scope.Missing) != 0 {
		return fmt.Errorf("the scope of the recall is not whole: %v, missing %v", scope.Reasons, scope.Missing)
	}
	for _, h := range scope.Holders {
		var parts []string
		for _, a := range h.Amounts {
			quantity := fmt.Sprintf("%d", a.Items)
			if a.Items == 0 {
				quantity = a.Quantity + " " + a.UOM
			}
			parts = append(parts, fmt.Sprintf("%s %s", strings.ReplaceAll(a.Status, "_", " "), strings.TrimSpace(quantity)))
		}
		if len(parts) == 0 {
			parts = []string{"handled it, has nothing"}
		}
		d.out.say("      %-22s answered %-10s %s", h.Name, h.Answer, strings.Join(parts, ", "))
	}
	return checkScope(scope)
}

// checkScope makes sure that a scope names who has the goods, what was sold, and who answered what.
func checkScope(scope *api.ScopeInfo) error {
	answers := map[string]string{}
	for _, h := range scope.Holders {
		answers[h.Name] = h.Answer
	}
	for name, answer := range map[string]string{"Corner Market": "stopped", "City Grocer": "received", "Coastal Cooler": "stopped", "SaladWorks": "none"} {
		if answers[name] != answer {
			return fmt.Errorf("the scope says that %s answered %q, not %q", name, answers[name], answer)
		}
	}
	for _, want := range []struct{ item, status, holder, quantity string }{
		{demoLot, "on_hand", "Coastal Cooler", "100"}, {demoBag, "sold", "Corner Market", ""},
		{"urn:epc:id:sgtin:9521007.070001.S12", "on_hand", "City Grocer", ""},
	} {
		if !slices.ContainsFunc(scope.Entries, func(e api.ScopeEntry) bool {
			return e.Item == trace.Key(want.item) && e.Status == want.status && e.Holder != nil && e.Holder.Name == want.holder && e.Quantity == want.quantity
		}) {
			return fmt.Errorf("the scope does not say that %s is %s with %s", want.item, want.status, want.holder)
		}
	}
	return nil
}
