package api

import (
	"context"
	"net/url"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Questions about the state. All are answered as of the present, or of the height of [Client.AsOf].

// AsOf makes a client of the same node whose questions about the state (items, accounts, organisations, prefixes,
// validators, proofs of state, and all of this file) are answered as of a height. ErrNotFound above the tip, ErrPruned
// below what the node keeps.
func (c *Client) AsOf(height quorum.Height) *Client {
	other := *c
	other.asOf = &height
	return &other
}

// askState is ask for what can be asked about a height.
func askState[T any](ctx context.Context, c *Client, path string, query url.Values) (*T, error) {
	if c.asOf != nil {
		if query == nil {
			query = url.Values{}
		}
		query.Set("height", number(uint64(*c.asOf)))
	}
	return ask[T](ctx, c, path, query)
}

// Page says which part of a list to ask for; the zero value is the newest entries, in the server's usual number.
type Page struct {
	After string // Next of the page before
	Limit int
}

// with makes the query of a list; names and values follow each other, empty values are left out.
func (p Page) with(pairs ...string) url.Values {
	query := pageQuery("limit", p.Limit)
	pairs = append(pairs, "after", p.After)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}

func proving(prove bool) url.Values {
	if prove {
		return url.Values{"prove": {"true"}}
	}
	return url.Values{}
}

// NoticeFilter chooses notices; empty fields choose all. State is "open" or "released", Issuer an address or name, Subject
// the identifier of a thing that is under them.
type NoticeFilter struct{ State, Issuer, Subject string }

// Notices lists recalls, withdrawals, quarantines and alerts, newest first.
func (c *Client) Notices(ctx context.Context, f NoticeFilter, p Page) (*NoticeList, error) {
	return askState[NoticeList](ctx, c, "/v1/notices", p.with("state", f.State, "issuer", f.Issuer, "subject", f.Subject))
}

// Notice returns one notice with the answers to it, and with a proof of its record if wanted. ErrNotFound.
func (c *Client) Notice(ctx context.Context, id crypto.Hash, prove bool) (*NoticeDetail, error) {
	return askState[NoticeDetail](ctx, c, "/v1/notices/"+id.String(), proving(prove))
}

// RecallScope answers who holds what of a notice's goods and of everything made from them. nodes is the most items that are
// followed; 0: the server's most. Look at Truncated before you rely on it.
func (c *Client) RecallScope(ctx context.Context, notice crypto.Hash, nodes int) (*ScopeInfo, error) {
	return askState[ScopeInfo](ctx, c, "/v1/recalls/"+notice.String()+"/scope", pageQuery("nodes", nodes))
}

// Scope is RecallScope of an item, lot or class, without a notice.
func (c *Client) Scope(ctx context.Context, item string, nodes int) (*ScopeInfo, error) {
	query := pageQuery("nodes", nodes)
	query.Set("item", item)
	return askState[ScopeInfo](ctx, c, "/v1/scope", query)
}

// DisputeFilter chooses disputes; empty fields choose all. State is "open" or "resolved", Party an address or name,
// Shipment the hash of a shipping event.
type DisputeFilter struct{ State, Party, Shipment string }

// Disputes lists disputes, newest first.
func (c *Client) Disputes(ctx context.Context, f DisputeFilter, p Page) (*DisputeList, error) {
	return askState[DisputeList](ctx, c, "/v1/disputes", p.with("state", f.State, "party", f.Party, "shipment", f.Shipment))
}

// Dispute returns one dispute, with a proof of its record if wanted. ErrNotFound.
func (c *Client) Dispute(ctx context.Context, id crypto.Hash, prove bool) (*DisputeDetail, error) {
	return askState[DisputeDetail](ctx, c, "/v1/disputes/"+id.String(), proving(prove))
}

// ShipmentFilter chooses shipments: from or to somebody, an address or name; To may be the identifier of who is not on the
// ledger. State is "open", "disputed", "closed" or "void"; empty: any.
type ShipmentFilter struct{ State, From, To string }

// Shipments lists shipments, newest first.
func (c *Client) Shipments(ctx context.Context, f ShipmentFilter, p Page) (*ShipmentList, error) {
	return askState[ShipmentList](ctx, c, "/v1/shipments", p.with("state", f.State, "from", f.From, "to", f.To))
}

// Shipment returns one shipment with what of it is open, and with a proof of its record if wanted. ErrNotFound.
func (c *Client) Shipment(ctx context.Context, event crypto.Hash, prove bool) (*ShipmentDetail, error) {
	return askState[ShipmentDetail](ctx, c, "/v1/shipments/"+event.String(), proving(prove))
}

// BalanceFilter chooses balances: of a party (address or name), of a lot, or of the lots of a class.
type BalanceFilter struct{ Party, Lot, Class string }

// Balances lists what custodians hold loose.
func (c *Client) Balances(ctx context.Context, f BalanceFilter, p Page) (*BalanceList, error) {
	return askState[BalanceList](ctx, c, "/v1/balances", p.with("party", f.Party, "lot", f.Lot, "class", f.Class))
}

// BalanceSheet says of what, of whom, where and when to make a mass balance: of one of Lot and Class; Party (address or
// name), Site, From and Until (RFC 3339, event time) may be empty.
type BalanceSheet struct{ Lot, Class, Party, Site, From, Until string }

// MassBalance adds up what came in of a lot or class, what went out, and what counts found that cannot be explained.
func (c *Client) MassBalance(ctx context.Context, b BalanceSheet) (*MassBalanceInfo, error) {
	return askState[MassBalanceInfo](ctx, c, "/v1/massbalance",
		Page{}.with("lot", b.Lot, "class", b.Class, "party", b.Party, "site", b.Site, "from", b.From, "until", b.Until))
}

// Attestations lists certificates of claims by issuer or subject (addresses or names; empty: all), newest first.
func (c *Client) Attestations(ctx context.Context, issuer, subject string, p Page) (*AttestationList, error) {
	return askState[AttestationList](ctx, c, "/v1/attestations", p.with("issuer", issuer, "subject", subject))
}

// Attestation returns one certificate of a claim, with a proof of its record if wanted. ErrNotFound.
func (c *Client) Attestation(ctx context.Context, id string, prove bool) (*AttestationInfo, error) {
	return askState[AttestationInfo](ctx, c, "/v1/attestations/"+url.PathEscape(id), proving(prove))
}

// Anchors lists documents on record by author (address or name) or by what they are about (empty: all), newest first.
func (c *Client) Anchors(ctx context.Context, author, about string, p Page) (*AnchorList, error) {
	return askState[AnchorList](ctx, c, "/v1/anchors", p.with("author", author, "about", about))
}

// Anchor says who put a document on record first, with a proof of the record if wanted. ErrNotFound.
func (c *Client) Anchor(ctx context.Context, document crypto.Hash, prove bool) (*AnchorInfo, error) {
	return askState[AnchorInfo](ctx, c, "/v1/anchors/"+document.String(), proving(prove))
}

// Yields lists the declared yields of a party (address or name), by class.
func (c *Client) Yields(ctx context.Context, party string, p Page) (*YieldList, error) {
	return askState[YieldList](ctx, c, "/v1/yields", p.with("party", party))
}

// AttachmentFilter chooses attachments: of what was attached to a thing or place (Parent), or of a device or component, one of
// the two, at some moment between two times (RFC 3339), both included; empty: whenever.
type AttachmentFilter struct{ Parent, Device, From, Until string }

// Attachments lists which device was attached to what, and when, by device and time.
func (c *Client) Attachments(ctx context.Context, f AttachmentFilter, p Page) (*AttachmentList, error) {
	return askState[AttachmentList](ctx, c, "/v1/attachments", p.with("parent", f.Parent, "device", f.Device, "from", f.From, "until", f.Until))
}

// Proposals lists proposals to the validators, newest first. state is "open", "passed", "rejected", "failed" or empty.
func (c *Client) Proposals(ctx context.Context, state string, p Page) (*ProposalList, error) {
	return askState[ProposalList](ctx, c, "/v1/proposals", p.with("state", state))
}

// Proposal returns one proposal with its votes, and with a proof of its record if wanted. ErrNotFound.
func (c *Client) Proposal(ctx context.Context, id crypto.Hash, prove bool) (*ProposalDetail, error) {
	return askState[ProposalDetail](ctx, c, "/v1/proposals/"+id.String(), proving(prove))
}

// Params returns the parameters in force, the protocol, and who holds an office, with a proof of the parameters if wanted.
func (c *Client) Params(ctx context.Context, prove bool) (*ParamsInfo, error) {
	return askState[ParamsInfo](ctx, c, "/v1/params", proving(prove))
}
