package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"waybill/epcis"
)

// Limits are the bounds of a server. Zero fields mean the defaults; see [Limits.withDefaults] for them.
type Limits struct {
	// Sizes.
	BodyBytes   int64 // of a request
	BodiesBytes int64 // of all requests at once; more get 503
	AnswerBytes int   // of events in one answer; more is refused
	HeaderBytes int   // of a request's head, cookies and address included
	URLBytes    int   // of a request's path and query

	// Numbers.
	Connections   int     // open at once; more wait to be accepted
	Requests      int     // being answered at once; more get 503
	Heavy         int     // of these: captures, queries, traces and proofs
	Walks         int     // of these: traces, scopes and balances, each of which may hold 32 MiB of events, decoded (see trace.Limits)
	PerAddress    int     // being answered at once for one client address
	RatePerSecond float64 // requests per client address (IPv6: per /64); negative: no limit
	Burst         int     // requests that an address may make at once before the rate counts
	Addresses     int     // remembered for the rate; the longest unseen is forgotten

	// Times.
	HeadTime  time.Duration // for the head of a request
	BodyTime  time.Duration // for head and body; a body must also keep moving, see bodyReader
	WriteTime time.Duration // from the head's end to the answer's end
	IdleTime  time.Duration // of a kept connection
	WaitTime  time.Duration // longest wait for finality or a height; below WriteTime
	StopTime  time.Duration // for requests in progress at shutdown
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.BodyBytes, 10<<20)
	setDefault(&l.BodiesBytes, 256<<20)
	setDefault(&l.AnswerBytes, epcis.MaxDocumentBytes) // what every reader of EPCIS documents here takes
	setDefault(&l.HeaderBytes, 16<<10)
	setDefault(&l.URLBytes, 8<<10)
	setDefault(&l.Connections, 4096)
	setDefault(&l.Requests, 512)
	setDefault(&l.Heavy, 64)
	setDefault(&l.Walks, 16)
	setDefault(&l.PerAddress, 256)
	setDefault(&l.RatePerSecond, 500)
	setDefault(&l.Burst, 1000)
	setDefault(&l.Addresses, 10_000)
	setDefault(&l.HeadTime, 5*time.Second)
	setDefault(&l.BodyTime, 60*time.Second)
	setDefault(&l.WriteTime, 60*time.Second)
	setDefault(&l.IdleTime, 60*time.Second)
	setDefault(&l.WaitTime, 20*time.Second)
	setDefault(&l.StopTime, 10*time.Second)
	return l
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (l Limits) validate() error {
	for _, n := range []int64{l.BodyBytes, l.BodiesBytes, int64(l.AnswerBytes), int64(l.HeaderBytes), int64(l.URLBytes), int64(l.Connections), int64(l.Requests), int64(l.Heavy), int64(l.Walks),
		int64(l.PerAddress), int64(l.Burst), int64(l.Addresses), int64(l.HeadTime), int64(l.BodyTime), int64(l.WriteTime),
		int64(l.IdleTime), int64(l.WaitTime), int64(l.StopTime)} {
		if n < 0 {
			return fmt.Errorf("api: a limit is negative: %+v", l)
		}
	}
	if l.WaitTime >= l.WriteTime {
		return fmt.Errorf("api: WaitTime %s must be below WriteTime %s, or waiting requests end without an answer", l.WaitTime, l.WriteTime)
	}
	return nil
}

// slots counts what is in progress; take never blocks, so that a full server answers at once.
type slots chan struct{}

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) release() { <-s }

// visitors bounds what one client address may do. Addresses are remembered in a bounded cache: forgetting one only
// refills its allowance.
type visitors struct {
	limits Limits

	mu   sync.Mutex // guards the two below, and active of every visitor
	seen *lru.Cache[netip.Addr, *visitor]
	busy map[netip.Addr]*visitor // with requests in progress; bounded by Limits.Requests
}

type visitor struct {
	rate   *rate.Limiter
	active int
}

func newVisitors(l Limits) (*visitors, error) {
	seen, err := lru.New[netip.Addr, *visitor](l.Addresses)
	if err != nil {
		return nil, fmt.Errorf("api: cache of client addresses: %w", err)
	}
	return &visitors{limits: l, seen: seen, busy: make(map[netip.Addr]*visitor)}, nil
}

// enter admits a request or says why not. Call leave once after a nil problem.
func (v *visitors) enter(addr netip.Addr, now time.Time) *Problem {
	v.mu.Lock()
	defer v.mu.Unlock()
	one := v.busy[addr]
	if one == nil {
		one, _ = v.seen.Get(addr)
	}
	if one == nil {
		limit := rate.Limit(v.limits.RatePerSecond)
		if v.limits.RatePerSecond < 0 {
			limit = rate.Inf
		}
		one = &visitor{rate: rate.NewLimiter(limit, v.limits.Burst)}
	}
	v.seen.Add(addr, one)
	if !one.rate.AllowN(now, 1) {
		return problem(ErrRateLimited, "this address asks more than %g times a second", v.limits.RatePerSecond).
			help("Wait and try again; several events fit into one document.").retry(1)
	}
	if one.active >= v.limits.PerAddress {
		return problem(ErrRateLimited, "this address has %d requests in progress", one.active).
			help("Wait for some of them to end.").retry(1)
	}
	one.active++
	v.busy[addr] = one
	return nil
}

func (v *visitors) leave(addr netip.Addr) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if one := v.busy[addr]; one != nil {
		if one.active--; one.active == 0 {
			delete(v.busy, addr)
		}
	}
}

// clientAddr is the peer of the connection. Headers that proxies set are not believed: anybody can set them.
func clientAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv6Unspecified()
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.Is6() {
		// One subscriber usually has a /64.
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

// Bounds of how slowly a body may come.
const (
	bodyPause    = 5 * time.Second // longest time without a byte, and the grace at the start
	bodyMinSpeed = 32 << 10        // bytes a second on average after the grace
)

// bodyReader cuts off bodies that trickle: without it a thousand clients sending a byte a second would hold all slots.
type bodyReader struct {
	control *http.ResponseController
	start   time.Time
	end     time.Time // whatever the speed
	total   int64
	next    interface{ Read([]byte) (int, error) }
}

// Read gives the next read until the time at which the average speed would fall below the minimum.
func (b *bodyReader) Read(p []byte) (int, error) {
	deadline := b.start.Add(bodyPause + time.Duration(b.total/bodyMinSpeed)*time.Second)
	if pause := time.Now().Add(bodyPause); pause.Before(deadline) {
		deadline = pause
	}
	if b.end.Before(deadline) {
		deadline = b.end
	}
	// A recorder in a test has no deadline to set; the limits of the server still hold then.
	_ = b.control.SetReadDeadline(deadline)
	n, err := b.next.Read(p)
	b.total += int64(n)
	return n, err
}

// budget is a number of bytes that several may hold parts of.
type budget struct{ left atomic.Int64 }

// take reports whether there were n left; then they are taken.
func (b *budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

func (b *budget) give(n int64) { b.left.Add(n) }

var errBodies = errors.New("too many bodies at once")

// countedReader takes what it reads from the budget: only what has arrived counts, so that promising a large body and not
// sending it keeps nobody out.
type countedReader struct {
	next   io.Reader
	bodies *budget
	held   *int64 // taken so far
}

// Read is the next read, or errBodies when there is no room for what came.
func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.next.Read(p)
	if n > 0 && !c.bodies.take(int64(n)) {
		return 0, errBodies
	}
	*c.held += int64(n)
	return n, err
}

// boundedListener holds back accepting while the limit of connections is open.
type boundedListener struct {
	net.Listener
	open chan struct{}
	done context.Context
}

// Accept waits for a free place, then for a connection.
func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.done.Done():
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &boundedConn{Conn: c, release: sync.OnceFunc(func() { <-l.open })}, nil
}

type boundedConn struct {
	net.Conn
	release func()
}

// Close frees the connection's place, once.
func (c *boundedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
