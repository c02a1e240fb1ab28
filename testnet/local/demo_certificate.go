package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"waybill/consensus/quorum"
	"waybill/ledger"
)

// Certificates of the bag, in the network's folder.
const (
	demoCertificate     = "salad.waybill"
	recalledCertificate = "salad-recalled.waybill" // made while the recall was open
	changedCertificate  = "salad-changed.waybill"  // the first with a changed byte
)

// What waybill verify ends with.
const (
	statusGenuine  = 0
	statusForged   = 1
	statusRecalled = 5
)

// certified is what waybill certificate says of the file that it wrote.
type certified struct {
	Bytes  int `json:"bytes"`
	Report struct {
		Height   quorum.Height     `json:"height"`
		Complete bool              `json:"complete"`
		Recalled bool              `json:"recalled"`
		Events   []json.RawMessage `json:"events"`
		Things   []json.RawMessage `json:"things"`
	} `json:"report"`
}

// certify has a node write the certificate of a consumer's bag after the recall is over. Another process checks it with
// nothing but the genesis document, and it, one with a changed byte, and the one of the recall each get what they deserve.
func (d *demo) certify(ctx context.Context) error {
	d.out.title("8. A consumer's bag gets a certificate that anybody can check without asking anybody")
	made, err := d.writeCertificate(ctx, demoCertificate, d.released)
	if err != nil {
		return err
	}
	if !made.Report.Complete || made.Report.Recalled {
		return fmt.Errorf("the certificate of the bag is complete: %v, recalled: %v", made.Report.Complete, made.Report.Recalled)
	}
	d.out.say("   %s (%d bytes) has the %d events of %d things that %s comes from, as of block %d.",
		relative(d.inFolder(demoCertificate)), made.Bytes, len(made.Report.Events), len(made.Report.Things), demoBag, made.Report.Height)
	data, err := os.ReadFile(d.inFolder(demoCertificate))
	if err != nil {
		return fmt.Errorf("reading the certificate: %w", err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(d.inFolder(changedCertificate), data, 0o600); err != nil {
		return fmt.Errorf("changing the certificate: %w", err)
	}
	for _, check := range []struct {
		file, is string
		status   int
		reason   string
	}{
		{demoCertificate, "as it is", statusGenuine, "This certificate is genuine."},
		{changedCertificate, "one byte changed", statusForged, "is not genuine, believe nothing in it"},
		{recalledCertificate, "made in the recall", statusRecalled, "is under a recall"},
	} {
		if err := d.verify(ctx, check.file, check.is, check.status, check.reason); err != nil {
			return err
		}
	}
	return nil
}

// verify lets a process check a certificate that can ask nobody, and tells what it says.
func (d *demo) verify(ctx context.Context, file, is string, status int, reason string) error {
	done, err := d.run(ctx, "verify", d.inFolder(file), "--genesis", d.inFolder(genesisFile))
	if err != nil {
		return err
	}
	said := strings.TrimPrefix(strings.TrimSpace(done.messages), "waybill: ")
	if status == statusGenuine {
		said, _, _ = strings.Cut(string(done.data), "\n")
	}
	if done.status != status || !strings.Contains(said, reason) {
		return fmt.Errorf("waybill verify of the certificate (%s) ends with status %d, not %d: %s", is, done.status, status, said)
	}
	d.out.say("   waybill verify, %-18s status %d  %s", is, done.status, strings.ReplaceAll(said, d.inFolder(file), file))
	return nil
}

// writeCertificate has the first node write the bag's history up to a height or a later one. Headers commit to the state of
// blocks before them, and blocks come with transactions: a few payments bring the headers that are missing.
func (d *demo) writeCertificate(ctx context.Context, file string, height quorum.Height) (*certified, error) {
	treasury, err := d.net.Wallet("treasury")
	if err != nil {
		return nil, err
	}
	for range 6 {
		done, err := d.run(ctx, "certificate", demoBag, "-o", d.inFolder(file), "--node", d.net.URL(0), "--output", "json")
		if err != nil {
			return nil, err
		}
		if done.status != 0 {
			return nil, fmt.Errorf("no certificate of the bag, status %d: %s", done.status, done.messages)
		}
		var out certified
		if err := json.Unmarshal(done.data, &out); err != nil {
			return nil, fmt.Errorf("what waybill certificate says: %w", err)
		}
		if out.Report.Height >= height {
			return &out, nil
		}
		pay := act{treasury, 0, &ledger.Transfer{To: d.company("store1").wallet.Address(), Amount: 1}}
		if _, err := d.perform(ctx, "making another block", []act{pay}); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("no header commits to the state after block %d", height)
}

// certifyRecalled writes the bag's certificate while the recall is open.
func (d *demo) certifyRecalled(ctx context.Context, height quorum.Height) error {
	made, err := d.writeCertificate(ctx, recalledCertificate, height)
	if err == nil && !made.Report.Recalled {
		err = errors.New("the certificate of a recalled bag does not say so")
	}
	return err
}

// inFolder is the path of a file in the network's folder.
func (d *demo) inFolder(name string) string { return filepath.Join(d.net.Dir(), name) }

// ended is a command that ran to its end.
type ended struct {
	status   int
	data     []byte // standard output
	messages string // standard error
}

// run runs a command of the program that finds no node unless its arguments name one.
func (d *demo) run(ctx context.Context, args ...string) (*ended, error) {
	cmd := exec.CommandContext(ctx, d.net.opts.Program, args...)
	cmd.Env = append(nodeEnvironment(), "WAYBILL_NODE=http://127.0.0.1:1") // nobody listens there
	var data, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &data, &messages
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		return nil, fmt.Errorf("running waybill %s: %w", args[0], err)
	}
	return &ended{cmd.ProcessState.ExitCode(), data.Bytes(), messages.String()}, nil
}
