package api

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/ledger"
)

// AttestationInfo is an organisation's certificate about another.
type AttestationInfo struct {
	ID        string        `json:"id"`    // URI
	State     string        `json:"state"` // at the time of the block: "early", "in_force", "over" or "revoked"
	Issuer    Holder        `json:"issuer"`
	Subject   Holder        `json:"subject"`
	Scope     string        `json:"scope,omitempty"` // class or location; absent: all of the subject's
	Claim     string        `json:"claim"`
	Model     string        `json:"model"` // chain of custody model of ISO 22095
	Standard  string        `json:"standard,omitempty"`
	FromMs    int64         `json:"fromMs"`
	UntilMs   int64         `json:"untilMs"`
	Document  crypto.Hash   `json:"document,omitzero"`
	Since     quorum.Height `json:"since"`
	RevokedMs int64         `json:"revokedMs,omitempty"`
	Height    quorum.Height `json:"height,omitempty"` // of a single one: block after which this holds
	Proof     *ProofInfo    `json:"proof,omitempty"`  // with prove=true, of the stored record
}

// AttestationList is a page of certificates, newest first.
type AttestationList struct {
	Attestations []AttestationInfo `json:"attestations"`
	Next         string            `json:"next,omitempty"` // pass as after
	Height       quorum.Height     `json:"height"`
}

// AnchorInfo is a document's hash on record.
type AnchorInfo struct {
	Document crypto.Hash   `json:"document"`
	Author   Holder        `json:"author"` // who anchored it first
	About    string        `json:"about,omitempty"`
	Media    string        `json:"media,omitempty"`
	Note     string        `json:"note,omitempty"`
	Tx       crypto.Hash   `json:"transaction"`
	Since    quorum.Height `json:"since"`
	TimeMs   int64         `json:"timeMs"`
	Height   quorum.Height `json:"height,omitempty"` // of a single one: block after which this holds
	Proof    *ProofInfo    `json:"proof,omitempty"`  // with prove=true, of the stored record
}

// AnchorList is a page of anchors, newest first.
type AnchorList struct {
	Anchors []AnchorInfo  `json:"anchors"`
	Next    string        `json:"next,omitempty"` // pass as after
	Height  quorum.Height `json:"height"`
}

// YieldInfo is how much of a product its maker says it gets out of what goes in.
type YieldInfo struct {
	Class   string        `json:"class"`
	MostPpm uint64        `json:"mostPpm"` // mass out per mass in, in millionths
	Note    string        `json:"note,omitempty"`
	Since   quorum.Height `json:"since"`
}

// YieldList is a page of declared yields, by class.
type YieldList struct {
	Party  Holder        `json:"party"`
	Yields []YieldInfo   `json:"yields"`
	Next   string        `json:"next,omitempty"` // pass as after
	Height quorum.Height `json:"height"`
}

// attestation shows a certificate as it is at a time, in ms since the Unix epoch.
func (r *itemReader) attestation(a *ledger.Attestation, nowMs int64) AttestationInfo {
	out := AttestationInfo{ID: a.ID, State: "in_force", Issuer: r.named(a.Issuer), Subject: r.named(a.Subject), Scope: a.Scope, Claim: a.Claim,
		Model: fmt.Sprint(a.Model), Standard: a.Standard, FromMs: a.FromMs, UntilMs: a.UntilMs, Document: a.Document, Since: a.Height, RevokedMs: a.RevokedMs}
	switch {
	case a.RevokedMs != 0:
		out.State = "revoked"
	case nowMs < a.FromMs:
		out.State = "early"
	case nowMs >= a.UntilMs:
		out.State = "over"
	}
	return out
}

// blockTime is the time of the block that the answer is of, in ms since the Unix epoch.
func (s *Server) blockTime(r *request, height quorum.Height) (int64, error) {
	b, err := s.cfg.Chain.Block(r.Context(), height)
	if err != nil {
		return 0, err
	}
	return b.Header.TimeMs, nil
}

func listAttestations(s *Server, r *request, read *itemReader) (any, error) {
	issuer, err := read.partyParam(r, "issuer")
	if err != nil {
		return nil, err
	}
	subject, err := read.partyParam(r, "subject")
	if err != nil {
		return nil, err
	}
	list, scope := ledger.ListAttestations, ""
	switch {
	case !subject.IsZero():
		list, scope = ledger.ListHeldClaims, string(subject[:])
	case !issuer.IsZero():
		list, scope = ledger.ListIssuedClaims, string(issuer[:])
	}
	l, err := r.lister(list, scope)
	if err != nil {
		return nil, err
	}
	now, err := s.blockTime(r, read.state.Height())
	if err != nil {
		return nil, err
	}
	out := &AttestationList{Attestations: []AttestationInfo{}, Height: read.state.Height()}
	out.Next, err = l.page(r.Context(), read.state, func(p ledger.Place) (bool, error) {
		a, err := ledger.ReadAttestation(read.view, p.ID)
		if err != nil || a == nil || !issuer.IsZero() && a.Issuer != issuer {
			return false, err
		}
		out.Attestations = append(out.Attestations, read.attestation(a, now))
		return true, nil
	})
	return out, err
}

func getAttestation(s *Server, r *request, read *itemReader) (any, error) {
	id := r.PathValue("id")
	a, err := ledger.ReadAttestation(read.view, id)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, problem(ErrNotFound, "there is no certificate %s at height %d", show(id), read.state.Height()).
			help("Percent-encode its URI in the path; / is %%2F.")
	}
	now, err := s.blockTime(r, read.state.Height())
	if err != nil {
		return nil, err
	}
	out := read.attestation(a, now)
	out.Height = read.state.Height()
	out.Proof, err = s.prove(r, ledger.AttestationKey(id))
	return &out, err
}

func (r *itemReader) anchor(a *ledger.AnchorRecord) AnchorInfo {
	return AnchorInfo{Document: a.Document, Author: r.named(a.Author), About: a.About, Media: a.Media, Note: a.Note, Tx: a.Tx, Since: a.Height, TimeMs: a.TimeMs}
}

func listAnchors(_ *Server, r *request, read *itemReader) (any, error) {
	author, err := read.partyParam(r, "author")
	if err != nil {
		return nil, err
	}
	list, scope, about := ledger.ListAnchors, "", r.param("about")
	switch {
	case about != "":
		if id, err := gs1.Parse(about); err == nil {
			about = id.Canonical()
		}
		list, scope = ledger.ListAboutAnchors, about
	case !author.IsZero():
		list, scope = ledger.ListPartyAnchors, string(author[:])
	}
	l, err := r.lister(list, scope)
	if err != nil {
		return nil, err
	}
	out := &AnchorList{Anchors: []AnchorInfo{}, Height: read.state.Height()}
	out.Next, err = l.page(r.Context(), read.state, func(p ledger.Place) (bool, error) {
		document, err := placeHash(p)
		if err != nil {
			return false, err
		}
		a, err := ledger.ReadAnchor(read.view, document)
		if err != nil || a == nil || !author.IsZero() && a.Author != author {
			return false, err
		}
		out.Anchors = append(out.Anchors, read.anchor(a))
		return true, nil
	})
	return out, err
}

func getAnchor(s *Server, r *request, read *itemReader) (any, error) {
	document, err := hashParam(r, "document", "a document, which is its SHA-256")
	if err != nil {
		return nil, err
	}
	a, err := ledger.ReadAnchor(read.view, document)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, problem(ErrNotFound, "nobody anchored %s up to height %d", document, read.state.Height()).
			help("Hash the bytes of the document exactly as they were: one changed byte is another document.")
	}
	out := read.anchor(a)
	out.Height = read.state.Height()
	out.Proof, err = s.prove(r, ledger.AnchorKey(document))
	return &out, err
}

func listYields(_ *Server, r *request, read *itemReader) (any, error) {
	party, err := read.partyParam(r, "party")
	if err != nil {
		return nil, err
	}
	if party.IsZero() {
		return nil, problem(ErrBadRequest, "say whose yields").want("party=PARTY, an address or name", "nothing")
	}
	limit, err := r.limitParam(usualPage, largePage)
	if err != nil {
		return nil, err
	}
	prefix := ledger.YieldsOf(party)
	var after []byte
	if text := r.param("after"); text != "" {
		if after, err = base64.RawURLEncoding.DecodeString(text); err != nil || !bytes.HasPrefix(after, prefix) {
			return nil, problem(ErrBadRequest, "after is not a page token of this list").want("the next of the page before", text)
		}
	}
	keys, err := read.state.Keys(r.Context(), prefix, after, limit+1)
	if err != nil {
		return nil, err
	}
	out := &YieldList{Party: read.named(party), Yields: []YieldInfo{}, Height: read.state.Height()}
	if len(keys) > limit {
		keys = keys[:limit]
		out.Next = base64.RawURLEncoding.EncodeToString(keys[limit-1])
	}
	for _, key := range keys {
		class := string(key[len(prefix):])
		y, err := ledger.ReadYield(read.view, party, class)
		if err != nil {
			return nil, err
		}
		if y != nil && y.MostPpm != 0 {
			out.Yields = append(out.Yields, YieldInfo{Class: class, MostPpm: y.MostPpm, Note: y.Note, Since: y.Height})
		}
	}
	return out, nil
}
