package p2p

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func echo(_ context.Context, _ PeerID, req []byte) ([]byte, error) { return req, nil }

func TestRequestAndAnswer(t *testing.T) {
	nodes := startMesh(t, 2, nil)
	a, b := nodes[0], nodes[1]
	var from atomic.Value
	b.HandleRequest("echo", 1<<20, func(_ context.Context, id PeerID, req []byte) ([]byte, error) {
		from.Store(id)
		return req, nil
	})
	for _, size := range []int{0, 1, 1000, 1 << 20} {
		req := bytes.Repeat([]byte{9}, size)
		resp, err := a.Request(t.Context(), b.Self(), "echo", req, 1<<20)
		if err != nil || !bytes.Equal(resp, req) {
			t.Fatalf("%d bytes: got %d bytes, %v", size, len(resp), err)
		}
	}
	if from.Load() != a.Self() {
		t.Errorf("request from %v", from.Load())
	}
	if s := b.Stats().Requests; s.Served != 4 {
		t.Errorf("served %d", s.Served)
	}
}

func TestRequestErrors(t *testing.T) {
	nodes := startMesh(t, 2, func(_ int, cfg *Config) { cfg.Limits.RequestTimeout = 5 * time.Second })
	a, b := nodes[0], nodes[1]
	b.HandleRequest("no", 10, func(context.Context, PeerID, []byte) ([]byte, error) { return nil, errors.New("height 7 is pruned") })
	b.HandleRequest("big", 10, func(context.Context, PeerID, []byte) ([]byte, error) { return make([]byte, 101), nil })

	_, err := a.Request(t.Context(), b.Self(), "no", nil, 100)
	wantKind(t, err, ErrRefused, "height 7 is pruned", "no", string(b.Self()))
	_, err = a.Request(t.Context(), b.Self(), "big", nil, 100)
	wantKind(t, err, ErrTooLarge, "100 bytes")
	if resp, err := a.Request(t.Context(), b.Self(), "big", nil, 101); err != nil || len(resp) != 101 {
		t.Errorf("answer of exactly the limit: %d bytes, %v", len(resp), err)
	}
	_, err = a.Request(t.Context(), b.Self(), "unknown", nil, 100)
	wantKind(t, err, ErrStream)
	_, err = a.Request(t.Context(), testID(t, 50), "no", nil, 100)
	wantKind(t, err, ErrNotConnected)
	_, err = a.Request(t.Context(), "?", "no", nil, 100)
	wantKind(t, err, ErrConfig)
	_, err = a.Request(t.Context(), b.Self(), "no", nil, -1)
	wantKind(t, err, ErrConfig)
	if !a.connectedTo(b.Self()) {
		t.Fatal("an honest error disconnected the peer")
	}
	// Asking with more than the peer takes breaks its rules.
	_, err = a.Request(t.Context(), b.Self(), "no", make([]byte, 11), 100)
	if err == nil {
		t.Fatal("oversized request was answered")
	}
	eventually(t, "sender of oversized request is cut", func() bool { return !b.connectedTo(a.Self()) && b.Stats().Punished == 1 })
}

func TestRequestEndsInTime(t *testing.T) {
	stuck := func(ctx context.Context, _ PeerID, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	nodes := startMesh(t, 2, func(i int, cfg *Config) {
		cfg.Limits.RequestTimeout = []time.Duration{200 * time.Millisecond, 20 * time.Second}[i]
	})
	a, b := nodes[0], nodes[1]
	b.HandleRequest("stuck", 10, stuck)
	_, err := a.Request(t.Context(), b.Self(), "stuck", nil, 10)
	wantKind(t, err, ErrTimeout, "stuck")

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := a.Request(ctx, b.Self(), "stuck", nil, 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("own deadline: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := a.Request(ctx, b.Self(), "stuck", nil, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("own cancel: %v", err)
	}
	// The peer going away ends a request at once, long before the timeout.
	done := make(chan error, 1)
	go func() {
		_, err := b.Request(context.Background(), a.Self(), "wait", nil, 10)
		done <- err
	}()
	a.HandleRequest("wait", 10, stuck)
	a.stop()
	if err := <-done; err == nil {
		t.Error("answered by a stopped peer")
	}
}

func TestRequestsAreCapped(t *testing.T) {
	nodes := startMesh(t, 3, func(i int, cfg *Config) {
		cfg.Limits.RequestTimeout = 10 * time.Second
		if i == 0 {
			cfg.Limits.MaxRequestsPerPeer, cfg.Limits.MaxRequests = 2, 3
		}
	})
	server := nodes[0]
	var running, most atomic.Int32
	release := make(chan struct{})
	server.HandleRequest("slow", 10, func(ctx context.Context, _ PeerID, _ []byte) ([]byte, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		select {
		case <-release:
			return []byte("ok"), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	var wg sync.WaitGroup
	ask := func(n *node) {
		wg.Go(func() {
			if resp, err := n.Request(context.Background(), server.Self(), "slow", nil, 10); err != nil || string(resp) != "ok" {
				t.Errorf("admitted request: %q, %v", resp, err)
			}
		})
	}
	ask(nodes[1])
	ask(nodes[1])
	eventually(t, "two run", func() bool { return running.Load() == 2 })
	_, err := nodes[1].Request(t.Context(), server.Self(), "slow", nil, 10)
	wantKind(t, err, ErrBusy)
	ask(nodes[2])
	eventually(t, "three run", func() bool { return running.Load() == 3 })
	_, err = nodes[2].Request(t.Context(), server.Self(), "slow", nil, 10) // below its own cap, above the common one
	wantKind(t, err, ErrBusy)
	close(release)
	wg.Wait()
	if most.Load() != 3 || server.Stats().Requests.Busy != 2 {
		t.Errorf("at most %d ran, %d refused", most.Load(), server.Stats().Requests.Busy)
	}
	if resp, err := nodes[1].Request(t.Context(), server.Self(), "slow", nil, 10); err != nil || string(resp) != "ok" {
		t.Errorf("after the rush: %q, %v", resp, err)
	}
	eventually(t, "none is counted any more", func() bool {
		server.requests.mu.Lock()
		defer server.requests.mu.Unlock()
		return server.requests.total == 0 && len(server.requests.peers) == 0
	})
}

func TestHostileAnswers(t *testing.T) {
	cases := map[string]struct {
		answer []byte
		kind   ErrorKind
		cut    bool
	}{
		"more than asked":  {append([]byte{statusOK}, appendFrame(nil, make([]byte, 101))...), ErrTooLarge, true},
		"endless":          {[]byte{statusOK, 0xff, 0xff, 0xff, 0xff}, ErrTooLarge, true},
		"long refusal":     {append([]byte{statusRefused}, appendFrame(nil, make([]byte, maxRefusal+1))...), ErrFrame, true},
		"unknown status":   {append([]byte{9}, appendFrame(nil, nil)...), ErrFrame, true},
		"cut short":        {[]byte{statusOK, 0, 0, 0, 9, 1}, ErrStream, false},
		"nothing":          {nil, ErrStream, false},
		"binary sentence":  {append([]byte{statusRefused}, appendFrame(nil, []byte{0xff, 'x'})...), ErrRefused, false},
		"busy with a body": {append([]byte{statusBusy}, appendFrame(nil, []byte("x"))...), ErrBusy, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := start(t, testConfig(t, 0))
			s := newStranger(t, secpKey(t, 1))
			s.answerWith(a.requestProtocol("ask"), c.answer)
			conn := s.greet(a, 1)
			_, err := a.Request(t.Context(), s.id(), "ask", []byte("?"), 100)
			wantKind(t, err, c.kind)
			if c.cut {
				eventually(t, "peer is cut", closed(conn))
			} else if conn.IsClosed() {
				t.Error("peer was cut")
			}
		})
	}
}

func TestRequestsNeedAGreeting(t *testing.T) {
	a := start(t, testConfig(t, 0), func(n *node) { n.HandleRequest("echo", 10, echo) })
	s := newStranger(t, secpKey(t, 1))
	c, err := s.dial(a)
	if err != nil {
		t.Fatal(err)
	}
	stream := s.open(c, a.requestProtocol("echo"))
	if _, err := stream.Write(appendFrame([]byte{0, 0, 1, 0}, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	_ = stream.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if resp, err := readAnswer(stream, 100); err == nil {
		t.Errorf("answered %q before the greeting", resp)
	}
	if served := a.Stats().Requests.Served; served != 0 {
		t.Errorf("served %d", served)
	}
}
