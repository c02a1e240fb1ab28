package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/ledger"
	"waybill/node"
	"waybill/node/signer"
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
	if knowsNobody(&cfg, genesis, &keys) {
		log.Warn("no address of another node is known: this node stays alone unless others connect to it; set [peers] bootstrap in config.toml", "file", filepath.Join(dir, configFile))
	}
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

// knowsNobody reports whether a node has nobody to ask for blocks and is not the one that makes them all.
func knowsNobody(cfg *config, g *ledger.Genesis, k *node.Keys) bool {
	if len(cfg.Bootstrap) > 0 || cfg.MDNS {
		return false
	}
	if len(g.Validators) != 1 {
		return true
	}
	own := cfg.signerKey
	if k.Validator != nil {
		own = k.Validator.Public().String()
	}
	return own != g.Validators[0].Key.String()
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
