package signer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"waybill/crypto"
)

// Watermark is what an operator carries from one place of a key to the next, as text: nothing at or below it is signed
// again. It is the idea of EIP-3076, for the votes of this protocol.
type Watermark struct {
	Version  int              `json:"version"` // 1
	Genesis  crypto.Hash      `json:"genesis"`
	Key      crypto.PublicKey `json:"key"`
	Mark     Mark             `json:"mark"`
	Proposed Slot             `json:"proposed"`
}

const (
	watermarkVersion  = 1
	maxWatermarkBytes = 4096
)

// Encode writes the text.
func (w Watermark) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("signer: writing a watermark: %w", err)
	}
	return append(text, '\n'), nil
}

// DecodeWatermark reads the text; the error is of kind ErrEncoding.
func DecodeWatermark(text []byte) (Watermark, error) {
	var w Watermark
	if len(text) > maxWatermarkBytes {
		return w, refuse(ErrEncoding, "a watermark of %d bytes; it has at most %d", len(text), maxWatermarkBytes)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return Watermark{}, &Error{Kind: ErrEncoding, Detail: "this is no watermark", Cause: err}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Watermark{}, refuse(ErrEncoding, "the watermark is followed by something")
	}
	if w.Version != watermarkVersion || w.Mark.Step > stepExit || w.Genesis.IsZero() || !w.Key.Valid() {
		return Watermark{}, refuse(ErrEncoding, "a watermark of version %d, step %d, genesis %s, key %s: a field is missing or wrong", w.Version, w.Mark.Step, w.Genesis.Short(), w.Key)
	}
	return w, nil
}

// Load reads what a storage remembers, without the key, for people. The caller closes the storage. Errors as of Open.
func Load(storage Storage, genesis crypto.Hash, key crypto.PublicKey) (State, error) {
	_, _, s, err := load(storage, genesis, key)
	return s, err
}

// Export is the watermark of a state. Of a file that was not closed in order it is the ceiling: the only mark that is
// certainly not too low without the journal; a key that is moved with it is silent for up to a reserve of views.
func Export(s State) Watermark {
	return Watermark{Version: watermarkVersion, Genesis: s.Genesis, Key: s.Key, Mark: s.Ceiling, Proposed: s.ProposedCeiling}
}

// Import makes a signer's file with a watermark, or raises the one that is there; it never lowers one: ErrLower. The
// caller closes the storage. A file of another key or network is ErrForeign.
func Import(storage Storage, w Watermark) error {
	base, sequence, s, err := load(storage, w.Genesis, w.Key)
	if errors.Is(err, ErrMissing) {
		s = State{Genesis: w.Genesis, Key: w.Key}
		s.decide(w.Mark, w.Proposed)
		s.Ceiling, s.ProposedCeiling = s.Mark, s.Proposed
		return writeFirst(storage, &s)
	}
	if err != nil {
		return err
	}
	if w.Mark.Less(s.Mark) || w.Proposed.Less(s.Proposed) {
		return refuse(ErrLower, "the watermark is %s (proposal %s), the key has signed up to %s (proposal %s): take a newer export; nothing was changed",
			w.Mark, w.Proposed, s.Mark, s.Proposed)
	}
	s.decide(w.Mark, w.Proposed)
	s.Ceiling, s.ProposedCeiling = later(s.Ceiling, s.Mark), laterSlot(s.ProposedCeiling, s.Proposed)
	for _, slot := range []int{1 - base, base} {
		if err := storage.Write(slot, encodeSlot(sequence+1, &s), true); err != nil {
			return failed(err, "writing the signer file: check the disk and its permissions")
		}
	}
	return nil
}
