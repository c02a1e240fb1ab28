package signer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"

	"waybill/crypto"
)

// Limits of a server.
const (
	handshakeTime = 3 * time.Second // to prove who one is
	idleTime      = 10 * time.Minute
	answerTime    = 5 * time.Second // to take an answer
	maxStrangers  = 128             // connections that have not proven who they are
	maxFromOne    = 32              // of them from one address
	maxNodes      = 4               // connections that have
)

// Server is what Serve offers and to whom.
type Server struct {
	Signer Signer // a File without a reserve

	// For TCP: the transport key of this end, and those of the nodes that may ask. A unix socket needs neither: its
	// owner and root may ask.
	Key   crypto.PrivateKey
	Nodes []crypto.PublicKey
}

// Serve answers nodes until ctx ends or the signer has failed, then closes the listener and every connection and waits
// for their goroutines.
//
// A node must not wait for strangers: who has not proven who he is within handshakeTime is cut off, and when there are
// maxStrangers, or maxFromOne from one address, one of them by lot makes room for the newest: the proof of a node takes a
// moment only, and a crowd that pushes for places pushes out its own. Likewise, though not by lot, the oldest node makes
// room for the newest of more than maxNodes: it is the one that lost its connection.
func Serve(ctx context.Context, listener net.Listener, s Server) error {
	if file, ok := s.Signer.(*File); ok {
		if err := file.fitForServing(); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &host{server: s, fail: cancel}
	if listener.Addr().Network() != "unix" {
		if len(s.Nodes) == 0 || s.Key.IsZero() {
			return errors.Join(refuse(ErrOptions, "serving over TCP needs a transport key and the keys of the nodes that may ask"), listener.Close())
		}
		var err error
		if h.noise, err = identity(s.Key); err != nil {
			return errors.Join(err, listener.Close())
		}
		for _, key := range s.Nodes {
			id, err := peerOf(key)
			if err != nil {
				return errors.Join(err, listener.Close())
			}
			h.nodes = append(h.nodes, id)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() }) // wakes Accept
	defer stop()
	err := h.accept(ctx, listener)
	cancel(err)
	h.closeAll()
	h.wait.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, ErrFailed) {
		return cause
	}
	if ctx.Err() != nil && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// fitForServing refuses a file that a node must bring up to date first, and one that does not sync every signature.
func (f *File) fitForServing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.opts.Reserve != 0 {
		return refuse(ErrOptions, "a signer that is served needs a reserve of 0, not %d: it has no journal", f.opts.Reserve)
	}
	if !f.ready {
		return f.unreconciled()
	}
	return nil
}

// host is a running Serve.
type host struct {
	server Server
	noise  *noise.Transport // nil on a unix socket
	nodes  []peer.ID
	fail   context.CancelCauseFunc
	wait   sync.WaitGroup

	mu        sync.Mutex // guards the lists, oldest first
	strangers []net.Conn
	known     []net.Conn
	closed    bool
}

func (h *host) accept(ctx context.Context, listener net.Listener) error {
	for {
		c, err := listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = c.Close() // the end
			}
			return net.ErrClosed
		}
		if err != nil {
			var again interface{ Temporary() bool }
			if errors.As(err, &again) && again.Temporary() { // no more file descriptors
				select {
				case <-ctx.Done():
				case <-time.After(50 * time.Millisecond):
				}
				continue
			}
			return errors.Join(fmt.Errorf("accepting a connection: %w", err), listener.Close())
		}
		if h.admit(c) {
			h.wait.Go(func() { h.talk(ctx, c) })
		}
	}
}

// admit lists a stranger, in whose favour others may have to go.
func (h *host) admit(c net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		_ = c.Close() // the end
		return false
	}
	from := hostOf(c)
	var same, all []net.Conn
	for _, s := range h.strangers {
		if all = append(all, s); h.noise != nil && hostOf(s) == from {
			same = append(same, s)
		}
	}
	crowd := same
	if len(same) < maxFromOne {
		crowd = all
	}
	if len(same) >= maxFromOne || len(all) >= maxStrangers {
		out := crowd[rand.IntN(len(crowd))]
		_ = out.Close() // its goroutine notices
		h.strangers = without(h.strangers, out)
	}
	h.strangers = append(h.strangers, c)
	return true
}

func hostOf(c net.Conn) string {
	name, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return name
}

// prove makes a stranger known, or returns an error.
func (h *host) prove(ctx context.Context, c net.Conn) (net.Conn, error) {
	if h.noise == nil {
		return c, checkPeer(c)
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	secure, err := h.noise.SecureInbound(ctx, c, "")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(h.nodes, secure.RemotePeer()) {
		return nil, refuse(ErrRefused, "%s may not ask", secure.RemotePeer())
	}
	return secure, nil
}

func (h *host) talk(ctx context.Context, c net.Conn) {
	defer h.forget(c)
	secure, err := h.prove(ctx, c)
	if err != nil {
		return
	}
	h.promote(c)
	for {
		if secure.SetDeadline(time.Now().Add(idleTime)) != nil {
			return
		}
		m, err := readFrame(secure)
		if err != nil {
			return
		}
		answer, failure := h.answer(m)
		if secure.SetDeadline(time.Now().Add(answerTime)) != nil {
			return
		}
		_, err = secure.Write(answer.encode())
		if failure != nil {
			h.fail(failure)
		}
		if err != nil || answer.kind == frameFault {
			return
		}
	}
}

// answer asks the signer; failure ends the server.
func (h *host) answer(m message) (answer message, failure error) {
	var err error
	switch m.kind {
	case frameState:
		answer.kind = frameStateIs
		answer.state, err = h.server.Signer.State()
	case frameSign:
		answer.kind = frameSigned
		answer.answers, err = h.server.Signer.Sign(m.requests)
	default:
		return message{kind: frameFault, text: "this is no question"}, nil
	}
	if err != nil {
		return message{kind: frameFault, text: err.Error()}, err
	}
	return answer, nil
}

// promote moves a stranger to the nodes.
func (h *host) promote(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.strangers = without(h.strangers, c)
	if len(h.known) >= maxNodes {
		_ = h.known[0].Close() // its goroutine notices
		h.known = slices.Delete(h.known, 0, 1)
	}
	h.known = append(h.known, c)
}

func (h *host) forget(c net.Conn) {
	_ = c.Close() // perhaps for the second time
	h.mu.Lock()
	defer h.mu.Unlock()
	h.strangers, h.known = without(h.strangers, c), without(h.known, c)
}

func without(list []net.Conn, c net.Conn) []net.Conn {
	return slices.DeleteFunc(list, func(o net.Conn) bool { return o == c })
}

func (h *host) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, c := range append(slices.Clone(h.strangers), h.known...) {
		_ = c.Close() // its goroutine notices
	}
}
