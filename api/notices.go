package api

import (
	"cmp"
	"slices"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/ledger"
)

// NoticeInfo is a recall, withdrawal, quarantine or alert.
type NoticeInfo struct {
	ID           crypto.Hash   `json:"id"` // of the transaction that gave it
	Type         string        `json:"type"`
	State        string        `json:"state"` // "open" or "released"
	Issuer       Holder        `json:"issuer"`
	Authority    string        `json:"authority"` // "holder", "regulator" or "origin"
	Subjects     []string      `json:"subjects"`  // items, lots or classes, canonical
	Reason       string        `json:"reason"`
	Instructions string        `json:"instructions,omitempty"`
	Accepts      []Holder      `json:"accepts"` // besides the issuer, to whom the goods may still be shipped
	Document     crypto.Hash   `json:"document,omitzero"`
	Since        quorum.Height `json:"since"` // block that it is in
	TimeMs       int64         `json:"timeMs"`
	Released     crypto.Hash   `json:"released,omitzero"` // the transaction that released it
	ReleasedAt   quorum.Height `json:"releasedAt,omitempty"`
}

// AckInfo is what an organisation did about a notice.
type AckInfo struct {
	Organisation Holder        `json:"organisation"`
	Status       string        `json:"status"` // "received", "stopped", "returned", "destroyed" or "nothing"
	Note         string        `json:"note,omitempty"`
	Since        quorum.Height `json:"since"`
	TimeMs       int64         `json:"timeMs"`
}

// NoticeList is a page of notices, newest first.
type NoticeList struct {
	Notices []NoticeInfo  `json:"notices"`
	Next    string        `json:"next,omitempty"` // pass as after; a page may be short, even empty, and have one
	Height  quorum.Height `json:"height"`
	// Spreading is true while a notice has not reached yet all that was made of its subjects: it does so in the next blocks.
	Spreading bool `json:"spreading,omitempty"`
}

// NoticeDetail is one notice with the answers to it, by address.
type NoticeDetail struct {
	NoticeInfo
	Acks     []AckInfo     `json:"acks"`
	MoreAcks bool          `json:"moreAcks,omitempty"` // there are more answers than are shown
	Height   quorum.Height `json:"height"`
	Proof    *ProofInfo    `json:"proof,omitempty"` // with prove=true, of the stored record
}

func (r *itemReader) notice(n *ledger.NoticeRecord) NoticeInfo {
	out := NoticeInfo{ID: n.ID, Type: n.Type.String(), State: "open", Issuer: r.named(n.Issuer), Authority: n.Authority.String(),
		Subjects: append([]string{}, n.Subjects...), Reason: n.Reason, Instructions: n.Instructions, Accepts: []Holder{}, Document: n.Document,
		Since: n.Height, TimeMs: n.TimeMs, Released: n.Released, ReleasedAt: n.ReleasedAt}
	if n.ReleasedAt != 0 {
		out.State = "released"
	}
	for _, a := range n.Accepts {
		out.Accepts = append(out.Accepts, r.named(a))
	}
	return out
}

// named is holder for accounts that are there.
func (r *itemReader) named(a crypto.Address) Holder {
	if h := r.holder(a); h != nil {
		return *h
	}
	return Holder{Address: a}
}

// stateParam reads ?state=, one of some words or nothing.
func stateParam(r *request, words ...string) (string, error) {
	text := r.param("state")
	if text != "" && !slices.Contains(words, text) {
		return "", problem(ErrBadRequest, "state is not one of its words").want(strings.Join(words, ", "), text)
	}
	return text, nil
}

func listNotices(_ *Server, r *request, read *itemReader) (any, error) {
	state, err := stateParam(r, "open", "released")
	if err != nil {
		return nil, err
	}
	issuer, err := read.partyParam(r, "issuer")
	if err != nil {
		return nil, err
	}
	out := &NoticeList{Notices: []NoticeInfo{}, Height: read.state.Height()}
	if counts, err := ledger.ReadNotices(read.view); err != nil {
		return nil, err
	} else if counts != nil {
		out.Spreading = counts.Head != counts.Tail
	}
	fits := func(n *ledger.NoticeRecord) bool {
		return n != nil && (issuer.IsZero() || n.Issuer == issuer) && (state == "" || (state == "open") == (n.ReleasedAt == 0))
	}
	if subject := r.param("subject"); subject != "" {
		return out, read.noticesOf(out, subject, fits)
	}
	l, err := r.lister(noticeList(read, state, issuer))
	if err != nil {
		return nil, err
	}
	out.Next, err = l.page(r.Context(), read.state, func(p ledger.Place) (bool, error) {
		id, err := placeHash(p)
		if err != nil {
			return false, err
		}
		n, err := ledger.ReadNotice(read.view, id)
		if err != nil || !fits(n) {
			return false, err
		}
		out.Notices = append(out.Notices, read.notice(n))
		return true, nil
	})
	return out, err
}

// noticeList chooses the shortest list: that of open notices is of the present.
func noticeList(read *itemReader, state string, issuer crypto.Address) (ledger.List, string) {
	switch {
	case !issuer.IsZero():
		return ledger.ListIssuedNotices, string(issuer[:])
	case state == "open" && read.latest:
		return ledger.ListOpenNotices, ""
	}
	return ledger.ListNotices, ""
}

// noticesOf gives the notices that a thing is under, by itself, its lot or its class.
func (r *itemReader) noticesOf(out *NoticeList, subject string, fits func(*ledger.NoticeRecord) bool) error {
	id, err := gs1.Parse(subject)
	if err != nil {
		return err
	}
	lot := ""
	item, err := ledger.ReadItemRecord(r.view, id.Canonical())
	if err != nil {
		return err
	}
	if item != nil {
		lot = item.Lot
	}
	seen := map[crypto.Hash]bool{}
	for _, of := range ledger.HoldsOf(id.Canonical(), lot) {
		hold, err := ledger.ReadHold(r.view, of.ID)
		if err != nil {
			return err
		}
		if hold == nil {
			continue
		}
		for _, notice := range hold.Notices {
			n, err := ledger.ReadNotice(r.view, notice)
			if err != nil {
				return err
			}
			if fits(n) && !seen[notice] && of.Reaches(n) {
				seen[notice] = true
				out.Notices = append(out.Notices, r.notice(n))
			}
		}
	}
	slices.SortStableFunc(out.Notices, func(a, b NoticeInfo) int { return cmp.Compare(b.Since, a.Since) })
	return nil
}

// maxAcks bounds the answers shown with one notice.
const maxAcks = 1_000

func getNotice(s *Server, r *request, read *itemReader) (any, error) {
	n, err := read.noticeNamed(r)
	if err != nil {
		return nil, err
	}
	out := &NoticeDetail{NoticeInfo: read.notice(n), Height: read.state.Height()}
	if out.Acks, out.MoreAcks, err = read.acks(r, n.ID); err != nil {
		return nil, err
	}
	out.Proof, err = s.prove(r, ledger.NoticeKey(n.ID))
	return out, err
}

func (r *itemReader) noticeNamed(req *request) (*ledger.NoticeRecord, error) {
	id, err := hashParam(req, "notice", "a notice")
	if err != nil {
		return nil, err
	}
	n, err := ledger.ReadNotice(r.view, id)
	if err == nil && n == nil {
		err = problem(ErrNotFound, "there is no notice %s at height %d", id, r.state.Height()).help("A notice is named by its transaction. GET /v1/notices lists them.")
	}
	return n, err
}

func (r *itemReader) acks(req *request, notice crypto.Hash) (out []AckInfo, more bool, err error) {
	out = []AckInfo{}
	keys, err := r.state.Keys(req.Context(), ledger.AcksOf(notice), nil, maxAcks+1)
	if err != nil {
		return nil, false, err
	}
	if len(keys) > maxAcks {
		keys, more = keys[:maxAcks], true
	}
	for _, key := range keys {
		who, err := ledger.AckedBy(key)
		if err != nil {
			return nil, false, err
		}
		ack, err := r.ack(notice, who)
		if err != nil {
			return nil, false, err
		}
		if ack != nil {
			out = append(out, *ack)
		}
	}
	return out, more, nil
}

// ack is the answer of an organisation; nil: none yet.
func (r *itemReader) ack(notice crypto.Hash, who crypto.Address) (*AckInfo, error) {
	a, err := ledger.ReadAck(r.view, notice, who)
	if err != nil || a == nil {
		return nil, err
	}
	return &AckInfo{Organisation: r.named(who), Status: a.Status.String(), Note: a.Note, Since: a.Height, TimeMs: a.TimeMs}, nil
}
