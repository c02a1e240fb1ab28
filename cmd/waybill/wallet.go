package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"waybill/crypto"
	"waybill/wallet"
)

func (sh *shell) walletCommand() *cli.Command {
	weak := &cli.BoolFlag{Name: "light", Usage: "make a file whose passphrase is quick to guess; for tests and throw-away networks only"}
	words := &cli.StringFlag{Name: "words-file", Usage: "`FILE` that holds the recovery words, - for standard input; without it the terminal asks"}
	key := &cli.StringFlag{Name: "key-file", Usage: "`FILE` that holds a private key instead, 64 hexadecimal digits; - for standard input. A wallet made of it has no recovery words"}
	reveal := &cli.BoolFlag{Name: "show-words", Usage: "print the recovery words even where standard output is no terminal"}
	files := []cli.Flag{walletsFlag(), outputFlag()}
	secret := append(passwordFlags(), files...)
	return &cli.Command{
		Name: "wallet", Usage: "keys that sign for you",
		Subcommands: []*cli.Command{
			{
				Name: "new", ArgsUsage: "NAME", Usage: "make a wallet with new recovery words",
				Description: "  waybill wallet new farm\n  waybill wallet new farm --password-file farm.pass --output json",
				Flags:       append([]cli.Flag{weak, reveal}, secret...), Action: sh.walletNew,
			},
			{
				Name: "import", ArgsUsage: "NAME", Usage: "make a wallet from recovery words, or from a bare key",
				Description: "  waybill wallet import farm\n  waybill wallet import farm --words-file words.txt --password-file farm.pass\n" +
					"  waybill wallet import cooler --key-file key.hex",
				Flags: append([]cli.Flag{weak, words, key}, secret...), Action: sh.walletImport,
			},
			{
				Name: "list", Usage: "the wallets in your folder",
				Description: "  waybill wallet list\n  waybill wallet list --wallets .testnet/default/wallets",
				Flags:       files, Action: sh.walletList,
			},
			{
				Name: "address", ArgsUsage: "[NAME]", Usage: "the address of a wallet; no passphrase is needed",
				Description: "  waybill wallet address farm",
				Flags:       append([]cli.Flag{walletFlag()}, files...), Action: sh.walletAddress,
			},
			{
				Name: "balance", ArgsUsage: "[NAME or ADDRESS]", Usage: "money, stake and organisation of an account",
				Description: "  waybill wallet balance farm\n  waybill wallet balance wb1… --height 5000",
				Flags:       stateFlags(walletFlag(), walletsFlag()), Action: sh.walletBalance,
			},
			{
				Name: "words", ArgsUsage: "[NAME]", Usage: "show the recovery words, to write them on paper",
				Description: "  waybill wallet words farm",
				Flags:       append([]cli.Flag{walletFlag(), reveal}, secret...), Action: sh.walletWords,
			},
		},
	}
}

// walletView is a wallet as --output json shows it.
type walletView struct {
	wallet.Info
	Words string `json:"words,omitempty"`
}

func (sh *shell) walletNew(c *cli.Context) error {
	args, err := arguments(c, "the name of the new wallet")
	if err != nil {
		return err
	}
	folder, err := openWallets(c)
	if err != nil {
		return err
	}
	if err := mayCreate(folder, args[0]); err != nil {
		return err
	}
	pass, err := sh.newPassphrase(c, c.Bool("light"))
	if err != nil {
		return err
	}
	w, err := folder.Create(args[0], pass, strengthOf(c))
	if err != nil {
		return err
	}
	return sh.showWallet(c, w, sh.mayReveal(c))
}

// mayCreate refuses before a person has typed a passphrase twice.
func mayCreate(folder *wallet.Folder, name string) error {
	_, err := folder.Info(name)
	switch {
	case err == nil:
		return &wallet.Error{Kind: wallet.ErrExists, Detail: fmt.Sprintf("%q is in the folder already; choose another name", name)}
	case errors.Is(err, wallet.ErrName):
		return err
	}
	return nil
}

func strengthOf(c *cli.Context) wallet.Options {
	if c.Bool("light") {
		return wallet.Options{Strength: wallet.Light}
	}
	return wallet.Options{}
}

// mayReveal keeps recovery words out of files and pipes unless the owner wants them there.
func (sh *shell) mayReveal(c *cli.Context) bool {
	f, isFile := sh.stdout.(*os.File)
	return c.Bool("show-words") || isFile && term.IsTerminal(int(f.Fd()))
}

func (sh *shell) showWallet(c *cli.Context, w *wallet.Wallet, reveal bool) error {
	view := walletView{Info: w.Info()}
	if reveal && !w.Words().IsZero() {
		text, err := w.Words().Reveal()
		if err != nil {
			return err
		}
		view.Words = text
	}
	err := sh.print(c, view, func(p *printer) {
		p.pairs([2]string{"wallet", view.Name}, [2]string{"address", view.Address.String()}, [2]string{"public key", view.PublicKey.String()})
		if view.Words != "" {
			p.line("")
			p.title("Recovery words. Write them on paper now: whoever has them has the key, and without them a lost file is lost.")
			p.line("%s", view.Words)
		}
	})
	if err == nil && view.Words == "" && !w.Words().IsZero() {
		sh.say("The recovery words are not shown because standard output is no terminal. To see them: waybill wallet words %s", w.Name())
	}
	return err
}

func (sh *shell) walletImport(c *cli.Context) error {
	args, err := arguments(c, "the name of the new wallet")
	if err != nil {
		return err
	}
	folder, err := openWallets(c)
	if err != nil {
		return err
	}
	if err := mayCreate(folder, args[0]); err != nil {
		return err
	}
	w, err := sh.importInto(c, folder, args[0])
	if err != nil {
		return err
	}
	view := walletView{Info: w.Info()}
	if err := sh.print(c, view, func(p *printer) {
		p.pairs([2]string{"wallet", view.Name}, [2]string{"address", view.Address.String()}, [2]string{"public key", view.PublicKey.String()})
	}); err != nil {
		return err
	}
	sh.next(c, "waybill wallet balance %s", w.Name())
	return nil
}

// importInto reads the words, or the key, before it asks for a passphrase.
func (sh *shell) importInto(c *cli.Context, folder *wallet.Folder, name string) (*wallet.Wallet, error) {
	if path := c.String("key-file"); path != "" {
		if c.String("words-file") != "" {
			return nil, usage("a wallet is made from words or from a key: --words-file or --key-file")
		}
		key, err := sh.readKey(path)
		if err != nil {
			return nil, err
		}
		pass, err := sh.newPassphrase(c, c.Bool("light"))
		if err != nil {
			return nil, err
		}
		return folder.ImportKey(name, key, pass, strengthOf(c))
	}
	words, err := sh.readWords(c)
	if err != nil {
		return nil, err
	}
	pass, err := sh.newPassphrase(c, c.Bool("light"))
	if err != nil {
		return nil, err
	}
	return folder.Import(name, words, pass, strengthOf(c))
}

// readKey reads a private key; no error shows any of it.
func (sh *shell) readKey(path string) (crypto.PrivateKey, error) {
	text, err := sh.secretAt(path)
	if err != nil {
		return crypto.PrivateKey{}, err
	}
	defer clear(text)
	raw := make([]byte, crypto.PrivateKeySize)
	defer clear(raw)
	if n, err := hex.Decode(raw, text[:min(len(text), 2*len(raw))]); err != nil || n != len(raw) || len(text) != 2*len(raw) {
		return crypto.PrivateKey{}, usage("a private key is %d hexadecimal digits on one line", 2*len(raw))
	}
	return crypto.PrivateKeyFromBytes(raw)
}

// secretAt reads a secret from a file that nobody else may read, or ("-") from standard input.
func (sh *shell) secretAt(path string) ([]byte, error) {
	if path == "-" {
		return readSecret(sh.stdin)
	}
	return readSecretFile(path)
}

func (sh *shell) readWords(c *cli.Context) (wallet.Words, error) {
	var sentence []byte
	var err error
	if path := c.String("words-file"); path != "" {
		sentence, err = sh.secretAt(path)
	} else {
		sentence, err = sh.ask("Recovery words, in order: ", "--words-file FILE")
	}
	if err != nil {
		return wallet.Words{}, err
	}
	defer clear(sentence)
	return wallet.ParseWords(sentence)
}

func (sh *shell) walletList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	folder, err := openWallets(c)
	if err != nil {
		return err
	}
	list, err := folder.List()
	if err != nil {
		return err
	}
	if list == nil {
		list = []wallet.Info{}
	}
	err = sh.print(c, list, func(p *printer) {
		rows := make([][]string, 0, len(list))
		for _, w := range list {
			rows = append(rows, []string{w.Name, w.Address.String(), w.Created.UTC().Format(time.DateOnly)})
		}
		p.rows([]string{"NAME", "ADDRESS", "MADE"}, rows)
	})
	if err == nil && len(list) == 0 {
		sh.next(c, "waybill wallet new NAME")
	}
	return err
}

func (sh *shell) walletAddress(c *cli.Context) error {
	folder, err := openWallets(c)
	if err != nil {
		return err
	}
	name, err := walletName(c, folder)
	if err != nil {
		return err
	}
	info, err := folder.Info(name)
	if err != nil {
		return err
	}
	return sh.print(c, info, func(p *printer) { p.line("%s", info.Address) })
}

func (sh *shell) walletWords(c *cli.Context) error {
	if !sh.mayReveal(c) {
		return usage("recovery words are not written to a file or pipe by accident; if you mean it, add --show-words")
	}
	w, err := sh.unlock(c)
	if err != nil {
		return err
	}
	if w.Words().IsZero() {
		return fail(exitNotFound, "wallet %s was made from a bare key and has no recovery words; copy its file instead", w.Name())
	}
	return sh.showWallet(c, w, true)
}

func openWallets(c *cli.Context) (*wallet.Folder, error) {
	dir, err := walletFolder(c)
	if err != nil {
		return nil, err
	}
	return wallet.OpenFolder(dir)
}

// walletName is the wallet that a command works with: its argument, --wallet, or the only one there is.
func walletName(c *cli.Context, folder *wallet.Folder) (string, error) {
	if c.NArg() > 1 {
		return "", usage("%s takes one wallet at a time", c.Command.HelpName)
	}
	if name := c.Args().First(); name != "" {
		return name, nil
	}
	return signerName(c, folder)
}

// signerName is --wallet, or the only wallet there is.
func signerName(c *cli.Context, folder *wallet.Folder) (string, error) {
	if name := c.String("wallet"); name != "" {
		return name, nil
	}
	names, err := folder.Names()
	if err != nil {
		return "", err
	}
	switch len(names) {
	case 0:
		return "", fail(exitNotFound, "there is no wallet yet. Make one: waybill wallet new NAME")
	case 1:
		return names[0], nil
	}
	return "", usage("which wallet? Add --wallet with one of %s", enumerate(names))
}

// unlock opens the wallet named by the argument or --wallet.
func (sh *shell) unlock(c *cli.Context) (*wallet.Wallet, error) {
	folder, err := openWallets(c)
	if err != nil {
		return nil, err
	}
	name, err := walletName(c, folder)
	if err != nil {
		return nil, err
	}
	return sh.unlockNamed(c, folder, name)
}

// unlockSigner opens the wallet named by --wallet.
func (sh *shell) unlockSigner(c *cli.Context) (*wallet.Wallet, error) {
	folder, err := openWallets(c)
	if err != nil {
		return nil, err
	}
	name, err := signerName(c, folder)
	if err != nil {
		return nil, err
	}
	return sh.unlockNamed(c, folder, name)
}

func (sh *shell) unlockNamed(c *cli.Context, folder *wallet.Folder, name string) (*wallet.Wallet, error) {
	if _, err := folder.Info(name); err != nil { // before anybody types
		return nil, err
	}
	pass, err := sh.passphrase(c, "Passphrase of "+name+": ")
	if err != nil {
		return nil, err
	}
	return folder.Unlock(name, pass)
}

// addressOf reads an address, or the name of a wallet in the folder.
func addressOf(c *cli.Context, text string) (crypto.Address, error) {
	a, err := crypto.ParseAddress(text)
	if err == nil {
		return a, nil
	}
	if folder, folderErr := openWallets(c); folderErr == nil {
		if info, infoErr := folder.Info(text); infoErr == nil {
			return info.Address, nil
		}
	}
	return a, usage("%q is neither an address (wb1…) nor a wallet of yours: %v", show(text), err)
}

func (sh *shell) walletBalance(c *cli.Context) error {
	var address crypto.Address
	if text := c.Args().First(); c.NArg() == 1 && strings.HasPrefix(text, "wb1") {
		parsed, err := crypto.ParseAddress(text)
		if err != nil {
			return usage("%q is no address: %v", show(text), err)
		}
		address = parsed
	} else {
		folder, err := openWallets(c)
		if err != nil {
			return err
		}
		name, err := walletName(c, folder)
		if err != nil {
			return err
		}
		info, err := folder.Info(name)
		if err != nil {
			return err
		}
		address = info.Address
	}
	client, err := stateClient(c)
	if err != nil {
		return err
	}
	account, err := client.Account(c.Context, address)
	if err != nil {
		return err
	}
	err = sh.print(c, account, func(p *printer) {
		org := ""
		if account.Organisation != nil {
			org = account.Organisation.Name
		}
		p.pairs([2]string{"address", account.Address.String()}, [2]string{"organisation", org}, [2]string{"balance", number(account.Balance)},
			[2]string{"bonded", number(account.Bonded)}, [2]string{"as of block", number(account.Height)})
		for _, r := range account.Unbonding {
			p.line("%d from validator %s is free again when the evidence window of epoch %d is over", r.Amount, r.Validator, r.Epoch)
		}
	})
	if err == nil && !account.Exists {
		sh.say("Nobody has sent anything to this account yet, so it cannot pay fees.")
	}
	return err
}
