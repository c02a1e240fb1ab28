package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// maxSecretBytes bounds a passphrase or a sentence of recovery words.
const maxSecretBytes = 4096

// minPassphrase is the fewest characters of a new passphrase, outside throw-away networks.
const minPassphrase = 8

// passphrase reads the passphrase of a wallet: from --password-fd, --password-file, or the terminal. It is never taken from
// an argument or the environment, where other processes can see it.
func (sh *shell) passphrase(c *cli.Context, prompt string) ([]byte, error) {
	if fd := c.Int("password-fd"); fd >= 0 {
		return readSecretFD(fd)
	}
	if path := c.String("password-file"); path != "" {
		return readSecretFile(path)
	}
	return sh.ask(prompt, "--password-file FILE or --password-fd NUMBER")
}

// newPassphrase reads a passphrase to be set, twice when a person types it.
func (sh *shell) newPassphrase(c *cli.Context, weak bool) ([]byte, error) {
	first, err := sh.passphrase(c, "New passphrase: ")
	if err != nil {
		return nil, err
	}
	if len(first) < minPassphrase && !weak {
		return nil, usage("the passphrase has %d characters; use at least %d, a sentence is best", len(first), minPassphrase)
	}
	if len(first) == 0 {
		return nil, usage("the passphrase is empty")
	}
	if c.Int("password-fd") >= 0 || c.String("password-file") != "" {
		return first, nil
	}
	second, err := sh.ask("The same again: ", "")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, usage("the two passphrases differ; nothing was made. Run the command again")
	}
	clear(second)
	return first, nil
}

// ask reads a line from the terminal without showing it.
func (sh *shell) ask(prompt, otherwise string) ([]byte, error) {
	fd := int(sh.stdin.Fd())
	if !term.IsTerminal(fd) {
		return nil, usage("a secret is needed and standard input is no terminal to ask on. Use %s", otherwise)
	}
	fmt.Fprint(sh.stderr, prompt)
	secret, err := term.ReadPassword(fd)
	fmt.Fprintln(sh.stderr)
	if err != nil {
		return nil, fmt.Errorf("reading from the terminal: %w", err)
	}
	return secret, nil
}

func readSecretFD(fd int) ([]byte, error) {
	f := os.NewFile(uintptr(fd), "password-fd")
	if f == nil {
		return nil, usage("--password-fd %d is no open file descriptor", fd)
	}
	defer f.Close()
	secret, err := readSecret(f)
	if err != nil {
		return nil, fmt.Errorf("reading the passphrase from file descriptor %d: %w", fd, err)
	}
	return secret, nil
}

// readSecretFile reads a file that nobody else may read.
func readSecretFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the password file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the password file: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fail(exitConfig, "%s can be read by others (mode %04o), so it keeps no secret. Run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	secret, err := readSecret(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return secret, nil
}

var errSecretTooLong = errors.New("more than 4096 bytes; is this the right file?")

// readSecret reads up to the first line break.
func readSecret(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSecretBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSecretBytes {
		clear(data)
		return nil, errSecretTooLong
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}
