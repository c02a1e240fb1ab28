package main

import (
	"crypto/sha256"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// stateFlags are those of commands that read the state of the ledger.
func stateFlags(more ...cli.Flag) []cli.Flag {
	return readFlags(append(more, &cli.Uint64Flag{Name: "height", Usage: "as it was after this `BLOCK`", DefaultText: "now"})...)
}

// listFlags are those of commands that read a list.
func listFlags(more ...cli.Flag) []cli.Flag {
	return stateFlags(append(more,
		&cli.IntFlag{Name: "limit", Usage: "most `ENTRIES`; without it all are read"},
		&cli.StringFlag{Name: "after", Usage: "`TOKEN` of the page before, where there was a --limit"})...)
}

// stateClient asks about the height of --height.
func stateClient(c *cli.Context) (*api.Client, error) {
	client, err := newClient(c)
	if err != nil || !c.IsSet("height") {
		return client, err
	}
	return client.AsOf(quorum.Height(c.Uint64("height"))), nil
}

// everyPage reads a list: one page of --limit, or all of it.
func everyPage(c *cli.Context, read func(api.Page) (next string, err error)) (next string, err error) {
	page := api.Page{After: c.String("after"), Limit: c.Int("limit")}
	for {
		next, err := read(page)
		if err != nil || next == "" || page.Limit > 0 {
			return next, err
		}
		page.After = next
	}
}

// moreToCome tells how to go on where a list was cut by --limit.
func (sh *shell) moreToCome(next string) {
	if next != "" {
		sh.say("There is more: --after %s", next)
	}
}

// hashArgument reads the id of a notice, dispute, proposal or shipment.
func hashArgument(text, what string) (crypto.Hash, error) {
	var h crypto.Hash
	if err := h.UnmarshalText([]byte(text)); err != nil {
		return h, usage("%q is no id of %s, which has 64 hexadecimal digits", show(text), what)
	}
	return h, nil
}

// partyArgument finds an account: an address, a wallet of yours, or an organisation by name.
func partyArgument(c *cli.Context, client *api.Client, text string) (crypto.Address, error) {
	if a, err := crypto.ParseAddress(text); err == nil {
		return a, nil
	}
	org, err := client.Organisation(c.Context, text)
	if err == nil {
		return org.Address, nil
	}
	if a, walletErr := addressOf(c, text); walletErr == nil {
		return a, nil
	}
	return crypto.Address{}, err
}

// documentHash is the SHA-256 of a file as it is, for --document; zero where the flag is absent.
func (sh *shell) documentHash(c *cli.Context) (crypto.Hash, error) {
	path := c.String("document")
	if path == "" {
		return crypto.Hash{}, nil
	}
	return sh.hashFile(path)
}

func documentFlag(what string) cli.Flag {
	return &cli.StringFlag{Name: "document", Usage: "`FILE` " + what + "; its SHA-256 goes on record, not its contents"}
}

// hashFile hashes a file of any size, or standard input for "-".
func (sh *shell) hashFile(path string) (h crypto.Hash, err error) {
	var in io.Reader = sh.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return h, noFile(path, err)
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return h, noFile(path, err)
	}
	copy(h[:], sum.Sum(nil))
	return h, nil
}
