package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// Reads of the state, at the tip or as of ?height=.

// heightParam reads the height that is asked about; nil: the last executed one.
func (r *request) heightParam() (*quorum.Height, error) {
	text := r.param("height")
	if text == "" {
		return nil, nil
	}
	h, err := parseHeight(text)
	if err != nil {
		return nil, problem(ErrBadRequest, "height is not a height").want("the number of a block", text)
	}
	return &h, nil
}

// reading opens the state that the request asks about. The caller closes it.
func (s *Server) reading(r *request) (Reading, error) {
	height, err := r.heightParam()
	if err != nil {
		return nil, err
	}
	return s.cfg.State.At(r.Context(), height)
}

// indexPatience is how long an answer that needs the events too waits for the index to come to the tip.
const indexPatience = 2 * time.Second

// indexedHeight is the height of answers from both the state and the events: the one that is asked about, or the tip, or,
// where the index stays behind, the height that it has come to.
func (s *Server) indexedHeight(r *request) (*quorum.Height, error) {
	height, err := r.heightParam()
	if err != nil {
		return nil, err
	}
	if height != nil {
		return height, s.cfg.Events.WaitIndexed(r.Context(), *height)
	}
	state, err := s.cfg.State.At(r.Context(), nil)
	if err != nil {
		return nil, err
	}
	tip := state.Height()
	state.Close()
	ctx, cancel := context.WithTimeout(r.Context(), min(indexPatience, s.cfg.Limits.WaitTime/2))
	defer cancel()
	if err := s.cfg.Events.WaitIndexed(ctx, tip); err != nil {
		if r.Context().Err() != nil {
			return nil, err
		}
		tip = min(tip, s.cfg.Events.IndexedHeight())
	}
	return &tip, nil
}

// asOf runs a handler of the state, and says in a header too which height the answer is of.
func asOf(answer func(*Server, *request, *itemReader) (any, error)) func(*Server, *request) (*reply, error) {
	return func(s *Server, r *request) (*reply, error) {
		state, err := s.reading(r)
		if err != nil {
			return nil, err
		}
		defer state.Close()
		read := &itemReader{view: state, state: state, latest: r.param("height") == ""}
		out, err := answer(s, r, read)
		if err == nil {
			err = read.err
		}
		if err != nil {
			return nil, err
		}
		return (&reply{json: out}).set(headerHeight, strconv.FormatUint(uint64(state.Height()), 10)), nil
	}
}

// prove proves a record of the state that the request asks about, if it wants that.
func (s *Server) prove(r *request, key []byte) (*ProofInfo, error) {
	want, err := r.flagParam("prove")
	if err != nil || !want {
		return nil, err
	}
	height, err := r.heightParam()
	if err != nil {
		return nil, err
	}
	proof, err := s.cfg.Prover.ProveState(r.Context(), key, height)
	if err != nil {
		return nil, err
	}
	return proof.info()
}

// maxLooked bounds the records that one page of a list looks at: where most do not fit the question the page is short,
// even empty, and still has a next.
const maxLooked = 2_000

// lister makes one page of a list.
type lister struct {
	list  ledger.List
	scope string
	limit int
	after *ledger.Place
}

// lister reads limit and nextPageToken.
func (r *request) lister(list ledger.List, scope string) (*lister, error) {
	limit, err := r.limitParam(usualPage, largePage)
	if err != nil {
		return nil, err
	}
	l := &lister{list: list, scope: scope, limit: limit}
	if text := r.param("after"); text != "" {
		if l.after, err = decodePlace(text); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// page hands the places of the list to take, in order, until it has taken as many as the page has room for. It returns
// the token of the next page, "" if this is the last.
func (l *lister) page(ctx context.Context, state Reading, take func(ledger.Place) (bool, error)) (next string, err error) {
	taken := 0
	for looked := 0; looked < maxLooked; {
		step := min(l.limit-taken+1, maxLooked-looked)
		places, err := state.List(ctx, l.list, l.scope, l.after, step)
		if err != nil {
			return "", err
		}
		for i := range places {
			if taken == l.limit {
				return encodePlace(l.after), nil
			}
			ok, err := take(places[i])
			if err != nil {
				return "", err
			}
			if ok {
				taken++
			}
			looked++
			l.after = &places[i]
		}
		if len(places) < step {
			return "", nil
		}
	}
	return encodePlace(l.after), nil
}

// A page token is the place that the page ended with.
func encodePlace(p *ledger.Place) string {
	raw := append(binary.BigEndian.AppendUint64(nil, uint64(p.Height)), p.ID...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodePlace(text string) (*ledger.Place, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 8 || len(raw) > maxStateKey {
		return nil, problem(ErrBadRequest, "after is not a page token").want("the next of the page before", text)
	}
	return &ledger.Place{Height: quorum.Height(binary.BigEndian.Uint64(raw)), ID: string(raw[8:])}, nil
}

// placeHash is the hash that names the record at a place.
func placeHash(p ledger.Place) (h crypto.Hash, err error) {
	if len(p.ID) != len(h) {
		return h, problem(ErrBadRequest, "after is not a page token of this list").want("the next of the page before", "another")
	}
	copy(h[:], p.ID)
	return h, nil
}

// partyParam finds the account that a parameter names: an address, or the name of an organisation. Zero: absent.
func (r *itemReader) partyParam(req *request, name string) (crypto.Address, error) {
	text := req.param(name)
	if text == "" {
		return crypto.Address{}, nil
	}
	return r.party(text, name)
}

// party finds an account by address or name as of the height that is asked about. Errors: ErrNotFound.
func (r *itemReader) party(text, name string) (crypto.Address, error) {
	if a, err := crypto.ParseAddress(text); err == nil {
		return a, nil
	}
	org, err := ledger.ReadOrganisationNamed(r.view, text)
	if err != nil {
		return crypto.Address{}, err
	}
	if org == nil {
		return crypto.Address{}, problem(ErrNotFound, "%s is %s, which is neither an address nor the name of an organisation at height %d", name, show(text), r.state.Height()).
			want("wb1…, or a registered name", text)
	}
	return org.Address, nil
}

// hashParam reads a hash in the path.
func hashParam(r *request, name, what string) (crypto.Hash, error) {
	var h crypto.Hash
	text := r.PathValue(name)
	if text == "" {
		text = r.param(name)
	}
	if err := h.UnmarshalText([]byte(text)); err != nil {
		return h, problem(ErrBadRequest, "this is not the id of %s", what).want(fmt.Sprintf("%d hexadecimal digits", 2*len(h)), text)
	}
	return h, nil
}
