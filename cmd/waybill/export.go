package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"waybill/consensus/quorum"
	"waybill/ledger/export"
	"waybill/ledger/store"
)

func (sh *shell) exportCommand() *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write the whole ledger as plain files that need no Waybill to read",
		Description: "  waybill export --data /var/lib/waybill --out /mnt/archive/ledger\n  waybill export verify /mnt/archive/ledger --genesis genesis.json\n\n" +
			"  Every event as EPCIS 2.0 documents, every block with its certificate, transactions and receipts, the validators of\n" +
			"  every epoch, and every record of the state. The node must be stopped; a copy of its folder does as well. A ledger that\n" +
			"  began at a snapshot has the blocks since then, and the whole state. The folder's README.txt says how to read it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Value: "waybill-data", EnvVars: []string{"WAYBILL_NODE_DATA"}, Usage: "`FOLDER` of the node, which must be stopped"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` to write, which must be empty or not there"},
			&cli.StringFlag{Name: "output", Value: "table", Usage: "`FORMAT` of the data: table or json"},
		},
		Action: sh.exportWrite,
		Subcommands: []*cli.Command{{
			Name: "verify", ArgsUsage: "FOLDER", Usage: "check an export from the genesis on",
			Description: "  waybill export verify /mnt/archive/ledger --genesis genesis.json",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "genesis", Usage: "`FILE` with the genesis document of the network, from a source you trust"}, outputFlag(),
			},
			Action: sh.exportVerify,
		}},
	}
}

func (sh *shell) exportWrite(c *cli.Context) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	out, data := c.String("out"), c.String("data")
	if out == "" {
		return usage("name the folder to write: waybill export --out FOLDER")
	}
	genesis, err := readGenesis(filepath.Join(data, genesisFile))
	if err != nil {
		return err
	}
	release, err := holdFolder(data)
	if err != nil {
		return err
	}
	defer release()
	s, err := store.Open(data, genesis, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m, err := export.Write(c.Context, s, genesis, out, sh.blocks(c))
	switch {
	case errors.Is(err, export.ErrNothing):
		return fail(exitNotFound, "%v", err)
	case errors.Is(err, export.ErrNotEmpty):
		return fail(exitUsage, "%v", err)
	case err != nil:
		return err
	}
	if err := sh.printExport(c, m, out); err != nil {
		return err
	}
	sh.next(c, "waybill export verify %s --genesis %s", show(out), show(filepath.Join(data, genesisFile)))
	return nil
}

// blocks tells a person how far it is, now and then.
func (sh *shell) blocks(c *cli.Context) func(quorum.Height) {
	const every = 10_000
	if c.String("output") == "json" {
		return nil
	}
	return func(h quorum.Height) {
		if h%every == 0 {
			sh.say("block %d", h)
		}
	}
}

func (sh *shell) exportVerify(c *cli.Context) error {
	args, err := arguments(c, "the folder with the export")
	if err != nil {
		return err
	}
	if c.String("genesis") == "" {
		return usage("say what you trust: --genesis genesis.json, from a source that is not the export's")
	}
	genesis, err := readGenesis(c.String("genesis"))
	if err != nil {
		return err
	}
	if info, err := os.Stat(args[0]); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return fail(exitNotFound, "there is no folder %s", show(args[0]))
	}
	m, err := export.Verify(c.Context, args[0], genesis, sh.blocks(c))
	var refused *export.Error
	if errors.Is(err, export.ErrForeign) {
		return fail(exitOther, "%s proves nothing to you: %v", show(args[0]), err)
	}
	if errors.As(err, &refused) {
		return fail(exitOther, "%s is not a true copy of the ledger: %v", show(args[0]), err)
	}
	if err != nil {
		return err
	}
	if err := sh.printExport(c, m, args[0]); err != nil {
		return err
	}
	sh.say("This is a true copy of the ledger up to block %d: what is in it was signed by the validators that follow from the genesis.", m.Height)
	return nil
}

func (sh *shell) printExport(c *cli.Context, m *export.Manifest, dir string) error {
	return sh.print(c, m, func(p *printer) {
		bytes := int64(0)
		for _, f := range m.Files {
			bytes += f.Bytes
		}
		p.pairs([2]string{"folder", dir}, [2]string{"network", m.Network}, [2]string{"genesis", m.Genesis.String()},
			[2]string{"blocks", fmt.Sprintf("%d to %d, %s", m.From, m.Height, clock(m.TimeMs))}, [2]string{"not here", missingBlocks(m)}, [2]string{"state root", m.StateRoot.String()},
			[2]string{"transactions", number(m.Transactions)}, [2]string{"events", number(m.Events)}, [2]string{"records", number(m.Records)},
			[2]string{"epochs ended", number(m.Epochs)}, [2]string{"files", number(len(m.Files) + 1)}, [2]string{"bytes", number(bytes)})
	})
}

// missingBlocks says which blocks an export cannot have; "" if it has all up to its height.
func missingBlocks(m *export.Manifest) string {
	if m.From == 1 {
		return ""
	}
	return fmt.Sprintf("blocks 1 to %d: the ledger began at a snapshot, and only its state shows what they did", m.From-1)
}
