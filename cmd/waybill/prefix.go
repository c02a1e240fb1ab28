package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"waybill/epcis/gs1"
	"waybill/ledger"
)

func (sh *shell) prefixCommand() *cli.Command {
	return &cli.Command{
		Name: "prefix", Usage: "GS1 company prefixes: who may name goods",
		Subcommands: []*cli.Command{
			{
				Name: "claim", ArgsUsage: "PREFIX", Usage: "ask for your GS1 company prefix",
				Description: "  waybill prefix claim 9521001 --wallet farm",
				Flags:       signFlags(), Action: sh.prefixClaim,
			},
			{
				Name: "approve", ArgsUsage: "PREFIX ORGANISATION", Usage: "confirm a claim, as a registrar",
				Description: "  waybill prefix approve 9521001 \"Salinas Farm\" --wallet faucet",
				Flags:       signFlags(), Action: sh.prefixApprove,
			},
			{
				Name: "show", ArgsUsage: "PREFIX", Usage: "who holds a prefix, and who held it",
				Description: "  waybill prefix show 9521001",
				Flags:       stateFlags(), Action: sh.prefixShow,
			},
		},
	}
}

func prefixArgument(text string) error {
	if err := gs1.ValidGCP(text); err != nil {
		return usage("%q is no GS1 company prefix: %v", show(text), err)
	}
	return nil
}

func (sh *shell) prefixClaim(c *cli.Context) error {
	args, err := arguments(c, "a GS1 company prefix")
	if err != nil {
		return err
	}
	if err := prefixArgument(args[0]); err != nil {
		return err
	}
	return sh.act(c, &ledger.ClaimPrefix{Prefix: args[0]},
		fmt.Sprintf("Prefix %s is claimed. Where the network has registrars one must approve it: waybill prefix show %s", args[0], args[0]))
}

func (sh *shell) prefixApprove(c *cli.Context) error {
	args, err := arguments(c, "a GS1 company prefix", "the name or address of the organisation")
	if err != nil {
		return err
	}
	if err := prefixArgument(args[0]); err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	org, err := client.Organisation(c.Context, args[1])
	if err != nil {
		return err
	}
	return sh.act(c, &ledger.ApprovePrefix{Prefix: args[0], Organisation: org.Address}, fmt.Sprintf("%s holds prefix %s.", org.Name, args[0]))
}

func (sh *shell) prefixShow(c *cli.Context) error {
	args, err := arguments(c, "a GS1 company prefix")
	if err != nil {
		return err
	}
	if err := prefixArgument(args[0]); err != nil {
		return err
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	info, err := client.Prefix(c.Context, args[0])
	if err != nil {
		return err
	}
	return sh.print(c, info, func(p *printer) {
		rows := make([][]string, 0, len(info.Tenures))
		for _, t := range info.Tenures {
			until := "now"
			if t.Until != 0 {
				until = "block " + number(t.Until)
			}
			rows = append(rows, []string{t.Holder.Name, "block " + number(t.From), until, t.Holder.Address.String()})
		}
		p.rows([]string{"HOLDER", "FROM", "UNTIL", "ADDRESS"}, rows)
	})
}
