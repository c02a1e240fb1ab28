package main

import (
	"github.com/urfave/cli/v2"

	"waybill/crypto"
	"waybill/ledger"
)

func (sh *shell) keyCommand() *cli.Command {
	height := func() cli.Flag {
		return &cli.Uint64Flag{Name: "from-height", Usage: "`BLOCK` from which it counts; 0 is the next one"}
	}
	return &cli.Command{
		Name: "key", Usage: "further keys of your account",
		Subcommands: []*cli.Command{
			{
				Name: "add", ArgsUsage: "PUBLIC-KEY", Usage: "let a further key sign for your account",
				Description: "  waybill key add 02ab… --wallet farm\n  waybill wallet list --output json shows public keys",
				Flags:       signFlags(height()), Action: sh.keyAct("The key signs for you now.", func(k crypto.PublicKey, h uint64) ledger.Payload {
					return &ledger.AddKey{Key: k, FromHeight: h}
				}),
			},
			{
				Name: "revoke", ArgsUsage: "PUBLIC-KEY", Usage: "end a key of your account, for example one that was lost",
				Description: "  waybill key revoke 02ab… --wallet farm",
				Flags:       signFlags(height()), Action: sh.keyAct("The key is revoked.", func(k crypto.PublicKey, h uint64) ledger.Payload {
					return &ledger.RevokeKey{Key: k, FromHeight: h}
				}),
			},
			{
				Name: "threshold", ArgsUsage: "COUNT", Usage: "say how many keys of your account must sign, from the next block on",
				Description: "  waybill key add 02ab… --wallet board\n  waybill key threshold 2 --wallet board\n\n" +
					"  Add the keys first (waybill key add). Afterwards one wallet alone signs nothing any more; 1 makes it an account of one key again.",
				Flags: signFlags(), Action: sh.keyThreshold,
			},
		},
	}
}

func (sh *shell) keyAct(done string, payload func(crypto.PublicKey, uint64) ledger.Payload) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := arguments(c, "a public key")
		if err != nil {
			return err
		}
		key, err := publicKey(args[0])
		if err != nil {
			return err
		}
		return sh.act(c, payload(key, c.Uint64("from-height")), done)
	}
}
