package api

import (
	"bytes"
	"encoding/base64"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/ledger"
)

// BalanceEntry is what a custodian holds loose of a lot in one unit: not packed, not in transit.
type BalanceEntry struct {
	HolderBalance
	Lot    string `json:"lot"`    // canonical
	Status string `json:"status"` // "available", or "held": put aside, for example for an inspection
}

// BalanceList is a page of balances.
type BalanceList struct {
	Balances []BalanceEntry `json:"balances"`
	Next     string         `json:"next,omitempty"` // pass as after; a page may be short, even empty, and have one
	Height   quorum.Height  `json:"height"`
}

func listBalances(_ *Server, r *request, read *itemReader) (any, error) {
	party, err := read.partyParam(r, "party")
	if err != nil {
		return nil, err
	}
	out := &BalanceList{Balances: []BalanceEntry{}, Height: read.state.Height()}
	switch lot, class := r.param("lot"), r.param("class"); {
	case lot != "" && class != "":
		return nil, problem(ErrBadRequest, "lot and class exclude each other").want("one of them", "both")
	case lot != "":
		id, err := gs1.Parse(lot)
		if err != nil {
			return nil, err
		}
		return out, read.balancesUnder(r, out, ledger.LotBalances(id.Canonical()), party, func(at string) bool { return at == id.Canonical() })
	case class != "":
		id, err := gs1.Parse(class)
		if err != nil {
			return nil, err
		}
		return out, read.balancesUnder(r, out, ledger.ClassBalances(id.Canonical()), party, func(at string) bool {
			return at == id.Canonical() || strings.HasPrefix(at, id.Canonical()+"/")
		})
	case party.IsZero():
		return nil, problem(ErrBadRequest, "say whose balances, or of what").want("party=PARTY, lot=ID or class=ID", "nothing")
	}
	list := ledger.ListStock
	if read.latest {
		list = ledger.ListOpenStock
	}
	l, err := r.lister(list, string(party[:]))
	if err != nil {
		return nil, err
	}
	out.Next, err = l.page(r.Context(), read.state, func(p ledger.Place) (bool, error) { return read.balanceEntry(out, []byte(p.ID)) })
	return out, err
}

// balancesUnder reads a page of the balances whose keys begin so.
func (r *itemReader) balancesUnder(req *request, out *BalanceList, prefix []byte, party crypto.Address, fits func(lot string) bool) error {
	limit, err := req.limitParam(usualPage, largePage)
	if err != nil {
		return err
	}
	var after []byte
	if text := req.param("after"); text != "" {
		if after, err = base64.RawURLEncoding.DecodeString(text); err != nil || !bytes.HasPrefix(after, prefix) {
			return problem(ErrBadRequest, "after is not a page token of this list").want("the next of the page before", text)
		}
	}
	for looked := 0; looked < maxLooked; {
		keys, err := r.state.Keys(req.Context(), prefix, after, largePage)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if len(out.Balances) == limit {
				out.Next = base64.RawURLEncoding.EncodeToString(after)
				return nil
			}
			looked, after = looked+1, key
			at, err := ledger.ParseBalanceKey(key)
			if err != nil {
				return err
			}
			if !fits(at.Lot) || !party.IsZero() && at.Custodian != party {
				continue
			}
			if _, err := r.balanceEntry(out, key); err != nil {
				return err
			}
		}
		if len(keys) < largePage {
			return nil
		}
	}
	out.Next = base64.RawURLEncoding.EncodeToString(after)
	return nil
}

// balanceEntry adds the balance under a state key unless there is nothing of it.
func (r *itemReader) balanceEntry(out *BalanceList, key []byte) (bool, error) {
	at, b, err := ledger.ReadBalanceAt(r.view, key)
	if err != nil || b == nil || b.Amount.IsZero() && !b.Unmeasured {
		return false, err
	}
	out.Balances = append(out.Balances, BalanceEntry{
		HolderBalance: HolderBalance{Custodian: r.named(at.Custodian), Quantity: b.Amount.String(), UOM: at.Unit, Unmeasured: b.Unmeasured},
		Lot:           at.Lot, Status: at.Status.String(),
	})
	return true, nil
}
