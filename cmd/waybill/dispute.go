package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/ledger"
)

func (sh *shell) disputeCommand() *cli.Command {
	return &cli.Command{
		Name: "dispute", Usage: "shipments that are not what was shipped, and what becomes of the difference",
		Subcommands: []*cli.Command{
			{
				Name: "open", ArgsUsage: "SHIPMENT", Usage: "state what of a shipment to you is short, damaged, over, something else or without data",
				Description: "  waybill dispute open 9a31… --short LOT=12KGM --document photo.jpg --wallet shop\n" +
					"  waybill dispute open 9a31… --wrong-lot SHIPPED=10KGM,ARRIVED --no-data ITEM",
				Flags: signFlags(append(disputeFlags(),
					&cli.StringSliceFlag{Name: "wrong-lot", Usage: "`SHIPPED=QUANTITY,ARRIVED`: another lot came instead; may be repeated"},
					&cli.StringSliceFlag{Name: "wrong-product", Usage: "`SHIPPED=QUANTITY,ARRIVED`: another product came instead; may be repeated"},
					&cli.StringSliceFlag{Name: "no-data", Usage: "`ITEM` that came without data that it needs, or - for all of it; may be repeated"})...),
				Action: sh.disputeOpen,
			},
			{
				Name: "resolve", ArgsUsage: "DISPUTE LINE=OUTCOME…", Usage: "say how lines end; which side may say what, the ledger knows",
				Description: "  waybill dispute resolve 77c0… 0=credited 1=returned --wallet packer     the shipper\n" +
					"  waybill dispute resolve 77c0… 0=delivered --wallet shop                 the receiver\n\n" +
					"  Shipper: credited or lost (a shortage), returned (rejected goods), agreed or declined (overage, wrong goods), supplied\n" +
					"  (data). Receiver: delivered (a shortage), kept or destroyed (rejected goods), withdrawn.",
				Flags: signFlags(&cli.StringFlag{Name: "note", Usage: "`TEXT` for who reads it"}), Action: sh.disputeResolve,
			},
			{
				Name: "list", Usage: "the disputes, newest first",
				Description: "  waybill dispute list --state open --party \"Corner Market\"",
				Flags: listFlags(
					&cli.StringFlag{Name: "state", Usage: "`STATE`: open or resolved"},
					&cli.StringFlag{Name: "by", Usage: "only those that a `PARTY` (address or name) has a side in"},
					&cli.StringFlag{Name: "shipment", Usage: "only those about a shipment, by its `ID`"}),
				Action: sh.disputeList,
			},
			{
				Name: "show", ArgsUsage: "DISPUTE", Usage: "one dispute, line by line",
				Description: "  waybill dispute show 77c0…",
				Flags:       stateFlags(&cli.BoolFlag{Name: "prove", Usage: "with the proof against a finalized header (json)"}), Action: sh.disputeShow,
			},
			{
				Name: "shipments", Usage: "what is under way, to or from somebody",
				Description: "  waybill dispute shipments --to \"Corner Market\"\n  waybill dispute shipments --from packer --state disputed",
				Flags: listFlags(
					&cli.StringFlag{Name: "state", Value: "open", Usage: "`STATE`: open, disputed, closed, void, or any"},
					&cli.StringFlag{Name: "to", Usage: "receiver: `PARTY` (address, name or identifier)"},
					&cli.StringFlag{Name: "from", Usage: "shipper: `PARTY` (address or name)"}),
				Action: sh.shipments,
			},
		},
	}
}

func (sh *shell) disputeOpen(c *cli.Context) error {
	args, err := arguments(c, "the id of a shipment (waybill dispute shipments --to YOU)")
	if err != nil {
		return err
	}
	p := &ledger.Dispute{Note: c.String("note")}
	if p.Shipment, err = hashArgument(args[0], "a shipment"); err != nil {
		return err
	}
	if p.Lines, err = disputeLines(c); err != nil {
		return err
	}
	for _, f := range []struct {
		flag string
		kind ledger.DisputeKind
	}{{"wrong-lot", ledger.WrongLot}, {"wrong-product", ledger.WrongProduct}} {
		for _, text := range c.StringSlice(f.flag) {
			shipped, found, ok := cutLast(text, ",")
			if !ok {
				return usage("--%s is SHIPPED=QUANTITY,ARRIVED, not %q", f.flag, show(text))
			}
			g, err := parseGoods(shipped)
			if err != nil {
				return err
			}
			line := disputeLine(f.kind, g)
			line.Found = canonical(found)
			p.Lines = append(p.Lines, line)
		}
	}
	for _, text := range c.StringSlice("no-data") {
		line := ledger.DisputeLine{Kind: ledger.DataMissing}
		if text != "-" {
			line.ID = canonical(text)
		}
		p.Lines = append(p.Lines, line)
	}
	if len(p.Lines) == 0 {
		return usage("say what is not as it was shipped: --short, --damaged, --over, --wrong-lot, --wrong-product or --no-data")
	}
	if p.Document, err = sh.documentHash(c); err != nil {
		return err
	}
	if p.Lines, err = completed(c, p.Shipment, p.Lines); err != nil {
		return err
	}
	return sh.act(c, p, "The dispute is open; its id is that of the transaction."+nextMark+"waybill dispute show "+idMark)
}

// completed gives lines about a lot without a quantity that of all of it that is under way, since the ledger takes such a line
// for amounts that nobody measured. What is packed in what was shipped is left as it is.
func completed(c *cli.Context, shipment crypto.Hash, lines []ledger.DisputeLine) ([]ledger.DisputeLine, error) {
	if !slices.ContainsFunc(lines, ofWholeLot) {
		return lines, nil
	}
	client, err := newClient(c)
	if err != nil {
		return nil, err
	}
	s, err := client.Shipment(c.Context, shipment, false)
	if err != nil {
		return nil, err
	}
	var out []ledger.DisputeLine
	for _, l := range lines {
		open := underWayOf(s, l.ID)
		if !ofWholeLot(l) || len(open) == 0 {
			out = append(out, l)
			continue
		}
		all, err := wholeLot(l, open)
		if err != nil {
			return nil, err
		}
		out = append(out, all...)
	}
	return out, nil
}

// ofWholeLot reports whether a line is about a lot and does not say how much of it.
func ofWholeLot(l ledger.DisputeLine) bool {
	return l.Kind != ledger.Overage && l.Kind != ledger.DataMissing && l.Amount.IsZero() && goodsArgument{id: l.ID}.isLot()
}

func (sh *shell) disputeResolve(c *cli.Context) error {
	if c.NArg() < 2 {
		return usage("waybill dispute resolve needs a dispute and outcomes. For example: waybill dispute resolve 77c0… 0=credited")
	}
	args := c.Args().Slice()
	id, err := hashArgument(args[0], "a dispute")
	if err != nil {
		return err
	}
	p := &ledger.Resolve{Dispute: id, Note: c.String("note")}
	for _, text := range args[1:] {
		line, outcome, _ := strings.Cut(text, "=")
		n, err := strconv.ParseUint(line, 10, 16)
		r := ledger.Resolution{Line: uint16(n)}
		if err != nil || r.Outcome.UnmarshalText([]byte(outcome)) != nil {
			return usage("%q is no LINE=OUTCOME like 0=credited. See: waybill dispute resolve --help", show(text))
		}
		p.Lines = append(p.Lines, r)
	}
	return sh.act(c, p, "The outcome is on record."+nextMark+"waybill dispute show "+id.String())
}

func (sh *shell) disputeList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	filter := api.DisputeFilter{State: c.String("state"), Party: c.String("by"), Shipment: c.String("shipment")}
	out := &api.DisputeList{Disputes: []api.DisputeInfo{}}
	out.Next, err = everyPage(c, func(page api.Page) (string, error) {
		list, err := client.Disputes(c.Context, filter, page)
		if err != nil {
			return "", err
		}
		out.Disputes, out.Height = append(out.Disputes, list.Disputes...), list.Height
		return list.Next, nil
	})
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		rows := make([][]string, 0, len(out.Disputes))
		for _, d := range out.Disputes {
			rows = append(rows, []string{clock(d.TimeMs), d.State, holderName(&d.From), holderName(&d.To), strconv.Itoa(len(d.Lines)), d.Note, d.ID.String()})
		}
		p.rows([]string{"SINCE", "STATE", "SHIPPER", "RECEIVER", "LINES", "NOTE", "ID"}, rows)
	})
	sh.moreToCome(out.Next)
	if err == nil && len(out.Disputes) > 0 {
		sh.next(c, "waybill dispute show %s", out.Disputes[0].ID)
	}
	return err
}

func (sh *shell) disputeShow(c *cli.Context) error {
	args, err := arguments(c, "the id of a dispute (waybill dispute list)")
	if err != nil {
		return err
	}
	id, err := hashArgument(args[0], "a dispute")
	if err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	d, err := client.Dispute(c.Context, id, c.Bool("prove"))
	if err != nil {
		return err
	}
	return sh.print(c, d, func(p *printer) {
		p.pairs([2]string{"dispute", d.ID.String()}, [2]string{"state", d.State}, [2]string{"shipment", d.Shipment.String()}, [2]string{"shipper", holderName(&d.From)},
			[2]string{"receiver", holderName(&d.To)}, [2]string{"since", clock(d.TimeMs) + ", block " + number(d.Since)}, [2]string{"note", d.Note})
		p.line("")
		rows := make([][]string, 0, len(d.Lines))
		for _, l := range d.Lines {
			rows = append(rows, []string{strconv.Itoa(l.Line), l.Kind, l.ID, amount(l.Quantity, l.UOM), l.Found, l.Outcome, l.Note})
		}
		p.rows([]string{"LINE", "WHAT", "GOODS", "HOW MUCH", "ARRIVED", "OUTCOME", "NOTE"}, rows)
	})
}

func (sh *shell) shipments(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if c.String("to") == "" && c.String("from") == "" {
		return usage("say whose shipments with --to PARTY or --from PARTY")
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	filter := api.ShipmentFilter{State: c.String("state"), From: c.String("from"), To: c.String("to")}
	if filter.State == "any" {
		filter.State = ""
	}
	out := &api.ShipmentList{Shipments: []api.ShipmentEntry{}}
	out.Next, err = everyPage(c, func(page api.Page) (string, error) {
		list, err := client.Shipments(c.Context, filter, page)
		if err != nil {
			return "", err
		}
		out.Shipments, out.Height = append(out.Shipments, list.Shipments...), list.Height
		return list.Next, nil
	})
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		rows := make([][]string, 0, len(out.Shipments))
		for _, s := range out.Shipments {
			to := s.Party
			if s.To != nil {
				to = holderName(s.To)
			}
			var what []string
			if s.OpenItems > 0 {
				what = append(what, number(s.OpenItems)+" item(s)")
			}
			for _, q := range s.Quantities {
				what = append(what, amount(q.Quantity, q.UOM)+" of "+q.Lot)
			}
			rows = append(rows, []string{clock(s.TimeMs), s.State, holderName(s.From), to, strings.Join(what, ", "), s.Event.String()})
		}
		p.rows([]string{"SINCE", "STATE", "FROM", "TO", "OPEN", "ID"}, rows)
	})
	sh.moreToCome(out.Next)
	if err == nil && len(out.Shipments) > 0 {
		sh.next(c, "waybill receive %s", out.Shipments[0].Event)
	}
	return err
}
