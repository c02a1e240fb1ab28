package main

import (
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"waybill/ledger"
)

func (sh *shell) sendCommand() *cli.Command {
	return &cli.Command{
		Name: "send", ArgsUsage: "ADDRESS AMOUNT", Usage: "send money to an account; it need not exist yet",
		Description: "  waybill send wb1… 1000\n  waybill send farm 1000 --wallet faucet --wait accepted",
		Flags:       signFlags(), Action: sh.send,
	}
}

func (sh *shell) send(c *cli.Context) error {
	args, err := arguments(c, "the address to send to", "an amount")
	if err != nil {
		return err
	}
	to, err := addressOf(c, args[0])
	if err != nil {
		return err
	}
	amount, err := units(args[1])
	if err != nil {
		return err
	}
	return sh.act(c, &ledger.Transfer{To: to, Amount: amount}, fmt.Sprintf("Sent %d to %s.", amount, to))
}

// units reads an amount of money: a whole number of the smallest unit.
func units(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return 0, usage("%q is no amount; amounts are whole numbers from 1", show(text))
	}
	return n, nil
}
