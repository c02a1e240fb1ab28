package wallet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// Sign makes the transaction that this wallet signs, and others whose keys are at hand (the key of a validator that is
// registered or rotated). A body whose further signers are elsewhere goes through a [Draft] instead.
func (w *Wallet) Sign(body ledger.Body, others ...crypto.PrivateKey) (*ledger.Transaction, error) {
	return ledger.Sign(body, append([]crypto.PrivateKey{w.key}, others...)...)
}

// Signer signs captures with an unlocked wallet, for the command line and for a node that was given a capture account.
// It may be used at once by several callers.
type Signer struct {
	wallet *Wallet
	author crypto.Address
}

var _ api.CaptureSigner = (*Signer)(nil)

// NewSigner returns a signer that acts for the wallet's own account.
func NewSigner(w *Wallet) *Signer { return &Signer{wallet: w, author: w.Address()} }

// As returns a signer with the same key that acts for another account, one that added the key (ledger.AddKey).
func (s *Signer) As(author crypto.Address) *Signer { return &Signer{wallet: s.wallet, author: author} }

// SignCapture returns raw signed transactions to be submitted in order; see [Builder.Capture] for how they are split.
// Refusals: epcis.Faults, *ledger.FormError, *Error of kind ErrTooLarge or ErrContent, the error of ctx.
func (s *Signer) SignCapture(ctx context.Context, events []*epcis.Event, mode ledger.CaptureMode, at api.ChainPoint) ([][]byte, error) {
	b := Builder{Author: s.author, At: at}
	bodies, err := b.Capture(events, mode)
	if errors.Is(err, ErrTooLarge) {
		return nil, fmt.Errorf("%w: %w", api.ErrTooLarge, err) // so that a node answers 413, not 500
	}
	if err != nil {
		return nil, err
	}
	raws := make([][]byte, 0, len(bodies))
	for i, body := range bodies {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("signing part %d of %d: %w", i+1, len(bodies), err)
		}
		tx, err := s.wallet.Sign(body)
		if err != nil {
			return nil, err
		}
		raws = append(raws, tx.Raw())
	}
	return raws, nil
}

// String shows for whom it signs.
func (s *Signer) String() string { return "Signer(" + s.author.String() + ")" }

// Format shows for whom it signs, under every print verb.
func (s *Signer) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue shows for whom it signs.
func (s *Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }
