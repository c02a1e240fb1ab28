package sim

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
	blocksync "waybill/node/sync"
)

// This file finds out who is to blame for a fork, from the messages that honest nodes were given and from nothing else,
// without the code that node and consensus use for it: certificates and justifications are taken apart into signed
// statements, and two of one key that no honest signer gives are proof.

// claim is what statements are filed under: one validator's in one view.
type claim struct {
	epoch  quorum.Epoch
	view   quorum.View
	signer uint16
}

// maxStatements is how many different statements of one validator in one view are kept; two suffice for a proof.
const maxStatements = 6

// witness files what is signed in a message that an honest node got.
func (o *oracle) witness(_ *member, msg []byte) {
	if len(msg) == 0 {
		return
	}
	switch msg[0] {
	case votesKind:
		for _, v := range votesIn(msg) {
			o.file(v)
		}
	case proposalKind:
		if p, ok := proposalIn(msg); ok {
			v := p.Header.Statement()
			v.Signature = p.Signature
			o.file(v)
			if p.Justification.Parent != nil {
				o.fileCertificate(*p.Justification.Parent)
			}
			for _, c := range p.Justification.Skip {
				o.fileCertificate(c)
			}
		}
	case certificateKind:
		if c, err := quorum.DecodeCertificate(msg[min(voteHead, len(msg)):]); err == nil {
			o.fileCertificate(c)
		}
	case blocksKind:
		if blocks, err := blocksync.DecodeBlocks(msg[1:]); err == nil {
			for _, b := range blocks {
				if b.Certificate != nil {
					o.fileCertificate(*b.Certificate)
				}
			}
		}
	}
}

func (o *oracle) fileCertificate(c quorum.Certificate) {
	for _, v := range c.Votes() {
		o.file(v)
	}
}

// file keeps a statement whose signature holds.
func (o *oracle) file(v quorum.Vote) {
	e := o.epochs[v.Epoch]
	if e == nil || int(v.Signer) >= len(e.keys) {
		return
	}
	at := claim{v.Epoch, v.View, v.Signer}
	have := o.evidence[at]
	for _, old := range have {
		if old.Kind == v.Kind && old.Height == v.Height && old.Block == v.Block {
			return
		}
	}
	if len(have) >= maxStatements || v.Signature != (keyedHash{}).mac(e.keys[v.Signer], o.digest(e, v)) {
		return
	}
	o.evidence[at] = append(have, v)
}

// contradict reports whether no honest signer gives both statements, which are one validator's in one view.
func contradict(a, b quorum.Vote) bool {
	if a.View != b.View {
		return false
	}
	same := a.Block == b.Block && a.Height == b.Height
	kinds := [2]quorum.VoteKind{min(a.Kind, b.Kind), max(a.Kind, b.Kind)}
	switch kinds {
	case [2]quorum.VoteKind{quorum.KindFinalize, quorum.KindNullify}:
		return true
	case [2]quorum.VoteKind{quorum.KindNotarize, quorum.KindFinalize}:
		return !same
	case [2]quorum.VoteKind{quorum.KindProposal, quorum.KindProposal},
		[2]quorum.VoteKind{quorum.KindNotarize, quorum.KindNotarize},
		[2]quorum.VoteKind{quorum.KindFinalize, quorum.KindFinalize}:
		return !same
	}
	return false
}

// guilty lists the keys that contradicted themselves, and adds up their stake in the first epoch.
func (o *oracle) guilty() (keys map[crypto.PublicKey]bool, power uint64) {
	keys = map[crypto.PublicKey]bool{}
	for at, list := range o.evidence {
		e := o.epochs[at.epoch]
		if keys[e.keys[at.signer]] {
			continue
		}
		for i, a := range list {
			for _, b := range list[i+1:] {
				if contradict(a, b) && !keys[e.keys[at.signer]] {
					keys[e.keys[at.signer]] = true
					power += e.power[at.signer]
				}
			}
		}
	}
	return keys, power
}

// blame judges a run in which a third or more of the stake was faulty: a fork must be proven against a third at least,
// and nobody honest may be named, fork or not.
func (o *oracle) blame() error {
	keys, power := o.guilty()
	for key := range keys {
		if m := o.w.memberOf(key); m == nil || m.honest() {
			return o.broken("what honest nodes hold proves an honest validator guilty: %s", key)
		}
	}
	if !o.forked {
		return o.fault
	}
	o.w.report.Counts[CountForks]++
	var named uint64
	for key := range o.named {
		if i, ok := o.epochs[0].set.Index(key); ok {
			named += o.epochs[0].power[i]
		}
	}
	if named*3 >= o.epochs[0].total {
		o.w.report.Counts[CountNamed]++
	}
	if total := o.epochs[0].total; power*3 < total {
		return o.broken("a fork that only %d of %d answer for", power, total)
	}
	return o.fault
}
