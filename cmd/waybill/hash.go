package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"waybill/crypto"
	"waybill/epcis"
)

// eventHash is the identity of an event as --output json shows it.
type eventHash struct {
	File    string      `json:"file"`
	Index   int         `json:"index"`
	Type    string      `json:"type"`
	Time    string      `json:"eventTime"`
	EventID string      `json:"eventID,omitempty"`
	Hash    crypto.Hash `json:"hash"`
	CBVHash string      `json:"cbvHash,omitempty"`
}

// fileHash is the hash of a whole file as --output json shows it.
type fileHash struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

func (sh *shell) hashCommand() *cli.Command {
	return &cli.Command{
		Name: "hash", ArgsUsage: "FILE…", Usage: "the identity of every event in EPCIS documents",
		Description: "  waybill hash harvest.json\n  waybill hash photo.jpg --raw\n\n" +
			"  The hash is that of the meaning of an event: however its identifiers, times and lists are spelled, it is the same,\n" +
			"  and it is the name of the event on the ledger. The CBV hash is the standard's alias for it.",
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "raw", Usage: "SHA-256 of the bytes of any file"}, outputFlag()},
		Action: sh.hash,
	}
}

func (sh *shell) hash(c *cli.Context) error {
	if c.NArg() == 0 {
		return usage("waybill hash needs a file. For example: waybill hash harvest.json")
	}
	if c.Bool("raw") {
		return sh.hashRaw(c)
	}
	var list []eventHash
	for _, path := range c.Args().Slice() {
		doc, err := sh.readDocument(path)
		if err != nil {
			return err
		}
		for i, e := range doc.Events {
			h := eventHash{File: path, Index: i, Type: e.Type.String(), Time: e.EventTime.Text, EventID: e.EventID, Hash: e.Hash()}
			if cbv, err := e.CBVHash(); err == nil { // an event that the alias cannot name has none
				h.CBVHash = cbv
			}
			list = append(list, h)
		}
	}
	return sh.print(c, list, func(p *printer) {
		for _, h := range list {
			p.pairs([2]string{"event", fmt.Sprintf("%s %d: %s at %s", h.File, h.Index, h.Type, h.Time)},
				[2]string{"  hash", h.Hash.String()}, [2]string{"  CBV hash", h.CBVHash}, [2]string{"  eventID", h.EventID})
		}
	})
}

func (sh *shell) hashRaw(c *cli.Context) error {
	var list []fileHash
	for _, path := range c.Args().Slice() {
		f, err := os.Open(path)
		if err != nil {
			return noFile(path, err)
		}
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		f.Close() // read only
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		list = append(list, fileHash{path, hex.EncodeToString(sum.Sum(nil))})
	}
	return sh.print(c, list, func(p *printer) {
		for _, h := range list {
			p.line("%s  %s", h.SHA256, h.File)
		}
	})
}

// maxDocumentBytes bounds a document read from a file. It is above what nodes take, so that they can say so themselves.
const maxDocumentBytes = 64 << 20

// readDocument reads and checks an EPCIS document; "-" is standard input.
func (sh *shell) readDocument(path string) (*epcis.Document, error) {
	data, err := sh.readFile(path, maxDocumentBytes)
	if err != nil {
		return nil, err
	}
	doc, err := epcis.ParseDocument(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return doc, nil
}

func (sh *shell) readFile(path string, most int64) ([]byte, error) {
	var in io.Reader = sh.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, noFile(path, err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if int64(len(data)) > most {
		return nil, fail(exitOther, "%s has more than %d MiB; split it into several documents", path, most>>20)
	}
	return data, nil
}

func noFile(path string, err error) error {
	if os.IsNotExist(err) {
		return fail(exitNotFound, "there is no file %s", path)
	}
	return fmt.Errorf("opening %s: %w", path, err)
}
