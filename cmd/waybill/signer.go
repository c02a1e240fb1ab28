package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/urfave/cli/v2"

	"waybill/crypto"
	"waybill/node/signer"
)

// signerKeyFile holds the key by which nodes know a signer that listens on TCP.
const signerKeyFile = "signer.key"

func (sh *shell) signerCommand() *cli.Command {
	data := &cli.StringFlag{Name: "data", Value: "waybill-data", EnvVars: []string{"WAYBILL_NODE_DATA"}, Usage: "`FOLDER` with " + validatorKeyFile + " and " + signer.FileName}
	genesis := &cli.StringFlag{Name: "genesis", Usage: "`FILE` that the network begins with; the one in the folder unless named"}
	return &cli.Command{
		Name: "signer", Usage: "the memory of a validator key: what it signed, so that it never contradicts itself",
		Subcommands: []*cli.Command{
			{
				Name: "run", Usage: "sign for a node in another process or on another machine, until Ctrl-C",
				Description: "  waybill signer run --data /var/lib/waybill-signer --listen unix:/run/waybill/signer.sock\n" +
					"  waybill signer run --data /var/lib/waybill-signer --listen tcp:10.0.0.2:26710 --allow 03c1…\n\n" +
					"  The node gets --signer with the address that this command prints, and no validator.key. On TCP both ends know\n" +
					"  each other by key: --allow names the node's peer key (waybill node keys).",
				Flags: []cli.Flag{data, genesis,
					&cli.StringFlag{Name: "listen", Usage: "`ADDRESS`: unix:/PATH or tcp:HOST:PORT"},
					&cli.StringSliceFlag{Name: "allow", Usage: "peer `KEY` of a node that may ask over TCP; may be repeated"}},
				Action: sh.signerRun,
			},
			{
				Name: "init", Usage: "begin the memory of a key that has never signed",
				Description: "  waybill signer init --data /var/lib/waybill --genesis genesis.json\n\n" +
					"  Never for a key that has signed before: bring its watermark (waybill signer import), or start the node with --recover-signer.",
				Flags: []cli.Flag{data, genesis, outputFlag()}, Action: sh.signerInit,
			},
			{
				Name: "export", Usage: "write the watermark, below which the key signs nothing any more",
				Description: "  waybill signer export --data /var/lib/waybill > watermark.json\n\n  Stop the node first.",
				Flags:       []cli.Flag{data, genesis}, Action: sh.signerExport,
			},
			{
				Name: "import", ArgsUsage: "FILE", Usage: "take over a watermark; it never goes back",
				Description: "  waybill signer import watermark.json --data /var/lib/waybill",
				Flags:       []cli.Flag{data, genesis, outputFlag()}, Action: sh.signerImport,
			},
			{
				Name: "show", Usage: "what the key signed last",
				Description: "  waybill signer show --data /var/lib/waybill --output json\n\n  Stop the node first.",
				Flags:       []cli.Flag{data, genesis, outputFlag()}, Action: sh.signerShow,
			},
		},
	}
}

// signerFolder is what all these commands work on.
type signerFolder struct {
	dir     string
	path    string // of the signer's file
	key     crypto.PrivateKey
	genesis crypto.Hash
}

func readSignerFolder(c *cli.Context) (signerFolder, error) {
	dir := c.String("data")
	f := signerFolder{dir: dir, path: absolute(filepath.Join(dir, signer.FileName))}
	path := filepath.Join(dir, validatorKeyFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return f, fail(exitConfig, "%s has no validator key. Make one (waybill node keys --data %s --validator), or name the right folder with --data", dir, dir)
	}
	var err error
	if f.key, err = readKey(path); err != nil {
		return f, err
	}
	from := c.String("genesis")
	if from == "" {
		from = filepath.Join(dir, genesisFile)
	}
	g, err := readGenesis(from)
	if err != nil {
		return f, err
	}
	f.genesis = g.Hash()
	return f, nil
}

// state reads the file while nobody else uses it.
func (f *signerFolder) state() (s signer.State, err error) {
	storage, err := signer.OnFS(vfs.Default, f.path)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, storage.Close()) }()
	return signer.Load(storage, f.genesis, f.key.Public())
}

// signerView is a signer's memory as --output json shows it.
type signerView struct {
	Genesis  crypto.Hash      `json:"genesis"`
	Key      crypto.PublicKey `json:"key"`
	Mark     signer.Mark      `json:"mark"`
	Proposed signer.Slot      `json:"proposed"`
	Ceiling  signer.Mark      `json:"ceiling"`
	Exact    bool             `json:"exact"` // false after a crash, until the node has started again
	Recent   int              `json:"recent"`
}

func viewOf(s signer.State) signerView {
	return signerView{s.Genesis, s.Key, s.Mark, s.Proposed, s.Ceiling, s.Mark == s.Ceiling && s.Proposed == s.ProposedCeiling, len(s.Recent)}
}

func (v signerView) table(p *printer) {
	last := v.Mark.String()
	if !v.Exact {
		last = "between that of " + last + " and that of " + v.Ceiling.String() + ": it was not closed in order"
	}
	p.pairs([2]string{"key", v.Key.String()}, [2]string{"genesis", v.Genesis.String()}, [2]string{"last vote", last}, [2]string{"last proposal", v.Proposed.String()})
}

// signerState reads the memory in the folder of a command without arguments.
func signerState(c *cli.Context) (signer.State, error) {
	if _, err := arguments(c); err != nil {
		return signer.State{}, err
	}
	f, err := readSignerFolder(c)
	if err != nil {
		return signer.State{}, err
	}
	return f.state()
}

func (sh *shell) signerShow(c *cli.Context) error {
	s, err := signerState(c)
	if err != nil {
		return err
	}
	view := viewOf(s)
	return sh.print(c, view, view.table)
}

func (sh *shell) signerInit(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	f, err := readSignerFolder(c)
	if err != nil {
		return err
	}
	if err := errors.Join(unmarkFresh(f.dir), createSigner(f.dir, f.genesis, f.key.Public())); err != nil {
		return err
	}
	s, err := f.state()
	if err != nil {
		return err
	}
	view := viewOf(s)
	return sh.print(c, view, view.table)
}

// createSigner begins the memory of a new validator key in a data folder.
func createSigner(dir string, genesis crypto.Hash, key crypto.PublicKey) error {
	return signer.CreateFile(vfs.Default, absolute(filepath.Join(dir, signer.FileName)), genesis, key)
}

func (sh *shell) signerExport(c *cli.Context) error {
	s, err := signerState(c)
	if err != nil {
		return err
	}
	if view := viewOf(s); !view.Exact {
		sh.say("It was not closed in order: the watermark is above what was signed, and the key will be silent up to %s.", view.Ceiling)
	}
	text, err := signer.Export(s).Encode()
	if err != nil {
		return err
	}
	_, err = sh.stdout.Write(text)
	return err
}

// maxWatermarkFile bounds a watermark file in bytes.
const maxWatermarkFile = 1 << 16

func (sh *shell) signerImport(c *cli.Context) (err error) {
	args, err := arguments(c, "a watermark file")
	if err != nil {
		return err
	}
	f, err := readSignerFolder(c)
	if err != nil {
		return err
	}
	in, err := os.Open(args[0])
	if err != nil {
		return fmt.Errorf("opening the watermark: %w", err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxWatermarkFile))
	if err != nil {
		return fmt.Errorf("reading the watermark: %w", err)
	}
	w, err := signer.DecodeWatermark(text)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if w.Genesis != f.genesis || w.Key != f.key.Public() {
		return &signer.Error{Kind: signer.ErrForeign, Detail: fmt.Sprintf("the watermark is of key %s on network %s, this folder is of %s on %s: put the right pair together",
			w.Key, w.Genesis, f.key.Public(), f.genesis)}
	}
	storage, err := signer.OnFS(vfs.Default, f.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, storage.Close()) }()
	if err := errors.Join(unmarkFresh(f.dir), signer.Import(storage, w)); err != nil {
		return err
	}
	s, err := signer.Load(storage, f.genesis, f.key.Public())
	if err != nil {
		return err
	}
	view := viewOf(s)
	return sh.print(c, view, view.table)
}

func (sh *shell) signerRun(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	listen := c.String("listen")
	if listen == "" {
		return usage("waybill signer run needs --listen unix:/PATH or --listen tcp:HOST:PORT")
	}
	f, err := readSignerFolder(c)
	if err != nil {
		return err
	}
	server := signer.Server{}
	if strings.HasPrefix(listen, "tcp:") {
		if server, err = tcpServer(f.dir, c.StringSlice("allow")); err != nil {
			return err
		}
	}
	file, err := signer.OpenFile(vfs.Default, f.path, signer.Options{Genesis: f.genesis, Key: f.key})
	if err != nil {
		return err
	}
	server.Signer = file
	err = sh.serveSigner(c.Context, listen, server)
	return errors.Join(err, file.Close())
}

func tcpServer(dir string, allow []string) (s signer.Server, err error) {
	if len(allow) == 0 {
		return s, usage("over TCP, name the peer key of each node that may ask: --allow KEY (waybill node keys shows it)")
	}
	for _, text := range allow {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return s, usage("--allow %s is no public key: it has 66 hexadecimal digits", show(text))
		}
		key, err := crypto.ParsePublicKey(raw)
		if err != nil {
			return s, usage("--allow %s is no public key: %v", show(text), err)
		}
		s.Nodes = append(s.Nodes, key)
	}
	s.Key, _, err = keyAt(filepath.Join(dir, signerKeyFile))
	return s, err
}

func (sh *shell) serveSigner(ctx context.Context, listen string, server signer.Server) error {
	listener, err := signer.Listen(ctx, listen)
	if err != nil {
		return err
	}
	address := listen
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		address = "unix:" + absolute(path)
	}
	if !server.Key.IsZero() {
		address = "tcp:" + server.Key.Public().String() + "@" + listener.Addr().String()
	}
	sh.say("The signer is ready. For the node: --signer %s --signer-key %s", address, server.Signer.PublicKey())
	return signer.Serve(ctx, listener, server)
}
