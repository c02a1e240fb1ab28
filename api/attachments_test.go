package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"waybill/epcis/trace"
	"waybill/ledger"
)

const (
	loggerA = "urn:epc:id:giai:9521321.A"
	loggerB = "urn:epc:id:giai:9521321.B"
	pallet1 = "urn:epc:id:sscc:9521321.0000000001"
	pallet2 = "urn:epc:id:sscc:9521321.0000000002"
)

// attached records two loggers: A was on pallet 1 from 1000 to 2000 ms and then on pallet 2, B is on pallet 1 since 1500 ms.
func (h *harness) attached() {
	a, b, one, two := trace.Key(loggerA), trace.Key(loggerB), trace.Key(pallet1), trace.Key(pallet2)
	h.node.record(map[string]any{
		string(ledger.AssociationKey(a)): ledger.Associations{Dropped: true, DroppedMs: 900, Intervals: []ledger.Association{
			{Parent: one, FromMs: 950, UntilMs: 950, End: ledger.EndStated, NoStart: true, Event: id(1), Height: 1},
			{Parent: one, FromMs: 1000, UntilMs: 2000, End: ledger.EndImplied, Event: id(2), EndEvent: id(3), Height: 1},
			{Parent: two, FromMs: 2000, Event: id(3), Height: 1}}},
		string(ledger.AssociationKey(b)): ledger.Associations{Intervals: []ledger.Association{{Parent: one, FromMs: 1500, Event: id(4), Height: 1}}},
		string(ledger.AttachedKey(one)):  ledger.Attached{Now: []string{b}, Before: []string{a}, More: true},
		string(ledger.AttachedKey(two)):  ledger.Attached{Now: []string{a}},
	})
}

// TestAttachments: which loggers were on a pallet, at a time and page by page, where a logger was, and as of before.
func TestAttachments(t *testing.T) {
	h, ctx := newHarness(t), context.Background()
	c := h.client()
	before := h.node.seal()
	h.attached()
	for name, q := range map[string]struct {
		filter AttachmentFilter
		page   Page
		want   string
		older  bool
	}{
		"pallet 1":             {AttachmentFilter{Parent: pallet1}, Page{}, "A1000-2000implied B1500-0open ", true},
		"pallet 1 at 1 s":      {AttachmentFilter{Parent: pallet1, From: "1970-01-01T00:00:01Z", Until: "1970-01-01T00:00:01.2Z"}, Page{}, "A1000-2000implied ", true},
		"pallet 1 from 2 s on": {AttachmentFilter{Parent: pallet1, From: "1970-01-01T00:00:02Z"}, Page{}, "B1500-0open ", true},
		"pallet 2":             {AttachmentFilter{Parent: pallet2}, Page{}, "A2000-0open ", false},
		"nothing":              {AttachmentFilter{Parent: bag1}, Page{}, "", false},
		"logger A":             {AttachmentFilter{Device: loggerA}, Page{}, "A1000-2000implied A2000-0open ", true},
		"logger B until 1 s":   {AttachmentFilter{Device: loggerB, Until: "1970-01-01T00:00:01Z"}, Page{}, "", false},
		"a page":               {AttachmentFilter{Parent: pallet1}, Page{Limit: 1}, "A1000-2000implied +", true},
	} {
		got, err := c.Attachments(ctx, q.filter, q.page)
		check(t, err)
		text := ""
		for _, a := range got.Attachments {
			text += fmt.Sprintf("%s%d-%d%s ", a.Device[len(a.Device)-1:], a.FromMs, a.UntilMs, a.End)
		}
		if got.Next != "" {
			text += "+"
		}
		if text != q.want || got.Older != q.older || got.Height != before+1 {
			t.Errorf("%s: %q, want %q; %+v", name, text, q.want, got)
		}
	}
	first, err := c.Attachments(ctx, AttachmentFilter{Parent: pallet1}, Page{Limit: 1})
	check(t, err)
	second, err := c.Attachments(ctx, AttachmentFilter{Parent: pallet1}, Page{Limit: 1, After: first.Next})
	check(t, err)
	if len(second.Attachments) != 1 || second.Attachments[0].Event != id(4) || second.Next != "" {
		t.Errorf("%+v", second)
	}
	past, err := c.AsOf(before).Attachments(ctx, AttachmentFilter{Parent: pallet1}, Page{})
	check(t, err)
	if len(past.Attachments) != 0 || past.Height != before {
		t.Errorf("%+v", past)
	}
	for target, want := range map[string]Kind{
		"": ErrBadRequest, "?parent=" + pallet1 + "&device=" + loggerA: ErrBadRequest, "?parent=(01)1": ErrIdentifier, "?parent=" + pallet1 + "&from=soon": ErrBadRequest,
		"?parent=" + pallet1 + "&from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z": ErrBadRequest, "?parent=" + pallet1 + "&after=!": ErrBadRequest,
		"?parent=" + pallet1 + "&limit=0": ErrBadRequest,
	} {
		refused(t, h.get("/v1/attachments"+target), want)
	}
}

// TestLongAddresses: what no server would read is told before it is sent.
func TestLongAddresses(t *testing.T) {
	h, ctx := newHarness(t), context.Background()
	for _, size := range []int{maxTargetBytes - 100, maxTargetBytes + 1, 1 << 20} {
		_, err := h.client().Organisation(ctx, strings.Repeat("x", size))
		if !errors.Is(err, ErrTooLong) || len(err.Error()) > 2000 {
			t.Errorf("%d bytes: %.200v", size, err)
		}
	}
}
