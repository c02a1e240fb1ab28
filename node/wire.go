package node

import (
	"encoding/binary"
	"errors"
	"fmt"

	blocksync "waybill/node/sync"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/p2p"
)

// What a peer sends us directly is one byte of kind and a body. The first four kinds carry the sender's
// consensus.Status before the body.
type messageKind byte

const (
	messageVotes           messageKind = 1 // votes, one after the other
	messageProposal        messageKind = 2 // one proposal
	messageCertificate     messageKind = 3 // one certificate
	messageStatus          messageKind = 4 // nothing but the status
	messageTransactions    messageKind = 5 // raw transactions, each behind its length
	messageBlockRequest    messageKind = 6 // first height:8, most blocks:2
	messageBlocks          messageKind = 7 // sync.EncodeBlocks
	messageProposalRequest messageKind = 8 // hash of a block:32

	// State sync; requests are sync.StateRequest, answers sync.ServeState.
	messageEpochRequest    messageKind = 16
	messageEpochs          messageKind = 17
	messageSnapshotRequest messageKind = 18
	messageSnapshot        messageKind = 19
	messageChunkRequest    messageKind = 20
	messageChunk           messageKind = 21
)

// Limits of messages.
const (
	maxVotesPerMessage        = 64
	maxTransactionsPerMessage = 4096
	maxTransactionsBytes      = 1 << 20
)

// classOf puts what votes wait for first and bulk last.
func classOf(kind messageKind) p2p.Class {
	switch kind {
	case messageVotes, messageProposal, messageStatus:
		return p2p.ClassConsensus
	case messageCertificate, messageProposalRequest:
		return p2p.ClassCertificate
	case messageTransactions:
		return p2p.ClassBatch
	}
	return p2p.ClassSync
}

// forValidators says whether only a validator sends messages of a kind. Signatures are dear to check and cost nothing
// to invent, so that nobody else's are looked at: full nodes gossip their transactions and fetch blocks.
func forValidators(kind messageKind) bool {
	switch kind {
	case messageVotes, messageProposal, messageCertificate, messageTransactions:
		return true
	}
	return false
}

var errMalformed = errors.New("malformed message")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...))
}

func withStatus(kind messageKind, s consensus.Status, body []byte) []byte {
	out := make([]byte, 0, 1+consensus.StatusSize+len(body))
	out = append(out, byte(kind))
	out = append(out, s.Encode()...)
	return append(out, body...)
}

func encodeVotes(s consensus.Status, votes []quorum.VerifiedVote) []byte {
	body := make([]byte, 0, len(votes)*quorum.VoteSize)
	for _, v := range votes {
		body = append(body, v.Vote().Encode()...)
	}
	return withStatus(messageVotes, s, body)
}

func encodeOutgoing(out consensus.Outgoing) (messageKind, []byte) {
	switch {
	case out.Proposal != nil:
		return messageProposal, withStatus(messageProposal, out.Status, out.Proposal.Proposal().Encode())
	case out.Certificate != nil:
		return messageCertificate, withStatus(messageCertificate, out.Status, out.Certificate.Certificate().Encode())
	case len(out.Votes) > 0:
		return messageVotes, encodeVotes(out.Status, out.Votes)
	}
	return messageStatus, withStatus(messageStatus, out.Status, nil)
}

func encodeBlockRequest(r blocksync.Request) []byte {
	out := binary.BigEndian.AppendUint64([]byte{byte(messageBlockRequest)}, uint64(r.From))
	return binary.BigEndian.AppendUint16(out, uint16(r.Max))
}

func encodeProposalRequest(hash crypto.Hash) []byte {
	return append([]byte{byte(messageProposalRequest)}, hash[:]...)
}

// EncodeTransactions packs raw transactions into as few messages as the limits allow. One larger than a
// message goes alone.
func EncodeTransactions(raws [][]byte) [][]byte {
	var out [][]byte
	msg, count := []byte{byte(messageTransactions)}, 0
	for _, raw := range raws {
		if count > 0 && (count >= maxTransactionsPerMessage || len(msg)+4+len(raw) > maxTransactionsBytes) {
			out = append(out, msg)
			msg, count = []byte{byte(messageTransactions)}, 0
		}
		msg = binary.BigEndian.AppendUint32(msg, uint32(len(raw)))
		msg = append(msg, raw...)
		count++
	}
	if count > 0 {
		out = append(out, msg)
	}
	return out
}

func decodeTransactions(body []byte) ([][]byte, error) {
	var out [][]byte
	for len(body) > 0 {
		if len(body) < 4 || len(out) >= maxTransactionsPerMessage {
			return nil, malformed("a list of transactions with %d bytes left after %d", len(body), len(out))
		}
		n := int(binary.BigEndian.Uint32(body))
		if n <= 0 || n > len(body)-4 {
			return nil, malformed("a transaction of %d bytes where %d are left", n, len(body)-4)
		}
		out = append(out, body[4:4+n:4+n])
		body = body[4+n:]
	}
	return out, nil
}

// decodeVotes reads the body of messageVotes.
func decodeVotes(body []byte) ([]quorum.Vote, error) {
	if len(body) == 0 || len(body)%quorum.VoteSize != 0 || len(body) > maxVotesPerMessage*quorum.VoteSize {
		return nil, malformed("%d bytes are not 1 to %d votes", len(body), maxVotesPerMessage)
	}
	var votes []quorum.Vote
	for len(body) > 0 {
		v, err := quorum.DecodeVote(body[:quorum.VoteSize])
		if err != nil {
			return nil, err
		}
		votes = append(votes, v)
		body = body[quorum.VoteSize:]
	}
	return votes, nil
}
