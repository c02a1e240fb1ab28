package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/ledger"
	"waybill/wallet"
)

func (sh *shell) shipCommand() *cli.Command {
	return &cli.Command{
		Name: "ship", ArgsUsage: "ITEM, LOT=QUANTITY or LOT=all…", Usage: "hand goods over to a receiver, who then receives or disputes them",
		Description: "  waybill ship urn:epc:id:sscc:9521004.0000000001 --to \"Midwest Distribution\" --wallet packer\n" +
			"  waybill ship urn:epc:class:lgtin:9521001.010001.A1=500KGM --to cooler --bill po=PO-77 --wallet farm\n" +
			"  waybill ship LOT=all --to cooler                          all that you have of it, in whatever units\n" +
			"  waybill ship ITEM --to \"Corner Market\" --sold            with the ownership\n\n" +
			"  It records one ObjectEvent with the business step shipping. The shipment is named by that event.",
		Flags: signFlags(append(eventFlags(),
			&cli.StringFlag{Name: "to", Usage: "`PARTY`: name or address of an organisation, or a party identifier"},
			&cli.BoolFlag{Name: "sold", Usage: "the receiver is to own the goods too"},
			&cli.BoolFlag{Name: "unmeasured", Usage: "ship lots without a quantity: all that is loose, and how much that is nobody measured"},
		)...),
		Action: sh.ship,
	}
}

// eventFlags are those of commands that record an event about goods.
func eventFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "place", Usage: "`LOCATION` (SGLN) where it happens"},
		&cli.StringSliceFlag{Name: "bill", Usage: "`TYPE=ID` of a business document, for example po=PO-77 or desadv=urn:epcglobal:cbv:bt:…; may be repeated"},
		&cli.StringFlag{Name: "at", Usage: "`TIME` at which it happened, RFC 3339", DefaultText: "now"},
	}
}

func (sh *shell) ship(c *cli.Context) error {
	if c.NArg() == 0 {
		return usage("waybill ship needs what to ship. For example: waybill ship urn:epc:id:sscc:9521004.0000000001 --to \"Midwest Distribution\"")
	}
	if c.String("to") == "" {
		return usage("say to whom with --to PARTY")
	}
	e, err := handoffEvent(c, "shipping", "in_transit")
	if err != nil {
		return err
	}
	goods, err := shippedGoods(c)
	if err != nil {
		return err
	}
	if err := checkWait(c); err != nil {
		return err
	}
	me, err := acting(c)
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	for _, g := range goods {
		some, err := stocked(c, client, me, g)
		if err != nil {
			return err
		}
		for _, g := range some {
			addGoods(e, g)
		}
	}
	to, err := partyIdentifier(c, client, c.String("to"))
	if err != nil {
		return err
	}
	e.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: to}}
	if c.Bool("sold") {
		e.Destinations = append(e.Destinations, epcis.TypedRef{Type: "owning_party", ID: to})
	}
	w, err := sh.unlockSigner(c)
	if err != nil {
		return err
	}
	if err := addSource(c, client, w, e); err != nil {
		return err
	}
	done, err := sh.recordEvent(c, client, w, e)
	if err != nil || done == nil {
		return err
	}
	if done.Height == 0 {
		return sh.told(c, done, notKnown, "waybill tx "+done.Transaction.String())
	}
	return sh.told(c, done, "Shipped to "+c.String("to")+".", "waybill receive "+done.Event.String()+", in the name of the receiver")
}

// handoffEvent begins an event of a business step.
func handoffEvent(c *cli.Context, step, disposition string) (*epcis.Event, error) {
	at := time.Now()
	if text := c.String("at"); text != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, usage("--at is a time like 2026-05-01T08:00:00Z, not %q", show(text))
		}
	}
	e := &epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, EventTime: epcis.NewTimestamp(at.UnixMilli()),
		TimeZoneOffset: at.Format("-07:00"), BizStep: step, Disposition: disposition}
	if place := c.String("place"); place != "" {
		if _, err := gs1.Parse(place); err != nil {
			return nil, err
		}
		e.ReadPoint, e.BizLocation = &epcis.Location{ID: place}, &epcis.Location{ID: place}
	}
	for _, text := range c.StringSlice("bill") {
		kind, id, ok := strings.Cut(text, "=")
		if !ok || kind == "" || id == "" {
			return nil, usage("--bill is TYPE=ID, for example po=PO-77, not %q", show(text))
		}
		if !strings.Contains(id, ":") {
			id = "urn:epcglobal:cbv:bt:" + id
		}
		e.BizTransactions = append(e.BizTransactions, epcis.TypedRef{Type: kind, ID: id})
	}
	return e, nil
}

func addGoods(e *epcis.Event, g goodsArgument) {
	if g.isLot() {
		e.Quantities = append(e.Quantities, g.quantity())
	} else {
		e.EPCs = append(e.EPCs, g.id)
	}
}

// partyIdentifier is how events name a party: as it is, or the first identifier of an organisation.
func partyIdentifier(c *cli.Context, client *api.Client, text string) (string, error) {
	if id, err := gs1.Parse(text); err == nil && id.Key() != gs1.KeyOpaque {
		return text, nil
	}
	a, err := partyArgument(c, client, text)
	if err != nil {
		return "", err
	}
	org, err := client.Organisation(c.Context, a.String())
	if err != nil {
		return "", err
	}
	if len(org.Parties) == 0 {
		return "", fail(exitOther, "%s has no party identifier that an event could name. It adds one: waybill org register %q --party urn:epc:id:pgln:…", org.Name, org.Name)
	}
	return org.Parties[0], nil
}

// addSource names the author as the source, where it has an identifier.
func addSource(c *cli.Context, client *api.Client, w *wallet.Wallet, e *epcis.Event) error {
	org, err := client.Organisation(c.Context, w.Address().String())
	if errors.Is(err, api.ErrNotFound) {
		return nil // the ledger says so
	}
	if err == nil && len(org.Parties) > 0 {
		e.Sources = []epcis.TypedRef{{Type: "possessing_party", ID: org.Parties[0]}}
	}
	return err
}

// handedOver is what ship and receive answer in JSON.
type handedOver struct {
	Event       crypto.Hash `json:"event,omitzero"` // that was recorded; of ship: the shipment
	Transaction crypto.Hash `json:"transaction,omitzero"`
	Height      uint64      `json:"height,omitempty"`
	Flags       []api.Fault `json:"flags,omitempty"`
	Dispute     *api.TxInfo `json:"dispute,omitempty"` // of receive: its id is that of the dispute
	capture     *api.TxInfo // nil: nothing was recorded
}

// recordEvent captures one event in the wallet's name. Nil without an error: a draft was written, and nothing sent.
func (sh *shell) recordEvent(c *cli.Context, client *api.Client, w *wallet.Wallet, e *epcis.Event) (*handedOver, error) {
	if err := checkWait(c); err != nil {
		return nil, err
	}
	data, err := epcis.EncodeEvent(e)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	builder, err := sh.builder(ctx, c, client, w)
	if err != nil {
		return nil, err
	}
	body, err := buildPayload(builder, &ledger.Capture{Mode: ledger.Rollback, Events: [][]byte{data}})
	if err != nil {
		return nil, err
	}
	if c.String("draft") != "" {
		return nil, sh.saveDraft(c, builder, w, []ledger.Body{body})
	}
	tx, err := w.Sign(body)
	if err != nil {
		return nil, err
	}
	info, err := sh.deliver(ctx, c, client, tx)
	if err != nil {
		return nil, err
	}
	done := &handedOver{Event: e.Hash(), Transaction: info.ID, Height: uint64(info.Height), capture: info}
	if info.Receipt != nil {
		done.Flags = info.Receipt.Flags
	}
	return done, refusal(info)
}

// notKnown is said of what was sent and not waited for.
const notKnown = "Sent. Whether it becomes final is not known yet."

// told prints what was recorded.
func (sh *shell) told(c *cli.Context, done *handedOver, sentence, next string) error {
	err := sh.print(c, done, func(p *printer) {
		if !done.Event.IsZero() {
			p.pairs([2]string{"event", done.Event.String()}, [2]string{"transaction", done.Transaction.String()}, [2]string{"block", blockOrNone(done.Height)})
		}
		flagTable(p, done.Flags)
		if done.Dispute != nil {
			p.pairs([2]string{"dispute", done.Dispute.ID.String()}, [2]string{"block", blockOrNone(uint64(done.Dispute.Height))})
		}
	})
	if err == nil {
		sh.say("%s", show(sentence))
		sh.next(c, "%s", next)
	}
	return err
}

func blockOrNone(h uint64) string {
	if h == 0 {
		return "" // not final yet
	}
	return number(h)
}
