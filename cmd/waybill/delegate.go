package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"waybill/ledger"
)

func (sh *shell) delegateCommand() *cli.Command {
	return &cli.Command{
		Name: "delegate", ArgsUsage: "ORGANISATION SCOPE", Usage: "let another organisation name goods for you",
		Description: "  waybill delegate \"FreshPack\" 9521001 --wallet farm --until 2027-01-01\n" +
			"  waybill delegate \"FreshPack\" https://id.gs1.org/01/09521001100014 --wallet farm\n" +
			"  waybill delegate \"FreshPack\" 9521001 --wallet farm --end\n\n" +
			"  SCOPE is one of your company prefixes, or a class of goods under one.",
		Flags: signFlags(
			&cli.StringFlag{Name: "until", Usage: "`DATE` on which it ends, for example 2027-01-01; without it there is no end"},
			&cli.BoolFlag{Name: "end", Usage: "end the delegation now"},
		),
		Action: sh.delegate,
	}
}

func (sh *shell) delegate(c *cli.Context) error {
	args, err := arguments(c, "the name or address of the organisation", "a scope")
	if err != nil {
		return err
	}
	var until int64
	if text := c.String("until"); text != "" {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return usage("--until %q is no date like 2027-01-01", show(text))
		}
		until = at.UnixMilli()
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	org, err := client.Organisation(c.Context, args[0])
	if err != nil {
		return err
	}
	if c.Bool("end") {
		return sh.act(c, &ledger.RevokeDelegation{To: org.Address, Scope: args[1]}, fmt.Sprintf("%s no longer names goods of %s for you.", org.Name, args[1]))
	}
	return sh.act(c, &ledger.Delegate{To: org.Address, Scope: args[1], UntilMs: until}, fmt.Sprintf("%s may name goods of %s for you.", org.Name, args[1]))
}
