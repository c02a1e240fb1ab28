package main

import (
	"strconv"

	"github.com/urfave/cli/v2"

	"waybill/api"
)

func (sh *shell) blockCommand() *cli.Command {
	return &cli.Command{
		Name: "block", ArgsUsage: "[HEIGHT|HASH|latest]", Usage: "a finalized block",
		Description: "  waybill block\n  waybill block 12\n  waybill block latest --output json",
		Flags:       readFlags(), Action: sh.block,
	}
}

func (sh *shell) block(c *cli.Context) error {
	if c.NArg() > 1 {
		return usage("waybill block takes one height, hash or the word latest")
	}
	ref := c.Args().First()
	if ref == "" {
		ref = "latest"
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	b, err := client.Block(c.Context, ref)
	if err != nil {
		return err
	}
	return sh.print(c, b, func(p *printer) { blockTable(p, b) })
}

func blockTable(p *printer, b *api.BlockInfo) {
	signers := ""
	if b.Certificate != nil {
		signers = strconv.Itoa(len(b.Certificate.Signers)) + " validators"
	}
	p.pairs([2]string{"height", number(b.Height)}, [2]string{"hash", b.Hash.String()}, [2]string{"parent", b.Header.Parent.String()},
		[2]string{"time", clock(b.TimeMs)}, [2]string{"view", number(b.View)}, [2]string{"proposer", number(b.Proposer)},
		[2]string{"finalized by", signers}, [2]string{"transactions", number(b.TxCount)}, [2]string{"state root", b.Header.StateRoot.String() + " (after block " + number(b.Header.ExecHeight) + ")"})
	if len(b.Transactions) == 0 {
		return
	}
	p.line("")
	rows := make([][]string, 0, len(b.Transactions))
	for _, tx := range b.Transactions {
		outcome := "done"
		if !tx.OK {
			outcome = tx.Sentence
		}
		rows = append(rows, []string{tx.ID.String(), tx.KindName, shortAddress(tx.Author.String()), outcome})
	}
	p.rows([]string{"TRANSACTION", "KIND", "AUTHOR", "OUTCOME"}, rows)
}
