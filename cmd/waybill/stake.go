package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"waybill/crypto"
	"waybill/ledger"
)

func (sh *shell) stakeCommand() *cli.Command {
	return &cli.Command{
		Name: "stake", Usage: "stand behind a validator with money",
		Subcommands: []*cli.Command{
			{
				Name: "bond", ArgsUsage: "VALIDATOR AMOUNT", Usage: "add to your stake in a validator",
				Description: "  waybill stake bond 02ab… 5000 --wallet node1",
				Flags:       signFlags(), Action: sh.stake("Bonded", func(key crypto.PublicKey, n uint64) ledger.Payload { return &ledger.Bond{Validator: key, Amount: n} }),
			},
			{
				Name: "unbond", ArgsUsage: "VALIDATOR AMOUNT", Usage: "take from your stake; the money is yours again after the unbonding time",
				Description: "  waybill stake unbond 02ab… 5000 --wallet node1",
				Flags:       signFlags(), Action: sh.stake("Unbonded", func(key crypto.PublicKey, n uint64) ledger.Payload { return &ledger.Unbond{Validator: key, Amount: n} }),
			},
			{
				Name: "list", Usage: "the validators and their stake",
				Description: "  waybill stake list",
				Flags:       readFlags(), Action: sh.stakeList,
			},
		},
	}
}

func (sh *shell) stake(done string, payload func(crypto.PublicKey, uint64) ledger.Payload) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := arguments(c, "the public key of a validator (waybill stake list)", "an amount")
		if err != nil {
			return err
		}
		key, err := publicKey(args[0])
		if err != nil {
			return err
		}
		amount, err := units(args[1])
		if err != nil {
			return err
		}
		return sh.act(c, payload(key, amount), fmt.Sprintf("%s %d with validator %s.", done, amount, key))
	}
}

func (sh *shell) stakeList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	list, err := client.Validators(c.Context)
	if err != nil {
		return err
	}
	return sh.print(c, list, func(p *printer) {
		rows := make([][]string, 0, len(list.Validators))
		for _, v := range list.Validators {
			rows = append(rows, []string{v.Name, number(v.Stake), v.Operator.String(), v.Key.String()})
		}
		p.rows([]string{"NAME", "STAKE", "OPERATOR", "KEY"}, rows)
	})
}
