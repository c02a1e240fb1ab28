package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// A ledger may begin at a block above genesis: its base. Of the base it has the header, the state and the roots; of the
// blocks below it nothing, besides the headers and certificates that hand over between epochs. OpenRestore makes such a
// ledger from a state that somebody certified (see ledger/snapshot).

// Handover shows that the validators of one epoch handed over to those of the next: the block that closes the epoch, what
// made it final, and the set that its header names.
type Handover struct {
	Closing     quorum.Header
	Certificate quorum.Certificate
	Next        *quorum.Set
}

// Base is the lowest block that is here: 0, unless the ledger was restored from a snapshot. Of a base above 0 the header,
// the state and the roots are here, but neither its transactions nor its receipts.
func (s *Store) Base() quorum.Height { return s.base }

// Handover returns how epoch e ended. Errors: ErrNotFound for one that has not ended here.
func (s *Store) Handover(e quorum.Epoch) (Handover, error) {
	if e+1 == 0 {
		return Handover{}, notFound("epoch %d has not ended here", e)
	}
	next, err := s.Epoch(e + 1)
	if err != nil {
		return Handover{}, err
	}
	cert, err := s.Certificate(next.Anchor.Height)
	if err != nil {
		return Handover{}, s.missing(err, next.Anchor.Height)
	}
	if cert == nil {
		return Handover{}, s.corrupt(nil, "block %d closes epoch %d without a certificate of its own", next.Anchor.Height, e)
	}
	return Handover{Closing: next.Anchor, Certificate: *cert, Next: next.Set}, nil
}

// absent says why a block is not here.
func (s *Store) absent(h quorum.Height) error {
	if s.base > 0 && h <= s.base {
		return refuse(ErrBelowBase, "block %d is not kept here, this ledger begins with block %d: ask a node that keeps it", h, s.base)
	}
	return notFound("there is no block %d here", h)
}

// loadBase reads where the ledger begins.
func (s *Store) loadBase() error {
	raw, err := s.get(metaKey(metaBase))
	if err != nil || raw == nil {
		return err
	}
	if len(raw) != 8 {
		return s.corrupt(nil, "the base has %d bytes", len(raw))
	}
	s.base = quorum.Height(binary.BigEndian.Uint64(raw))
	return nil
}

// auditBase is auditBlock for the first block that is here, when that is not the genesis block, and for the hand-overs
// that lead to it.
func (s *Store) auditBase() (audited, error) {
	header, err := s.Header(s.base)
	if err != nil {
		return audited{}, err
	}
	roots, err := s.roots(nil, s.base)
	if err != nil {
		return audited{}, err
	}
	hash := header.Hash()
	if at, err := s.HeightOf(hash); err != nil || at != s.base || header.Height != s.base || header.Genesis != s.genesis {
		return audited{}, s.corrupt(err, "the base, block %d, stands at another height, or is of another network", s.base)
	}
	epoch, err := s.Epoch(0)
	if err != nil {
		return audited{}, s.missing(err, 0)
	}
	for epoch.Number < epochAfter(header) {
		h, err := s.Handover(epoch.Number)
		if err != nil {
			return audited{}, s.missing(err, s.base)
		}
		if h.Closing.Epoch != epoch.Number || h.Closing.ValidatorSet != epoch.Set.Hash() || h.Closing.NextValidatorSet != h.Next.Hash() {
			return audited{}, s.corrupt(nil, "epoch %d does not hand over to epoch %d", epoch.Number, epoch.Number+1)
		}
		epoch = EpochRecord{Number: epoch.Number + 1, Set: h.Next, Anchor: h.Closing}
	}
	return audited{hash: hash, chain: roots.chain, epoch: epoch}, nil
}

// unfinished reports whether a restore was begun and not finished.
func (s *Store) unfinished() (bool, error) {
	raw, err := s.get(metaKey(metaRestoring))
	return raw != nil, err
}

// clear removes the ledger from a batch's point of view, but not what others keep beside it.
func (s *Store) clear(batch *pebble.Batch) error {
	return errors.Join(
		batch.DeleteRange([]byte{prefixTip}, []byte{JournalFirst}, nil),
		batch.DeleteRange([]byte{IndexFirst}, []byte{IndexLast + 1}, nil),
		batch.Delete(metaKey(metaBase), nil))
}

// Base is what a restored ledger begins with, besides the state. All of it must have been verified.
type Base struct {
	// Headers begin with the block after which the state is and go on to one whose ExecHeight is its height; then further
	// ones up to the end of Certificates.
	Headers []quorum.Header
	// Certificates of the headers, by index; most are nil. One of them is of the first header's epoch.
	Certificates []*quorum.Certificate
	// Handovers of all epochs before the one that follows the first header, from epoch 0 on.
	Handovers []Handover
}

// committing is the header that commits to the state after the first.
func (b *Base) committing() (quorum.Header, bool) {
	for _, h := range b.Headers {
		if h.ExecHeight == b.Headers[0].Height {
			return h, true
		}
	}
	return quorum.Header{}, false
}

// Restore is a ledger being made from a snapshot. Until Finish it is no ledger: a crash, or Close, leaves one with the
// genesis block only. One goroutine uses it.
type Restore struct {
	s        *Store
	genesis  *ledger.Genesis
	root     crypto.Hash // of the state that was put so far
	finished bool
}

// OpenRestore opens the ledger in the data folder dir to put another one in its place. Unless replace is true it must be
// empty: at its genesis block. What others keep in the database stays, except for the index, which follows the ledger.
// Errors are those of Open, and ErrSequence for a ledger that is not empty.
func OpenRestore(dir string, genesis *ledger.Genesis, opts Options, replace bool) (*Restore, error) {
	s, err := Open(dir, genesis, opts)
	if err != nil {
		return nil, err
	}
	r := &Restore{s: s, genesis: genesis}
	if h := s.Tip().Height; h > 0 && !replace {
		err = refuse(ErrSequence, "%s holds a ledger of %d blocks already: use an empty data folder, or say that it may be replaced", s.dir, h)
	}
	if err == nil {
		err = r.begin()
	}
	if err != nil {
		r.finished = true
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// begin marks the database as half-made before anything of it goes.
func (r *Restore) begin() error {
	batch := r.s.db.NewBatch()
	err := errors.Join(r.s.clear(batch), batch.Set(metaKey(metaRestoring), []byte{1}, nil))
	return r.apply(batch, err, true)
}

func (r *Restore) apply(batch *pebble.Batch, err error, sync bool) error {
	if err != nil {
		_ = batch.Close()
		return r.s.classify(err, "preparing a restore")
	}
	return r.s.Apply(batch, sync)
}

// Put adds entries of the state. No key may come twice.
func (r *Restore) Put(entries []Entry) error {
	writes := make([]crypto.TreeWrite, len(entries))
	batch := r.s.db.NewBatch()
	var err error
	for i, e := range entries {
		writes[i] = crypto.TreeWrite{Key: e.Key, Value: e.Value}
		if e.Value == nil {
			writes[i].Value = []byte{}
		}
		r.s.filter.add(r.s.filter.hash(e.Key))
		err = errors.Join(err, batch.Set(stateKey(e.Key), versioned(nil, 0, e.Value), nil))
	}
	root, pages, treeErr := crypto.UpdateTree(livePages{r.s, nil}, writes)
	if treeErr != nil {
		_ = batch.Close()
		return r.s.classify(treeErr, "building the state tree")
	}
	for _, p := range pages {
		if p.Data == nil {
			err = errors.Join(err, batch.Delete(pageKey(p.Path), nil))
			continue
		}
		err = errors.Join(err, batch.Set(pageKey(p.Path), append(versioned(nil, 0, []byte(crypto.WholePatch)), p.Data...), nil))
	}
	if err := r.apply(batch, err, false); err != nil {
		return err
	}
	r.root = root
	return nil
}

// ErrWrongState is what Finish returns when the state is not the certified one.
var ErrWrongState = errors.New("the restored state is not the certified one")

// Finish makes it a ledger whose last block, and base, is the first header. The state must have the root that the
// committing header carries; if not the error is ErrWrongState, and Close leaves an empty ledger.
func (r *Restore) Finish(b Base) error {
	if len(b.Headers) == 0 || len(b.Certificates) != len(b.Headers) {
		return refuse(ErrSequence, "a base of %d headers and %d certificates", len(b.Headers), len(b.Certificates))
	}
	commit, ok := b.committing()
	if !ok {
		return refuse(ErrSequence, "no header commits to the state after block %d", b.Headers[0].Height)
	}
	if commit.ExecStateRoot != r.root {
		return fmt.Errorf("%w: it hashes to %s, block %d commits to %s", ErrWrongState, r.root, commit.Height, commit.ExecStateRoot)
	}
	c := &commitBase{commit: commit, base: b}
	c.s, c.batch = r.s, r.s.db.NewBatch()
	c.write(r.genesis)
	if c.err != nil {
		_ = c.batch.Close()
		return r.s.classify(c.err, "preparing a restored ledger")
	}
	if err := r.s.Apply(c.batch, true); err != nil {
		return err
	}
	r.finished = true
	return nil
}

// commitBase gathers the batch that turns a restored state into a ledger.
type commitBase struct {
	s      *Store
	batch  *pebble.Batch
	base   Base
	commit quorum.Header
	err    error
}

func (c *commitBase) set(key, value []byte) {
	if c.err == nil {
		c.err = c.batch.Set(key, value, nil)
	}
}

func (c *commitBase) write(genesis *ledger.Genesis) {
	first := c.base.Headers[0]
	c.genesis(genesis)
	for _, h := range c.base.Handovers {
		c.header(h.Closing, &h.Certificate)
		c.set(epochKey(epochAfter(h.Closing)), EpochRecord{Set: h.Next, Anchor: h.Closing}.encode())
	}
	c.results()
	c.header(first, c.base.Certificates[0])
	tip := tipRecord{oldest: first.Height}
	tip.Height, tip.Hash = first.Height, first.Hash()
	tip.StateRoot, tip.ReceiptsChain = c.commit.ExecStateRoot, c.commit.ExecReceiptsRoot
	c.set(tipKey(), tip.encode())
	c.set(metaKey(metaBase), binary.BigEndian.AppendUint64(nil, uint64(first.Height)))
	for i, cert := range c.base.Certificates {
		if cert != nil && c.base.Headers[i].Epoch == first.Epoch {
			c.set(metaKey(metaBaseCertificate), cert.Encode())
			break
		}
	}
	if c.err == nil {
		c.err = c.batch.Delete(metaKey(metaRestoring), nil)
	}
}

// genesis writes what every ledger has of block 0, without its state.
func (c *commitBase) genesis(genesis *ledger.Genesis) {
	set, err := genesis.ValidatorSet()
	if err != nil {
		c.err = err
		return
	}
	block := genesis.Block()
	c.header(block, nil)
	c.set(heightKey(prefixPayload, 0), frame(nil))
	c.set(heightKey(prefixReceipts, 0), frame(nil))
	receipts := ledger.ReceiptsRoot(nil)
	roots := blockRoots{state: block.ExecStateRoot, receipts: receipts, chain: ledger.ChainReceipts(crypto.Hash{}, receipts)}
	c.set(heightKey(prefixRoots, 0), roots.encode())
	c.set(epochKey(0), EpochRecord{Set: set, Anchor: block}.encode())
}

func (c *commitBase) header(h quorum.Header, cert *quorum.Certificate) {
	hash := h.Hash()
	c.set(heightKey(prefixHeader, h.Height), h.Encode())
	c.set(hashKey(prefixBlockHash, hash), binary.BigEndian.AppendUint64(nil, uint64(h.Height)))
	var raw []byte
	if cert != nil {
		raw = cert.Encode()
	}
	c.set(heightKey(prefixCertificate, h.Height), raw)
}

// results writes the roots that the headers carry: those of the base, and of the heights just below it that the next
// blocks' headers may still name. The receipts of these blocks are not here, only what they chain to.
func (c *commitBase) results() {
	for _, h := range c.base.Headers {
		if h.ExecHeight == 0 || h.ExecHeight > c.base.Headers[0].Height {
			continue
		}
		roots := blockRoots{state: h.ExecStateRoot, chain: h.ExecReceiptsRoot}
		c.set(heightKey(prefixRoots, h.ExecHeight), roots.encode())
	}
}

// Close releases the folder. Without Finish the ledger is empty from then on.
func (r *Restore) Close() error {
	var err error
	if !r.finished && r.s.Err() == nil {
		err = r.s.reset(r.genesis)
	}
	return errors.Join(err, r.s.Close())
}

// reset makes the ledger one with the genesis block only.
func (s *Store) reset(genesis *ledger.Genesis) error {
	batch := s.db.NewBatch()
	if err := s.clear(batch); err != nil {
		_ = batch.Close()
		return s.classify(err, "emptying the ledger")
	}
	// Still marked as half-made: creating the genesis block, in one batch, takes the mark away.
	if err := s.Apply(batch, true); err != nil {
		return err
	}
	s.base = 0
	s.records.forget()
	return s.create(genesis)
}

// BaseCertificate makes the base final, itself or through a descendant in its epoch; nil for a ledger that begins at its
// genesis block.
func (s *Store) BaseCertificate() (*quorum.Certificate, error) {
	raw, err := s.get(metaKey(metaBaseCertificate))
	if err != nil || raw == nil {
		return nil, err
	}
	cert, err := quorum.DecodeCertificate(raw)
	if err != nil {
		return nil, s.corrupt(err, "reading the certificate of the base")
	}
	return &cert, nil
}
