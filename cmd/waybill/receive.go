package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
	"waybill/wallet"
)

func (sh *shell) receiveCommand() *cli.Command {
	return &cli.Command{
		Name: "receive", ArgsUsage: "SHIPMENT, or ITEM or LOT=QUANTITY…", Usage: "take goods that were shipped to you, and dispute what is not as it was shipped",
		Description: "  waybill receive 9a31… --wallet shop                      all that is open of a shipment\n" +
			"  waybill receive 9a31… --short LOT=12KGM --damaged ITEM   what is short or rejected is disputed in the same go\n" +
			"  waybill receive urn:epc:id:sscc:9521004.0000000001       one item of any shipment to you\n\n" +
			"  What is under way to you: waybill dispute shipments --to YOU. It records one ObjectEvent with the business step\n" +
			"  receiving, and then the dispute, which depends on it.",
		Flags:  signFlags(append(append(eventFlags(), disputeFlags()...), &cli.StringFlag{Name: "shipment", Usage: "`ID` of the shipment that is disputed, where items are named"})...),
		Action: sh.receive,
	}
}

// disputeFlags say what is not as it was shipped.
func disputeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "short", Usage: "`ITEM` or LOT=QUANTITY that did not arrive; may be repeated"},
		&cli.StringSliceFlag{Name: "damaged", Usage: "`ITEM` or LOT=QUANTITY that arrived and is rejected; may be repeated"},
		&cli.StringSliceFlag{Name: "over", Usage: "`ITEM` or LOT=QUANTITY that arrived and was not shipped; may be repeated"},
		&cli.StringFlag{Name: "note", Usage: "`TEXT` for who reads it"},
		documentFlag("that shows it, for example a photograph"),
	}
}

// disputeLines reads the flags.
func disputeLines(c *cli.Context) ([]ledger.DisputeLine, error) {
	var lines []ledger.DisputeLine
	for _, f := range []struct {
		flag string
		kind ledger.DisputeKind
	}{{"short", ledger.Shortage}, {"damaged", ledger.Damage}, {"over", ledger.Overage}} {
		for _, text := range c.StringSlice(f.flag) {
			g, err := parseGoods(text)
			if err != nil {
				return nil, err
			}
			lines = append(lines, disputeLine(f.kind, g))
		}
	}
	return lines, nil
}

func disputeLine(kind ledger.DisputeKind, g goodsArgument) ledger.DisputeLine {
	l := ledger.DisputeLine{Kind: kind, ID: canonical(g.id), Unit: g.unit}
	if g.amount != nil {
		l.Amount = ledger.AmountOf(*g.amount)
	}
	return l
}

func (sh *shell) receive(c *cli.Context) error {
	if c.NArg() == 0 {
		return usage("waybill receive needs a shipment or goods. For example: waybill receive 9a31… --wallet shop")
	}
	lines, err := disputeLines(c)
	if err != nil {
		return err
	}
	if len(lines) > 0 && c.String("draft") != "" {
		return usage("--draft writes one transaction and this makes two. Receive first, then: waybill dispute open SHIPMENT --draft FILE")
	}
	e, err := handoffEvent(c, "receiving", "in_progress")
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	shipment, lines, err := sh.received(c, client, e, lines)
	if err != nil {
		return err
	}
	w, err := sh.unlockSigner(c)
	if err != nil {
		return err
	}
	done := &handedOver{}
	if len(e.EPCs)+len(e.Quantities) > 0 {
		if done, err = sh.recordEvent(c, client, w, e); err != nil || done == nil {
			return err
		}
	}
	next := "waybill balance, or waybill item ITEM"
	if len(lines) > 0 {
		if done.Dispute, err = sh.openDispute(c, client, w, shipment, lines, done.capture); err != nil {
			return undisputed(done, err)
		}
		next = "waybill dispute show " + done.Dispute.ID.String()
	}
	if last := cmp.Or(done.Dispute, done.capture); last != nil && last.Height == 0 {
		return sh.told(c, done, notKnown, "waybill tx "+last.ID.String())
	}
	return sh.told(c, done, receivedSentence(done), next)
}

// received fills in the goods and the parties, and says which shipment they are of, where that has to be known, and what
// of it is disputed.
func (sh *shell) received(c *cli.Context, client *api.Client, e *epcis.Event, lines []ledger.DisputeLine) (crypto.Hash, []ledger.DisputeLine, error) {
	var id crypto.Hash
	if c.NArg() == 1 && !strings.Contains(c.Args().First(), ":") && !strings.HasPrefix(c.Args().First(), "(") {
		var err error
		if id, err = hashArgument(c.Args().First(), "a shipment"); err != nil {
			return id, nil, err
		}
		s, lines, err := disputable(c, client, id, lines)
		if err != nil {
			return id, nil, err
		}
		return id, lines, openGoods(e, s, lines)
	}
	for _, text := range c.Args().Slice() {
		g, err := parseGoods(text)
		if err != nil {
			return id, nil, err
		}
		addGoods(e, g)
	}
	if len(lines) == 0 {
		return id, nil, nil
	}
	id, err := shipmentOf(c, client, e, lines)
	if err != nil {
		return id, nil, err
	}
	_, lines, err = disputable(c, client, id, lines)
	return id, lines, err
}

// disputable reads a shipment that is to whoever acts, and completes what is disputed of it.
func disputable(c *cli.Context, client *api.Client, id crypto.Hash, lines []ledger.DisputeLine) (*api.ShipmentDetail, []ledger.DisputeLine, error) {
	me, err := acting(c)
	if err != nil {
		return nil, nil, err
	}
	s, err := client.Shipment(c.Context, id, false)
	if err != nil {
		return nil, nil, err
	}
	if err := checkReceiver(s, me); err != nil || s.Truncated {
		return s, lines, err
	}
	lines, err = disputedOf(s, lines)
	return s, lines, err
}

// shipmentOf is the shipment that named goods are of.
func shipmentOf(c *cli.Context, client *api.Client, e *epcis.Event, lines []ledger.DisputeLine) (id crypto.Hash, err error) {
	if text := c.String("shipment"); text != "" {
		return hashArgument(text, "a shipment")
	}
	for _, item := range append(slices.Clone(e.EPCs), lines[0].ID) {
		info, err := client.Item(c.Context, item, api.ItemOptions{History: 1})
		if err == nil && info.Shipment != nil {
			return info.Shipment.Event, nil
		}
		if err != nil && !errors.Is(err, api.ErrNotFound) {
			return id, err
		}
	}
	return id, usage("say with --shipment ID which shipment is disputed")
}

// openGoods puts what is open of a shipment into a receiving event, less what is disputed.
func openGoods(e *epcis.Event, s *api.ShipmentDetail, lines []ledger.DisputeLine) error {
	if s.Truncated {
		return fail(exitOther, "this node does not know what is in the shipment; name the items")
	}
	if s.From != nil {
		e.BizTransactions = append(e.BizTransactions, epcis.TypedRef{Type: "desadv", ID: "urn:waybill:shipment:" + s.Event.String()})
	}
	out := func(id string) bool {
		return slices.ContainsFunc(lines, func(l ledger.DisputeLine) bool { return l.Kind != ledger.Overage && l.ID == id })
	}
	for _, item := range s.Items {
		if !out(item) {
			e.EPCs = append(e.EPCs, item)
		}
	}
	for _, q := range s.Quantities {
		left, err := lessDisputed(q, lines)
		if err != nil {
			return err
		}
		if left != nil {
			e.Quantities = append(e.Quantities, *left)
		}
	}
	if len(e.EPCs)+len(e.Quantities) == 0 && len(lines) == 0 {
		return fail(exitNotFound, "nothing of shipment %s is open: it is %s", s.Event, s.State)
	}
	return nil
}

// lessDisputed is the part of a quantity that is received; nil: nothing.
func lessDisputed(q api.PackedAmount, lines []ledger.DisputeLine) (*epcis.Quantity, error) {
	if q.Unmeasured {
		return &epcis.Quantity{Class: q.Lot}, nil
	}
	d, err := epcis.ParseDecimal(q.Quantity)
	if err != nil {
		return nil, err
	}
	left := epcis.Measure{Amount: d, UOM: q.UOM}
	for _, l := range lines {
		if l.ID != q.Lot || l.Kind == ledger.Overage {
			continue
		}
		if l.Amount.IsZero() {
			return nil, nil // all of it
		}
		if left, err = left.Sub(epcis.Measure{Amount: l.Amount.Decimal(), UOM: l.Unit}); err != nil {
			return nil, usage("%s of %s cannot be taken off %s %s: %v", l.Amount, l.ID, q.Quantity, q.UOM, err)
		}
	}
	switch left.Amount.Sign() {
	case 0:
		return nil, nil
	case -1:
		return nil, usage("more of %s is disputed than is under way: %s %s", q.Lot, q.Quantity, q.UOM)
	}
	return &epcis.Quantity{Class: q.Lot, Quantity: &left.Amount, UOM: left.UOM}, nil
}

// openDispute sends a dispute that counts only if the receiving before it does.
func (sh *shell) openDispute(c *cli.Context, client *api.Client, w *wallet.Wallet, shipment crypto.Hash, lines []ledger.DisputeLine, after *api.TxInfo) (*api.TxInfo, error) {
	document, err := sh.documentHash(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	builder, err := sh.builder(ctx, c, client, w)
	if err != nil {
		return nil, err
	}
	if after != nil {
		builder.DependsOn = []crypto.Hash{after.ID}
	}
	body, err := buildPayload(builder, &ledger.Dispute{Shipment: shipment, Lines: lines, Note: c.String("note"), Document: document})
	if err != nil {
		return nil, err
	}
	tx, err := w.Sign(body)
	if err != nil {
		return nil, err
	}
	info, err := sh.deliver(ctx, c, client, tx)
	if err != nil {
		return nil, err
	}
	return info, refusal(info)
}
