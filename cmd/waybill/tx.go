package main

import (
	"github.com/urfave/cli/v2"

	"waybill/api"
)

func (sh *shell) txCommand() *cli.Command {
	return &cli.Command{
		Name: "tx", ArgsUsage: "ID", Usage: "what became of a transaction; files of transactions that several people sign",
		Description: "  waybill tx 5f0c…\n  waybill tx 5f0c… --output json\n  waybill send farm 10 --draft pay.json    (then sign, combine and send it with the commands below)",
		Flags:       readFlags(), Action: sh.tx, Subcommands: sh.draftCommands(),
	}
}

func (sh *shell) tx(c *cli.Context) error {
	if c.NArg() == 2 {
		return usage("waybill tx takes an id and nothing else: waybill tx %s. Its other commands are sign, combine and send", show(c.Args().Get(1)))
	}
	args, err := arguments(c, "the id of a transaction")
	if err != nil {
		return err
	}
	id, err := hashArgument(args[0], "a transaction")
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	info, err := client.Transaction(c.Context, id)
	if err != nil {
		return err
	}
	return sh.print(c, info, func(p *printer) { txTable(p, info) })
}

func txTable(p *printer, info *api.TxInfo) {
	pairs := [][2]string{{"transaction", info.ID.String()}, {"status", string(info.Status)}}
	if info.Height != 0 {
		pairs = append(pairs, [2]string{"block", number(info.Height)})
	}
	if b := info.Body; b != nil {
		pairs = append(pairs, [2]string{"kind", b.Kind.String()}, [2]string{"author", b.Author.String()})
	}
	pairs = append(pairs, [2]string{"time", clock(info.TimeMs)})
	if r := info.Receipt; r != nil {
		pairs = append(pairs, [2]string{"fee", number(r.Fee)})
	}
	pairs = append(pairs, [2]string{"outcome", info.Sentence})
	p.pairs(pairs...)
	if r := info.Receipt; r != nil {
		flagTable(p, r.Flags)
	}
}
