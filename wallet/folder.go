package wallet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"waybill/crypto"
)

// maxWallets bounds what List reads; a folder with more is not a wallet folder.
const maxWallets = 10_000

const fileSuffix = ".json"

// Info is what can be known of a wallet without its passphrase.
type Info struct {
	Name      string           `json:"name"`
	Address   crypto.Address   `json:"address"`
	PublicKey crypto.PublicKey `json:"publicKey"`
	Path      string           `json:"path,omitempty"` // derivation path; empty for a bare key
	Created   time.Time        `json:"created"`
	Light     bool             `json:"light,omitempty"` // made for tests: its passphrase is quickly guessed
}

// Wallet is an unlocked wallet. No print verb shows its secrets. The zero value is not usable.
type Wallet struct {
	info Info
	// Behind a pointer, so that no verb reaches through the fields of a Wallet that was copied by value.
	*secrets
}

type secrets struct {
	key   crypto.PrivateKey
	words Words
}

// Info returns the public part.
func (w *Wallet) Info() Info { return w.info }

// Name returns the wallet's name in its folder.
func (w *Wallet) Name() string { return w.info.Name }

// Address returns the account address.
func (w *Wallet) Address() crypto.Address { return w.info.Address }

// PublicKey returns the account key.
func (w *Wallet) PublicKey() crypto.PublicKey { return w.info.PublicKey }

// Key returns the private key, for signing. It hides itself from print verbs.
func (w *Wallet) Key() crypto.PrivateKey { return w.key }

// Words returns the recovery words; zero for a wallet made from a bare key.
func (w *Wallet) Words() Words { return w.words }

// String shows name and address.
func (w *Wallet) String() string {
	return "Wallet(" + w.info.Name + " " + w.info.Address.String() + ")"
}

// Format shows name and address under every print verb.
func (w *Wallet) Format(f fmt.State, _ rune) { io.WriteString(f, w.String()) }

// LogValue shows name and address.
func (w *Wallet) LogValue() slog.Value { return slog.StringValue(w.String()) }

// MarshalText refuses, so that no encoder writes a secret by accident.
func (w *Wallet) MarshalText() ([]byte, error) {
	return nil, refuse(ErrFile, "an unlocked wallet has no encoded form")
}

// Options are the choices at the making of a wallet. The zero value is right outside tests.
type Options struct {
	Account  uint32    // BIP-44 account number under the words
	Strength Strength  // Light only in tests and throw-away networks
	Random   io.Reader // nil: the system's
	Now      time.Time // zero: the clock's
}

// Folder is a directory of wallets, one file NAME.json each.
type Folder struct {
	dir string
}

// OpenFolder creates the directory (0700) when it is not there. Nothing is read yet.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the wallet folder: %w", err)
	}
	return &Folder{dir: dir}, nil
}

// Create makes a wallet with new recovery words. The passphrase is cleared. Show the words to the owner once.
func (f *Folder) Create(name string, passphrase []byte, opt Options) (*Wallet, error) {
	defer clear(passphrase)
	words, err := NewWords(opt.Random)
	if err != nil {
		return nil, err
	}
	return f.fromWords(name, words, passphrase, opt)
}

// Import makes a wallet from recovery words. The passphrase is cleared.
func (f *Folder) Import(name string, words Words, passphrase []byte, opt Options) (*Wallet, error) {
	defer clear(passphrase)
	return f.fromWords(name, words, passphrase, opt)
}

func (f *Folder) fromWords(name string, words Words, passphrase []byte, opt Options) (*Wallet, error) {
	key, err := words.Key(opt.Account)
	if err != nil {
		return nil, err
	}
	w := &Wallet{secrets: &secrets{key: key, words: words}}
	w.info.Path = AccountPath(opt.Account)
	if err := f.write(name, w, append([]byte{secretWords}, words.entropy()...), passphrase, opt); err != nil {
		return nil, err
	}
	return w, nil
}

// ImportKey makes a wallet from a bare key, without recovery words. The passphrase is cleared.
func (f *Folder) ImportKey(name string, key crypto.PrivateKey, passphrase []byte, opt Options) (*Wallet, error) {
	defer clear(passphrase)
	if key.IsZero() {
		return nil, refuse(ErrContent, "there is no key to import")
	}
	opt.Account = 0 // a bare key has no path
	b := key.Bytes()
	defer clear(b[:])
	w := &Wallet{secrets: &secrets{key: key}}
	if err := f.write(name, w, append([]byte{secretKey}, b[:]...), passphrase, opt); err != nil {
		return nil, err
	}
	return w, nil
}

// write seals the secret into a new file and fills in w's public part.
func (f *Folder) write(name string, w *Wallet, secret, passphrase []byte, opt Options) error {
	defer clear(secret)
	path, err := f.path(name)
	if err != nil {
		return err
	}
	if len(passphrase) == 0 {
		return refuse(ErrPassphrase, "an empty passphrase protects nothing; choose one")
	}
	// Asked before the slow derivation; the write below decides.
	if _, err := os.Lstat(path); err == nil {
		return refuse(ErrExists, "there is already a wallet %q in %s; choose another name (wallet files are never overwritten)", name, f.dir)
	}
	now := opt.Now
	if now.IsZero() {
		now = time.Now()
	}
	h := header{Name: name, Address: w.key.Address(), PublicKey: w.key.Public(), Path: w.info.Path, Account: opt.Account,
		Created: now.UTC().Format(time.RFC3339)}
	data, err := seal(h, secret, passphrase, opt.Strength, systemRandom(opt.Random))
	if err != nil {
		return err
	}
	if err := writeNew(path, data); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return refuse(ErrExists, "a wallet %q appeared in %s meanwhile; choose another name", name, f.dir)
		}
		return err
	}
	made, err := parseKeystore(data)
	if err != nil {
		return err
	}
	w.info = made.info()
	return nil
}

// Unlock opens a wallet. The passphrase is cleared. Errors to branch on: ErrNotFound, ErrPassphrase, ErrPermissions,
// ErrFile, ErrKeyDeriving.
func (f *Folder) Unlock(name string, passphrase []byte) (*Wallet, error) {
	defer clear(passphrase)
	file, err := f.read(name)
	if err != nil {
		return nil, err
	}
	return file.open(passphrase)
}

// Info reads the public part of a wallet; no passphrase is needed.
func (f *Folder) Info(name string) (Info, error) {
	file, err := f.read(name)
	if err != nil {
		return Info{}, err
	}
	return file.info(), nil
}

// Names lists the wallets in the folder by file name, sorted, without opening them.
func (f *Folder) Names() ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("listing the wallet folder: %w", err)
	}
	if len(entries) > maxWallets {
		return nil, refuse(ErrTooLarge, "%s holds %d files; a wallet folder holds at most %d", f.dir, len(entries), maxWallets)
	}
	var names []string
	for _, e := range entries {
		name, isWallet := strings.CutSuffix(e.Name(), fileSuffix)
		if isWallet && checkName(name) == nil && e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

// List reads the public part of every wallet, sorted by name. The first wallet that cannot be read fails the list: a
// silently shorter list would look like a lost wallet.
func (f *Folder) List() ([]Info, error) {
	names, err := f.Names()
	if err != nil {
		return nil, err
	}
	list := make([]Info, 0, len(names))
	for _, name := range names {
		info, err := f.Info(name)
		if err != nil {
			return nil, fmt.Errorf("wallet %q: %w", name, err)
		}
		list = append(list, info)
	}
	return list, nil
}

func (f *Folder) path(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return filepath.Join(f.dir, name+fileSuffix), nil
}

// read loads a wallet file after checking that it is a private regular file of bounded size.
func (f *Folder) read(name string) (*keystoreFile, error) {
	path, err := f.path(name)
	if err != nil {
		return nil, err
	}
	data, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(ErrNotFound, "there is no wallet %q in %s; list the wallets or create it", name, f.dir)
	}
	if err != nil {
		return nil, err
	}
	file, err := parseKeystore(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if file.Name != name {
		return nil, refuse(ErrFile, "%s holds the wallet %q; rename the file back", path, file.Name)
	}
	return file, nil
}

// checkName accepts 1 to 64 of a-z, 0-9, dot, dash and underscore, starting with a letter or digit: safe as a file name
// on every system.
func checkName(name string) error {
	ok := len(name) >= 1 && len(name) <= 64
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		ok = letter || i > 0 && (c == '.' || c == '-' || c == '_')
	}
	if !ok {
		return refuse(ErrName, "%q is not a wallet name; use 1 to 64 of a-z, 0-9, dot, dash and underscore, starting with a letter or digit", clip(name))
	}
	return nil
}
