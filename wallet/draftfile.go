package wallet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// The draft file, version 1: one JSON object, without secrets. What counts is body, the bytes that are signed (base64 of
// their canonical CBOR). Everything else about a transaction is there for whoever opens the file in an editor, and a file
// in which it says something else than the body is refused: nobody shall sign what looks like something else. A file is
// read only if it is, spaces aside, exactly what this program would write for the same draft; so there is no repeated,
// misspelt or unknown field to hide things in.
const (
	draftFormat  = "waybill-transactions"
	draftVersion = 1
)

// draftValueBytes is what a value of a draft file may take while it is read: a part of a list that grows. What a part is comes
// after, one at a time, and ends with the first that is wrong.
const draftValueBytes = 200

// each reads the parts of a list, one at a time.
type each[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *each[T]) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	*l = make([]T, 0, min(len(parts), 1))
	for i, part := range parts {
		if len(part) < leastPart {
			return fmt.Errorf("part %d of a list is none: %s", i, part)
		}
		var one T
		if err := json.Unmarshal(part, &one); err != nil {
			return err
		}
		*l = append(*l, one)
	}
	return nil
}

// leastPart is shorter, in bytes, than any transaction, signature or number of keys with its account. That there are no
// other fields in it is seen when the draft is compared with its file.
const leastPart = 50

type draftFile struct {
	Format       string              `json:"format"`
	Version      int                 `json:"version"`
	Genesis      crypto.Hash         `json:"genesis"`
	Needs        each[draftNeed]     `json:"needs,omitempty"` // accounts of which more than one key signs, ascending by address
	Transactions each[draftFileItem] `json:"transactions"`
}

type draftFileItem struct {
	ID           crypto.Hash          `json:"id"`
	Kind         string               `json:"kind"`
	Author       crypto.Address       `json:"author"`
	Sponsor      *crypto.Address      `json:"sponsor,omitempty"`
	ExpiryHeight quorum.Height        `json:"expiryHeight"`
	DependsOn    []crypto.Hash        `json:"dependsOn,omitempty"`
	Tip          uint64               `json:"tip,omitempty"`
	Body         []byte               `json:"body"`
	Signatures   each[draftSignature] `json:"signatures"` // in the order of the signers: author, sponsor, new validator
}

type draftNeed struct {
	For  crypto.Address `json:"for"`
	Keys int            `json:"keys"`
}

type draftSignature struct {
	For       crypto.Address   `json:"for"` // the account or, by its address, the validator key that must sign
	Key       crypto.PublicKey `json:"key"`
	Signature crypto.Signature `json:"signature"`
}

// Encode returns the draft as a file for people and programs. Equal drafts give equal bytes.
func (d *Draft) Encode() ([]byte, error) {
	compact, err := d.compact()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("encoding the draft: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// compact is the file without spaces.
func (d *Draft) compact() ([]byte, error) {
	if len(d.items) == 0 {
		return nil, refuse(ErrDraft, "the draft holds no transaction")
	}
	f := draftFile{Format: draftFormat, Version: draftVersion, Genesis: d.items[0].body.Genesis}
	for account, keys := range d.needs {
		f.Needs = append(f.Needs, draftNeed{account, keys})
	}
	slices.SortFunc(f.Needs, func(a, b draftNeed) int { return bytes.Compare(a.For[:], b.For[:]) })
	for _, it := range d.items {
		body, err := it.body.Encode()
		if err != nil {
			return nil, err
		}
		b := it.body
		item := draftFileItem{ID: it.id, Kind: b.Kind.String(), Author: b.Author, Sponsor: b.Sponsor, ExpiryHeight: b.ExpiryHeight,
			DependsOn: b.DependsOn, Tip: b.Tip, Body: body, Signatures: []draftSignature{}}
		for _, account := range it.signers {
			for _, s := range it.signed[account] {
				item.Signatures = append(item.Signatures, draftSignature{For: account, Key: s.Key, Signature: s.Signature})
			}
		}
		f.Transactions = append(f.Transactions, item)
	}
	out, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encoding the draft: %w", err)
	}
	return out, nil
}

// ParseDraft reads a draft file and checks every signature in it. The error is of kind ErrDraft, or a *ledger.FormError for
// a body that is no transaction.
func ParseDraft(data []byte) (*Draft, error) {
	f, err := parseDraftFile(data)
	if err != nil {
		return nil, err
	}
	bodies := make([]ledger.Body, len(f.Transactions))
	for i, item := range f.Transactions {
		if err := crypto.Unmarshal(item.Body, &bodies[i]); err != nil {
			return nil, refuse(ErrDraft, "transaction %d: the body is no transaction body: %v", i+1, err)
		}
	}
	d, err := NewDraft(bodies...)
	if err != nil {
		return nil, err
	}
	for _, n := range f.Needs {
		if err := d.Need(n.For, n.Keys); err != nil {
			return nil, refuse(ErrDraft, "needs: %v", err)
		}
	}
	for i, item := range f.Transactions {
		if err := d.addSignatures(&d.items[i], item.Signatures); err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i+1, err)
		}
	}
	if err := d.checkSignatures(); err != nil {
		return nil, err
	}
	if err := d.checkIsFile(data); err != nil {
		return nil, err
	}
	return d, nil
}

// parseDraftFile reads the JSON with its bounds.
func parseDraftFile(data []byte) (*draftFile, error) {
	if len(data) > maxDraftSize {
		return nil, refuse(ErrDraft, "a draft file has at most %d bytes, this has more", maxDraftSize)
	}
	if budget := crypto.NewBudget(len(data)); !budget.TakeJSON(data, draftValueBytes) {
		return nil, refuse(ErrDraft, "not a draft file: it holds more values than any of its length")
	}
	var f draftFile
	if err := strictJSON(data, &f); err != nil {
		return nil, refuse(ErrDraft, "not a draft file: %v", err)
	}
	switch {
	case f.Format != draftFormat:
		return nil, refuse(ErrDraft, "not a draft file: format is %q, want %q", clip(f.Format), draftFormat)
	case f.Version != draftVersion:
		return nil, refuse(ErrDraft, "draft file version %d; this program reads version %d, use a newer one", f.Version, draftVersion)
	}
	return &f, nil
}

func (d *Draft) addSignatures(it *draftItem, list []draftSignature) error {
	for _, s := range list {
		if !slices.Contains(it.signers, s.For) {
			return refuse(ErrDraft, "there is a signature for %s, who is neither author nor sponsor nor new validator", s.For)
		}
		if err := it.checkRole(s.For, s.Key); err != nil {
			return err
		}
		if !it.add(s.For, ledger.SignedBy{Key: s.Key, Signature: s.Signature}, d.needed(s.For)) {
			return refuse(ErrDraft, "there are more signatures for %s than it needs", s.For)
		}
	}
	return nil
}

// checkSignatures verifies all signatures in one batch.
func (d *Draft) checkSignatures() error {
	var checks []crypto.Check
	for _, it := range d.items {
		for _, account := range it.signers {
			for _, s := range it.signed[account] {
				checks = append(checks, crypto.Check{Key: s.Key, Digest: it.id, Signature: s.Signature})
			}
		}
	}
	for i, ok := range crypto.VerifyBatch(checks) {
		if !ok {
			return refuse(ErrDraft, "the signature of key %s on transaction %s is wrong; ask for the draft again", checks[i].Key, checks[i].Digest)
		}
	}
	return nil
}

// checkIsFile holds the file to the one form that this draft has.
func (d *Draft) checkIsFile(data []byte) error {
	want, err := d.compact()
	if err != nil {
		return err
	}
	var got bytes.Buffer
	if err := json.Compact(&got, data); err != nil {
		return refuse(ErrDraft, "not a draft file: %v", err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		return refuse(ErrDraft, "what the file says beside the bodies is not what they say, or its fields are not in their order; do not sign it, ask for the draft again")
	}
	return nil
}

// LoadDraft reads a draft file. A file that is not there is fs.ErrNotExist; see ParseDraft for the other errors.
func LoadDraft(path string) (*Draft, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the draft: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxDraftSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the draft %s: %w", path, err)
	}
	d, err := ParseDraft(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// Save writes the draft as a new file, whole or not at all. An existing file is never overwritten: ErrFileExists.
func (d *Draft) Save(path string) error {
	data, err := d.Encode()
	if err != nil {
		return err
	}
	if err := writeNew(path, data); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return refuse(ErrFileExists, "%s is there already; choose another name for the draft", path)
		}
		return err
	}
	return nil
}
