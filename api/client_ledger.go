package api

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// Status says where the node is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return ask[Status](ctx, c, "/v1/status", nil)
}

// Genesis returns the document that the network began with. Its hash is the network's identity; compare it with one that
// you were given by other means before you trust anything else.
func (c *Client) Genesis(ctx context.Context) (*ledger.Genesis, error) {
	out, err := ask[ledger.Genesis](ctx, c, "/v1/genesis", nil)
	if err != nil {
		return nil, err
	}
	if err := out.Validate(); err != nil {
		return nil, fmt.Errorf("genesis document of %s: %w", c.base, err)
	}
	return out, nil
}

// ChainPoint returns what one needs to make a transaction: the network, its rules and where it is.
func (c *Client) ChainPoint(ctx context.Context) (ChainPoint, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return ChainPoint{}, err
	}
	if _, err := c.knownGenesis(ctx, status.Genesis); err != nil {
		return ChainPoint{}, err
	}
	// Not those of genesis: votes change them.
	now := *c
	now.asOf, now.minHeight = nil, 0
	rules, err := now.Params(ctx, false)
	if err != nil {
		return ChainPoint{}, err
	}
	return ChainPoint{Genesis: status.Genesis, Height: status.Height, Params: rules.Params}, nil
}

// knownGenesis asks for the genesis document once per network.
func (c *Client) knownGenesis(ctx context.Context, want crypto.Hash) (*ledger.Genesis, error) {
	c.known.mu.Lock()
	doc := c.known.doc
	c.known.mu.Unlock()
	if doc != nil && doc.Hash() == want {
		return doc, nil
	}
	doc, err := c.Genesis(ctx)
	if err != nil {
		return nil, err
	}
	if doc.Hash() != want {
		return nil, fmt.Errorf("the node at %s is in network %s but shows the genesis document of %s; client and node are of different versions", c.base, want, doc.Hash())
	}
	c.known.mu.Lock()
	c.known.doc = doc
	c.known.mu.Unlock()
	return doc, nil
}

// Peers lists the nodes that the node is connected to.
func (c *Client) Peers(ctx context.Context) ([]Peer, error) {
	out, err := ask[Peers](ctx, c, "/v1/peers", nil)
	if err != nil {
		return nil, err
	}
	return out.Peers, nil
}

// Block returns the final block named by its height in decimal, its hash in hex, or "latest".
func (c *Client) Block(ctx context.Context, name string) (*BlockInfo, error) {
	return ask[BlockInfo](ctx, c, "/v1/blocks/"+url.PathEscape(name), nil)
}

// BlockAt returns the final block at a height.
func (c *Client) BlockAt(ctx context.Context, height quorum.Height) (*BlockInfo, error) {
	return c.Block(ctx, number(uint64(height)))
}

// Blocks lists blocks, newest first: those below before (0: from the last), at most limit (0: the server's usual number).
func (c *Client) Blocks(ctx context.Context, before quorum.Height, limit int) (*BlockList, error) {
	query := pageQuery("limit", limit)
	if before > 0 {
		query.Set("before", number(uint64(before)))
	}
	return ask[BlockList](ctx, c, "/v1/blocks", query)
}

func pageQuery(name string, limit int) url.Values {
	query := url.Values{}
	if limit != 0 {
		query.Set(name, number(limit))
	}
	return query
}

// Submit sends a signed transaction of any kind and returns once the node has accepted it. Sending it again is safe: it
// counts once. Errors to branch on: ErrTransaction, ErrRefused, ErrBusy, ErrNotReady.
func (c *Client) Submit(ctx context.Context, raw []byte) (*TxInfo, error) {
	return c.submit(ctx, raw, nil)
}

// SubmitFinal is Submit and then WaitTransaction.
func (c *Client) SubmitFinal(ctx context.Context, raw []byte) (*TxInfo, error) {
	info, err := c.submit(ctx, raw, url.Values{"wait": {"final"}})
	if err != nil || info.Status != TxPending {
		return info, err
	}
	return c.WaitTransaction(ctx, info.ID)
}

func (c *Client) submit(ctx context.Context, raw []byte, query url.Values) (*TxInfo, error) {
	out := &TxInfo{}
	if _, err := c.json(ctx, call{method: http.MethodPost, path: "/v1/transactions", query: query, media: mediaTransaction, body: raw}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Transaction says what became of a transaction; ErrNotFound when the node does not know it.
func (c *Client) Transaction(ctx context.Context, id crypto.Hash) (*TxInfo, error) {
	return c.transaction(ctx, id, nil)
}

func (c *Client) transaction(ctx context.Context, id crypto.Hash, query url.Values) (*TxInfo, error) {
	return ask[TxInfo](ctx, c, "/v1/transactions/"+id.String(), query)
}

// WaitTransaction waits until a transaction is final, refused or expired, or ctx is done. A transaction that the node has
// not seen yet is waited for as well, for as long as the server waits; then it is ErrNotFound.
func (c *Client) WaitTransaction(ctx context.Context, id crypto.Hash) (*TxInfo, error) {
	for {
		info, err := c.transaction(ctx, id, url.Values{"wait": {"final"}})
		switch {
		case err == nil && info.Status != TxPending:
			return info, nil
		case err == nil:
			err = sleep(ctx, pollPause)
		default:
			err = patience(ctx, err)
		}
		if err != nil {
			return nil, c.waiting("transaction "+id.String(), err)
		}
	}
}

// waiting says what was waited for when the time was up.
func (c *Client) waiting(what string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("waiting for %s at %s: %w", what, c.base, err)
	}
	return err
}

// ProveTransaction returns the proof that a transaction is in a final block. Check it with [TransactionProof.Check].
func (c *Client) ProveTransaction(ctx context.Context, id crypto.Hash) (*TransactionProof, error) {
	info, err := c.transaction(ctx, id, url.Values{"prove": {"true"}})
	if err != nil {
		return nil, err
	}
	if info.Proof == nil {
		return nil, problem(ErrNotFound, "transaction %s is %s, so there is no proof of it", id, info.Status).help("Wait until it is final.")
	}
	return info.Proof.Transaction()
}

// ProveState returns the proof of the value under a raw state key, or that there is none. Check it with [StateProof.Check].
func (c *Client) ProveState(ctx context.Context, key []byte) (*StateProof, error) {
	return c.proveState(ctx, url.Values{"key": {hex.EncodeToString(key)}})
}

// ProveStateAt is ProveState in the state after a block: ErrNotFound for a height to which no header commits, ErrPruned for
// one that the node no longer keeps.
func (c *Client) ProveStateAt(ctx context.Context, key []byte, height quorum.Height) (*StateProof, error) {
	return c.AsOf(height).ProveState(ctx, key)
}

func (c *Client) proveState(ctx context.Context, query url.Values) (*StateProof, error) {
	out, err := askState[ProofInfo](ctx, c, "/v1/proofs/state", query)
	if err != nil {
		return nil, err
	}
	return out.State()
}

// ItemOptions say what more to ask about an item. The zero value asks for the usual.
type ItemOptions struct {
	Prove     bool           // with a proof of the record
	History   int            // most events; 0: the server's usual number
	Custodian crypto.Address // of a lot: whose balances; zero: nobody's
}

// Item says what the ledger knows of an identifier, in any of its spellings. ErrIdentifier, ErrNotFound.
func (c *Client) Item(ctx context.Context, id string, o ItemOptions) (*ItemInfo, error) {
	query := pageQuery("limit", o.History)
	query.Set("id", id)
	if o.Prove {
		query.Set("prove", "true")
	}
	if !o.Custodian.IsZero() {
		query.Set("custodian", o.Custodian.String())
	}
	return askState[ItemInfo](ctx, c, "/v1/items", query)
}

// TraceBack answers where something came from. Of the limits Depth and Nodes are asked for; 0: the server's usual.
func (c *Client) TraceBack(ctx context.Context, item string, l trace.Limits) (*trace.Graph, error) {
	return c.trace(ctx, "/v1/trace/back", item, l)
}

// TraceForward answers where something went, and what became of it. Limits as in TraceBack.
func (c *Client) TraceForward(ctx context.Context, item string, l trace.Limits) (*trace.Graph, error) {
	return c.trace(ctx, "/v1/trace/forward", item, l)
}

func (c *Client) trace(ctx context.Context, path, item string, l trace.Limits) (*trace.Graph, error) {
	query := pageQuery("depth", l.Depth)
	query.Set("item", item)
	if l.Nodes != 0 {
		query.Set("nodes", number(l.Nodes))
	}
	return ask[trace.Graph](ctx, c, path, query)
}

// Account shows an account; one that nobody ever sent anything to is shown empty, with Exists false.
func (c *Client) Account(ctx context.Context, a crypto.Address) (*AccountInfo, error) {
	return askState[AccountInfo](ctx, c, "/v1/accounts/"+a.String(), nil)
}

// Organisation finds an organisation by its address or its registered name.
func (c *Client) Organisation(ctx context.Context, addressOrName string) (*OrganisationInfo, error) {
	return askState[OrganisationInfo](ctx, c, "/v1/organisations/"+url.PathEscape(addressOrName), nil)
}

// Organisations lists organisations by address: those after the given one (zero: from the start), at most limit (0: the
// server's usual number).
func (c *Client) Organisations(ctx context.Context, after crypto.Address, limit int) (*OrganisationList, error) {
	query := pageQuery("limit", limit)
	if !after.IsZero() {
		query.Set("after", after.String())
	}
	return askState[OrganisationList](ctx, c, "/v1/organisations", query)
}

// Prefix shows who holds and held a GS1 company prefix.
func (c *Client) Prefix(ctx context.Context, digits string) (*PrefixInfo, error) {
	return askState[PrefixInfo](ctx, c, "/v1/prefixes/"+url.PathEscape(digits), nil)
}

// Validators lists the registered validators.
func (c *Client) Validators(ctx context.Context) (*ValidatorList, error) {
	return askState[ValidatorList](ctx, c, "/v1/validators", nil)
}

// OpenAPI returns the description of the HTTP interface that the node serves.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	a, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/openapi.json"})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// Live returns nil when the process answers.
func (c *Client) Live(ctx context.Context) error { return c.probe(ctx, "/livez") }

// Healthy returns nil when nothing is wrong that a restart could help; else ErrNotReady with what is.
func (c *Client) Healthy(ctx context.Context) error { return c.probe(ctx, "/healthz") }

// Ready returns nil when the node should be asked things; else ErrNotReady with what is missing.
func (c *Client) Ready(ctx context.Context) error { return c.probe(ctx, "/readyz") }

func (c *Client) probe(ctx context.Context, path string) error {
	_, err := c.do(ctx, call{method: http.MethodGet, path: path})
	return err
}
