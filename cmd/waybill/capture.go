package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
	"waybill/wallet"
)

func (sh *shell) captureCommand() *cli.Command {
	return &cli.Command{
		Name: "capture", ArgsUsage: "FILE…", Usage: "record the events of EPCIS documents in your company's name",
		Description: "  waybill capture harvest.json --wallet farm\n  waybill capture 01.json 02.json 03.json --wallet farm --mode proceed\n" +
			"  waybill capture harvest.json --dry-run\n  cat harvest.json | waybill capture - --wallet farm\n\n" +
			"  Files are sent in their order, each when the one before is final; the first that is refused ends it.",
		Flags: signFlags(
			&cli.StringFlag{Name: "mode", Value: "rollback", Usage: "when an event is refused: rollback (none of its file is recorded) or proceed (the `OTHERS` are)"},
			&cli.BoolFlag{Name: "dry-run", Usage: "check the files and show what would be sent; nothing is sent, no passphrase is needed"},
		),
		Action: sh.capture,
	}
}

// captured is what became of one file as --output json shows it.
type captured struct {
	File   string        `json:"file"`
	Events int           `json:"events"`
	Hashes []crypto.Hash `json:"hashes"`
	DryRun bool          `json:"dryRun,omitempty"`
	// What a node takes in one call is limited: a file that is captured in proceed mode may need several.
	IDs  []string          `json:"captureIDs,omitempty"`
	Jobs []*api.CaptureJob `json:"jobs,omitempty"` // with --wait final
}

func (sh *shell) capture(c *cli.Context) error {
	if c.NArg() == 0 {
		return usage("waybill capture needs a file. For example: waybill capture harvest.json --wallet farm")
	}
	mode, err := captureMode(c.String("mode"))
	if err != nil {
		return err
	}
	if err := checkWait(c); err != nil {
		return err
	}
	if c.String("draft") != "" && c.NArg() > 1 {
		return usage("--draft takes one document; make a draft of each")
	}
	// All files are read before anything is sent: a fault in the third does not leave two recorded.
	list, docs := make([]captured, 0, c.NArg()), make([]*epcis.Document, 0, c.NArg())
	for _, path := range c.Args().Slice() {
		doc, err := sh.readCapture(path)
		if err != nil {
			return err
		}
		one := captured{File: path, Events: len(doc.Events), DryRun: c.Bool("dry-run")}
		for _, e := range doc.Events {
			one.Hashes = append(one.Hashes, e.Hash())
		}
		list, docs = append(list, one), append(docs, doc)
	}
	if c.Bool("dry-run") {
		return sh.print(c, list, func(p *printer) {
			for _, one := range list {
				p.line("%s: %d event(s), nothing wrong with them; not sent", one.File, one.Events)
			}
		})
	}
	err = sh.captureAll(c, list, docs, mode)
	if c.String("draft") != "" {
		return err // what was drafted is printed
	}
	sent := 0
	for sent < len(list) && len(list[sent].IDs) > 0 {
		sent++
	}
	if printErr := sh.print(c, list[:sent], func(p *printer) { captureTable(p, list[:sent]) }); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err != nil && sent < len(list) && len(list) > 1 {
		sh.say("Not sent: %s", show(strings.Join(c.Args().Slice()[sent:], ", ")))
	}
	if err == nil {
		sh.next(c, "waybill events, or waybill trace back ITEM")
	}
	return err
}

func captureMode(text string) (ledger.CaptureMode, error) {
	switch text {
	case "rollback":
		return ledger.Rollback, nil
	case "proceed":
		return ledger.Proceed, nil
	}
	return 0, usage("--mode is rollback or proceed, not %q", show(text))
}

func (sh *shell) readCapture(path string) (*epcis.Document, error) {
	doc, err := sh.readDocument(path)
	if err != nil {
		return nil, err
	}
	if len(doc.Events) == 0 {
		return nil, fail(exitOther, "%s holds no events; there is nothing to record", path)
	}
	if len(doc.Warnings) > 0 {
		sh.say("%s: %s", show(path), faultsWarning(doc.Warnings))
	}
	return doc, nil
}

func faultsWarning(faults epcis.Faults) string {
	var s strings.Builder
	fmt.Fprintf(&s, "warning: %d identifier(s) are not right; a network may refuse them (rule R3)", len(faults))
	for i, f := range faults {
		if i == maxFaults {
			break
		}
		fmt.Fprintf(&s, "\n  %s: %s", show(f.Pointer), show(f.Detail))
	}
	return s.String()
}

// captureAll signs and sends the documents one after the other; list gets what became of each.
func (sh *shell) captureAll(c *cli.Context, list []captured, docs []*epcis.Document, mode ledger.CaptureMode) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	w, err := sh.unlockSigner(c)
	if err != nil {
		return err
	}
	for i := range list {
		ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
		err := sh.captureOne(ctx, c, client, w, &list[i], docs[i], mode)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", list[i].File, err)
		}
	}
	return nil
}

func (sh *shell) captureOne(ctx context.Context, c *cli.Context, client *api.Client, w *wallet.Wallet, one *captured, doc *epcis.Document, mode ledger.CaptureMode) error {
	builder, err := sh.builder(ctx, c, client, w)
	if err != nil {
		return err
	}
	if c.String("draft") != "" {
		bodies, err := builder.Capture(doc.Events, mode)
		if err != nil {
			return err
		}
		return sh.saveDraft(c, builder, w, bodies)
	}
	raws, err := wallet.NewSigner(w).As(builder.Author).SignCapture(ctx, doc.Events, mode, builder.At)
	if err != nil {
		return err
	}
	var refusals []error
	for _, batch := range batches(raws) {
		id, err := client.CaptureTransactions(ctx, batch)
		if err != nil {
			return err
		}
		one.IDs = append(one.IDs, id)
		if c.String("wait") != waitFinal {
			continue
		}
		job, err := client.WaitJob(ctx, id)
		if errors.Is(err, context.DeadlineExceeded) {
			return fail(exitUnconfirmed, "the capture was sent and is not final after %s. It may still become final: %s/epcis/v2/capture/%s", c.Duration("timeout"), c.String("node"), id)
		}
		if err != nil {
			return err
		}
		one.Jobs = append(one.Jobs, job)
		if err := jobRefusal(job); err != nil {
			refusals = append(refusals, err)
		}
	}
	return errors.Join(refusals...)
}

// maxBatchBytes is how much is posted in one call; below what nodes take.
const maxBatchBytes = 2 << 20

// batches groups transactions, in order, into calls.
func batches(raws [][]byte) [][][]byte {
	var out [][][]byte
	size := 0
	for _, raw := range raws {
		if len(out) == 0 || size+len(raw) > maxBatchBytes {
			out, size = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], raw)
		size += len(raw)
	}
	return out
}

// jobRefusal is nil for a capture all of whose events are recorded.
func jobRefusal(job *api.CaptureJob) error {
	if job.Success {
		return nil
	}
	var parts []string
	refused := false
	for _, p := range job.Errors {
		for _, f := range p.Errors {
			parts = append(parts, faultText(f))
		}
		if len(p.Errors) == 0 {
			parts = append(parts, p.Error())
		}
		refused = refused || p.Code == api.ErrRefused
	}
	status := exitOther
	if refused {
		status = exitRefused
	}
	return &failure{status, errors.New("refused. " + strings.Join(parts, "\n"))}
}

func captureTable(p *printer, list []captured) {
	for _, one := range list {
		if len(one.Jobs) < len(one.IDs) {
			p.line("%s: %d event(s) sent, capture %s", one.File, one.Events, strings.Join(one.IDs, ", "))
			continue
		}
		var flags []api.Fault
		refused := false
		for _, job := range one.Jobs {
			refused = refused || !job.Success
			for _, tx := range job.Transactions {
				flags = append(flags, tx.Flags...)
			}
		}
		if last := one.Jobs[len(one.Jobs)-1]; refused {
			p.line("%s: refused, or a part of it; capture %s", one.File, strings.Join(one.IDs, ", "))
		} else {
			p.line("%s: %d event(s) recorded in block %d, capture %s", one.File, one.Events, last.Height, strings.Join(one.IDs, ", "))
		}
		flagTable(p, flags)
	}
}

// flagTable tells of each kind of flag once, with its first case; JSON has them all.
func flagTable(p *printer, flags []api.Fault) {
	var order []string
	count, first := map[string]int{}, map[string]api.Fault{}
	for _, f := range flags {
		if count[f.Code]++; count[f.Code] == 1 {
			order, first[f.Code] = append(order, f.Code), f
		}
	}
	for _, code := range order {
		f, times := first[code], ""
		if count[code] > 1 {
			times = fmt.Sprintf(" %d times, first", count[code])
		}
		by := ""
		if f.Rule != "" {
			by = " by " + f.Rule
		}
		p.line("  recorded, but flagged%s (%s)%s: %s", by, f.Code, times, f.Detail)
	}
}
