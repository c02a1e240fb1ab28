package main

import (
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/epcis/trace"
)

func (sh *shell) itemCommand() *cli.Command {
	return &cli.Command{
		Name: "item", ArgsUsage: "IDENTIFIER", Usage: "what the ledger knows of one item, lot or pallet",
		Description: "  waybill item urn:epc:id:sscc:9521004.0000000001\n" +
			"  waybill item urn:epc:class:lgtin:9521001.010001.A1 --custodian \"Coastal Cooler\"\n  waybill item ITEM --prove --output json",
		Flags: stateFlags(
			&cli.StringFlag{Name: "custodian", Usage: "of a lot: how much this `ORGANISATION` (address, or name) holds"},
			&cli.BoolFlag{Name: "prove", Usage: "with the proof against a finalized header (json)"},
			&cli.IntFlag{Name: "limit", Usage: "most `EVENTS` of its history"},
		),
		Action: sh.item,
	}
}

func (sh *shell) item(c *cli.Context) error {
	args, err := itemArgument(c)
	if err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	opts := api.ItemOptions{Prove: c.Bool("prove"), History: c.Int("limit")}
	if who := c.String("custodian"); who != "" {
		org, err := client.Organisation(c.Context, who)
		if err != nil {
			return err
		}
		opts.Custodian = org.Address
	}
	info, err := client.Item(c.Context, args[0], opts)
	if err != nil {
		return err
	}
	err = sh.print(c, info, func(p *printer) { itemTable(p, info) })
	if err == nil {
		sh.next(c, "waybill trace back %s", show(info.ID))
	}
	return err
}

func itemTable(p *printer, info *api.ItemInfo) {
	p.pairs([2]string{"item", info.ID}, [2]string{"kind", info.KeyType}, [2]string{"as of block", number(info.Height)})
	if i := info.Item; i != nil {
		p.pairs([2]string{"state", i.State}, [2]string{"held by", holderName(i.Custodian)}, [2]string{"owned by", holderName(i.Owner)},
			[2]string{"born by", holderName(i.BornBy)}, [2]string{"packed in", i.Parent}, [2]string{"place", i.Place}, [2]string{"lot", i.Lot},
			[2]string{"best before", clock(i.ExpiryMs)}, [2]string{"disposition", i.Disposition}, [2]string{"marks", strings.Join(i.Flags, ", ")},
			[2]string{"events", number(i.Events)}, [2]string{"last event", i.LastEvent.String()})
	}
	if l := info.Lot; l != nil {
		p.pairs([2]string{"lot number", l.LotNumber}, [2]string{"born by", holderName(l.BornBy)}, [2]string{"best before", clock(l.ExpiryMs)},
			[2]string{"marks", strings.Join(l.Flags, ", ")}, [2]string{"events", number(l.Events)})
		for _, b := range l.Balances {
			p.pairs([2]string{"held by " + b.Custodian.Name, amount(b.Quantity, b.UOM)})
		}
	}
	if s := info.Shipment; s != nil {
		to := s.Party
		if s.To != nil {
			to = holderName(s.To)
		}
		p.pairs([2]string{"in transit", holderName(s.From) + " → " + to}, [2]string{"since block", number(s.Height)})
	}
	if contents := info.Contents; contents != nil && len(contents.Items)+len(contents.Quantities) > 0 {
		p.line("")
		p.title("Packed in it")
		for _, id := range contents.Items {
			p.line("  %s", id)
		}
		for _, q := range contents.Quantities {
			p.line("  %s of %s", amount(q.Quantity, q.UOM), q.Lot)
		}
	}
	for _, a := range info.MasterData {
		p.pairs([2]string{a.Name, a.Value})
	}
	historyTable(p, info.History)
	if info.HistoryIncomplete {
		p.line("… there are more events; ask with a higher --limit")
	}
}

func holderName(h *api.Holder) string {
	switch {
	case h == nil:
		return ""
	case h.Name != "":
		return h.Name
	}
	return h.Address.String()
}

func historyTable(p *printer, history []trace.Event) {
	if len(history) == 0 {
		return
	}
	p.line("")
	p.title("History")
	rows := make([][]string, 0, len(history))
	for _, e := range history {
		rows = append(rows, []string{eventClock(e.TimeMs), stepWords(&e), recordedBy(&e), "block " + strconv.FormatUint(e.Ref.Height, 10), e.Hash})
	}
	p.rows([]string{"WHEN", "WHAT", "RECORDED BY", "WHERE", "EVENT"}, rows)
}
