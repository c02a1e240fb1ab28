package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/urfave/cli/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/snapshot"
	"waybill/ledger/store"
	"waybill/node"
)

func (sh *shell) snapshotCommand() *cli.Command {
	data := &cli.StringFlag{Name: "data", Value: "waybill-data", EnvVars: []string{"WAYBILL_NODE_DATA"},
		Usage: "`FOLDER` of the node, which must be stopped"}
	from := &cli.StringFlag{Name: "from", Usage: "`FOLDER` of snapshots; snapshots/ in the data folder if it is not given"}
	height := &cli.Uint64Flag{Name: "height", Usage: "the snapshot after this `HEIGHT`; the highest if it is not given"}
	checkpoint := &cli.StringFlag{Name: "checkpoint", Usage: "`EPOCH:HASH` to believe in, when the network is older than its trusting period (waybill validators, asked of a node you trust)"}
	replace := &cli.BoolFlag{Name: "replace", Usage: "replace a ledger that is not empty"}
	return &cli.Command{
		Name: "snapshot", Usage: "copies of the state, for backups and new nodes",
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "write a snapshot of the ledger's highest certified state",
				Description: "  waybill snapshot create --data /var/lib/waybill\n\n  A running node takes its own: see state.snapshot_every in config.toml.",
				Flags:       []cli.Flag{data, from, outputFlag()}, Action: sh.snapshotCreate,
			},
			{
				Name: "list", Usage: "the snapshots of a folder",
				Description: "  waybill snapshot list --data /var/lib/waybill", Flags: []cli.Flag{data, from, outputFlag()}, Action: sh.snapshotList,
			},
			{
				Name: "verify", Usage: "check a snapshot from the genesis on",
				Description: "  waybill snapshot verify --data /var/lib/waybill --from /mnt/backup",
				Flags:       []cli.Flag{data, from, height, checkpoint, outputFlag()}, Action: sh.snapshotVerify,
			},
			{
				Name: "restore", Usage: "make an empty ledger begin at a snapshot",
				Description: "  waybill snapshot restore --data /var/lib/new --from /mnt/backup\n\n" +
					"  The data folder needs its genesis.json, as waybill node init writes it. Everything is verified on the\n  way; when that fails the ledger is empty. " +
					"What a validator has signed is not part of a snapshot: never restore one while it runs elsewhere.",
				Flags: []cli.Flag{data, from, height, checkpoint, replace, outputFlag()}, Action: sh.snapshotRestore,
			},
		},
	}
}

// snapshotView is a snapshot as --output json shows it.
type snapshotView struct {
	Height  quorum.Height `json:"height"`
	Epoch   quorum.Epoch  `json:"epoch"`
	Block   crypto.Hash   `json:"block"`
	State   crypto.Hash   `json:"stateRoot"`
	Hash    crypto.Hash   `json:"hash"` // of the manifest
	Keys    uint64        `json:"keys"`
	Bytes   uint64        `json:"bytes"`
	Chunks  int           `json:"chunks"`
	Folder  string        `json:"folder"`
	TimeMs  int64         `json:"timeMs"`
	Checked bool          `json:"verified"`
}

func viewSnapshot(s *snapshot.Stored, folder string, verified bool) snapshotView {
	m := s.Manifest
	return snapshotView{
		Height: m.Height(), Epoch: m.Block().Epoch, Block: m.Block().Hash(), State: m.Committing().ExecStateRoot, Hash: s.Hash,
		Keys: m.Keys, Bytes: m.Bytes, Chunks: len(m.Chunks), Folder: folder, TimeMs: m.Block().TimeMs, Checked: verified,
	}
}

func (sh *shell) printSnapshot(c *cli.Context, v snapshotView) error {
	return sh.print(c, v, func(p *printer) {
		verified := "no"
		if v.Checked {
			verified = "from the genesis on"
		}
		p.pairs([2]string{"height", fmt.Sprint(v.Height)}, [2]string{"epoch", fmt.Sprint(v.Epoch)}, [2]string{"block", v.Block.String()},
			[2]string{"state root", v.State.String()}, [2]string{"snapshot", v.Hash.String()}, [2]string{"keys", fmt.Sprint(v.Keys)},
			[2]string{"bytes", fmt.Sprint(v.Bytes)}, [2]string{"chunks", fmt.Sprint(v.Chunks)}, [2]string{"folder", v.Folder}, [2]string{"verified", verified})
	})
}

// snapshotPlace is what every subcommand works on.
type snapshotPlace struct {
	data    string
	genesis *ledger.Genesis
	library *snapshot.Library
}

func openSnapshotPlace(c *cli.Context) (snapshotPlace, error) {
	p := snapshotPlace{data: c.String("data")}
	if _, err := arguments(c); err != nil {
		return p, err
	}
	var err error
	if p.genesis, err = readGenesis(filepath.Join(p.data, genesisFile)); err != nil {
		return p, err
	}
	from := c.String("from")
	if from == "" {
		from = node.SnapshotsDir(p.data)
	}
	if c.Command.Name != "create" {
		if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
			return p, fail(exitNotFound, "there is no folder %s: name the one with the snapshots with --from FOLDER", from)
		}
	}
	p.library, err = snapshot.OpenLibrary(vfs.Default, from)
	return p, err
}

// find opens the snapshot that --height names.
func (p snapshotPlace) find(c *cli.Context) (*snapshot.Stored, error) {
	list, err := p.library.List()
	if err != nil {
		return nil, err
	}
	for _, info := range list {
		if want := c.Uint64("height"); want == 0 || uint64(info.Height) == want {
			return p.library.Open(info)
		}
	}
	if want := c.Uint64("height"); want > 0 {
		return nil, fail(exitNotFound, "there is no snapshot of height %d in %s", want, p.library.Dir())
	}
	return nil, fail(exitNotFound, "there is no snapshot in %s", p.library.Dir())
}

// epochs begins at the genesis, or at the checkpoint that was given.
func (p snapshotPlace) epochs(c *cli.Context) (*snapshot.Epochs, error) {
	at, err := node.ParseCheckpoint(c.String("checkpoint"))
	if err != nil {
		return nil, usage("%v", err)
	}
	return snapshot.NewEpochs(p.genesis, snapshot.Trust{Checkpoint: at, NowMs: time.Now().UnixMilli(), PeriodMs: int64(p.genesis.Params.TrustingMs())}, nil)
}

func (sh *shell) snapshotCreate(c *cli.Context) (err error) {
	p, err := openSnapshotPlace(c)
	if err != nil {
		return err
	}
	release, err := holdFolder(p.data)
	if err != nil {
		return err
	}
	defer release()
	s, err := store.Open(p.data, p.genesis, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	made, err := p.library.Latest(c.Context, s)
	if errors.Is(err, snapshot.ErrNotFound) {
		return fail(exitNotFound, "%v", err)
	}
	if err != nil {
		return err
	}
	return sh.printSnapshot(c, viewSnapshot(made, p.library.Dir(), false))
}

func (sh *shell) snapshotList(c *cli.Context) error {
	p, err := openSnapshotPlace(c)
	if err != nil {
		return err
	}
	list, err := p.library.List()
	if err != nil {
		return err
	}
	views := []snapshotView{}
	for _, info := range list {
		s, err := p.library.Open(info)
		if err != nil {
			return fail(exitOther, "the snapshot %s: %v", info.Name, err)
		}
		views = append(views, viewSnapshot(s, p.library.Dir(), false))
	}
	return sh.print(c, views, func(out *printer) {
		rows := [][]string{}
		for _, v := range views {
			rows = append(rows, []string{fmt.Sprint(v.Height), fmt.Sprint(v.Epoch), fmt.Sprint(v.Keys), fmt.Sprint(v.Bytes), v.Hash.String()})
		}
		out.rows([]string{"HEIGHT", "EPOCH", "KEYS", "BYTES", "SNAPSHOT"}, rows)
	})
}

func (sh *shell) snapshotVerify(c *cli.Context) error {
	p, err := openSnapshotPlace(c)
	if err != nil {
		return err
	}
	s, err := p.find(c)
	if err != nil {
		return snapshotError(err)
	}
	epochs, err := p.epochs(c)
	if err != nil {
		return err
	}
	if _, err := s.Verify(c.Context, epochs, nil); err != nil {
		return snapshotError(err)
	}
	return sh.printSnapshot(c, viewSnapshot(s, p.library.Dir(), true))
}

func (sh *shell) snapshotRestore(c *cli.Context) error {
	p, err := openSnapshotPlace(c)
	if err != nil {
		return err
	}
	release, err := holdFolder(p.data)
	if err != nil {
		return err
	}
	defer release()
	s, err := p.find(c)
	if err != nil {
		return snapshotError(err)
	}
	epochs, err := p.epochs(c)
	if err != nil {
		return err
	}
	if err := s.Restore(c.Context, p.data, p.genesis, store.Options{}, epochs, c.Bool("replace")); err != nil {
		return snapshotError(err)
	}
	return sh.printSnapshot(c, viewSnapshot(s, p.library.Dir(), true))
}

// snapshotError gives what a snapshot is refused for its exit status.
func snapshotError(err error) error {
	var refused *snapshot.Error
	if errors.As(err, &refused) {
		return fail(exitRefused, "%v\n  Is it whole, and of the network of this genesis.json?", err)
	}
	if errors.Is(err, store.ErrSequence) {
		return fail(exitDataFolder, "%v: --replace", err)
	}
	return err
}
