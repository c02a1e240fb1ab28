package api

import (
	"context"
	"errors"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Epoch is how an epoch began.
type Epoch struct {
	Number      quorum.Epoch
	Set         *quorum.Set
	Anchor      quorum.Header       // the block that handed over to the set; the genesis block for epoch 0
	Certificate *quorum.Certificate // of the anchor; nil for the genesis block
}

// EpochInfo is an epoch as /v1 shows it. A light client that trusts the set of the epoch before checks the certificate
// over anchorBytes, and that set hashes to what that header names.
type EpochInfo struct {
	Epoch        uint64           `json:"epoch"`
	AnchorHeight quorum.Height    `json:"anchorHeight"` // the block it begins after
	AnchorHash   crypto.Hash      `json:"anchorHash"`
	AnchorBytes  []byte           `json:"anchorBytes"` // the header as it is hashed
	Certificate  *CertificateInfo `json:"certificate,omitempty"`
	Validators   []EpochValidator `json:"validators"` // by index
	Set          []byte           `json:"set"`        // as it is hashed into headers
	SetHash      crypto.Hash      `json:"setHash"`
}

// EpochValidator is a member of a validator set.
type EpochValidator struct {
	Key      crypto.PublicKey `json:"key"`
	Power    uint64           `json:"power"`
	Operator crypto.Address   `json:"operator"`
}

func (s *Server) getEpoch(r *request) (*reply, error) {
	name, now := r.PathValue("epoch"), s.cfg.Node.Status().Epoch
	number := quorum.Height(now)
	if name != "latest" {
		var err error
		if number, err = parseHeight(name); err != nil {
			return nil, problem(ErrBadRequest, "an epoch is named by its number or \"latest\"").want("a whole number, or latest", name)
		}
	}
	e, err := s.cfg.Chain.Epoch(r.Context(), quorum.Epoch(number))
	if errors.Is(err, ErrNotFound) {
		return nil, problem(ErrNotFound, "epoch %d has not begun here; this node is in epoch %d", number, now)
	}
	if err != nil {
		return nil, err
	}
	return &reply{json: epochInfo(e)}, nil
}

func epochInfo(e *Epoch) EpochInfo {
	out := EpochInfo{
		Epoch: uint64(e.Number), AnchorHeight: e.Anchor.Height, AnchorHash: e.Anchor.Hash(), AnchorBytes: e.Anchor.Encode(),
		Validators: []EpochValidator{}, Set: e.Set.Encode(), SetHash: e.Set.Hash(),
	}
	if c := e.Certificate; c != nil {
		out.Certificate = &CertificateInfo{View: uint64(c.View), Signers: signers(c.Bitmap), Bytes: c.Encode()}
	}
	for _, v := range e.Set.Validators() {
		out.Validators = append(out.Validators, EpochValidator{Key: v.Key, Power: uint64(v.Power), Operator: v.Operator})
	}
	return out
}

// Epoch returns how an epoch began; name is its number or "latest".
func (c *Client) Epoch(ctx context.Context, name string) (*EpochInfo, error) {
	return ask[EpochInfo](ctx, c, "/v1/epochs/"+name, nil)
}
