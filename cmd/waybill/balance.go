package main

import (
	"github.com/urfave/cli/v2"

	"waybill/api"
)

func (sh *shell) balanceCommand() *cli.Command {
	return &cli.Command{
		Name: "balance", ArgsUsage: "[PARTY]", Usage: "what somebody holds loose, or who holds some of a lot or product (for money: waybill wallet balance)",
		Description: "  waybill balance \"Corner Market\"\n  waybill balance --lot urn:epc:class:lgtin:9521001.010001.A1 --height 120\n" +
			"  waybill balance --class '(01)09521001100014' --output json\n\n" +
			"  Loose is what is neither packed nor under way nor in dispute; waybill recall scope finds that too.",
		Flags: listFlags(
			&cli.StringFlag{Name: "lot", Usage: "only of this `LOT`"},
			&cli.StringFlag{Name: "class", Usage: "only of lots of this `PRODUCT`"}),
		Action: sh.balance,
	}
}

func (sh *shell) balance(c *cli.Context) error {
	filter := api.BalanceFilter{Lot: c.String("lot"), Class: c.String("class")}
	switch {
	case c.NArg() == 1:
		filter.Party = c.Args().First()
	case c.NArg() > 1:
		return usage("waybill balance takes one party; %q is too much", show(c.Args().Get(1)))
	case filter.Lot == "" && filter.Class == "":
		return usage("say whose balance, or of what: waybill balance PARTY, --lot LOT or --class PRODUCT")
	}
	if err := checkIDs(filter.Lot, filter.Class); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	out := &api.BalanceList{Balances: []api.BalanceEntry{}}
	out.Next, err = everyPage(c, func(page api.Page) (string, error) {
		list, err := client.Balances(c.Context, filter, page)
		if err != nil {
			return "", err
		}
		out.Balances, out.Height = append(out.Balances, list.Balances...), list.Height
		return list.Next, nil
	})
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		names := newDirectory(c.Context, client)
		rows := make([][]string, 0, len(out.Balances))
		for _, b := range out.Balances {
			quantity := amount(b.Quantity, b.UOM)
			if b.Unmeasured {
				quantity += " and more that nobody measured"
			}
			rows = append(rows, []string{holderName(&b.Custodian), names.label(b.Lot), quantity, b.Status, b.Lot})
		}
		p.rows([]string{"HOLDER", "WHAT", "HOW MUCH", "STATUS", "LOT"}, rows)
		p.line("")
		p.line("As of block %d.", out.Height)
	})
	sh.moreToCome(out.Next)
	return err
}
