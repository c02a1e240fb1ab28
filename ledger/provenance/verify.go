package provenance

import (
	"errors"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/light"
)

// Trust is what whoever checks a certificate knows already. Genesis or Start is needed.
type Trust struct {
	Genesis *ledger.Genesis   // the document of the network
	Start   *light.Checkpoint // an epoch whose validators are known; nil: that of genesis

	// Pin is a block known from a trusted source: the one that epoch PinEpoch begins after. The hand-overs must lead
	// through it. Zero: none.
	Pin      crypto.Hash
	PinEpoch quorum.Epoch

	// NowMs is the time of the check, ms since the Unix epoch, for Report.Stale and AgeMs; 0 asks for nothing.
	NowMs int64

	checker quorum.Checker // nil: the real one
}

// Verify checks a certificate and returns what it shows. Every error is an *Error of one of the kinds.
func Verify(data []byte, trust Trust) (*Report, error) {
	c, err := Decode(data)
	if err != nil {
		return nil, err
	}
	return c.verify(trust)
}

// verify checks everything but the form.
func (c *Certificate) verify(trust Trust) (*Report, error) {
	v := &verifier{cert: c, trust: trust}
	for _, step := range []func() error{v.followEpochs, v.checkPaths, v.checkHeight, v.checkStates, v.checkTransactions} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	w := &walk{view: &v.state, events: v.nextChain, depth: int(c.head.Depth), limit: c.head.Events}
	if err := w.run(c.head.Subject); err != nil {
		return nil, explain(err)
	}
	if err := v.nothingLeft(); err != nil {
		return nil, err
	}
	return v.report(w), nil
}

// verifier checks a certificate part by part.
type verifier struct {
	cert  *Certificate
	trust Trust

	epochs  []light.Checkpoint // from head.Base on
	begin   int64              // ms; from when on the validators are taken on trust
	headers map[quorum.Height]light.Header
	needed  map[quorum.Height]bool
	state   provenState
	txs     []*carried
	things  int // of the certificate, taken so far
}

// start is the epoch that the hand-overs of the certificate begin at.
func (v *verifier) start() (light.Checkpoint, error) {
	var start light.Checkpoint
	switch {
	case v.trust.Start != nil:
		start = *v.trust.Start
		if g := v.trust.Genesis; g != nil && g.Hash() != start.Genesis {
			return start, refuse(ErrTrust, nil, "checkpoint and genesis are of different networks")
		}
	case v.trust.Genesis != nil:
		var err error
		if start, err = light.Begin(v.trust.Genesis); err != nil {
			return start, refuse(ErrTrust, err, "genesis")
		}
	default:
		return start, refuse(ErrTrust, nil, "neither genesis nor a checkpoint is given")
	}
	start.Checker = v.trust.checker
	if v.cert.head.Genesis != start.Genesis {
		return start, refuse(ErrForeign, nil, "it is of the network with genesis %s, not %s", v.cert.head.Genesis, start.Genesis)
	}
	if start.Epoch != v.cert.head.Base {
		return start, refuse(ErrTrust, nil, "it begins with the validators of epoch %d, those of epoch %d are trusted; ask for one that begins there",
			v.cert.head.Base, start.Epoch)
	}
	return start, nil
}

// followEpochs follows the hand-overs.
func (v *verifier) followEpochs() error {
	at, err := v.start()
	if err != nil {
		return err
	}
	v.epochs, v.begin = []light.Checkpoint{at}, at.Anchor.TimeMs
	pinned, err := v.pin(at)
	if err != nil {
		return err
	}
	for i := range v.cert.handovers {
		h := &v.cert.handovers[i]
		closing, err := quorum.DecodeHeader(h.Closing)
		if err != nil {
			return refuse(ErrFormat, err, "hand-over %d", i)
		}
		cert, err := quorum.DecodeCertificate(h.Certificate)
		if err != nil {
			return refuse(ErrFormat, err, "hand-over %d", i)
		}
		next := at.Set
		if len(h.Next) > 0 {
			if next, err = quorum.DecodeSet(h.Next); err != nil {
				return refuse(ErrFormat, err, "hand-over %d", i)
			}
			if next.Hash() == at.Set.Hash() {
				return refuse(ErrDuplicate, nil, "hand-over %d repeats the validators", i)
			}
		}
		if at, err = at.Advance(closing, cert, next); err != nil {
			return refuse(ErrTrust, err, "the end of epoch %d", v.epochs[i].Epoch)
		}
		here, err := v.pin(at)
		if err != nil {
			return err
		}
		pinned = pinned || here
		v.epochs = append(v.epochs, at)
	}
	if !pinned && !v.trust.Pin.IsZero() {
		return refuse(ErrTrust, nil, "the checkpoint is of epoch %d, which the hand-overs from epoch %d to %d do not lead through: ask for another certificate",
			v.trust.PinEpoch, v.cert.head.Base, at.Epoch)
	}
	return nil
}

// pin reports whether an epoch is the one of the checkpoint, and takes the history as known from there on.
func (v *verifier) pin(at light.Checkpoint) (bool, error) {
	if v.trust.Pin.IsZero() || at.Epoch != v.trust.PinEpoch {
		return false, nil
	}
	if hash := at.Anchor.Hash(); hash != v.trust.Pin {
		return false, refuse(ErrTrust, nil, "epoch %d begins after block %s, the checkpoint says %s: this is another history", at.Epoch, hash, v.trust.Pin)
	}
	v.begin = at.Anchor.TimeMs
	return true, nil
}

// checkPaths checks all headers, those of an epoch at once.
func (v *verifier) checkPaths() error {
	v.headers, v.needed = map[quorum.Height]light.Header{}, map[quorum.Height]bool{}
	byEpoch := make([][]light.Path, len(v.epochs))
	below, first := quorum.Height(0), true
	for i := range v.cert.paths {
		p, err := decodePath(&v.cert.paths[i])
		if err != nil {
			return refuse(ErrFormat, err, "path %d", i)
		}
		if h := p.Headers[0]; h.Genesis != v.cert.head.Genesis {
			return refuse(ErrForeign, nil, "block %d is of the network with genesis %s", h.Height, h.Genesis)
		}
		if at := p.Headers[0].Height; !first && at <= below {
			return refuse(ErrDuplicate, nil, "block %d comes after block %d", at, below)
		}
		below, first = p.Headers[len(p.Headers)-1].Height, false
		e := p.Headers[0].Epoch
		if e < v.cert.head.Base || e-v.cert.head.Base >= quorum.Epoch(len(v.epochs)) {
			return refuse(ErrTrust, nil, "block %d is of epoch %d, whose validators the hand-overs do not lead to", p.Headers[0].Height, e)
		}
		byEpoch[e-v.cert.head.Base] = append(byEpoch[e-v.cert.head.Base], p)
	}
	for i, paths := range byEpoch {
		lists, err := v.epochs[i].VerifyPaths(paths)
		if err != nil {
			return refuse(ErrHeader, err, "epoch %d", v.epochs[i].Epoch)
		}
		for _, list := range lists {
			for _, h := range list {
				v.headers[h.Header().Height] = h
			}
		}
	}
	if last := len(byEpoch) - 1; len(v.cert.handovers) > 0 && len(byEpoch[last]) == 0 {
		return refuse(ErrExtra, nil, "no block of epoch %d is used", v.epochs[last].Epoch)
	}
	return nil
}

func decodePath(p *path) (light.Path, error) {
	n := len(p.Headers) / quorum.HeaderSize
	if n == 0 || n > maxPathHeaders || len(p.Headers)%quorum.HeaderSize != 0 {
		return light.Path{}, refuse(ErrFormat, nil, "%d bytes are no headers", len(p.Headers))
	}
	out := light.Path{Headers: make([]quorum.Header, n)}
	var err error
	for i := range out.Headers {
		if out.Headers[i], err = quorum.DecodeHeader(p.Headers[i*quorum.HeaderSize : (i+1)*quorum.HeaderSize]); err != nil {
			return out, err
		}
	}
	out.Certificate, err = quorum.DecodeCertificate(p.Certificate)
	return out, err
}

// header returns a header that was shown to be final.
func (v *verifier) header(at quorum.Height) (light.Header, error) {
	h, ok := v.headers[at]
	if !ok {
		return h, refuse(ErrHeader, nil, "the header of block %d is missing", at)
	}
	v.needed[at] = true
	return h, nil
}

// checkHeight checks that the state is the one after the height that the certificate states.
func (v *verifier) checkHeight() error {
	h := &v.cert.head
	committing, err := v.header(h.Committing)
	if err != nil {
		return err
	}
	if _, err := v.header(h.Height); err != nil {
		return err
	}
	if exec := committing.Header().ExecHeight; exec != h.Height {
		return refuse(ErrState, nil, "block %d commits to the state after block %d, not %d", h.Committing, exec, h.Height)
	}
	if h.Depth > MaxDepth || h.Events > MaxThingEvents {
		return refuse(ErrTooLarge, nil, "depth %d (at most %d), %d events (at most %d)", h.Depth, MaxDepth, h.Events, MaxThingEvents)
	}
	return nil
}

// checkStates checks every record against the state root.
func (v *verifier) checkStates() error {
	committing := v.headers[v.cert.head.Committing]
	v.state.records = make(map[string]int, len(v.cert.states))
	v.state.cert = v.cert
	for i := range v.cert.states {
		e := &v.cert.states[i]
		if _, twice := v.state.records[string(e.Key)]; twice {
			return refuse(ErrDuplicate, nil, "the record of key %s", keyText(e.Key))
		}
		if !e.Present && len(e.Value) > 0 {
			return refuse(ErrFormat, nil, "a record that is absent has a value")
		}
		if e.Present && e.Value == nil {
			e.Value = []byte{}
		} else if !e.Present {
			e.Value = nil
		}
		var proof crypto.TreeProof
		if err := proof.UnmarshalBinary(e.Proof); err != nil {
			return refuse(ErrFormat, err, "the proof of key %s", keyText(e.Key))
		}
		if err := light.VerifyState(committing, e.Key, e.Value, proof); err != nil {
			return refuse(ErrState, err, "key %s", keyText(e.Key))
		}
		v.state.records[string(e.Key)] = i
	}
	return nil
}

// provenState is the state as far as the certificate proves it. It counts what was read.
type provenState struct {
	cert    *Certificate
	records map[string]int
	read    int // entries read so far: they stand in the order in which they are read
}

// Read implements ledger.View.
func (s *provenState) Read(key []byte) ([]byte, error) {
	i, ok := s.records[string(key)]
	switch {
	case !ok:
		return nil, errMissing
	case i > s.read:
		return nil, refuse(ErrExtra, nil, "the record of key %s stands before it is needed", keyText(s.cert.states[s.read].Key))
	case i == s.read:
		s.read++
	}
	return s.cert.states[i].Value, nil
}

// checkTransactions checks that every transaction is in its block and has its receipt.
func (v *verifier) checkTransactions() error {
	blocks, last := make([]light.Header, len(v.cert.blocks)), quorum.Height(0)
	results := make([]light.Header, len(v.cert.blocks))
	var err error
	for i := range v.cert.blocks {
		b := &v.cert.blocks[i]
		if b.Height <= last {
			return refuse(ErrDuplicate, nil, "block %d comes after block %d", b.Height, last)
		}
		last = b.Height
		if b.Result > v.cert.head.Committing { // else the last hand-over might lead to that alone, and not to the state
			return refuse(ErrExtra, nil, "block %d, for the receipts of block %d, lies above block %d, which commits to the state", b.Result, b.Height,
				v.cert.head.Committing)
		}
		if blocks[i], err = v.header(b.Height); err != nil {
			return err
		}
		if results[i], err = v.header(b.Result); err != nil {
			return err
		}
		if b.Height > v.cert.head.Height {
			return refuse(ErrExtra, nil, "block %d lies above the height %d", b.Height, v.cert.head.Height)
		}
	}
	used := uint32(0)
	for i := range v.cert.transactions {
		t := &v.cert.transactions[i]
		if t.Block >= uint32(len(blocks)) {
			return refuse(ErrFormat, nil, "transaction %d is of no block", i)
		}
		if i > 0 {
			before := &v.cert.transactions[i-1]
			if t.Block < before.Block || t.Block == before.Block && t.Index <= before.Index {
				return refuse(ErrDuplicate, nil, "transaction %d does not come after the one before", i)
			}
		}
		if t.Block > used {
			return refuse(ErrExtra, nil, "no transaction of block %d is in it", v.cert.blocks[used].Height)
		}
		used = t.Block + 1
		c, err := v.carry(t, blocks[t.Block], results[t.Block])
		if err != nil {
			return err
		}
		v.txs = append(v.txs, c)
	}
	if used != uint32(len(blocks)) {
		return refuse(ErrExtra, nil, "no transaction of block %d is in it", v.cert.blocks[used].Height)
	}
	return nil
}

// carry checks one transaction and its receipt.
func (v *verifier) carry(t *transaction, in, result light.Header) (*carried, error) {
	b := &v.cert.blocks[t.Block]
	var paths [3][]crypto.Hash
	for i, list := range []hashes{t.Path, t.ReceiptPath, b.After} {
		var err error
		if paths[i], err = list.split(); err != nil {
			return nil, err
		}
	}
	p := light.EventProof{
		Block: in, Transaction: t.Raw, Inclusion: crypto.InclusionProof{Index: t.Index, Size: t.Size, Path: paths[0]}, Result: result,
		Receipt: light.ReceiptProof{
			Raw: t.Receipt, Inclusion: crypto.InclusionProof{Index: t.Index, Size: t.Size, Path: paths[1]}, Root: b.Root, Before: b.Before, After: paths[2],
		},
	}
	tx, records, err := light.VerifyEvents(p)
	if err != nil {
		return nil, refuse(ErrEvent, err, "transaction %d of block %d", t.Index, b.Height)
	}
	return &carried{tx: tx, records: records}, nil
}

// nextChain takes the events of the next thing, which must be the one that the walk has come to, and all of them.
func (v *verifier) nextChain(n name, c ledger.Chain) ([]event, error) {
	t, err := v.nextThing(n)
	if err != nil {
		return nil, err
	}
	if uint64(len(t.Events)) != c.Count {
		return nil, refuse(ErrIncomplete, nil, "%s has %d events, its record says %d", n.id, len(t.Events), c.Count)
	}
	events := make([]event, 0, len(t.Events))
	for i, p := range t.Events {
		if p.Tx >= uint32(len(v.txs)) {
			return nil, refuse(ErrIncomplete, nil, "an event of %s is of no transaction", n.id)
		}
		tx := v.txs[p.Tx]
		e, ok := tx.event(p.Event)
		if !ok {
			return nil, refuse(ErrEvent, nil, "transaction %s has no accepted event %d", tx.tx.ID(), p.Event)
		}
		// Two authors may record the same event, and the chain does not tell them apart: their order on the ledger does.
		if i > 0 && compareEvents(events[i-1], e) >= 0 {
			return nil, refuse(ErrIncomplete, nil, "event %s of %s is there twice, or not where it was recorded", e.rec.Hash, n.id)
		}
		tx.used = true
		events = append(events, e)
	}
	if err := foldsTo(events, c); err != nil {
		return nil, refuse(ErrIncomplete, err, "%s", n.id)
	}
	for _, e := range events {
		if !e.holds(n) {
			return nil, refuse(ErrIncomplete, nil, "event %s does not name %s", e.rec.Hash, n.id)
		}
	}
	return events, nil
}

func (v *verifier) nextThing(n name) (*thing, error) {
	if v.things == len(v.cert.things) {
		return nil, refuse(ErrGenealogy, nil, "the events of %s are missing", n.id)
	}
	t := &v.cert.things[v.things]
	if v.things++; t.ID != n.id || t.Lot != n.lot {
		return nil, refuse(ErrGenealogy, nil, "where the history leads to %s the certificate has %s", n.id, t.ID)
	}
	return t, nil
}

// explain gives what the ledger says about a record that does not decode a kind of this package.
func explain(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	return refuse(ErrState, err, "a record")
}

// nothingLeft checks that everything in the certificate was used.
func (v *verifier) nothingLeft() error {
	switch c := v.cert; {
	case v.state.read != len(c.states):
		return refuse(ErrExtra, nil, "the record of key %s", keyText(c.states[v.state.read].Key))
	case v.things != len(c.things):
		return refuse(ErrExtra, nil, "the thing %s", c.things[v.things].ID)
	}
	for i, tx := range v.txs {
		if !tx.used {
			return refuse(ErrExtra, nil, "transaction %d (%s)", i, tx.tx.ID())
		}
	}
	for i := range v.cert.paths {
		p, err := decodePath(&v.cert.paths[i])
		if err != nil || !v.needed[p.Headers[0].Height] {
			return refuse(ErrExtra, err, "headers that no part of the history needs")
		}
	}
	return nil
}
