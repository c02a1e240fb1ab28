package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/epcis/trace"
)

func (sh *shell) massBalanceCommand() *cli.Command {
	return &cli.Command{
		Name: "massbalance", ArgsUsage: "[LOT]", Usage: "what came in of a lot or product, what went out, and what nobody can explain",
		Description: "  waybill massbalance urn:epc:class:lgtin:9521001.010001.A1\n" +
			"  waybill massbalance --class '(01)09521001100014' --by \"Coastal Cooler\" --since 2026-05-01T00:00:00Z --before 2026-06-01T00:00:00Z\n\n" +
			"  closing = opening + produced + received − consumed − shipped − sold − destroyed + settled + unexplained. Settled is\n" +
			"  what disputes gave back, took away or handed over, without an event. Unexplained is what counts\n" +
			"  (cycle_counting, stock_taking) found beyond what was computed; below zero it is a loss.",
		Flags: stateFlags(
			&cli.StringFlag{Name: "lot", Usage: "only of this `LOT`, as the argument"},
			&cli.StringFlag{Name: "class", Usage: "all lots of this `PRODUCT`"},
			&cli.StringFlag{Name: "by", Usage: "only what a `PARTY` (address or name) recorded"},
			&cli.StringFlag{Name: "site", Usage: "only at a `LOCATION` (SGLN)"},
			&cli.StringFlag{Name: "since", Usage: "only from this `TIME` on, RFC 3339; the opening is what was there"},
			&cli.StringFlag{Name: "before", Usage: "only before this `TIME`, RFC 3339"}),
		Action: sh.massBalance,
	}
}

func (sh *shell) massBalance(c *cli.Context) error {
	sheet := api.BalanceSheet{Lot: c.String("lot"), Class: c.String("class"), Party: c.String("by"), Site: c.String("site"), From: c.String("since"), Until: c.String("before")}
	switch {
	case c.NArg() > 1:
		return usage("waybill massbalance takes one lot; %q is too much", show(c.Args().Get(1)))
	case c.NArg() == 1 && sheet.Lot != "":
		return usage("waybill massbalance takes one lot; %q is too much beside --lot", show(c.Args().First()))
	case c.NArg() == 1:
		sheet.Lot = c.Args().First()
	}
	if (sheet.Lot == "") == (sheet.Class == "") {
		return usage("say of what: waybill massbalance LOT, or --class PRODUCT")
	}
	if err := checkIDs(sheet.Lot, sheet.Class, sheet.Site); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	out, err := client.MassBalance(c.Context, sheet)
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		names := newDirectory(c.Context, client)
		var rows [][]string
		for _, l := range out.Lines {
			rows = append(rows, balanceRow(names.label(l.Goods), &l))
		}
		if len(out.Lines) > 1 {
			for _, l := range out.Totals {
				rows = append(rows, balanceRow("TOTAL "+names.label(l.Goods), &l))
			}
		}
		p.rows([]string{"WHAT", "UNIT", "OPENING", "PRODUCED", "RECEIVED", "CONSUMED", "SHIPPED", "SOLD", "DESTROYED", "SETTLED", "UNEXPLAINED", "CLOSING"}, rows)
		p.line("")
		p.line("By the events up to block %d.", out.Height)
	})
	if err == nil && len(out.Truncated) > 0 {
		sh.say("This is NOT the whole balance:\n  %s", strings.Join(shown(out.Truncated), "\n  "))
	}
	return err
}

func balanceRow(label string, l *trace.BalanceLine) []string {
	uom := l.UOM
	if l.Serials {
		label += ", serials"
	}
	if len(l.Unmeasured) > 0 {
		label += " (some amounts were not stated)"
	}
	return []string{label, uom, l.Opening, l.Produced, l.Received, l.Consumed, l.Shipped, l.Sold, l.Destroyed, l.Settled, l.Unexplained, l.Closing}
}
