package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// TxInfo is a transaction as /v1 shows it.
type TxInfo struct {
	ID       crypto.Hash   `json:"id"`
	Status   TxStatus      `json:"status"`
	Sentence string        `json:"sentence"` // what became of it, for a person
	Height   quorum.Height `json:"height,omitempty"`
	Index    int           `json:"index"`
	TimeMs   int64         `json:"timeMs,omitempty"` // of its block
	Body     *TxBody       `json:"body,omitempty"`
	Receipt  *ReceiptInfo  `json:"receipt,omitempty"`
	Proof    *ProofInfo    `json:"proof,omitempty"` // with prove=true
}

// TxBody is what was signed.
type TxBody struct {
	Kind         ledger.Kind      `json:"kind"`
	Author       crypto.Address   `json:"author"`
	Sponsor      *crypto.Address  `json:"sponsor,omitempty"`
	ExpiryHeight quorum.Height    `json:"expiryHeight"`
	DependsOn    []crypto.Hash    `json:"dependsOn,omitempty"`
	Tip          uint64           `json:"tip"`
	Size         int              `json:"size"`    // bytes with signatures
	Signers      []SignerInfo     `json:"signers"` // who signed
	Payload      *json.RawMessage `json:"payload,omitempty"`
}

// SignerInfo is a key that signed.
type SignerInfo struct {
	Key     crypto.PublicKey `json:"key"`
	Address crypto.Address   `json:"address"`
}

// kindNamed reads the name of a kind of transaction; 0 if it is none.
func kindNamed(name string) ledger.Kind {
	for k := ledger.KindCapture; k.Known(); k++ {
		if k.String() == name {
			return k
		}
	}
	return 0
}

// UnmarshalJSON reads what the server wrote: the kind is a word there.
func (b *TxBody) UnmarshalJSON(data []byte) error {
	type plain TxBody
	aux := struct {
		Kind string `json:"kind"`
		*plain
	}{plain: (*plain)(b)}
	if err := json.Unmarshal(data, &aux); err != nil {
		return err
	}
	b.Kind = kindNamed(aux.Kind)
	return nil
}

// ReceiptInfo is a receipt as /v1 shows it.
type ReceiptInfo struct {
	OK       bool          `json:"ok"`
	Code     string        `json:"code"`
	Sentence string        `json:"sentence"`
	Fee      uint64        `json:"fee"` // smallest unit
	Org      string        `json:"org,omitempty"`
	Refusal  *Fault        `json:"refusal,omitempty"` // of the transaction as a whole
	Events   []EventResult `json:"events,omitempty"`  // of a capture, in order
	Refused  []Fault       `json:"refused,omitempty"` // events, of a capture that proceeded
	Flags    []Fault       `json:"flags,omitempty"`
}

// EventResult is what became of one event of a capture.
type EventResult struct {
	Hash   crypto.Hash `json:"hash"`
	Status string      `json:"status"` // accepted, duplicate, refused, rolled back, not looked at
}

func receiptInfo(r *ledger.Receipt) *ReceiptInfo {
	out := &ReceiptInfo{OK: r.OK(), Code: r.Code.String(), Sentence: r.String(), Fee: r.Fee, Org: r.Org}
	if !r.OK() {
		f := findingFault(r.Finding)
		out.Refusal = &f
	}
	for i, h := range r.Events {
		out.Events = append(out.Events, EventResult{Hash: h, Status: eventStatus(r.EventStatus(i))})
	}
	for _, f := range r.Refused {
		out.Refused = append(out.Refused, findingFault(f))
	}
	for _, f := range r.Flags {
		out.Flags = append(out.Flags, findingFault(f))
	}
	return out
}

func eventStatus(s ledger.EventStatus) string {
	switch s {
	case ledger.EventAccepted:
		return "accepted"
	case ledger.EventDuplicate:
		return "duplicate"
	case ledger.EventRefused:
		return "refused"
	case ledger.EventRolledBack:
		return "rolled back"
	}
	return "not looked at"
}

func txInfo(id crypto.Hash, tx *Transaction) (*TxInfo, error) {
	out := &TxInfo{ID: id, Status: tx.Status, Height: tx.Height, Index: tx.Index, TimeMs: tx.TimeMs}
	if tx.Receipt != nil {
		out.Receipt = receiptInfo(tx.Receipt)
	}
	out.Sentence = txSentence(tx)
	if tx.Raw == nil {
		return out, nil
	}
	decoded, err := ledger.DecodeTransaction(tx.Raw)
	if err != nil {
		return nil, fmt.Errorf("transaction %s from this node's own store: %w", id, hideForm(err))
	}
	out.Body, err = txBody(decoded)
	return out, err
}

// hideForm keeps a fault of our own data from being answered as a fault of the request.
func hideForm(err error) error { return errors.New(err.Error()) }

func txSentence(tx *Transaction) string {
	switch tx.Status {
	case TxPending:
		return "Accepted by this node; not in a final block yet."
	case TxFinal:
		return fmt.Sprintf("Final in block %d.", tx.Height)
	case TxRefused:
		if tx.Receipt != nil {
			return fmt.Sprintf("Refused in block %d. %s", tx.Height, tx.Receipt.String())
		}
		return fmt.Sprintf("Refused in block %d.", tx.Height)
	case TxExpired:
		return "Expired: its expiry height passed before a block took it. It had no effect; sign it again."
	}
	return "Unknown to this node."
}

func txBody(tx *ledger.Transaction) (*TxBody, error) {
	b := tx.Body
	out := &TxBody{Kind: b.Kind, Author: b.Author, Sponsor: b.Sponsor, ExpiryHeight: b.ExpiryHeight, DependsOn: b.DependsOn, Tip: b.Tip, Size: tx.Size()}
	for _, s := range tx.Signatures {
		out.Signers = append(out.Signers, SignerInfo{Key: s.Key, Address: s.Key.Address()})
	}
	payload, err := payloadJSON(tx.Payload())
	if err != nil {
		return nil, fmt.Errorf("showing a %s: %w", b.Kind, err)
	}
	out.Payload = &payload
	return out, nil
}

// payloadJSON shows a payload; of a capture only how many events it has, because their JSON is asked for under /epcis.
func payloadJSON(p ledger.Payload) (json.RawMessage, error) {
	if c, ok := p.(*ledger.Capture); ok {
		return json.Marshal(map[string]any{"mode": modeName(c.Mode), "events": len(c.Events)})
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	named := make(map[string]json.RawMessage, len(fields))
	for name, value := range fields {
		named[lowerFirst(name)] = value
	}
	return json.Marshal(named)
}

// lowerFirst turns a Go field name into a JSON one: "FromHeight" to "fromHeight", "ID" to "id".
func lowerFirst(name string) string {
	if strings.ToUpper(name) == name {
		return strings.ToLower(name)
	}
	r := []rune(name)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}

// postTransaction submits one signed transaction of any kind.
func (s *Server) postTransaction(r *request) (*reply, error) {
	wait, err := r.waitParam()
	if err != nil {
		return nil, err
	}
	decoded, err := ledger.DecodeTransaction(r.body)
	if err != nil {
		return nil, err
	}
	id, err := s.cfg.Submitter.Submit(r.Context(), r.body)
	if err != nil {
		return nil, err
	}
	tx := &Transaction{Status: TxPending, Raw: decoded.Raw()}
	if wait {
		tx, err = s.awaitTransaction(r.Context(), id, tx, nil)
	} else if known, lookErr := s.cfg.Transactions.Transaction(r.Context(), id); lookErr == nil {
		tx = known // sent before: the same answer as then
	}
	if err != nil {
		return nil, err
	}
	info, err := txInfo(id, tx)
	if err != nil {
		return nil, err
	}
	out := &reply{status: http.StatusOK, json: info}
	if tx.Status == TxPending {
		out.status = http.StatusAccepted
	}
	return out.set("Location", "/v1/transactions/"+id.String()), nil
}

// awaitTransaction waits for the end of a transaction; when the time is up it returns what was known before.
func (s *Server) awaitTransaction(ctx context.Context, id crypto.Hash, known *Transaction, knownErr error) (*Transaction, error) {
	tx, err := s.cfg.Transactions.Wait(ctx, id)
	if err == nil {
		return tx, nil
	}
	if ctx.Err() != nil {
		return known, knownErr
	}
	return nil, err
}

// getTransaction shows a transaction and its receipt.
func (s *Server) getTransaction(r *request) (*reply, error) {
	id, err := crypto.ParseHash(r.PathValue("id"))
	if err != nil {
		return nil, problem(ErrBadRequest, "the id of a transaction is 64 hex digits").want("64 lower-case hex digits", r.PathValue("id"))
	}
	prove, err := r.flagParam("prove")
	if err != nil {
		return nil, err
	}
	wait, err := r.waitParam()
	if err != nil {
		return nil, err
	}
	tx, err := s.cfg.Transactions.Transaction(r.Context(), id)
	if wait && (errors.Is(err, ErrNotFound) || err == nil && tx.Status == TxPending) {
		// One that has not arrived here is waited for as well: it may have been sent to another node.
		tx, err = s.awaitTransaction(r.Context(), id, tx, err)
	}
	if errors.Is(err, ErrNotFound) {
		p := problem(ErrNotFound, "this node does not know transaction %s", id)
		p.Actual = string(TxUnknown)
		return nil, p.help("It may not have arrived, or be older than what this node keeps. Sending the same signed transaction again is safe: it counts once.")
	}
	if err != nil {
		return nil, err
	}
	info, err := txInfo(id, tx)
	if err != nil {
		return nil, err
	}
	if prove && (tx.Status == TxFinal || tx.Status == TxRefused) {
		proof, err := s.cfg.Prover.ProveTransaction(r.Context(), id)
		if err != nil {
			return nil, err
		}
		if info.Proof, err = proof.info(); err != nil {
			return nil, err
		}
	}
	return &reply{json: info}, nil
}
