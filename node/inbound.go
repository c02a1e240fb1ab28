package node

import (
	"encoding/binary"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// Inbound is a peer's message after everything that can be checked without the replica's state was checked:
// its form, and the signatures of votes, proposals and certificates. Only Epoch.Verify makes one, so that
// the replica checks nothing twice.
type Inbound struct {
	From  p2p.PeerID
	kind  messageKind
	epoch quorum.Epoch // it was verified for

	// later is the whole message of a peer that is in the next epoch; nothing of it was looked at but its status.
	later []byte

	status      consensus.Status
	votes       []quorum.VerifiedVote
	proposal    quorum.VerifiedProposal
	certificate quorum.VerifiedCertificate

	transactions [][]byte // neither decoded nor admitted yet
	first        quorum.Height
	most         int
	hash         crypto.Hash
	blocks       []byte // undecoded: only the one who asked decodes it

	state *blocksync.StateRequest // answered without the replica
}

// Transactions returns the raw transactions of a message that brings some, nil for every other message.
func (in *Inbound) Transactions() [][]byte { return in.transactions }

// Verify decodes and checks a message. An error means that the sender broke the protocol; the message is
// dropped. Unknown kinds are dropped too, without blame, so that a later version can add some: the result
// is nil, nil. Of what a peer in another epoch sends only the status is taken: at a change of epochs honest peers are
// in two of them.
func (e *Epoch) Verify(from p2p.PeerID, raw []byte) (*Inbound, error) {
	if len(raw) == 0 {
		return nil, malformed("an empty message")
	}
	in := &Inbound{From: from, kind: messageKind(raw[0]), epoch: e.Number}
	body := raw[1:]
	if in.kind >= messageVotes && in.kind <= messageStatus {
		if len(body) < consensus.StatusSize {
			return nil, malformed("%d bytes are too short for a status", len(body))
		}
		var err error
		if in.status, err = consensus.DecodeStatus(body[:consensus.StatusSize]); err != nil {
			return nil, err
		}
		body = body[consensus.StatusSize:]
		if in.status.Epoch != e.Number && in.kind != messageStatus {
			in.kind = messageStatus
			if in.status.Epoch > e.Number {
				in.later = raw
			}
			return in, nil
		}
	}
	return in.withBody(e, body)
}

func (in *Inbound) withBody(e *Epoch, body []byte) (*Inbound, error) {
	var err error
	switch in.kind {
	case messageVotes:
		err = in.verifyVotes(e, body)
	case messageProposal:
		err = in.verifyProposal(e, body)
	case messageCertificate:
		err = in.verifyCertificate(e, body)
	case messageStatus:
		if len(body) != 0 {
			err = malformed("%d bytes after a status", len(body))
		}
	case messageTransactions:
		in.transactions, err = decodeTransactions(body)
	case messageBlockRequest:
		if len(body) != 10 {
			return nil, malformed("a block request of %d bytes", len(body))
		}
		in.first, in.most = quorum.Height(binary.BigEndian.Uint64(body)), int(binary.BigEndian.Uint16(body[8:]))
	case messageBlocks:
		in.blocks = body
	case messageProposalRequest:
		if len(body) != crypto.HashSize {
			return nil, malformed("a proposal request of %d bytes", len(body))
		}
		in.hash = crypto.Hash(body)
	case messageEpochRequest, messageSnapshotRequest, messageChunkRequest:
		in.state, err = stateRequest(in.kind, body)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return in, nil
}

// verifyVotes keeps the good ones of a message with bad ones: a relayed vote may be of another epoch.
func (in *Inbound) verifyVotes(e *Epoch, body []byte) error {
	votes, err := decodeVotes(body)
	if err != nil {
		return err
	}
	for _, r := range quorum.VerifyVotes(e.Domain, votes) {
		if r.Err != nil {
			err = r.Err
			continue
		}
		if r.Verified.Vote().Epoch == e.Number {
			in.votes = append(in.votes, r.Verified)
		}
	}
	if len(in.votes) == 0 && err != nil {
		return err
	}
	return nil
}

func (in *Inbound) verifyProposal(e *Epoch, body []byte) error {
	p, err := quorum.DecodeProposal(body)
	if err != nil {
		return err
	}
	if p.Header.Epoch < e.Number {
		in.kind = messageStatus // the answer to a request, made before the epoch changed: nobody's fault
		return nil
	}
	if p.Header.Epoch != e.Number {
		return malformed("a proposal of epoch %d in epoch %d", p.Header.Epoch, e.Number)
	}
	in.proposal, err = quorum.VerifyProposal(e.Domain, e.Slate, e.Anchor, p)
	return err
}

func (in *Inbound) verifyCertificate(e *Epoch, body []byte) error {
	c, err := quorum.DecodeCertificate(body)
	if err != nil {
		return err
	}
	if c.Epoch != e.Number {
		return malformed("a certificate of epoch %d in epoch %d", c.Epoch, e.Number)
	}
	in.certificate, err = quorum.VerifyCertificate(e.Domain, c)
	return err
}
