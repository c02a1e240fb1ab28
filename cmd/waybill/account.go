package main

import (
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"waybill/ledger"
)

func (sh *shell) accountCommand() *cli.Command {
	return &cli.Command{
		Name: "account", Usage: "how many people it takes to act for an account",
		Subcommands: []*cli.Command{{
			Name: "threshold", ArgsUsage: "M", Usage: "from now on so many of the account's active keys must sign",
			Description: "  waybill key add 02ab… --wallet board\n  waybill account threshold 2 --wallet board\n\n" +
				"  Add the keys first (waybill key add). Afterwards one wallet alone signs nothing any more; 1 makes it an account of one key again.",
			Flags: signFlags(), Action: sh.accountThreshold,
		}},
	}
}

func (sh *shell) accountThreshold(c *cli.Context) error {
	args, err := arguments(c, "how many keys must sign")
	if err != nil {
		return err
	}
	m, err := strconv.ParseUint(args[0], 10, 8)
	if err != nil || m == 0 {
		return usage("%q is no number of keys; from 1 on", show(args[0]))
	}
	return sh.act(c, &ledger.SetThreshold{M: uint8(m)}, fmt.Sprintf("%d of the account's active keys must sign from the next block on.", m))
}
