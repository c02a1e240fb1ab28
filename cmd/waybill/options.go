package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"
)

// defaultNode is where `waybill node start` listens unless told otherwise.
const defaultNode = "http://127.0.0.1:8545"

// Flags that several commands have. A name means the same in all of them.

func outputFlag() cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT` of the data: table or json"}
}

func nodeFlag() cli.Flag {
	return &cli.StringFlag{Name: "node", Value: defaultNode, EnvVars: []string{"WAYBILL_NODE"}, Usage: "`URL` of a node's HTTP interface"}
}

func walletsFlag() cli.Flag {
	return &cli.StringFlag{Name: "wallets", EnvVars: []string{"WAYBILL_WALLETS"}, DefaultText: "waybill/wallets in your configuration folder", Usage: "`FOLDER` with wallet files"}
}

func walletFlag() cli.Flag {
	return &cli.StringFlag{Name: "wallet", EnvVars: []string{"WAYBILL_WALLET"}, DefaultText: "the only one in the folder", Usage: "`NAME` of the wallet that signs"}
}

func passwordFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "password-file", EnvVars: []string{"WAYBILL_PASSWORD_FILE"}, Usage: "`FILE` that holds the passphrase, readable by you only; without it the terminal asks"},
		&cli.IntFlag{Name: "password-fd", Value: -1, DefaultText: "none", Usage: "`NUMBER` of an open file descriptor to read the passphrase from"},
	}
}

// readFlags are those of commands that ask a node.
func readFlags(more ...cli.Flag) []cli.Flag {
	return append(more, nodeFlag(), outputFlag())
}

// signFlags are those of commands that sign and send a transaction.
func signFlags(more ...cli.Flag) []cli.Flag {
	more = append(more, walletFlag(), walletsFlag(), passwordFlags()[0], passwordFlags()[1])
	more = append(more, &cli.Uint64Flag{Name: "tip", Usage: "`AMOUNT` on top of the fee"})
	return sendFlags(append(more, sharedFlags()...)...)
}

// sendFlags are those of commands that send a transaction.
func sendFlags(more ...cli.Flag) []cli.Flag {
	more = append(more,
		&cli.StringFlag{Name: "wait", Value: waitFinal, Usage: "`WHAT` to wait for: none (only sent), accepted (a node holds it), final (in a block, with its receipt)"},
		&cli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "how long to wait, for example 30s"},
	)
	return append(more, nodeFlag(), outputFlag())
}

// walletFolder is where wallets are.
func walletFolder(c *cli.Context) (string, error) {
	if dir := c.String("wallets"); dir != "" {
		return dir, nil
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return "", usage("there is no configuration folder for you (%v); name one with --wallets FOLDER", err)
	}
	return filepath.Join(base, "waybill", "wallets"), nil
}

// arguments returns exactly n arguments; names say what they are.
func arguments(c *cli.Context, names ...string) ([]string, error) {
	given := c.Args().Slice()
	switch {
	case len(given) < len(names):
		return nil, usage("%s needs %s. See: %s --help", c.Command.HelpName, names[len(given)], c.Command.HelpName)
	case len(given) > len(names):
		return nil, usage("%s takes nothing after %s; %q is too much. See: %s --help",
			c.Command.HelpName, lastOr(names, "its name"), show(given[len(names)]), c.Command.HelpName)
	}
	return given, nil
}

func lastOr(names []string, otherwise string) string {
	if len(names) == 0 {
		return otherwise
	}
	return names[len(names)-1]
}
