package p2p

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// maxRefusal bounds the sentence a peer may send instead of an answer.
const maxRefusal = 512

// The first byte of an answer. A request is the largest answer its sender will
// take (4 bytes, big-endian) and a frame; an answer is a status and a frame.
const (
	statusOK       = 0
	statusRefused  = 1 // the frame is a sentence
	statusBusy     = 2 // the frame is empty
	statusTooLarge = 3 // the frame is empty
)

// RequestHandler answers a request. ctx ends when the answer is no longer
// wanted. An error is sent to the asking peer as one sentence, so it must not
// hold secrets.
type RequestHandler func(ctx context.Context, from PeerID, req []byte) ([]byte, error)

// requests counts the requests being served.
type requests struct {
	max, maxPerPeer int

	mu    sync.Mutex
	total int
	peers map[peer.ID]int
}

func newRequests(l *Limits) *requests {
	return &requests{max: l.MaxRequests, maxPerPeer: l.MaxRequestsPerPeer, peers: make(map[peer.ID]int)}
}

func (r *requests) begin(id peer.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.total >= r.max || r.peers[id] >= r.maxPerPeer {
		return false
	}
	r.total++
	r.peers[id]++
	return true
}

func (r *requests) end(id peer.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total--
	if r.peers[id]--; r.peers[id] == 0 {
		delete(r.peers, id)
	}
}

func (n *Network) requestProtocol(name string) protocol.ID {
	return n.protocols.prefix + "/req/" + protocol.ID(name) + "/1"
}

// HandleRequest serves requests of the given name, for example "blocks", of at
// most maxRequest bytes. At Limits.MaxRequests or MaxRequestsPerPeer the asking
// peer gets ErrBusy at once.
func (n *Network) HandleRequest(name string, maxRequest int, fn func(ctx context.Context, from PeerID, req []byte) ([]byte, error)) {
	n.host.SetStreamHandler(n.requestProtocol(name), func(stream network.Stream) {
		if !n.enter() {
			_ = stream.Reset()
			return
		}
		defer n.wg.Done()
		s := n.awaitSession(stream.Conn())
		if s == nil {
			_ = stream.Reset()
			return
		}
		if err := n.serve(s, stream, maxRequest, fn); err != nil {
			_ = stream.Reset()
			if isKind(err, ErrTooLarge) {
				n.punish(s.id, err)
				return
			}
			n.log.Debug("request not served", "peer", string(s.pid), "request", name, "err", err)
			return
		}
		_ = stream.Close()
	})
}

// serve reads one request and writes its answer.
func (n *Network) serve(s *session, stream network.Stream, maxRequest int, fn RequestHandler) error {
	ctx, cancel := context.WithTimeout(s.ctx, n.limits.RequestTimeout)
	defer cancel()
	unhook := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer unhook()
	if !n.requests.begin(s.id) {
		n.counters.requests.busy.Add(1)
		return n.answer(stream, statusBusy, nil)
	}
	defer n.requests.end(s.id)
	if err := stream.SetReadDeadline(time.Now().Add(n.limits.FrameTimeout)); err != nil {
		return err
	}
	var wanted [4]byte
	if _, err := io.ReadFull(stream, wanted[:]); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	req, err := n.readReserved(stream, maxRequest)
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	resp, err := fn(ctx, s.pid, req)
	n.counters.requests.served.Add(1)
	switch {
	case err != nil:
		sentence := err.Error()
		return n.answer(stream, statusRefused, []byte(sentence[:min(len(sentence), maxRefusal)]))
	case uint64(len(resp)) > uint64(binary.BigEndian.Uint32(wanted[:])):
		return n.answer(stream, statusTooLarge, nil)
	}
	return n.answer(stream, statusOK, resp)
}

func (n *Network) answer(stream network.Stream, status byte, body []byte) error {
	if err := writeFrame(stream, n.limits.WriteTimeout, []byte{status}, body); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return stream.CloseWrite()
}

// Request asks a connected peer and waits for its answer of at most maxResponse
// bytes, until ctx ends or Limits.RequestTimeout has passed. Errors:
// ErrNotConnected, ErrBusy, ErrRefused with the peer's sentence, ErrTooLarge,
// ErrTimeout, ErrStream, and ctx's own.
func (n *Network) Request(ctx context.Context, to PeerID, name string, req []byte, maxResponse int) ([]byte, error) {
	if maxResponse < 0 || maxResponse > maxFrameBytes || len(req) > maxFrameBytes {
		return nil, kindError(ErrConfig, fmt.Sprintf("request %s: %d bytes out and up to %d in; both must be at most %d", name, len(req), maxResponse, maxFrameBytes), nil)
	}
	id, err := to.decode()
	if err != nil {
		return nil, err
	}
	s := n.session(id)
	var conn network.Conn
	if s != nil {
		conn = n.newestConn(s)
	}
	if conn == nil {
		return nil, kindError(ErrNotConnected, fmt.Sprintf("request %s: peer %s is not connected", name, to), nil)
	}
	n.counters.requests.asked.Add(1)
	resp, err := n.ask(ctx, conn, name, req, maxResponse)
	if err == nil {
		return resp, nil
	}
	n.counters.requests.failed.Add(1)
	return nil, n.requestError(ctx, s, name, err)
}

// ask does one exchange on a fresh stream.
func (n *Network) ask(ctx context.Context, conn network.Conn, name string, req []byte, maxResponse int) ([]byte, error) {
	deadline := time.Now().Add(n.limits.RequestTimeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	stream, err := openStream(ctx, conn, n.requestProtocol(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Reset() }() // harmless after a complete exchange
	unhook := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer unhook()
	unhookClose := context.AfterFunc(n.ctx, func() { _ = stream.Reset() })
	defer unhookClose()
	wanted := binary.BigEndian.AppendUint32(nil, uint32(maxResponse))
	// A busy peer answers before it has read everything, so an error in writing
	// is not yet the whole story.
	writeErr := writeFrame(stream, n.limits.WriteTimeout, wanted, req)
	if err := stream.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	resp, err := readAnswer(stream, maxResponse)
	if ctx.Err() != nil && err != nil {
		return nil, ctx.Err()
	}
	var known *Error
	if err != nil && writeErr != nil && !errors.As(err, &known) {
		return nil, writeErr
	}
	return resp, err
}

func readAnswer(r io.Reader, maxResponse int) ([]byte, error) {
	var status [1]byte
	if _, err := io.ReadFull(r, status[:]); err != nil {
		return nil, err
	}
	limit := maxRefusal
	if status[0] == statusOK {
		limit = maxResponse
	}
	body, err := readFrame(r, limit, nil)
	switch {
	case isKind(err, ErrTooLarge):
		return nil, kindError(ErrFrame, "peer sends more than was asked for", err)
	case err != nil:
		return nil, err
	}
	switch status[0] {
	case statusOK:
		return body, nil
	case statusRefused:
		return nil, kindError(ErrRefused, strings.ToValidUTF8(string(body), "?"), nil)
	case statusBusy:
		return nil, kindError(ErrBusy, "peer serves as many requests as it allows; ask another or later", nil)
	case statusTooLarge:
		return nil, kindError(ErrTooLarge, fmt.Sprintf("the answer is larger than the %d bytes asked for; ask for less", maxResponse), nil)
	}
	return nil, kindError(ErrFrame, fmt.Sprintf("unknown answer status %d", status[0]), nil)
}

// requestError names the failure, and punishes a peer that sent more than we
// asked for or no answer at all.
func (n *Network) requestError(ctx context.Context, s *session, name string, err error) error {
	detail := fmt.Sprintf("request %s to %s", name, s.pid)
	var known *Error
	switch {
	case errors.As(err, &known):
		if known.Kind == ErrFrame {
			n.punish(s.id, err)
		}
		return &Error{Kind: known.Kind, Detail: detail, Err: err}
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", detail, context.Cause(ctx))
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return kindError(ErrTimeout, detail+": no answer in time", err)
	}
	return kindError(ErrStream, detail, err)
}
