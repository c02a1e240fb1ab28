package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// served runs a server on a fresh file until the test ends.
func served(t *testing.T, listen string) (net.Listener, *File) {
	t.Helper()
	l, err := Listen(t.Context(), listen)
	if err != nil {
		t.Fatal(err)
	}
	f := opened(t, created(t), 0)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, l, Server{Signer: f, Key: testKey("server"), Nodes: []crypto.PublicKey{testKey("node").Public()}})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return l, f
}

func remote(address string) Remote {
	return Remote{Address: address, Key: testKey("node"), Genesis: testGenesis, Validator: testKey("v").Public(), Timeout: 10 * time.Second}
}

func dialed(t *testing.T, r Remote) *Client {
	t.Helper()
	c, err := Dial(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// places are where a signer can listen; the second form is the node's.
func places(t *testing.T) map[string][2]string {
	socket := "unix:" + filepath.Join(t.TempDir(), "s")
	return map[string][2]string{"unix": {socket, socket}, "tcp": {"tcp:127.0.0.1:0", "tcp:" + testKey("server").Public().String() + "@"}}
}

func TestSignerRemote(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			l, f := served(t, place[0])
			address := place[1]
			if name == "tcp" {
				address += l.Addr().String()
			}
			c := dialed(t, remote(address))
			var many []Request
			for v := quorum.View(1); v <= 100; v++ {
				many = append(many, request(notarize, 0, v, "A"))
			}
			answers, err := c.Sign(many)
			if err != nil || len(answers) != len(many) {
				t.Fatalf("%d answers, %v", len(answers), err)
			}
			for i, a := range answers {
				if want := quick(crypto.PrivateKey{}, quorum.VoteDigest(testGenesis, testSet, many[i].Vote)); a.Refused != nil || a.Signature != want {
					t.Fatalf("answer %d: %+v", i, a)
				}
			}
			if _, ok := sign(t, c, request(notarize, 0, 100, "B")); ok {
				t.Fatal("a second notarize over the wire")
			}
			mustSign(t, c, request(propose, 0, 101, "A"), request(notarize, 0, 100, "A"), request(finalize, 0, 100, "A"))
			got, err := c.State()
			want, _ := f.State()
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || got.Mark != (Mark{0, 100, 2}) {
				t.Fatalf("the state is %+v, want %+v (%v)", got, want, err)
			}
			if err := c.Reconcile(Known{Mark: Mark{0, 100, 2}}); err != nil {
				t.Fatal(err)
			}
			wantKind(t, c.Reconcile(Known{Mark: Mark{0, 101, 1}}), ErrOldSigner)
			wantKind(t, c.Reconcile(Known{Mark: Mark{0, 3, 1}}), ErrOldJournal)
			foreign := remote(address)
			foreign.Validator = testKey("other").Public()
			_, err = Dial(t.Context(), foreign)
			wantKind(t, err, ErrForeign)
		})
	}
}

func TestSignerRemotePins(t *testing.T) {
	l, f := served(t, "tcp:127.0.0.1:0")
	at := func(key string) string { return "tcp:" + testKey(key).Public().String() + "@" + l.Addr().String() }
	stranger, wrong := remote(at("server")), remote(at("impostor"))
	stranger.Key = testKey("stranger")
	for name, r := range map[string]Remote{"a node that may not ask": stranger, "a server with another key": wrong} {
		r.Timeout = 500 * time.Millisecond
		c := dialed(t, r)
		if a, err := c.Sign([]Request{request(notarize, 0, 1, "A")}); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%s: %v, %v", name, a, err)
		}
	}
	if s, _ := f.State(); s.Mark != (Mark{}) {
		t.Fatalf("something was signed: %s", s.Mark)
	}
	mustSign(t, dialed(t, remote(at("server"))), request(notarize, 0, 1, "A"))
}

// TestSignerHostile: a crowd that opens connections and says nothing, nonsense or too much does not keep the node out.
func TestSignerHostile(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			l, _ := served(t, place[0])
			address := place[1]
			if name == "tcp" {
				address += l.Addr().String()
			}
			stop := make(chan struct{})
			var crowd sync.WaitGroup
			for i := range 8 {
				crowd.Go(func() {
					var held []net.Conn
					for n := 0; ; n++ {
						select {
						case <-stop:
							for _, c := range held {
								_ = c.Close()
							}
							return
						case <-time.After(2 * time.Millisecond):
						}
						c, err := net.Dial(l.Addr().Network(), l.Addr().String())
						if err != nil {
							continue
						}
						switch (i + n) % 3 {
						case 0:
							_, _ = c.Write([]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3})
						case 1:
							_, _ = c.Write(bytes.Repeat([]byte{0, 0, 0, 1, 1}, 50)) // asks and does not read
						}
						if held = append(held, c); len(held) > 40 {
							_ = held[0].Close()
							held = held[1:]
						}
					}
				})
			}
			c := dialed(t, remote(address))
			for v := quorum.View(1); v <= 50; v++ {
				if v%10 == 0 {
					c.drop(nil)
				}
				for tries := 0; ; tries++ { // as a node, which asks again with the next vote
					a, err := c.Sign([]Request{request(notarize, 0, v, "A")})
					if err == nil && a[0].Refused == nil {
						break
					}
					if tries > 500 {
						t.Fatalf("view %d: the node is kept out: %v, %v", v, a, err)
					}
					time.Sleep(5 * time.Millisecond)
				}
			}
			close(stop)
			crowd.Wait()
		})
	}
}

func TestSignerServeRefuses(t *testing.T) {
	m := created(t)
	mustSign(t, opened(t, m, NodeReserve), request(notarize, 0, 1, "A"))
	for name, c := range map[string]struct {
		server Server
		want   ErrKind
	}{
		"a reserve":           {Server{Signer: opened(t, created(t), 1)}, ErrOptions},
		"not closed in order": {Server{Signer: opened(t, m, 0)}, ErrUnreconciled},
		"tcp without keys":    {Server{Signer: opened(t, created(t), 0)}, ErrOptions},
	} {
		l, err := Listen(t.Context(), "tcp:127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := Serve(t.Context(), l, c.server); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "unix:", "udp:x:1", "tcp:1.2.3.4", "tcp:abc@1.2.3.4:5"} {
		_, err := Listen(t.Context(), bad)
		wantKind(t, err, ErrOptions)
		if _, err := Dial(t.Context(), remote(bad)); !errors.Is(err, ErrOptions) {
			t.Errorf("dialing %q: %v", bad, err)
		}
	}
	path := filepath.Join(t.TempDir(), "s")
	served(t, "unix:"+path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the socket: %v, %v", info, err)
	}
	_, err := Listen(t.Context(), "unix:"+path)
	wantKind(t, err, ErrLocked)
}

// TestSignerServeFails: a server whose disk fails ends, and says so to the node.
func TestSignerServeFails(t *testing.T) {
	m := created(t)
	f := opened(t, m, 0)
	path := "unix:" + filepath.Join(t.TempDir(), "s")
	l, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(context.Background(), l, Server{Signer: f}) }()
	r := remote(path)
	r.Timeout = 300 * time.Millisecond
	c := dialed(t, r)
	mustSign(t, c, request(notarize, 0, 1, "A"))
	f.mu.Lock()
	m.failing = true
	f.mu.Unlock()
	if a, err := c.Sign([]Request{request(notarize, 0, 2, "A")}); a != nil || !errors.Is(err, ErrUnavailable) {
		t.Fatalf("%v, %v", a, err)
	}
	if err := <-done; !errors.Is(err, ErrFailed) || !errors.Is(err, errDisk) {
		t.Fatalf("the server ended with %v", err)
	}
}

// process is a signer in a process of its own, this test program.
func process(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestSignerProcess$")
	cmd.Env = append(os.Environ(), "WAYBILL_TEST_SIGNER="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// proxy stands between a node and a signer, and can lose an answer.
type proxy struct {
	to   string
	lose func(answer []byte) // called once with an answer that is then lost

	mu sync.Mutex
}

func (p *proxy) serve(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go p.carry(in)
	}
}

func (p *proxy) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("unix", p.to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() { _, _ = io.Copy(out, in) }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := out.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		lose := p.lose
		p.lose = nil
		p.mu.Unlock()
		if lose != nil {
			lose(buffer[:n])
			return
		}
		if _, err := in.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestSignerProcess kills a real signer process after it has signed and before the node has the answer. The node asks
// again, and gets the very signature that was lost.
func TestSignerProcess(t *testing.T) {
	if dir := os.Getenv("WAYBILL_TEST_SIGNER"); dir != "" {
		f, err := OpenFile(vfs.Default, filepath.Join(dir, FileName), options(0))
		if err != nil {
			t.Fatal(err)
		}
		l, err := Listen(t.Context(), "unix:"+filepath.Join(dir, "signer"))
		if err != nil {
			t.Fatal(err)
		}
		t.Fatal(Serve(context.Background(), l, Server{Signer: f})) // until it is killed
	}
	dir := t.TempDir()
	if err := CreateFile(vfs.Default, filepath.Join(dir, FileName), testGenesis, testKey("v").Public()); err != nil {
		t.Fatal(err)
	}
	running := process(t, dir)
	defer func() { _, _ = running.Process.Kill(), running.Wait() }()
	p := &proxy{to: filepath.Join(dir, "signer")}
	l, err := net.Listen("unix", filepath.Join(dir, "proxy"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go p.serve(l)
	r := remote("unix:" + filepath.Join(dir, "proxy"))
	r.Timeout = 30 * time.Second
	c := dialed(t, r)
	kills := 10
	if testing.Short() {
		kills = 3
	}
	for v := quorum.View(1); v <= quorum.View(kills); v++ {
		want := request(notarize, 0, v, "A")
		if v%2 == 0 {
			want = request(nullify, 0, v, "")
		}
		var lost []byte
		again := make(chan *exec.Cmd, 1)
		p.mu.Lock()
		p.lose = func(answer []byte) {
			lost = bytes.Clone(answer)
			if err := running.Process.Kill(); err != nil {
				t.Errorf("killing: %v", err)
			}
			_ = running.Wait() // it was killed
			again <- process(t, dir)
		}
		p.mu.Unlock()
		got, ok := sign(t, c, want)
		running = <-again
		m, err := decodeFrame(lost[4:])
		if err != nil || len(m.answers) != 1 || m.answers[0].Refused != nil {
			t.Fatalf("view %d: the lost answer: %+v, %v", v, m, err)
		}
		if !ok || got != m.answers[0].Signature {
			t.Fatalf("view %d: asked again: %x, lost was %x", v, got[:4], m.answers[0].Signature[:4])
		}
		if _, ok := sign(t, c, request(notarize, 0, v, "B")); ok {
			t.Fatalf("view %d: signed twice", v)
		}
	}
	if err := c.Reconcile(Known{Mark: Mark{0, quorum.View(kills), 2}}); kills%2 == 0 && err != nil {
		t.Fatal(err)
	}
}

// TestSignerGone: while the signer is away the client says so at once, and works when it is back.
func TestSignerGone(t *testing.T) {
	path := "unix:" + filepath.Join(t.TempDir(), "s")
	r := remote(path)
	r.Timeout = 200 * time.Millisecond
	c := dialed(t, r)
	for range 3 {
		if a, err := c.Sign([]Request{request(notarize, 0, 1, "A")}); a != nil || !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "signer run") {
			t.Fatalf("%v, %v", a, err)
		}
	}
	served(t, path)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		a, err := c.Sign([]Request{request(notarize, 0, 1, "A")})
		if err == nil && a[0].Refused == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the signer is back, and the client says %v", err)
		}
	}
}

// TestSignerHung: a signer that takes connections and says nothing costs the node one wait, not one for every vote.
func TestSignerHung(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := remote("unix:" + path)
	r.Timeout = 100 * time.Millisecond
	c := dialed(t, r) // waits once
	taken := make(chan net.Conn, 100)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				close(taken)
				return
			}
			taken <- in
		}
	}()
	for range 50 {
		if a, err := c.Sign([]Request{request(notarize, 0, 1, "A")}); a != nil || !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%v, %v", a, err)
		}
	}
	if n := len(taken); n > 10 {
		t.Fatalf("%d connections for 50 votes", n)
	}
}

func FuzzSignerFrame(f *testing.F) {
	for _, m := range sampleFrames() {
		f.Add(m.encode()[4:])
	}
	f.Add([]byte{frameSign, 255})
	f.Add([]byte{frameSigned, 1, 1, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeFrame(b)
		if err != nil {
			if !errors.Is(err, ErrEncoding) && !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		for _, a := range m.answers {
			if a.Refused != nil {
				return // its text is quoted
			}
		}
		if got := m.encode()[4:]; !bytes.Equal(got, b) {
			t.Fatalf("two forms of one frame:\n%x\n%x", b, got)
		}
	})
}

func sampleFrames() []message {
	r := request(notarize, 1, 2, "A")
	return []message{
		{kind: frameState}, {kind: frameSign, requests: []Request{r, request(nullify, 1, 2, "")}},
		{kind: frameStateIs, state: State{Genesis: testGenesis, Key: testKey("v").Public(), Mark: Mark{1, 2, 1}, Ceiling: Mark{1, 2, 1}, Recent: []SignedVote{SignedVote(r)}}},
		{kind: frameSigned, answers: []Answer{{Signature: quick(crypto.PrivateKey{}, testGenesis)}, {Refused: errors.New("no")}}},
		{kind: frameFault, text: "the disk is full"},
	}
}

func TestSignerFrames(t *testing.T) {
	for _, m := range sampleFrames() {
		b := m.encode()
		got, err := readFrame(bytes.NewReader(b))
		if err != nil || got.kind != m.kind || len(got.requests) != len(m.requests) || len(got.answers) != len(m.answers) || got.text != m.text {
			t.Fatalf("%+v became %+v (%v)", m, got, err)
		}
		for n := range b {
			if _, err := readFrame(bytes.NewReader(b[:n])); err == nil {
				t.Fatalf("type %d: %d of %d bytes are a frame", m.kind, n, len(b))
			}
		}
	}
	full := message{kind: frameSign}
	for v := range quorum.View(maxRequests) {
		full.requests = append(full.requests, request(notarize, 0, v+1, "A"))
	}
	if m, err := readFrame(bytes.NewReader(full.encode())); err != nil || len(m.requests) != maxRequests {
		t.Fatal(err)
	}
	long := message{kind: frameSigned}
	for range maxRequests {
		long.answers = append(long.answers, Answer{Refused: errors.New(strings.Repeat("x", 999))})
	}
	if _, err := readFrame(bytes.NewReader(long.encode())); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty": {0, 0, 0, 0}, "huge": {0xff, 0xff, 0xff, 0xff}, "one above": {0, 0, byte((maxFrame + 1) >> 8), byte((maxFrame + 1) & 255)}, "unknown": {0, 0, 0, 1, 77},
	} {
		if _, err := readFrame(bytes.NewReader(b)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
