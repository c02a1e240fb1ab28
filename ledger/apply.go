package ledger

import (
	"fmt"
	"strconv"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Apply executes a block over the state and returns what changes. It is pure: the same view and block give the same
// update. Every transaction gets a receipt. An error means that the state is damaged or cannot be read; nothing of the
// update may then be used.
//
// A panic inside one transaction refuses that transaction, so that nobody stops the network by one. Work of the block as a
// whole is not skipped: a panic in it is an error of kind ErrState, at which nodes stop.
func Apply(v View, b *Block) (up *Update, err error) {
	defer func() {
		if p := recover(); p != nil {
			up, err = nil, malformed(ErrState, "block %d cannot be executed: %s", b.Header.Height, describePanic(p))
		}
	}()
	return apply(v, b)
}

func apply(v View, b *Block) (*Update, error) {
	run, err := beginBlock(v, b)
	if err != nil {
		return nil, err
	}
	up := &Update{
		Height: b.Header.Height, Block: b.Header.Hash(), Receipts: make([]Receipt, len(b.Transactions)), Events: make([]EventRecord, 0, b.events()),
	}
	ids := make([]byte, 0, len(b.Transactions)*crypto.HashSize)
	for i, vt := range b.Transactions {
		if vt.tx == nil {
			return nil, malformed(ErrSignature, "transaction %d of block %d is not a verified one", i, b.Header.Height)
		}
		r := run.transaction(vt.tx)
		if run.o.err != nil {
			return nil, fmt.Errorf("reading state for block %d: %w", b.Header.Height, run.o.err)
		}
		if r.counted {
			ids = append(ids, vt.tx.id[:]...)
		}
		up.Receipts[i] = r.Receipt
		up.Events = appendEvents(up.Events, b.Header, i, vt.tx, &r.Receipt)
	}
	run.follow()
	if b.Next != nil {
		run.closeEpoch(&b.Header, b.Next)
	}
	run.remember(ids)
	run.rememberUndo()
	if up.Writes, err = run.o.writes(); err != nil {
		return nil, fmt.Errorf("collecting the writes of block %d: %w", b.Header.Height, err)
	}
	if run.o.err != nil {
		return nil, fmt.Errorf("reading state for block %d: %w", b.Header.Height, run.o.err)
	}
	up.ReceiptsRoot = ReceiptsRoot(up.Receipts)
	return up, nil
}

// blockRun is the execution of one block.
type blockRun struct {
	o       *overlay
	params  Params
	genesis crypto.Hash
	height  quorum.Height
	timeMs  int64       // of the block
	epoch   epochRecord // of the block

	holders map[string]holding // answers of prefixHolder, until a prefix changes
	looks   workBudget         // what may still be looked at inside of what is shipped
	work    workBudget         // what events make for without naming it
	overs   int                // notices entered beyond the lists of holds
	undoIDs []byte             // transactions of this block whose events can be undone, one id after the other
}

func beginBlock(v View, b *Block) (*blockRun, error) {
	params, err := ReadParams(v)
	if err != nil {
		return nil, err
	}
	genesis, err := ReadGenesisHash(v)
	if err != nil {
		return nil, err
	}
	epoch, err := must[epochRecord](v, []byte(keyEpoch))
	if err != nil {
		return nil, err
	}
	run := &blockRun{o: newOverlay(v), params: *params, genesis: genesis, height: b.Header.Height, timeMs: b.Header.TimeMs, epoch: *epoch}
	run.o.makeRoom(b.events())
	if err := run.checkProtocol(); err != nil {
		return nil, err
	}
	if err := run.checkBlock(b); err != nil {
		return nil, err
	}
	run.forgetHolders()
	run.releaseUnbonded()
	run.forget()
	run.forgetUndo()
	if err := run.countDuty(&b.Header); err != nil {
		return nil, err
	}
	return run, run.o.err
}

// forget drops the ids of the block that no transaction in the expiry window can repeat any more. The window is the longest
// there ever was: one that is in force now may be shorter than that under which a transaction got its expiry height.
func (b *blockRun) forget() {
	g, _ := get[guards](b.o, []byte(keyGuards))
	window := quorum.Height(g.ExpiryWindow)
	if b.height <= window+1 {
		return
	}
	old := includedKey(b.height - window - 1)
	rec, ok := get[included](b.o, old)
	if !ok {
		return
	}
	for ids := rec.IDs; len(ids) >= crypto.HashSize; ids = ids[crypto.HashSize:] {
		b.o.del(SeenKey(crypto.Hash(ids[:crypto.HashSize])))
	}
	b.o.del(old)
}

// remember keeps the ids of this block for forget.
func (b *blockRun) remember(ids []byte) {
	if len(ids) > 0 {
		put(b.o, includedKey(b.height), included{IDs: ids})
	}
}

// outcome is a receipt, and whether the transaction counts as executed: one that breaks R1 leaves no trace in the
// state, so that it cannot be charged to somebody who did not sign it.
type outcome struct {
	Receipt
	counted bool
}

// transaction executes one transaction: admission, fee, effects.
func (b *blockRun) transaction(tx *Transaction) outcome {
	out := outcome{Receipt: Receipt{Tx: tx.id, Finding: Finding{EventIndex: -1}}}
	var fee uint64
	f := guarded(func() (f *Finding) {
		fee, f = admit(b, tx)
		return f
	})
	if f != nil {
		out.Finding = *f
		out.bound()
		return out
	}
	out.counted, out.Fee = true, fee
	b.takeFee(tx.payer(), fee)
	t := &txRun{blockRun: b, tx: tx, author: tx.Body.Author, receipt: &out.Receipt}
	t.execute()
	out.bound()
	put(b.o, SeenKey(tx.id), Seen{Height: b.height, OK: out.OK()})
	return out
}

// txRun is the execution of one transaction.
type txRun struct {
	*blockRun
	tx      *Transaction
	author  crypto.Address
	receipt *Receipt
	undo    []eventUndo // what its events changed, so far
}

// execute applies the transaction on a layer of its own. A refusal, or a panic, drops the layer: nothing but the fee
// remains.
func (t *txRun) execute() {
	depth := len(t.o.layers)
	defer func() {
		if p := recover(); p != nil {
			t.o.dropTo(depth)
			t.forgetHolders()
			t.fail(&Finding{Code: CodeInternal, EventIndex: -1, Args: []string{describePanic(p)}})
		}
	}()
	t.o.push()
	if f := t.tx.payload.effects(t); f != nil {
		t.o.drop()
		t.forgetHolders()
		t.fail(f)
		return
	}
	if _, captures := t.tx.payload.(*Capture); !captures {
		t.stampMoves()
	}
	t.o.merge()
	if len(t.undo) > 0 {
		t.undoIDs = append(t.undoIDs, t.tx.id[:]...)
	}
}

// fail makes the receipt that of a refused transaction.
func (t *txRun) fail(f *Finding) {
	t.receipt.Finding = *f
	t.receipt.Flags, t.receipt.Refused = nil, nil
	for i := range t.receipt.Status {
		switch {
		case i == int(f.EventIndex):
			t.receipt.Status[i] = byte(EventRefused)
		default:
			t.receipt.Status[i] = byte(EventRolledBack)
		}
	}
}

// describePanic is deterministic: what a runtime error says depends on no address.
func describePanic(p any) string {
	return fmt.Sprint(p)
}

// refuse makes a finding about the transaction as a whole.
func refuse(code Code, field string, args ...string) *Finding {
	return &Finding{Code: code, EventIndex: -1, Field: field, Args: args}
}

func decimal[T ~uint64 | ~int64 | ~int](n T) string {
	if n < 0 {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatUint(uint64(n), 10)
}
