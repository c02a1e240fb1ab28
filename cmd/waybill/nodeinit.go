package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/urfave/cli/v2"

	"waybill/crypto"
	"waybill/ledger"
	"waybill/node"
	"waybill/node/signer"
	"waybill/p2p"
)

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
