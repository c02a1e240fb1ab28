package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/epcis"
	"waybill/ledger"
)

func (sh *shell) yieldCommand() *cli.Command {
	return &cli.Command{
		Name: "yield", Usage: "how much of a product you get out of what goes in; transformations are held against it",
		Subcommands: []*cli.Command{
			{
				Name: "declare", ArgsUsage: "CLASS PERCENT", Usage: "declare the most you get out, by mass; 0 ends the declaration",
				Description: "  waybill yield declare '(01)09521007700010' 92.5 --wallet maker\n  waybill yield declare '(01)09521007700010' 180 --note \"fish eat\" --wallet farm",
				Flags:       signFlags(&cli.StringFlag{Name: "note", Usage: "`TEXT` for who reads it"}), Action: sh.yieldDeclare,
			},
			{
				Name: "list", ArgsUsage: "PARTY", Usage: "what somebody declared",
				Description: "  waybill yield list SaladWorks",
				Flags:       listFlags(), Action: sh.yieldList,
			},
		},
	}
}

func (sh *shell) yieldDeclare(c *cli.Context) error {
	args, err := arguments(c, "a product", "a percentage")
	if err != nil {
		return err
	}
	if err := checkIDs(args[0]); err != nil {
		return err
	}
	percent, err := epcis.ParseDecimal(args[1])
	ppm := epcis.Decimal{Coefficient: percent.Coefficient, Exponent: percent.Exponent + 4}
	if err != nil || percent.Sign() < 0 || !ppm.IsWhole() {
		return usage("%q is no percentage with at most four digits behind the point", show(args[1]))
	}
	n, err := strconv.ParseUint(ppm.String(), 10, 64)
	if err != nil {
		return usage("%q is no percentage", show(args[1]))
	}
	return sh.act(c, &ledger.DeclareYield{Output: canonical(args[0]), MostPpm: n, Note: c.String("note")}, "The yield is on record.")
}

func (sh *shell) yieldList(c *cli.Context) error {
	args, err := arguments(c, "a party (address or name)")
	if err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	out := &api.YieldList{Yields: []api.YieldInfo{}}
	out.Next, err = everyPage(c, func(page api.Page) (string, error) {
		list, err := client.Yields(c.Context, args[0], page)
		if err != nil {
			return "", err
		}
		out.Party, out.Yields, out.Height = list.Party, append(out.Yields, list.Yields...), list.Height
		return list.Next, nil
	})
	if err != nil {
		return err
	}
	err = sh.print(c, out, func(p *printer) {
		names := newDirectory(c.Context, client)
		rows := make([][]string, 0, len(out.Yields))
		for _, y := range out.Yields {
			rows = append(rows, []string{names.label(y.Class), percent(y.MostPpm), y.Note, y.Class})
		}
		p.rows([]string{"PRODUCT", "AT MOST", "NOTE", "CLASS"}, rows)
	})
	sh.moreToCome(out.Next)
	return err
}

// percent writes millionths as short as they go.
func percent(ppm uint64) string {
	digits := fmt.Sprintf("%d.%04d", ppm/10_000, ppm%10_000)
	return strings.TrimSuffix(strings.TrimRight(digits, "0"), ".") + " %"
}
