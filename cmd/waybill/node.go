package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/node"
	"waybill/node/signer"
	"waybill/p2p"
	"waybill/wallet"
)

// stopTime is how long a node may take to stop after a signal.
const stopTime = 30 * time.Second

func (sh *shell) nodeCommand() *cli.Command {
	data := &cli.StringFlag{Name: "data", Value: "waybill-data", EnvVars: []string{"WAYBILL_NODE_DATA"}, Usage: "`FOLDER` of the node"}
	validator := &cli.BoolFlag{Name: "validator", Usage: "a node that votes while its key is of the validator set"}
	recovers := &cli.BoolFlag{Name: "recover-signer", Usage: "the record of what this validator signed is lost: watch the network until nothing of the past can be signed again, then vote"}
	genesis := &cli.StringFlag{Name: "genesis", Usage: "`FILE` that the network begins with"}
	lifeline := &cli.BoolFlag{Name: "lifeline", Hidden: true, Usage: "stop when standard input ends"}
	over := configFlags()
	return &cli.Command{
		Name: "node", Usage: "run a node of the network",
		Subcommands: []*cli.Command{
			{
				Name: "keys", Usage: "make the keys of a node and print their public parts, which go into a genesis",
				Description: "  waybill node keys --data /var/lib/waybill --validator\n\n" +
					"  Keys that are there stay. In the folder of a full node --validator makes it a validator: start it again, then\n" +
					"  waybill stake register.",
				Flags: []cli.Flag{data, validator, outputFlag()}, Action: sh.nodeKeys,
			},
			{
				Name: "init", Usage: "prepare a data folder",
				Description: "  waybill node init --genesis genesis.json --data /var/lib/waybill --bootstrap /dns4/farm.example/tcp/26700/p2p/16Uiu2…\n" +
					"  waybill node init --genesis genesis.json --data /var/lib/waybill --validator --listen /ip4/0.0.0.0/tcp/26700",
				Flags: append([]cli.Flag{genesis, data, validator, outputFlag()}, over...), Action: sh.nodeInit,
			},
			{
				Name: "start", Usage: "run the node until Ctrl-C",
				Description: "  waybill node start --data /var/lib/waybill\n  waybill node start --data /var/lib/waybill --api 127.0.0.1:9000 --log-level debug\n\n" +
					"  The first SIGINT or SIGTERM stops it in order, the second at once.\n\n" +
					"  A validator whose " + signer.FileName + " is missing does not start, because nobody knows what its key has signed:\n" +
					"  bring the file or its watermark back (waybill signer import), or add --recover-signer. With --signer the key and\n" +
					"  its record are with another process (waybill signer run), and none is in the folder.",
				Flags: append([]cli.Flag{data, lifeline, recovers}, over...), Action: sh.nodeStart,
			},
			{
				Name: "config", Usage: "every setting in force, and where its value comes from",
				Description: "  waybill node config --data /var/lib/waybill",
				Flags:       append([]cli.Flag{data, outputFlag()}, over...), Action: sh.nodeConfig,
			},
			{
				Name: "status", Usage: "where a running node is",
				Description: "  waybill node status\n  waybill node status --node http://127.0.0.1:9000 --output json",
				Flags:       readFlags(), Action: sh.nodeStatus,
			},
		},
	}
}

// configFlags are the flags that stand for lines of config.toml.
func configFlags() []cli.Flag {
	var out []cli.Flag
	for _, s := range settings() {
		if s.flag != "" {
			out = append(out, &cli.StringFlag{Name: s.flag, Usage: "`VALUE` for " + s.name + ": " + s.help})
		}
	}
	return out
}

// keysView are the public parts of a node's keys as --output json shows them.
type keysView struct {
	Data         string            `json:"data"`
	PeerID       string            `json:"peerId"`
	PeerKey      crypto.PublicKey  `json:"peerKey"`
	ValidatorKey *crypto.PublicKey `json:"validatorKey,omitempty"`
}

func (sh *shell) nodeKeys(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	dir := c.String("data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	view, err := makeKeys(dir, c.Bool("validator"))
	if err != nil {
		return err
	}
	return sh.print(c, view, func(p *printer) {
		key := ""
		if view.ValidatorKey != nil {
			key = view.ValidatorKey.String()
		}
		p.pairs([2]string{"folder", dir}, [2]string{"peer id", view.PeerID}, [2]string{"peer key", view.PeerKey.String()}, [2]string{"validator key", key})
	})
}

// makeKeys makes the keys that are not in the folder yet.
func makeKeys(dir string, validator bool) (keysView, error) {
	view := keysView{Data: dir}
	peer, _, err := keyAt(filepath.Join(dir, peerKeyFile))
	if err != nil {
		return view, err
	}
	view.PeerKey = peer.Public()
	id, err := p2p.PeerIDFromPrivateKey(peer.Bytes())
	if err != nil {
		return view, err
	}
	view.PeerID = string(id)
	if !validator {
		return view, nil
	}
	key, err := validatorKeyAt(dir)
	if err != nil {
		return view, err
	}
	public := key.Public()
	view.ValidatorKey = &public
	return view, nil
}

// validatorKeyAt reads the validator key of a folder, or makes it, together with what is to remember its signatures. A new
// key beside another one's memory is refused: most likely its own was moved to a signer, or is lost.
func validatorKeyAt(dir string) (key crypto.PrivateKey, err error) {
	path, memory := filepath.Join(dir, validatorKeyFile), absolute(node.SignerFile(dir))
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(memory); err == nil {
			return key, fail(exitSafety, "%s has no %s, but %s is there and remembers what such a key signed. Bring the key back; for a new key move that file away",
				dir, validatorKeyFile, signer.FileName)
		}
	}
	key, made, err := keyAt(path)
	if err != nil || !made {
		return key, err
	}
	genesis := filepath.Join(dir, genesisFile)
	if _, err := os.Stat(genesis); err != nil {
		return key, markFresh(dir, key.Public())
	}
	g, err := readGenesis(genesis)
	if err != nil {
		return key, err
	}
	return key, createSigner(dir, g.Hash(), key.Public())
}

func (sh *shell) nodeInit(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if c.String("genesis") == "" {
		return usage("waybill node init needs --genesis FILE: the file that the network begins with")
	}
	genesis, err := readGenesis(c.String("genesis"))
	if err != nil {
		return err
	}
	dir := c.String("data")
	if _, err := os.Stat(filepath.Join(dir, configFile)); err == nil {
		return fail(exitConfig, "%s is a node already. Start it (waybill node start --data %s) or name another folder", dir, dir)
	}
	cfg := defaultConfig()
	if err := override(&cfg, c, map[string]string{}); err != nil {
		return err
	}
	cfg.DataDir = dir
	if err := checkConfig(&cfg); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	view, err := makeKeys(dir, c.Bool("validator"))
	if err != nil {
		return err
	}
	remembers := true
	if c.Bool("validator") {
		if remembers, err = beginSigner(dir, genesis, *view.ValidatorKey); err != nil {
			return err
		}
	}
	if err := writeFolder(dir, c.String("genesis"), &cfg); err != nil {
		return err
	}
	err = sh.print(c, view, func(p *printer) {
		p.pairs([2]string{"folder", dir}, [2]string{"network", genesis.Chain}, [2]string{"genesis", genesis.Hash().String()}, [2]string{"peer id", view.PeerID})
	})
	if c.Bool("validator") && !isMember(genesis, *view.ValidatorKey) {
		sh.say("The validator key is not of this genesis: the node follows the network, and votes from the epoch for which it is elected\n" +
			"(waybill stake register).")
	}
	if !remembers {
		sh.say("The validator key was not made in this folder, so nobody knows what it has signed. If it never signed anything:\n"+
			"waybill signer init --data %s. Otherwise bring its watermark (waybill signer import), or start with --recover-signer.", dir)
	}
	sh.next(c, "waybill node start --data %s", dir)
	return err
}

func isMember(genesis *ledger.Genesis, key crypto.PublicKey) bool {
	for _, v := range genesis.Validators {
		if v.Key == key {
			return true
		}
	}
	return false
}

// freshFile says that the validator key was made here and has not signed yet: until a node with a genesis is prepared.
const freshFile = "validator.key.fresh"

func markFresh(dir string, key crypto.PublicKey) error {
	if err := unmarkFresh(dir); err != nil { // left by a key that is not here any more
		return err
	}
	return writeNew(filepath.Join(dir, freshFile), []byte(key.String()+"\n"))
}

// unmarkFresh is called before a key can sign.
func unmarkFresh(dir string) error {
	if err := os.Remove(filepath.Join(dir, freshFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("noting that the validator key is in use: %w", err)
	}
	return nil
}

// beginSigner makes the signer's file of a key that was made in this folder. It reports whether there is one then: of a key
// that came from elsewhere nobody here knows what it has signed.
func beginSigner(dir string, genesis *ledger.Genesis, key crypto.PublicKey) (bool, error) {
	fresh, path := filepath.Join(dir, freshFile), absolute(node.SignerFile(dir))
	text, err := os.ReadFile(fresh)
	if errors.Is(err, os.ErrNotExist) {
		_, err := os.Stat(path)
		return err == nil, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading whether the validator key is new: %w", err)
	}
	if strings.TrimSpace(string(text)) != key.String() {
		return false, nil // the key was replaced
	}
	if err := signer.CreateFile(vfs.Default, path, genesis.Hash(), key); err != nil && !errors.Is(err, signer.ErrExists) {
		return false, err
	}
	return true, unmarkFresh(dir)
}

// writeFolder writes the files of a node, config.toml last.
func writeFolder(dir, genesisPath string, cfg *config) error {
	data, err := os.ReadFile(genesisPath)
	if err != nil {
		return fmt.Errorf("reading the genesis file: %w", err)
	}
	target := filepath.Join(dir, genesisFile)
	if same, _ := filepath.Abs(genesisPath); same != absolute(target) {
		_ = os.Remove(target) // left by an earlier attempt that did not get as far as config.toml
		if err := writeNew(target, data); err != nil {
			return err
		}
	}
	var text strings.Builder
	if err := writeConfig(&text, cfg); err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, configFile), []byte(text.String()))
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func checkConfig(cfg *config) error {
	if err := cfg.Settings.Validate(); err != nil {
		return fail(exitConfig, "%w", err)
	}
	if _, err := newLogger(io.Discard, cfg); err != nil {
		return err
	}
	if cfg.signerAddress == "" {
		return nil
	}
	if !strings.HasPrefix(cfg.signerAddress, "unix:") && !strings.HasPrefix(cfg.signerAddress, "tcp:") {
		return fail(exitConfig, "signer.address is %q; it is unix:/PATH or tcp:KEY@HOST:PORT, as waybill signer run prints it", show(cfg.signerAddress))
	}
	if _, err := publicKey(cfg.signerKey); err != nil {
		return fail(exitConfig, "signer.validator_key is %q; it is the public key that the signer signs with, as waybill signer run prints it (--signer-key)", show(cfg.signerKey))
	}
	return nil
}

func newLogger(w io.Writer, cfg *config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.logLevel)); err != nil {
		return nil, fail(exitConfig, "log.level is %q; it is debug, info, warn or error", show(cfg.logLevel))
	}
	opts := &slog.HandlerOptions{Level: level}
	switch cfg.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fail(exitConfig, "log.format is %q; it is text or json", show(cfg.logFormat))
}

func (sh *shell) nodeConfig(c *cli.Context) error {
	cfg, origins, err := loadConfig(filepath.Join(c.String("data"), configFile), c)
	if err != nil {
		return err
	}
	type line struct {
		Name   string `json:"name"`
		Value  string `json:"value"` // as TOML
		Origin string `json:"origin"`
	}
	var list []line
	for _, s := range settings() {
		origin := origins[s.name]
		if origin == "" {
			origin = "default"
		}
		list = append(list, line{s.name, s.shown(&cfg), origin})
	}
	return sh.print(c, list, func(p *printer) {
		rows := make([][]string, 0, len(list))
		for _, l := range list {
			rows = append(rows, []string{l.Name, l.Value, l.Origin})
		}
		p.rows([]string{"SETTING", "VALUE", "FROM"}, rows)
	})
}

func (sh *shell) nodeStart(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	dir := c.String("data")
	cfg, _, err := loadConfig(filepath.Join(dir, configFile), c)
	if err != nil {
		return err
	}
	cfg.DataDir, cfg.RecoverSigner = dir, c.Bool("recover-signer")
	if cfg.RecoverSigner {
		if err := unmarkFresh(dir); err != nil {
			return err
		}
	}
	if err := checkConfig(&cfg); err != nil {
		return err
	}
	genesis, err := readGenesis(filepath.Join(dir, genesisFile))
	if err != nil {
		return err
	}
	keys, err := readKeys(dir, &cfg)
	if err != nil {
		return err
	}
	log, err := newLogger(sh.stderr, &cfg)
	if err != nil {
		return err
	}
	release, err := holdFolder(dir)
	if err != nil {
		return err
	}
	defer release()
	ctx := c.Context
	if c.Bool("lifeline") {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() { // ends with the process: a read of standard input cannot be interrupted
			_, _ = io.Copy(io.Discard, sh.stdin)
			cancel()
		}()
	}
	hangUp, err := askSigner(&cfg, genesis, &keys)
	if err != nil {
		return err
	}
	defer hangUp()
	if cfg.StateSync {
		if err := node.StateSync(ctx, cfg.Settings, genesis, keys, log); err != nil {
			return err
		}
	}
	n, err := node.Open(cfg.Settings, genesis, keys, log, version)
	if err != nil {
		return err
	}
	return runNode(ctx, n)
}

// askSigner lets another process sign, if the configuration names one. It need not be there yet.
func askSigner(cfg *config, genesis *ledger.Genesis, keys *node.Keys) (hangUp func(), err error) {
	if cfg.signerAddress == "" {
		return func() {}, nil
	}
	if keys.Validator != nil {
		return nil, fail(exitConfig, "signer.address is %s, and %s is in the folder too: move it to the signer, so that there is one copy", show(cfg.signerAddress), validatorKeyFile)
	}
	if cfg.RecoverSigner {
		return nil, fail(exitConfig, "--recover-signer works with the key in the node's folder; give a signer of its own a watermark: waybill signer import")
	}
	public, err := publicKey(cfg.signerKey)
	if err != nil {
		return nil, err // checkConfig has read it
	}
	client, err := signer.Dial(context.Background(), signer.Remote{Address: cfg.signerAddress, Key: keys.Peer, Genesis: genesis.Hash(), Validator: public})
	if err != nil {
		return nil, err
	}
	keys.Signer = client
	return func() { _ = client.Close() }, nil // ends a connection only
}

// runNode runs a node and does not let its stop take for ever.
func runNode(ctx context.Context, n *node.Node) error {
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(stopTime):
		return fail(exitOther, "the node did not stop within %s and was ended; what is final is on disk", stopTime)
	}
}

// readKeys reads the secrets a node works with.
func readKeys(dir string, cfg *config) (node.Keys, error) {
	peer, err := readKey(filepath.Join(dir, peerKeyFile))
	if err != nil {
		return node.Keys{}, err
	}
	keys := node.Keys{Peer: peer}
	path := filepath.Join(dir, validatorKeyFile)
	if _, err := os.Stat(path); err == nil {
		key, err := readKey(path)
		if err != nil {
			return keys, err
		}
		keys.Validator = &key
	}
	keys.Capture, err = captureSigner(cfg)
	return keys, err
}

// captureSigner unlocks the wallet that signs unsigned documents, if there is one.
func captureSigner(cfg *config) (api.CaptureSigner, error) {
	if cfg.captureWallet == "" {
		return nil, nil
	}
	folder, err := wallet.OpenFolder(cfg.captureWallets)
	if err != nil {
		return nil, fail(exitConfig, "capture.wallets: %w", err)
	}
	pass, err := readSecretFile(cfg.capturePassword)
	if err != nil {
		return nil, fail(exitConfig, "capture.password_file: %w", err)
	}
	w, err := folder.Unlock(cfg.captureWallet, pass)
	if err != nil {
		return nil, fail(exitConfig, "capture.wallet: %w", err)
	}
	return wallet.NewSigner(w), nil
}

func (sh *shell) nodeStatus(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	s, err := client.Status(c.Context)
	if err != nil {
		return err
	}
	if err := sh.print(c, s, func(p *printer) { statusTable(p, s) }); err != nil {
		return err
	}
	switch {
	case s.Halted != "":
		return fail(exitSafety, "this node has stopped taking part: %s", show(s.Halted))
	case s.Syncing:
		return fail(exitNotInSync, "this node is %d blocks behind and fetches them", max(s.BestKnown, s.Height)-s.Height)
	}
	return nil
}

func statusTable(p *printer, s *api.Status) {
	part := "no validator in this epoch"
	if s.Validator {
		part = "validator"
	}
	p.pairs([2]string{"node", s.Name + " (" + part + ", waybill " + s.Version + ")"}, [2]string{"peer id", s.PeerID},
		[2]string{"network", s.Chain}, [2]string{"genesis", s.Genesis.String()},
		[2]string{"epoch", number(s.Epoch)}, [2]string{"height", number(s.Height)}, [2]string{"block", s.BlockHash.String()}, [2]string{"block time", clock(s.BlockTimeMs)},
		[2]string{"state root", s.StateRoot.String()}, [2]string{"indexed to", number(s.Indexed)}, [2]string{"best known", number(s.BestKnown)},
		[2]string{"peers", number(s.Peers)}, [2]string{"waiting", number(s.Mempool) + " transactions"}, [2]string{"up since", clock(s.StartedMs)})
}
