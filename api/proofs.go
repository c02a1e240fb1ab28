package api

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/light"
)

// ProofInfo is a proof on the wire: everything is bytes (base64 in JSON) as the packages that check it encode it.
type ProofInfo struct {
	Height      quorum.Height `json:"height"`         // of the header
	Header      []byte        `json:"header"`         // quorum.Header.Encode
	Path        [][]byte      `json:"path,omitempty"` // headers of descendants, up to the one that the certificate names
	Certificate []byte        `json:"certificate"`    // quorum.Certificate.Encode
	Raw         []byte        `json:"raw,omitempty"`
	Inclusion   []byte        `json:"inclusion,omitempty"` // canonical CBOR of crypto.InclusionProof
	Key         []byte        `json:"key,omitempty"`
	Value       []byte        `json:"value,omitempty"`
	Absent      bool          `json:"absent,omitempty"` // there is nothing under Key
	Tree        []byte        `json:"tree,omitempty"`   // crypto.TreeProof
	// StateHeight is the block after which the state held Value: the header commits to the state of an earlier block.
	StateHeight quorum.Height `json:"stateHeight,omitempty"`
}

func (p *TransactionProof) info() (*ProofInfo, error) {
	inclusion, err := crypto.Marshal(&p.Proof)
	if err != nil {
		return nil, fmt.Errorf("encoding an inclusion proof: %w", err)
	}
	return &ProofInfo{Height: p.Header.Height, Header: p.Header.Encode(), Path: encodePath(p.Path), Certificate: p.Certificate.Encode(), Raw: p.Raw, Inclusion: inclusion}, nil
}

func (p *StateProof) info() (*ProofInfo, error) {
	tree, err := p.Proof.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encoding a state proof: %w", err)
	}
	return &ProofInfo{Height: p.Header.Height, Header: p.Header.Encode(), Path: encodePath(p.Path), Certificate: p.Certificate.Encode(),
		Key: p.Key, Value: p.Value, Absent: p.Value == nil, Tree: tree, StateHeight: p.Header.ExecHeight}, nil
}

// maxPathHeaders bounds the descendants in a proof.
const maxPathHeaders = 1024

func encodePath(headers []quorum.Header) [][]byte {
	var out [][]byte
	for _, h := range headers {
		out = append(out, h.Encode())
	}
	return out
}

// block decodes the header, the headers of its descendants, and the certificate of the last.
func (i *ProofInfo) block() (quorum.Header, []quorum.Header, quorum.Certificate, error) {
	if len(i.Path) > maxPathHeaders {
		return quorum.Header{}, nil, quorum.Certificate{}, fmt.Errorf("a proof has at most %d headers, got %d", maxPathHeaders, len(i.Path))
	}
	header, err := quorum.DecodeHeader(i.Header)
	if err != nil {
		return quorum.Header{}, nil, quorum.Certificate{}, fmt.Errorf("header of a proof: %w", err)
	}
	var path []quorum.Header
	for _, raw := range i.Path {
		h, err := quorum.DecodeHeader(raw)
		if err != nil {
			return quorum.Header{}, nil, quorum.Certificate{}, fmt.Errorf("header in the path of a proof: %w", err)
		}
		path = append(path, h)
	}
	cert, err := quorum.DecodeCertificate(i.Certificate)
	if err != nil {
		return quorum.Header{}, nil, quorum.Certificate{}, fmt.Errorf("certificate of a proof: %w", err)
	}
	return header, path, cert, nil
}

// Transaction decodes the proof of a transaction. Nothing is checked yet.
func (i *ProofInfo) Transaction() (*TransactionProof, error) {
	header, path, cert, err := i.block()
	if err != nil {
		return nil, err
	}
	p := &TransactionProof{Header: header, Path: path, Certificate: cert, Raw: i.Raw}
	if err := crypto.Unmarshal(i.Inclusion, &p.Proof); err != nil {
		return nil, fmt.Errorf("inclusion proof: %w", err)
	}
	return p, nil
}

// State decodes the proof of a state value. Nothing is checked yet.
func (i *ProofInfo) State() (*StateProof, error) {
	header, path, cert, err := i.block()
	if err != nil {
		return nil, err
	}
	p := &StateProof{Header: header, Path: path, Certificate: cert, Key: i.Key, Value: i.Value}
	if i.Absent {
		p.Value = nil
	} else if p.Value == nil {
		p.Value = []byte{} // JSON does not tell an empty value from none
	}
	if err := p.Proof.UnmarshalBinary(i.Tree); err != nil {
		return nil, fmt.Errorf("state proof: %w", err)
	}
	return p, nil
}

// Check verifies certificate and inclusion against a validator set that the caller trusts and returns the transaction.
func (p *TransactionProof) Check(d quorum.Domain) (*ledger.Transaction, error) {
	header, err := light.VerifyPath(d, append([]quorum.Header{p.Header}, p.Path...), p.Certificate)
	if err != nil {
		return nil, err
	}
	return light.VerifyTransaction(header, p.Raw, p.Proof)
}

// Check verifies certificate and state proof against a validator set that the caller trusts, for the key that the caller
// asked about.
func (p *StateProof) Check(d quorum.Domain, key []byte) error {
	if !bytes.Equal(p.Key, key) {
		return problem(ErrBadRequest, "the proof is about another key")
	}
	header, err := light.VerifyPath(d, append([]quorum.Header{p.Header}, p.Path...), p.Certificate)
	if err != nil {
		return err
	}
	return light.VerifyState(header, p.Key, p.Value, p.Proof)
}

// maxStateKey bounds a raw state key in bytes.
const maxStateKey = 1024

func (s *Server) proveState(r *request) (*reply, error) {
	text := r.param("key")
	key, err := hex.DecodeString(text)
	if err != nil || len(key) == 0 || len(key) > maxStateKey {
		return nil, problem(ErrBadRequest, "key is the raw state key in hex").want(fmt.Sprintf("1 to %d bytes in hex", maxStateKey), text).
			help("Items are proven by /v1/items/ID?prove=true.")
	}
	height, err := r.heightParam()
	if err != nil {
		return nil, err
	}
	proof, err := s.cfg.Prover.ProveState(r.Context(), key, height)
	if err != nil {
		return nil, err
	}
	info, err := proof.info()
	if err != nil {
		return nil, err
	}
	return &reply{json: info}, nil
}
