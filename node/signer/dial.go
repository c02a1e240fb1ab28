package signer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/p2p/security/noise"

	"waybill/crypto"
)

// Times of a client. A request waits for defaultTimeout at most, dialing and asking again included.
const (
	defaultTimeout = time.Second
	firstPause     = 50 * time.Millisecond // between attempts to dial; doubled up to lastPause
	lastPause      = 2 * time.Second
)

// Remote says where a signer is and what it signs.
type Remote struct {
	Address   string            // "unix:/path" or "tcp:KEY@host:port", with the transport key of the signer in hex
	Key       crypto.PrivateKey // own transport key, for tcp
	Genesis   crypto.Hash
	Validator crypto.PublicKey
	Timeout   time.Duration // of a request; 0 is a second
}

// Client is a Signer in another process. What it cannot reach is of kind ErrUnavailable: nothing was signed that the node
// got, so nothing left. It asks again over a new connection when one breaks, within the time of the request; the signer
// answers the same question with the same signature. While there is no connection it refuses at once and dials in the
// background, so that a dead signer does not hold the node up.
type Client struct {
	remote  Remote
	address address
	noise   *noise.Transport

	asking sync.Mutex // one request at a time

	mu     sync.Mutex // guards everything below
	conn   net.Conn
	dialed chan struct{} // closed when the attempt under way is over; nil when there is none
	fault  error         // of the last attempt
	pause  time.Duration
	after  time.Time // no attempt before
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

// Dial makes a client and tries to connect once; that the signer cannot be reached is not an error. One that signs for
// another key or network is, of kind ErrForeign.
func Dial(ctx context.Context, r Remote) (*Client, error) {
	a, err := parseAddress(r.Address, true)
	if err != nil {
		return nil, err
	}
	if r.Timeout <= 0 {
		r.Timeout = defaultTimeout
	}
	c := &Client{remote: r, address: a}
	if a.network == "tcp" {
		if c.noise, err = identity(r.Key); err != nil {
			return nil, err
		}
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if _, err := c.State(); err != nil && !errors.Is(err, ErrUnavailable) {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends the connection and the attempts to make one.
func (c *Client) Close() error {
	c.cancel()
	c.drop(nil)
	c.wait.Wait()
	return nil
}

// PublicKey implements Signer.
func (c *Client) PublicKey() crypto.PublicKey { return c.remote.Validator }

// State implements Signer.
func (c *Client) State() (State, error) {
	m, err := c.ask(message{kind: frameState}, frameStateIs)
	if err != nil {
		return State{}, err
	}
	if m.state.Key != c.remote.Validator || m.state.Genesis != c.remote.Genesis {
		return State{}, refuse(ErrForeign, "%s signs for key %s on network %s, this node is %s on %s: name the right one",
			c.remote.Address, m.state.Key, m.state.Genesis, c.remote.Validator, c.remote.Genesis)
	}
	return m.state, nil
}

// Reconcile implements Signer. A remote signer always knows its exact mark, so it is never raised: a journal that is
// ahead means that its file is an old copy.
func (c *Client) Reconcile(k Known) error {
	s, err := c.State()
	if err != nil {
		return err
	}
	_, err = s.check(k, true)
	return err
}

// Sign implements Signer.
func (c *Client) Sign(requests []Request) ([]Answer, error) {
	var out []Answer
	for len(requests) > 0 {
		n := min(len(requests), maxRequests)
		m, err := c.ask(message{kind: frameSign, requests: requests[:n]}, frameSigned)
		if err != nil {
			return nil, err
		}
		if len(m.answers) != n {
			c.drop(badFrame("%d answers to %d questions", len(m.answers), n))
			return nil, unavailable(c.remote.Address, badFrame("%d answers to %d questions", len(m.answers), n))
		}
		out, requests = append(out, m.answers...), requests[n:]
	}
	return out, nil
}

func unavailable(where string, cause error) error {
	return &Error{Kind: ErrUnavailable, Cause: cause,
		Detail: fmt.Sprintf("%s does not answer, so nothing is signed meanwhile: is waybill signer run at work there, and the network in between?", where)}
}

// ask sends a question until it is answered or the time is over.
func (c *Client) ask(question message, want byte) (message, error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	deadline := time.Now().Add(c.remote.Timeout)
	broken := false // a connection broke in this call, so that the signer may be there again at once
	var last error
	for {
		conn, err := c.connection(deadline, broken)
		if err != nil {
			return message{}, unavailable(c.remote.Address, errors.Join(err, last))
		}
		answer, err := exchange(conn, question, deadline)
		if err == nil && answer.kind == frameFault {
			err = fmt.Errorf("it says %q", answer.text)
		} else if err == nil && answer.kind != want {
			err = badFrame("an answer of type %d to a question of type %d", answer.kind, question.kind)
		}
		if err == nil {
			return answer, nil
		}
		c.drop(err)
		broken, last = true, err
		if !time.Now().Before(deadline) {
			c.rest()
			return message{}, unavailable(c.remote.Address, err)
		}
	}
}

func exchange(conn net.Conn, question message, deadline time.Time) (message, error) {
	if err := conn.SetDeadline(deadline); err != nil {
		return message{}, err
	}
	if _, err := conn.Write(question.encode()); err != nil {
		return message{}, err
	}
	return readFrame(conn)
}

// connection returns the connection, and dials if there is none. It waits for the outcome only the first time and after
// a connection broke.
func (c *Client) connection(deadline time.Time, patient bool) (net.Conn, error) {
	for {
		c.mu.Lock()
		conn, fault := c.conn, c.fault
		first := fault == nil
		c.startDial()
		dialed, after := c.dialed, c.after
		c.mu.Unlock()
		switch {
		case conn != nil:
			return conn, nil
		case c.ctx.Err() != nil:
			return nil, net.ErrClosed
		case !first && !patient || !time.Now().Before(deadline):
			return nil, fault
		}
		wake := deadline
		if dialed == nil && after.Before(deadline) {
			wake = after
		}
		timer := time.NewTimer(time.Until(wake))
		select {
		case <-dialed: // never, if there is no attempt
		case <-timer.C:
		case <-c.ctx.Done():
		}
		timer.Stop()
	}
}

// startDial begins an attempt if there is no connection, none is under way and the pause is over. mu is held.
func (c *Client) startDial() {
	if c.conn != nil || c.dialed != nil || c.ctx.Err() != nil || time.Now().Before(c.after) {
		return
	}
	done := make(chan struct{})
	c.dialed = done
	c.wait.Go(func() {
		conn, err := c.dial()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.dialed = nil
		close(done)
		if err == nil && c.ctx.Err() != nil {
			err = errors.Join(net.ErrClosed, conn.Close())
		}
		if c.fault = err; err != nil {
			c.pause = min(max(2*c.pause, firstPause), lastPause)
			c.after = time.Now().Add(c.pause)
			return
		}
		c.conn, c.pause = conn, 0
	})
}

func (c *Client) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, handshakeTime)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, c.address.network, c.address.place)
	if err != nil || c.noise == nil {
		return conn, err
	}
	id, err := peerOf(c.address.key)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	secure, err := c.noise.SecureOutbound(ctx, conn, id)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// rest keeps a signer that takes connections and does not answer from holding the node up again at once.
func (c *Client) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after = time.Now().Add(lastPause)
}

// drop ends the connection.
func (c *Client) drop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.Close() // it is of no use any more
		c.conn = nil
	}
	if err != nil {
		c.fault = err
	}
}
