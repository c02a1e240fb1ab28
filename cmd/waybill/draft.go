package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"waybill/api"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/wallet"
)

// sharedFlags say for whom a command acts, who pays, and that others sign, too.
func sharedFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "account", DefaultText: "that of the wallet", Usage: "`ADDRESS` of the account that acts, to which the wallet's key was added"},
		&cli.StringFlag{Name: "sponsor", Usage: "`ADDRESS` of who pays the fee and signs, too; needs --draft"},
		&cli.StringFlag{Name: "draft", Usage: "do not send: write the signed transaction to a new `FILE` for others to sign (waybill tx sign)"},
	}
}

// builder asks the node where the chain is. It makes transactions of the account that acts.
func (sh *shell) builder(ctx context.Context, c *cli.Context, client *api.Client, w *wallet.Wallet) (*wallet.Builder, error) {
	b := &wallet.Builder{Author: w.Address(), Tip: c.Uint64("tip"), Keys: map[crypto.Address]int{}}
	var err error
	if text := c.String("account"); text != "" {
		if b.Author, err = addressOf(c, text); err != nil {
			return nil, err
		}
	}
	if text := c.String("sponsor"); text != "" {
		if c.String("draft") == "" {
			return nil, usage("a sponsor signs, too: write the transaction to a file for it with --draft FILE")
		}
		if b.Sponsor, err = addressOf(c, text); err != nil {
			return nil, err
		}
	}
	if b.At, err = client.ChainPoint(ctx); err != nil {
		return nil, err
	}
	if c.String("draft") == "" {
		return b, nil
	}
	for _, account := range []crypto.Address{b.Author, b.Sponsor} {
		if account.IsZero() {
			continue
		}
		info, err := client.Account(ctx, account)
		if err != nil {
			return nil, err
		}
		b.Keys[account] = max(1, info.Threshold)
	}
	return b, nil
}

// saveDraft signs as far as this wallet, and keys that must sign too, may, and writes the draft.
func (sh *shell) saveDraft(c *cli.Context, b *wallet.Builder, w *wallet.Wallet, bodies []ledger.Body, too ...crypto.PrivateKey) error {
	d, err := wallet.NewDraft(bodies...)
	if err != nil {
		return err
	}
	for account, keys := range b.Keys {
		if err := d.Need(account, keys); err != nil {
			return err
		}
	}
	if err := d.SignFor(b.Author, w.Key()); err != nil {
		return err
	}
	for _, key := range too {
		if err := d.Sign(key); err != nil {
			return err
		}
	}
	return sh.keepDraft(c, d, c.String("draft"))
}

// keepDraft writes a draft and says what is missing.
func (sh *shell) keepDraft(c *cli.Context, d *wallet.Draft, path string) error {
	if err := d.Save(path); err != nil {
		return err
	}
	view := draftInfo(d)
	if err := sh.print(c, view, func(p *printer) { draftTable(p, view) }); err != nil {
		return err
	}
	if len(d.Missing()) == 0 {
		sh.next(c, "waybill tx send %s", path)
	} else {
		sh.next(c, "pass %s on to who must sign: waybill tx sign %s --draft NEW-FILE", path, path)
	}
	return nil
}

// draftedTx is a transaction of a draft as --output json shows it.
type draftedTx struct {
	ID      crypto.Hash     `json:"id"`
	Kind    string          `json:"kind"`
	Author  crypto.Address  `json:"author"`
	Sponsor *crypto.Address `json:"sponsor,omitempty"`
	Expiry  uint64          `json:"expiryHeight"`
	Payload json.RawMessage `json:"payload"`
	Keys    []draftKeys     `json:"keys"`
}

type draftKeys struct {
	Account crypto.Address `json:"account"`
	Signed  int            `json:"signed"`
	Needed  int            `json:"needed"`
}

func draftInfo(d *wallet.Draft) []draftedTx {
	var out []draftedTx
	for _, v := range d.View() {
		one := draftedTx{ID: v.ID, Kind: v.Body.Kind.String(), Author: v.Body.Author, Sponsor: v.Body.Sponsor, Expiry: uint64(v.Body.ExpiryHeight)}
		if text, err := json.Marshal(v.Payload); err == nil { // every payload is plain data
			one.Payload = text
		}
		for _, k := range v.Keys {
			one.Keys = append(one.Keys, draftKeys{k.Account, k.Signed, k.Needed})
		}
		out = append(out, one)
	}
	return out
}

// maxShownPayload is how much of a payload a table shows; --output json shows all.
const maxShownPayload = 400

func draftTable(p *printer, list []draftedTx) {
	for _, one := range list {
		text := string(one.Payload)
		if len(text) > maxShownPayload {
			text = text[:maxShownPayload] + "… (all of it with --output json)"
		}
		pairs := [][2]string{{"transaction", one.ID.String()}, {"kind", one.Kind}, {"author", one.Author.String()}}
		if one.Sponsor != nil {
			pairs = append(pairs, [2]string{"sponsor", one.Sponsor.String()})
		}
		pairs = append(pairs, [2]string{"expires", "after block " + number(one.Expiry)}, [2]string{"says", text})
		for _, k := range one.Keys {
			pairs = append(pairs, [2]string{"signed", number(uint64(k.Signed)) + " of " + number(uint64(k.Needed)) + " for " + k.Account.String()})
		}
		p.pairs(pairs...)
	}
}

// draftCommands are what is done with a file of transactions that several people sign.
func (sh *shell) draftCommands() []*cli.Command {
	out := &cli.StringFlag{Name: "draft", Required: true, Usage: "new `FILE` to write; none is ever overwritten"}
	account := &cli.StringFlag{Name: "account", DefaultText: "that of the wallet", Usage: "`ADDRESS` of the account that the wallet's key was added to and signs for"}
	return []*cli.Command{
		{
			Name: "sign", ArgsUsage: "FILE", Usage: "look at transactions that somebody else made, and sign them",
			Description: "  waybill tx sign pay.json --wallet owner --account wb1… --draft pay2.json",
			Flags:       append([]cli.Flag{out, account, walletFlag(), walletsFlag(), outputFlag()}, passwordFlags()...), Action: sh.draftSign,
		},
		{
			Name: "combine", ArgsUsage: "FILE FILE…", Usage: "make one file of copies that several people signed",
			Description: "  waybill tx combine clerk.json owner.json --draft pay.json",
			Flags:       []cli.Flag{out, outputFlag()}, Action: sh.draftCombine,
		},
		{
			Name: "send", ArgsUsage: "FILE", Usage: "send transactions that everybody has signed who must",
			Description: "  waybill tx send pay.json",
			Flags:       sendFlags(), Action: sh.draftSend,
		},
	}
}

func (sh *shell) draftSign(c *cli.Context) error {
	args, err := arguments(c, "a file made with --draft")
	if err != nil {
		return err
	}
	d, err := wallet.LoadDraft(args[0])
	if err != nil {
		return err
	}
	w, err := sh.unlockSigner(c)
	if err != nil {
		return err
	}
	account := w.Address()
	if text := c.String("account"); text != "" {
		if account, err = addressOf(c, text); err != nil {
			return err
		}
	}
	if err := d.SignFor(account, w.Key()); err != nil {
		return err
	}
	return sh.keepDraft(c, d, c.String("draft"))
}

func (sh *shell) draftCombine(c *cli.Context) error {
	if c.NArg() < 2 {
		return usage("waybill tx combine needs two files or more. See: waybill tx combine --help")
	}
	var all *wallet.Draft
	for _, path := range c.Args().Slice() {
		d, err := wallet.LoadDraft(path)
		if err != nil {
			return err
		}
		if all == nil {
			all = d
		} else if err := all.Combine(d); err != nil {
			return err
		}
	}
	return sh.keepDraft(c, all, c.String("draft"))
}

// draftSend sends one transaction after the other; the first that is refused ends it.
func (sh *shell) draftSend(c *cli.Context) error {
	args, err := arguments(c, "a file made with --draft")
	if err != nil {
		return err
	}
	if err := checkWait(c); err != nil {
		return err
	}
	d, err := wallet.LoadDraft(args[0])
	if err != nil {
		return err
	}
	txs, err := d.Transactions()
	if err != nil {
		return err
	}
	client, err := newClient(c)
	if err != nil {
		return err
	}
	for i, tx := range txs {
		ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
		info, err := sh.deliver(ctx, c, client, tx)
		cancel()
		if err != nil {
			return err
		}
		if err := errors.Join(sh.print(c, info, func(p *printer) { txTable(p, info) }), refusal(info)); err != nil {
			if left := len(txs) - i - 1; left > 0 {
				sh.say("Not sent: the last %d of %d transactions", left, len(txs))
			}
			return err
		}
	}
	return nil
}

// keyThreshold makes the account one that several people hold.
func (sh *shell) keyThreshold(c *cli.Context) error {
	args, err := arguments(c, "how many keys must sign")
	if err != nil {
		return err
	}
	m, err := units(args[0])
	if err != nil || m > 255 {
		return usage("%q is no number of keys", show(args[0]))
	}
	return sh.act(c, &ledger.SetThreshold{M: uint8(m)}, strings.TrimSpace(number(m)+" of the account's keys must sign from now on."))
}
