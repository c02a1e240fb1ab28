package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/ledger/light"
	"waybill/ledger/provenance"
	"waybill/node"
)

func (sh *shell) certificateCommand() *cli.Command {
	return &cli.Command{
		Name: "certificate", ArgsUsage: "ITEM", Usage: "write the complete, provable history of an item, lot or pallet to a file",
		Description: "  waybill certificate urn:epc:id:sgtin:9521007.070001.S1 -o salad.waybill\n" +
			"  waybill certificate '(01)09521007700010(21)S1' -o salad.waybill --html salad.html\n\n" +
			"  Whoever has the file and the network's genesis.json can check it without any node: waybill verify salad.waybill\n" +
			"  --genesis genesis.json. The page is for people, and says how to check it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write"},
			&cli.StringFlag{Name: "html", Usage: "also a page for people, in this `FILE`"},
			&cli.IntFlag{Name: "depth", Value: -1, DefaultText: "all", Usage: "`STEPS` back through what it was made of"},
			&cli.Uint64Flag{Name: "events", DefaultText: fmt.Sprint(provenance.UsualEvents), Usage: "things with more than `COUNT` events are named and not followed"},
			&cli.Uint64Flag{Name: "height", Usage: "the history up to block `HEIGHT`; the newest if it is not given"},
			&cli.Uint64Flag{Name: "epoch", Usage: "for somebody who trusts the validators of this `EPOCH`; genesis if it is not given"},
			nodeFlag(), &cli.StringFlag{Name: "output", Value: "table", Usage: "`FORMAT` of the data: table or json"},
		},
		Action: sh.certificate,
	}
}

func (sh *shell) verifyCommand() *cli.Command {
	return &cli.Command{
		Name: "verify", ArgsUsage: "FILE", Usage: "check a provenance certificate, and say what it proves; no node is needed",
		Description: "  waybill verify salad.waybill --genesis genesis.json\n" +
			"  waybill verify salad.waybill --genesis genesis.json --checkpoint 12:5f3c… --output json\n\n" +
			"  Exit status: 0 it is genuine, 1 it is not, 5 it is genuine and the item is under a recall.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "genesis", Usage: "`FILE` with the genesis document of the network, from a source you trust"},
			&cli.StringFlag{Name: "checkpoint", Usage: "`EPOCH:HASH` to believe in, or a file with the answer of a trusted node to GET /v1/epochs/EPOCH"},
			&cli.StringFlag{Name: "html", Usage: "also a page for people, in this `FILE`"},
			outputFlag(),
		},
		Action: sh.verifyCertificate,
	}
}

// certificateView is a certificate as --output json shows it.
type certificateView struct {
	File   string             `json:"file,omitempty"`
	SHA256 string             `json:"sha256"`
	Bytes  int                `json:"bytes"`
	Report *provenance.Report `json:"report"`
}

func (sh *shell) certificate(c *cli.Context) error {
	args, err := itemArgument(c)
	if err != nil {
		return err
	}
	out := c.String("out")
	if out == "" {
		return usage("name the file to write: waybill certificate ITEM -o FILE")
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	data, err := client.Certificate(c.Context, api.CertificateRequest{
		Item: args[0], Height: quorum.Height(c.Uint64("height")), Depth: c.Int("depth"), Events: c.Uint64("events"), Epoch: quorum.Epoch(c.Uint64("epoch")),
	})
	if err != nil {
		return err
	}
	// It is checked before anybody relies on it, with what the same node says the network is.
	trust, err := sh.nodesTrust(c, client)
	if err != nil {
		return err
	}
	report, err := provenance.Verify(data, trust)
	if err != nil {
		return fail(exitOther, "the node at %s made a certificate that does not hold: %v", client.URL(), err)
	}
	view := certificateView{File: out, SHA256: sha256Hex(data), Bytes: len(data), Report: report}
	if err := writeWhole(out, data); err != nil {
		return err
	}
	if err := writePage(c.String("html"), view); err != nil {
		return err
	}
	err = sh.print(c, view, func(p *printer) { certificateSummary(p, view) })
	if err == nil {
		sh.next(c, "waybill verify %s --genesis genesis.json", show(out))
	}
	return err
}

func sha256Hex(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// nodesTrust takes genesis, or the checkpoint at --epoch, from the node.
func (sh *shell) nodesTrust(c *cli.Context, client *api.Client) (provenance.Trust, error) {
	genesis, err := client.Genesis(c.Context)
	if err != nil {
		return provenance.Trust{}, err
	}
	trust := provenance.Trust{Genesis: genesis}
	if epoch := c.Uint64("epoch"); epoch > 0 {
		info, err := client.Epoch(c.Context, fmt.Sprint(epoch))
		if err != nil {
			return trust, err
		}
		trust.Start, err = checkpointOf(info)
		return trust, err
	}
	return trust, nil
}

// writeWhole writes a file under another name first, so that nobody finds half of it.
func writeWhole(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", show(path), err)
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name()) // what is left of it
		return fmt.Errorf("writing %s: %w", show(path), err)
	}
	return nil
}

func (sh *shell) verifyCertificate(c *cli.Context) error {
	args, err := arguments(c, "the file with the certificate")
	if err != nil {
		return err
	}
	trust, err := givenTrust(c)
	if err != nil {
		return err
	}
	data, err := readCertificate(args[0])
	if err != nil {
		return err
	}
	report, err := provenance.Verify(data, trust)
	if errors.Is(err, provenance.ErrForeign) || errors.Is(err, provenance.ErrTrust) {
		return fail(exitOther, "%s proves nothing to you: %v", show(args[0]), err)
	}
	if err != nil {
		return fail(exitOther, "%s is not genuine, believe nothing in it: %v", show(args[0]), err)
	}
	view := certificateView{File: args[0], SHA256: sha256Hex(data), Bytes: len(data), Report: report}
	if err := writePage(c.String("html"), view); err != nil {
		return err
	}
	if err := sh.print(c, view, func(p *printer) { certificateText(p, view) }); err != nil {
		return err
	}
	if report.Recalled {
		return fail(exitRefused, "%s is under a recall", show(report.Subject))
	}
	return nil
}

func readCertificate(path string) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fail(exitNotFound, "there is no file %s", show(path))
	}
	if err != nil {
		return nil, fmt.Errorf("opening the certificate: %w", err)
	}
	// The length that a link to a device states is not the length that it has.
	data, err := io.ReadAll(io.LimitReader(file, provenance.MaxBytes+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	if len(data) > provenance.MaxBytes {
		return nil, fail(exitOther, "%s is larger than the %d bytes that a certificate has at most", show(path), provenance.MaxBytes)
	}
	return data, nil
}

// givenTrust is what the flags name: genesis, a checkpoint to pass through, or without genesis one to begin at.
func givenTrust(c *cli.Context) (provenance.Trust, error) {
	trust := provenance.Trust{NowMs: time.Now().UnixMilli()}
	path, text := c.String("genesis"), c.String("checkpoint")
	if path == "" && text == "" {
		return trust, usage("say what you trust: --genesis genesis.json, from a source that is not the certificate's")
	}
	var err error
	if path != "" {
		if trust.Genesis, err = readGenesis(path); err != nil {
			return trust, err
		}
	}
	if at, err := node.ParseCheckpoint(text); err == nil {
		if at != nil {
			trust.PinEpoch, trust.Pin = at.Epoch, at.Anchor
		}
		if trust.Genesis == nil {
			return trust, usage("a checkpoint of the form EPOCH:HASH needs --genesis too; without one, give the file that a trusted node answers to GET /v1/epochs/EPOCH")
		}
		return trust, nil
	}
	start, err := readCheckpoint(text)
	if err != nil {
		return trust, err
	}
	if trust.Genesis == nil {
		trust.Start = start
		return trust, nil
	}
	trust.PinEpoch, trust.Pin = start.Epoch, start.Anchor.Hash()
	return trust, nil
}

// maxCheckpointBytes bounds the file of an epoch: 256 validators and a certificate of theirs.
const maxCheckpointBytes = 1 << 20

func readCheckpoint(path string) (*light.Checkpoint, error) {
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxCheckpointBytes {
		return nil, usage("%s is neither EPOCH:HASH nor a file with an epoch", show(path))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint: %w", err)
	}
	epoch := &api.EpochInfo{}
	if err := json.Unmarshal(data, epoch); err != nil {
		return nil, fail(exitConfig, "%s is not what a node answers to GET /v1/epochs/EPOCH: %v", show(path), err)
	}
	return checkpointOf(epoch)
}

func checkpointOf(e *api.EpochInfo) (*light.Checkpoint, error) {
	anchor, err := quorum.DecodeHeader(e.AnchorBytes)
	if err != nil {
		return nil, fail(exitConfig, "the checkpoint has no header: %v", err)
	}
	set, err := quorum.DecodeSet(e.Set)
	if err != nil {
		return nil, fail(exitConfig, "the checkpoint has no validators: %v", err)
	}
	if anchor.Hash() != e.AnchorHash || set.Hash() != e.SetHash || anchor.Epoch+1 != quorum.Epoch(e.Epoch) || anchor.NextValidatorSet != e.SetHash {
		return nil, fail(exitConfig, "the checkpoint does not agree with itself")
	}
	return &light.Checkpoint{Genesis: anchor.Genesis, Epoch: quorum.Epoch(e.Epoch), Set: set, Anchor: anchor, SeenMs: anchor.TimeMs}, nil
}
