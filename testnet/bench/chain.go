package main

import (
	"fmt"
	"strconv"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
	"waybill/ledger/store"
)

// companies on the network; each ships to the next one.
const companies = 4

// startMs is the time of the genesis block.
const startMs = 1_777_622_400_000

// eventsPerTransaction is how many events of an upload go into one transaction.
const eventsPerTransaction = 16

// chain is a network without consensus: blocks are made, executed and committed in one place.
type chain struct {
	genesis *ledger.Genesis
	hash    crypto.Hash
	keys    []crypto.PrivateKey // by company
	makers  []*maker
	tip     quorum.Header // of the last block that was made
}

// block is a block whose transactions are decoded and checked, as the executor of a node gets it.
type block struct {
	*ledger.Block
	payload [][]byte
	events  int
}

func newChain(seed uint64) (*chain, error) {
	c := &chain{}
	params := ledger.DefaultParams()
	params.EpochLength, params.EpochMs, params.ExpiryWindow = 1_000_000, 24*3600*1000, 100
	g := &ledger.Genesis{Version: ledger.GenesisVersion, Chain: "bench", TimeMs: startMs, Params: params}
	for i := range companies {
		key, err := crypto.GeneratePrivateKey(&countingReader{next: byte(i)})
		if err != nil {
			return nil, fmt.Errorf("making a key: %w", err)
		}
		c.keys = append(c.keys, key)
		g.Accounts = append(g.Accounts, ledger.GenesisAccount{Address: key.Address(), Balance: 1 << 56})
		g.Organisations = append(g.Organisations, ledger.GenesisOrganisation{
			Address: key.Address(), Name: "Company " + strconv.Itoa(i), Prefixes: []string{prefixOf(i)}, Parties: []string{partyOf(i)},
		})
		c.makers = append(c.makers, newMaker(seed, i, (i+1)%companies))
	}
	g.Registrars = []crypto.Address{c.keys[0].Address()}
	g.Validators = []ledger.GenesisValidator{{Name: "one", Key: c.keys[0].Public(), Stake: 1_000_000, Operator: c.keys[0].Address()}}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	c.genesis, c.hash, c.tip = g, g.Hash(), g.Block()
	return c, nil
}

// countingReader yields bytes for keys of nobody.
type countingReader struct{ next byte }

// Read implements io.Reader.
func (r *countingReader) Read(p []byte) (int, error) {
	for i := range p {
		r.next += 37
		p[i] = r.next
	}
	return len(p), nil
}

// believer takes every signature for valid: the figures are of execution alone.
type believer struct{}

// VerifyBatch implements quorum.Checker.
func (believer) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i := range out {
		out[i] = true
	}
	return out
}

// captures puts events of a company into transactions for the block at height h.
func (c *chain) captures(company int, h quorum.Height, events []*epcis.Event) ([]*ledger.Transaction, error) {
	var out []*ledger.Transaction
	for len(events) > 0 {
		n := min(len(events), eventsPerTransaction)
		p := &ledger.Capture{Mode: ledger.Rollback}
		for _, e := range events[:n] {
			data, err := epcis.EncodeEvent(e)
			if err != nil {
				return nil, err
			}
			p.Events = append(p.Events, data)
		}
		events = events[n:]
		body, err := ledger.NewBody(c.hash, c.keys[company].Address(), h+10, p)
		if err != nil {
			return nil, err
		}
		tx, err := ledger.NewTransaction(body, []ledger.SignedBy{{Key: c.keys[company].Public()}})
		if err != nil {
			return nil, err
		}
		out = append(out, tx)
	}
	return out, nil
}

// blockIntervalMs is the time between blocks, as their headers say it.
const blockIntervalMs = 1_000

// next makes the next block of transactions that fill makes for its height.
func (c *chain) next(fill func(h quorum.Height, timeMs int64) ([]*ledger.Transaction, error)) (*block, error) {
	parent := c.tip
	header := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: c.hash, Height: parent.Height + 1, View: parent.View + 1, ParentView: parent.View,
		Parent: parent.Hash(), TimeMs: parent.TimeMs + blockIntervalMs, ValidatorSet: parent.ValidatorSet, Params: parent.Params,
	}
	txs, err := fill(header.Height, header.TimeMs)
	if err != nil {
		return nil, err
	}
	b := &block{}
	var verified []ledger.VerifiedTransaction
	for _, r := range ledger.VerifyTransactionsWith(believer{}, txs) {
		if r.Err != nil {
			return nil, r.Err
		}
		verified = append(verified, r.Verified)
		b.payload = append(b.payload, r.Verified.Transaction().Raw())
		b.events += len(r.Verified.Transaction().Payload().(*ledger.Capture).Events)
	}
	header.PayloadRoot, header.TxCount = quorum.PayloadRoot(b.payload), uint32(len(b.payload))
	b.Block = &ledger.Block{Header: header, Transactions: verified}
	c.tip = header
	return b, nil
}

// bulk fills a block with batches of every company in turn, and with their arrivals if received is true.
func (c *chain) bulk(s shape, batches int, received bool) (*block, error) {
	return c.next(func(h quorum.Height, timeMs int64) ([]*ledger.Transaction, error) {
		var txs []*ledger.Transaction
		for i := range batches {
			from := i % companies
			m := c.makers[from]
			m.timeMs = timeMs - 500
			events, arrivals := m.batch(s)
			sent, err := c.captures(from, h, events)
			if err != nil {
				return nil, err
			}
			txs = append(txs, sent...)
			if !received {
				continue
			}
			got, err := c.captures((from+1)%companies, h, arrivals)
			if err != nil {
				return nil, err
			}
			txs = append(txs, got...)
		}
		return txs, nil
	})
}

// restock makes blocks that commission what every company needs for stocked batches.
func (c *chain) restock(batches int) ([]*block, error) {
	var out []*block
	for i, m := range c.makers {
		events := m.restock((batches + companies - 1) / companies)
		for len(events) > 0 {
			n := min(len(events), restockEvents)
			b, err := c.next(func(h quorum.Height, timeMs int64) ([]*ledger.Transaction, error) {
				for _, e := range events[:n] {
					e.EventTime = epcis.NewTimestamp(timeMs - 500)
				}
				return c.captures(i, h, events[:n])
			})
			if err != nil {
				return nil, err
			}
			out, events = append(out, b), events[n:]
		}
	}
	return out, nil
}

// restockEvents is how many commissionings one block of restock has at most.
const restockEvents = 100

// execute applies a block and commits it, durable. Every event must have been accepted without a mark: refused work is
// fast work.
func (b *block) execute(s *store.Store) error {
	update, err := ledger.Apply(s.View(), b.Block)
	if err != nil {
		return err
	}
	if _, err := s.Commit(b.Header, b.payload, nil, update, nil); err != nil {
		return err
	}
	if err := s.Sync(); err != nil {
		return err
	}
	for i := range update.Receipts {
		r := &update.Receipts[i]
		if !r.OK() || len(r.Flags) > 0 {
			return fmt.Errorf("transaction %d of block %d was refused or marked: %s %v", i, b.Header.Height, r.Finding, r.Flags)
		}
	}
	return nil
}
