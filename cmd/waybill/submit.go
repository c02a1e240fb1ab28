package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/wallet"
)

// What to wait for after sending.
const (
	waitNone     = "none"
	waitAccepted = "accepted"
	waitFinal    = "final"
)

// In what act is to say once it is done, nextMark stands before what to do next, and idMark where the id of the transaction
// goes.
const (
	nextMark = "\nNext: "
	idMark   = "{id}"
)

// act signs one payload with the wallet, and with keys that must sign too, and sends it, or, with --draft, writes it to a
// file. done says in one sentence what was achieved, for a person.
func (sh *shell) act(c *cli.Context, payload ledger.Payload, done string, too ...crypto.PrivateKey) error {
	if err := checkWait(c); err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	w, err := sh.unlockSigner(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	builder, err := sh.builder(ctx, c, client, w)
	if err != nil {
		return err
	}
	body, err := buildPayload(builder, payload)
	if err != nil {
		return err
	}
	if c.String("draft") != "" {
		return sh.saveDraft(c, builder, w, []ledger.Body{body}, too...)
	}
	tx, err := w.Sign(body, too...)
	if err != nil {
		return err
	}
	info, err := sh.deliver(ctx, c, client, tx)
	if err != nil {
		return err
	}
	if err := sh.print(c, info, func(p *printer) { txTable(p, info) }); err != nil {
		return err
	}
	if err := refusal(info); err != nil {
		return err
	}
	if info.Status == api.TxFinal {
		sentence, next, _ := strings.Cut(strings.ReplaceAll(done, idMark, info.ID.String()), nextMark)
		sh.say("%s", show(strings.TrimSpace(sentence)))
		if next != "" {
			sh.next(c, "%s", show(next))
		}
	} else {
		sh.say("%s", notKnown)
		sh.next(c, "waybill tx %s", info.ID)
	}
	return nil
}

func checkWait(c *cli.Context) error {
	switch w := c.String("wait"); w {
	case waitNone, waitAccepted, waitFinal:
		return nil
	default:
		return usage("--wait is none, accepted or final, not %q", show(w))
	}
}

func newClient(c *cli.Context) (*api.Client, error) {
	client, err := api.NewClient(c.String("node"))
	if err != nil {
		return nil, usage("--node: %v", err)
	}
	return client, nil
}

// buildPayload makes the body of a transaction.
func buildPayload(b *wallet.Builder, payload ledger.Payload) (ledger.Body, error) {
	body, err := b.Build(payload)
	if errors.Is(err, ledger.ErrPayload) {
		return body, fail(exitUsage, "%w; nothing was sent", err)
	}
	return body, err
}

// deliver sends a transaction and waits as --wait says.
func (sh *shell) deliver(ctx context.Context, c *cli.Context, client *api.Client, tx *ledger.Transaction) (*api.TxInfo, error) {
	info, err := client.Submit(ctx, tx.Raw())
	if err != nil {
		return nil, err
	}
	if c.String("wait") != waitFinal {
		return info, nil
	}
	info, err = client.WaitTransaction(ctx, tx.ID())
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fail(exitUnconfirmed, "transaction %s was sent and is not final after %s. It may still become final: waybill tx %s", tx.ID(), c.Duration("timeout"), tx.ID())
	}
	return info, err
}

// refusal is nil for a transaction that took effect or is under way, else what a rule said.
func refusal(info *api.TxInfo) error {
	switch {
	case info.Status == api.TxExpired:
		return fail(exitUnconfirmed, "transaction %s expired before a block took it; nothing happened. Send it again", info.ID)
	case info.Receipt == nil || info.Receipt.OK && len(info.Receipt.Refused) == 0:
		return nil
	case info.Receipt.Refusal != nil:
		return &failure{exitRefused, errors.New("refused. " + faultText(*info.Receipt.Refusal))}
	}
	var parts []string
	for _, f := range info.Receipt.Refused {
		parts = append(parts, faultText(f))
	}
	if len(parts) == 0 {
		parts = append(parts, info.Receipt.Sentence)
	}
	return &failure{exitRefused, errors.New("refused. " + strings.Join(parts, "\n"))}
}

// faultText is what a rule said, for a person: rule, sentence, field, what stands in the way, remedy.
func faultText(f api.Fault) string {
	var s strings.Builder
	if f.Rule != "" {
		fmt.Fprintf(&s, "Rule %s (%s): ", f.Rule, f.Code)
	} else {
		fmt.Fprintf(&s, "%s: ", f.Code)
	}
	s.WriteString(f.Detail)
	where := f.Pointer
	if f.EventIndex != nil && *f.EventIndex >= 0 {
		where = fmt.Sprintf("event %d, %s", *f.EventIndex+1, f.Pointer)
	}
	if where != "" {
		s.WriteString("\n  field:    " + where)
	}
	if f.Conflict != "" {
		s.WriteString("\n  conflict: " + f.Conflict)
		if f.ConflictAt != 0 {
			fmt.Fprintf(&s, " in block %d", f.ConflictAt)
		}
	}
	if f.Help != "" {
		s.WriteString("\n  remedy:   " + f.Help)
	}
	return s.String()
}

// signerKey reads a public key given as an argument.
func publicKey(text string) (crypto.PublicKey, error) {
	var key crypto.PublicKey
	if err := key.UnmarshalText([]byte(text)); err != nil {
		return key, usage("%q is no public key, which has 66 hexadecimal digits: %v", show(text), err)
	}
	return key, nil
}
