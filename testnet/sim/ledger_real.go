package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/node"
)

// This file puts the real ledger under the simulated network, in memory: stake is money, evidence is a transaction, and
// who equivocates is punished, whatever it does to get away.

// realState is the state of the real ledger after a block. It is never changed.
type realState struct {
	view    map[string][]byte
	slashed []crypto.Address // operators punished in that block
	elected *quorum.Set      // by this state; nil until asked for
}

// Read implements ledger.View.
func (s *realState) Read(key []byte) ([]byte, error) { return s.view[string(key)], nil }

// Places in the keyring: node i votes with key i, its operator has key operatorKeys+i, and it may rotate to key
// spareKeys+i.
const (
	operatorKeys = 10
	spareKeys    = 20
)

func operator(node int) crypto.PublicKey { return keyring()[operatorKeys+node].public }

// realRules executes blocks with ledger.Apply.
type realRules struct {
	w        *world
	decoded  map[string]*ledger.VerifiedTransaction
	executed map[crypto.Hash]block // by hash of the block: Apply is a pure function
}

// realGenesis makes the first block of a network with the real ledger.
func (w *world) realGenesis() (block, error) {
	params := ledger.AdoptParams()
	params.EpochLength, params.EpochMs = max(w.plan.EpochLength, execDelay+1), w.plan.EpochMs
	params.UnbondingEpochs, params.DowntimePercent, params.EpochReward = uint64(min(10_000, 72_000_000/w.plan.EpochMs)), 100, 7
	params.ExecDelay, params.MinBond, params.MinBlockIntervalMs, params.ExpiryWindow = execDelay, 1, 50, 10_000
	g := &ledger.Genesis{
		Version: ledger.GenesisVersion, Chain: "simulated", TimeMs: startMs - 1_000, Params: params, Reserve: 1_000_000,
		Registrars: []crypto.Address{operator(0).Address()},
	}
	for i, stake := range w.plan.Stakes {
		g.Validators = append(g.Validators, ledger.GenesisValidator{
			Name: fmt.Sprintf("node %d", i), Key: keyring()[i].public, Stake: stake, Operator: operator(i).Address(),
		})
		g.Accounts = append(g.Accounts, ledger.GenesisAccount{Address: operator(i).Address(), Balance: 1_000_000})
	}
	if err := g.Validate(); err != nil {
		return block{}, err
	}
	state := &realState{view: map[string][]byte{}}
	for _, write := range g.State() {
		state.view[string(write.Key)] = write.Value
	}
	header := g.Block()
	set, err := g.ValidatorSet()
	if err != nil {
		return block{}, err
	}
	w.first, w.rules = set, &realRules{w: w, decoded: map[string]*ledger.VerifiedTransaction{}, executed: map[crypto.Hash]block{}}
	w.money.genesis = header.Genesis
	w.money.reported = map[int]reportedOffence{}
	w.money.slashed = map[crypto.Address]quorum.Height{}
	result := node.Result{StateRoot: header.ExecStateRoot, ReceiptsChain: header.ExecReceiptsRoot}
	return block{header: header, hash: header.Hash(), result: result, state: state}, nil
}

// decode returns a transaction whose signatures hold; nil if there is none in these bytes.
func (r *realRules) decode(raw []byte) *ledger.VerifiedTransaction {
	if tx, ok := r.decoded[string(raw)]; ok {
		return tx
	}
	var out *ledger.VerifiedTransaction
	if tx, err := ledger.DecodeTransaction(raw); err == nil {
		if v := ledger.VerifyTransactionsWith(keyedHash{}, []*ledger.Transaction{tx})[0]; v.Err == nil {
			out = &v.Verified
		}
	}
	r.decoded[string(raw)] = out
	return out
}

func (r *realRules) check(payload [][]byte) ([]crypto.Hash, error) {
	var ids []crypto.Hash
	for _, raw := range payload {
		tx := r.decode(raw)
		if tx == nil {
			return nil, fmt.Errorf("a transaction of %d bytes is not one", len(raw))
		}
		ids = append(ids, tx.Transaction().ID())
	}
	return ids, nil
}

func (r *realRules) id(raw []byte) crypto.Hash {
	if tx := r.decode(raw); tx != nil {
		return tx.Transaction().ID()
	}
	return sha256.Sum256(raw)
}

// again is how often a block that was executed before is executed once more, to see the same.
const again = 8

func (r *realRules) execute(last *block, b node.FinalBlock) (block, error) {
	known, ok := r.executed[b.Hash]
	if ok && uint64(b.Header.Height)%again != 0 {
		return known, nil
	}
	var txs []ledger.VerifiedTransaction
	for _, raw := range b.Payload {
		tx := r.decode(raw)
		if tx == nil {
			return block{}, fmt.Errorf("block %d holds what is no transaction", b.Header.Height)
		}
		txs = append(txs, *tx)
	}
	up, err := ledger.Apply(last.state, &ledger.Block{Header: b.Header, Transactions: txs, Next: b.Next})
	if err != nil {
		return block{}, err
	}
	out := block{state: &realState{view: maps.Clone(last.state.view)}}
	h := sha256.New()
	h.Write(last.result.StateRoot[:])
	for _, write := range up.Writes {
		if write.Value == nil {
			delete(out.state.view, string(write.Key))
		} else {
			out.state.view[string(write.Key)] = write.Value
		}
		fmt.Fprintf(h, "%d %d ", len(write.Key), len(write.Value))
		h.Write(write.Key)
		h.Write(write.Value)
	}
	h.Sum(out.result.StateRoot[:0])
	out.result.ReceiptsChain = ledger.ChainReceipts(last.result.ReceiptsChain, up.ReceiptsRoot)
	out.state.slashed = slashedIn(up, txs)
	if ok && out.result != known.result {
		return block{}, fmt.Errorf("executing block %d twice gives two results", b.Header.Height)
	}
	if err := r.w.moneyKept(out.state); err != nil {
		return block{}, r.w.oracle.broken("after block %d: %v", b.Header.Height, err)
	}
	r.executed[b.Hash] = out
	return out, nil
}

// slashedIn lists the operators that a block punished.
func slashedIn(up *ledger.Update, txs []ledger.VerifiedTransaction) []crypto.Address {
	var out []crypto.Address
	for i := range up.Receipts {
		for _, f := range up.Receipts[i].Flags {
			if f.Code == ledger.CodeSlashed {
				if a, err := crypto.ParseAddress(f.Args[0]); err == nil {
					out = append(out, a)
				}
			}
		}
	}
	return out
}

func (r *realRules) elect(after *block, _ *quorum.Set) (*quorum.Set, error) {
	if after.state.elected == nil {
		set, err := ledger.NextSet(after.state)
		if err != nil {
			return nil, err
		}
		after.state.elected = set
	}
	return after.state.elected, nil
}

// moneyKept adds up all money there is, account by account: it is what genesis had.
func (w *world) moneyKept(s *realState) error {
	supply, err := ledger.ReadSupply(s)
	if err != nil {
		return err
	}
	sum := supply.FeePool + supply.Reserve + supply.Burned
	want := uint64(1_000_000) // the reserve
	for i, stake := range w.plan.Stakes {
		want += 1_000_000 + stake
		a, err := ledger.ReadAccount(s, operator(i).Address())
		if err != nil || a == nil {
			return fmt.Errorf("the account of operator %d: %v", i, err)
		}
		sum += a.Balance + a.Bonded
		for _, r := range a.Unbonding {
			sum += r.Amount
		}
	}
	if sum != want {
		return fmt.Errorf("there are %d units of money, genesis had %d", sum, want)
	}
	return nil
}

// money is what a run with the real ledger knows of offences.
type money struct {
	genesis  crypto.Hash
	reported map[int]reportedOffence          // by node
	slashed  map[crypto.Address]quorum.Height // by operator
	last     []byte
}

type reportedOffence struct {
	height quorum.Height // the tip of the first honest node that reported it
	epoch  quorum.Epoch  // of the offence
}

// slashWithin is the promise: so many blocks after the first honest node saw it.
const slashWithin = 20

// reported is what the shell does with evidence: a transaction for the own pool and for everybody's.
func (w *world) reported(m *member, e quorum.Evidence) {
	set := w.oracle.epochs[e.First.Epoch]
	if !w.plan.Slashing || set == nil || w.oracle.fault != nil {
		return
	}
	who := w.memberOf(set.keys[e.Signer()])
	tip := m.disk.chain[len(m.disk.chain)-1]
	if _, known := w.money.reported[who.self]; !known {
		w.money.reported[who.self] = reportedOffence{tip.header.Height, e.First.Epoch}
	}
	tx, err := ledger.NewEvidenceTransaction(quorum.Domain{Genesis: w.money.genesis, Set: set.set}, e)
	if err != nil {
		_ = w.oracle.broken("evidence makes no transaction: %v", err)
		return
	}
	if ledger.Precheck(tip.state, tip.header.Height+1, tx) != nil {
		return // punished already
	}
	m.later(0, func(*node.Replica) error { return m.submit(tx.Raw(), true) })
}

// slashedAt notes the punishments of a block that nobody executed before.
func (w *world) slashedAt(b *block) {
	if b.state == nil {
		return
	}
	for _, a := range b.state.slashed {
		who := -1
		for i := range w.plan.Stakes {
			if operator(i).Address() == a {
				who = i
			}
		}
		at := b.header.Height
		first, known := w.money.reported[who]
		switch before, twice := w.money.slashed[a]; {
		case who < 0 || w.nodes[who].honest():
			_ = w.oracle.broken("block %d punishes node %d, who is honest", at, who)
		case twice:
			_ = w.oracle.broken("blocks %d and %d punish node %d, twice for all", before, at, who)
		case !known:
			_ = w.oracle.broken("block %d punishes node %d, whom no honest node reported", at, who)
		case at > first.height+slashWithin:
			_ = w.oracle.broken("block %d punishes node %d, whom an honest node reported at height %d", at, who, first.height)
		default:
			if stone, err := ledger.ReadTombstone(b.state, a); err != nil || stone == nil || stone.Taken == 0 {
				_ = w.oracle.broken("block %d punishes node %d, and takes nothing", at, who)
			}
			w.money.slashed[a] = at
			w.report.Counts[CountSlashed]++
			w.report.SlashBlocks = max(w.report.SlashBlocks, int(at-first.height))
			if b.header.Epoch > first.epoch {
				w.report.Counts[CountLateSlash]++
			}
		}
	}
}

// moneyDone reports whether everybody who was reported is punished, and still is nothing but that.
func (w *world) moneyDone() bool {
	for who := range w.money.reported {
		if _, done := w.money.slashed[operator(who).Address()]; !done {
			return false
		}
	}
	return true
}

// pay makes a transaction of a node's operator; number keeps two alike apart.
func (w *world) pay(who int, number uint64, p ledger.Payload, more ...int) []byte {
	body, err := ledger.NewBody(w.money.genesis, operator(who).Address(), 9_000, p)
	if err != nil {
		panic(err) // a payload of this package
	}
	binary.BigEndian.PutUint64(body.Salt[:], number)
	digest, err := body.Digest()
	if err != nil {
		panic(err)
	}
	var signed []ledger.SignedBy
	for _, k := range append([]int{operatorKeys + who}, more...) {
		key := keyring()[k].public
		signed = append(signed, ledger.SignedBy{Key: key, Signature: keyedHash{}.mac(key, digest)})
	}
	tx, err := ledger.NewTransaction(body, signed)
	if err != nil {
		panic(err)
	}
	return bytes.Clone(tx.Raw())
}

// lastTransfer is the transaction that every node gets when everything healed.
func (w *world) lastTransfer() []byte {
	if w.money.last == nil {
		w.money.last = w.pay(w.bystander(), 1<<60, &ledger.Transfer{To: operator(0).Address(), Amount: 1})
	}
	return w.money.last
}

// bystander is the first honest node.
func (w *world) bystander() int {
	return slices.IndexFunc(w.nodes, func(m *member) bool { return m.honest() })
}

// submitMoney gives a node a payment, or a change of somebody's stake.
func (w *world) submitMoney(m *member, i int) error {
	from := i % len(w.nodes)
	var p ledger.Payload = &ledger.Transfer{To: operator((i + 1) % len(w.nodes)).Address(), Amount: uint64(1 + i)}
	if i%5 == 4 && w.nodes[from].honest() {
		p = &ledger.Bond{Validator: keyring()[from].public, Amount: 1}
	}
	return m.submit(w.pay(from, uint64(i), p), true)
}

// scheduleMoney lets those who misbehave try to get their stake away.
func (w *world) scheduleMoney() {
	for i, e := range w.plan.Escapes {
		w.after(e.AtMs, func() error {
			who := w.plan.Stakes[e.Node]
			var raw []byte
			if e.Rotate {
				rotate := &ledger.RotateValidatorKey{Old: keyring()[e.Node].public, New: keyring()[spareKeys+e.Node].public}
				w.owners[rotate.New] = w.nodes[e.Node]
				raw = w.pay(e.Node, uint64(1_000_000+i), rotate, spareKeys+e.Node)
			} else {
				raw = w.pay(e.Node, uint64(1_000_000+i), &ledger.Unbond{Validator: keyring()[e.Node].public, Amount: who})
			}
			w.report.Counts[CountEscapes]++
			return w.nodes[w.bystander()].submit(raw, true)
		})
	}
}
