package sim

import (
	"encoding/binary"
	"math/rand/v2"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/node"
)

// actor is what makes a node misbehave: its adversaries, and what they need to speak in its name.
type actor struct {
	m    *member
	rng  *rand.Rand // its own, so that a change of an adversary changes nothing else
	list []adversary
	kind []Kind // of list
	now  Kind   // of the adversary that acts
}

func newActor(m *member, list []Kind, seed uint64) *actor {
	a := &actor{m: m, rng: rand.New(rand.NewPCG(seed, uint64(m.self)*2+uint64(m.copy)+77)), kind: list, now: kinds}
	for _, k := range list {
		a.list = append(a.list, newAdversary(k))
		if m.copy == 0 {
			m.w.report.Actors[k]++
		}
	}
	return a
}

// is reports whether the actor misbehaves in a way.
func (a *actor) is(k Kind) bool {
	for _, have := range a.kind {
		if have == k {
			return true
		}
	}
	return false
}

// send passes a message of the node's own replica through the adversaries.
func (a *actor) send(to *member, msg []byte) {
	type draft struct {
		msg  []byte
		kind Kind
	}
	out := []draft{{msg, kinds}}
	for i, adv := range a.list {
		var next []draft
		a.now = a.kind[i]
		for _, d := range out {
			answer := adv.send(a, to, d.msg)
			if len(answer) == 0 {
				a.m.w.report.Acts[a.now]++ // it holds something back
			}
			for _, msg := range answer {
				n := draft{msg, d.kind}
				if len(msg) > 0 && &msg[0] != &d.msg[0] {
					n.kind = a.now
				}
				next = append(next, n)
			}
		}
		out = next
	}
	a.now = kinds
	for _, d := range out {
		if d.kind < kinds {
			a.m.w.report.Acts[d.kind]++
		}
		a.m.w.note(3, a.m, d.msg)
		a.m.w.deliver(a.m, to, d.msg, d.kind)
	}
}

func (a *actor) hear(from *member, msg []byte) bool {
	keep := true
	for i, adv := range a.list {
		a.now = a.kind[i]
		keep = adv.hear(a, from, msg) && keep
	}
	a.now = kinds
	return keep
}

func (a *actor) tick() error {
	if a.m.replica != nil {
		for i, adv := range a.list {
			a.now = a.kind[i]
			adv.tick(a)
		}
		a.now = kinds
	}
	a.m.w.after(tickMs+a.rng.Int64N(tickMs/2), a.tick)
	return nil
}

// say sends a message of the adversary's own making.
func (a *actor) say(to *member, msg []byte) {
	if to.self == a.m.self || len(msg) == 0 {
		return
	}
	a.m.w.report.Acts[a.now]++
	a.m.w.note(4, a.m, msg)
	a.m.w.deliver(a.m, to, msg, a.now)
}

// tell sends one to every other node.
func (a *actor) tell(msg []byte) {
	for _, to := range a.m.w.nodes {
		a.say(to, msg)
	}
}

// anyone is another node, drawn.
func (a *actor) anyone() *member {
	nodes := a.m.w.nodes
	for {
		if to := nodes[a.rng.IntN(len(nodes))]; to.self != a.m.self {
			return to
		}
	}
}

// epoch is where the actor's replica works; index its place there, -1 if it has none.
func (a *actor) epoch() *node.Epoch { return a.m.epoch }

func (a *actor) index() int { return a.m.epoch.Self }

// vote signs anything in an epoch the actor belongs to.
func (a *actor) vote(e *node.Epoch, v quorum.Vote) quorum.Vote {
	v.Epoch, v.Signer = e.Number, uint16(max(e.Self, 0))
	v.Signature = keyedHash{}.mac(a.m.public, v.Digest(e.Domain))
	return v
}

// sign completes and signs a proposal, whatever is in it.
func (a *actor) sign(p quorum.Proposal) quorum.Proposal {
	p.Header.Justification = p.Justification.Hash()
	p.Header.PayloadRoot = quorum.PayloadRoot(p.Payload)
	p.Header.TxCount, p.Header.PayloadBytes = uint32(len(p.Payload)), 0
	for _, tx := range p.Payload {
		p.Header.PayloadBytes += uint32(len(tx))
	}
	return a.signAsIs(p)
}

// signAsIs leaves the header as it is.
func (a *actor) signAsIs(p quorum.Proposal) quorum.Proposal {
	p.Signature = keyedHash{}.mac(a.m.public, p.Header.Statement().Digest(a.epoch().Domain))
	return p
}

// status is what the replica says of itself.
func (a *actor) status() consensus.Status {
	s := a.m.replica.Snapshot()
	return consensus.Status{
		Epoch: a.epoch().Number, View: s.Consensus.View, FinalHeight: s.Final.Height, FinalView: s.Consensus.FinalView,
	}
}

// Messages, as package node writes them.

func votesMessage(s consensus.Status, votes ...quorum.Vote) []byte {
	msg := append([]byte{votesKind}, s.Encode()...)
	for _, v := range votes {
		msg = append(msg, v.Encode()...)
	}
	return msg
}

func certificateMessage(s consensus.Status, c quorum.Certificate) []byte {
	return append(append([]byte{certificateKind}, s.Encode()...), c.Encode()...)
}

func statusMessage(s consensus.Status) []byte { return append([]byte{statusKind}, s.Encode()...) }

func requestMessage(from quorum.Height, most uint16) []byte {
	msg := binary.BigEndian.AppendUint64([]byte{requestKind}, uint64(from))
	return binary.BigEndian.AppendUint16(msg, most)
}

// voteHead is the length of what stands before the body in messages of consensus: kind and status.
const voteHead = 1 + consensus.StatusSize

// votesIn finds the votes of a message of votes: kind, status, votes of fixed width.
func votesIn(msg []byte) []quorum.Vote {
	if len(msg) < voteHead || msg[0] != votesKind {
		return nil
	}
	out := make([]quorum.Vote, 0, 4)
	for rest := msg[voteHead:]; len(rest) >= quorum.VoteSize; rest = rest[quorum.VoteSize:] {
		if v, err := quorum.DecodeVote(rest[:quorum.VoteSize]); err == nil {
			out = append(out, v)
		}
	}
	return out
}

// proposalIn finds the proposal of a message that has one.
func proposalIn(msg []byte) (quorum.Proposal, bool) {
	if len(msg) < voteHead || msg[0] != proposalKind {
		return quorum.Proposal{}, false
	}
	p, err := quorum.DecodeProposal(msg[voteHead:])
	return p, err == nil
}

// statusIn finds the status of a message that has one.
func statusIn(msg []byte) (consensus.Status, bool) {
	if len(msg) < voteHead || msg[0] < votesKind || msg[0] > statusKind {
		return consensus.Status{}, false
	}
	s, err := consensus.DecodeStatus(msg[1:voteHead])
	return s, err == nil
}
