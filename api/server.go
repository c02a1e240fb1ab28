package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"waybill/epcis/trace"
	"waybill/ledger"
)

// Config is what a server answers from. Everything is needed except what says otherwise.
type Config struct {
	Genesis *ledger.Genesis

	Chain        Chain
	State        State
	Prover       Prover
	Submitter    Submitter
	Transactions Transactions
	Events       Events
	Trace        trace.Source
	Node         Node

	Certifier Certifier // nil: there are no certificates

	Jobs    JobStore      // nil: [NewMemoryJobs] with 10,000 places
	Signer  CaptureSigner // nil: EPCIS documents are refused, signed transactions are taken
	Metrics http.Handler  // nil: /metrics is 404
	Limits  Limits

	// Params are the parameters in force: documents are held against them, captures made under them. Nil: those of genesis.
	Params func() ledger.Params
	// Observe is told of every answer; nil: nobody is. It must not block.
	Observe func(Observation)
	// Fault is told of panics and of errors that became a 500, neither of which the client sees; nil: nobody is.
	Fault func(route string, err error)
	// Configure may set the ErrorLog or TLS of the HTTP server before it serves; nil: nothing. Timeouts are Limits'.
	Configure func(*http.Server)
	// Now is the clock for job times and rates; nil: time.Now.
	Now func() time.Time
}

// Observation is one answer, for metrics.
type Observation struct {
	Route   string // pattern, for example "/v1/blocks/{block}"; "none" if nothing matched
	Method  string // of the route; "none" if nothing matched
	Status  int
	Elapsed time.Duration
}

// Server answers HTTP requests. Make it with [New].
type Server struct {
	cfg  Config
	mux  *http.ServeMux
	keys *idempotency

	visitors *visitors
	all      slots
	heavy    slots
	walks    slots
	bodies   budget

	stopping context.Context // done when Serve is told to stop, so that waiting requests end
	stop     context.CancelFunc
}

// New checks the configuration and builds a server.
func New(cfg Config) (*Server, error) {
	for name, missing := range map[string]bool{
		"Genesis": cfg.Genesis == nil, "Chain": cfg.Chain == nil, "State": cfg.State == nil, "Prover": cfg.Prover == nil,
		"Submitter": cfg.Submitter == nil, "Transactions": cfg.Transactions == nil, "Events": cfg.Events == nil,
		"Trace": cfg.Trace == nil, "Node": cfg.Node == nil,
	} {
		if missing {
			return nil, fmt.Errorf("api: Config.%s is nil", name)
		}
	}
	cfg.Limits = cfg.Limits.withDefaults()
	if err := cfg.Limits.validate(); err != nil {
		return nil, err
	}
	if cfg.Jobs == nil {
		cfg.Jobs = NewMemoryJobs(10_000)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	visitors, err := newVisitors(cfg.Limits)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, visitors: visitors, keys: newIdempotency(maxIdempotencyKeys),
		all: make(slots, cfg.Limits.Requests), heavy: make(slots, cfg.Limits.Heavy), walks: make(slots, cfg.Limits.Walks)}
	s.bodies.give(cfg.Limits.BodiesBytes)
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.mux = s.routes()
	return s, nil
}

// Handler returns everything but the limits on connections and times, which belong to Serve.
func (s *Server) Handler() http.Handler {
	// Browsers send cookies and reach loopback from any page: a page of another origin must not capture.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem(ErrForbidden, "a page of another origin may not write to this node").
			help("Call the node from a program, or serve the page from the node's own origin.").write(w, r)
	}))
	guarded := guard.Handler(s.mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.admit(w, r, guarded) })
}

// httpServer has all four timeouts and a bound on the head.
func (s *Server) httpServer() *http.Server {
	l := s.cfg.Limits
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: l.HeadTime,
		ReadTimeout:       l.BodyTime,
		WriteTimeout:      l.WriteTime,
		IdleTimeout:       l.IdleTime,
		MaxHeaderBytes:    l.HeaderBytes,
	}
}

// Serve answers on the listener until ctx is done, then lets requests in progress end within Limits.StopTime and returns
// nil. It closes the listener. A Server serves once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := s.httpServer()
	if s.cfg.Configure != nil {
		s.cfg.Configure(server)
	}
	bounded := &boundedListener{Listener: listener, open: make(chan struct{}, s.cfg.Limits.Connections), done: ctx}
	served := make(chan error, 1)
	go func() { served <- server.Serve(bounded) }()
	select {
	case err := <-served:
		if ctx.Err() == nil {
			s.stop()
			return fmt.Errorf("serving the HTTP API on %s: %w", listener.Addr(), err)
		}
		served <- nil // the listener noticed the stop first
	case <-ctx.Done():
	}
	s.stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.StopTime)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-served
	if err != nil {
		return fmt.Errorf("stopping the HTTP API on %s: %w", listener.Addr(), err)
	}
	return nil
}

// admit holds a request to the limits that are the same for all, and turns a panic into an answer.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, next http.Handler) {
	start := s.cfg.Now()
	rec := &recorder{ResponseWriter: w, route: "none", method: "none"}
	defer func() {
		if v := recover(); v != nil {
			s.fault(rec.route, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
			if rec.status == 0 {
				problem(ErrInternal, "the node could not answer; its log says why").write(rec, r)
			}
		}
		if s.cfg.Observe != nil {
			s.cfg.Observe(Observation{Route: rec.route, Method: rec.method, Status: rec.status, Elapsed: s.cfg.Now().Sub(start)})
		}
	}()
	commonHeaders(rec.Header())
	if p := s.enter(r, start); p != nil {
		p.write(rec, r)
		return
	}
	defer s.leave(r)
	if p := s.normalise(r); p != nil {
		p.write(rec, r)
		return
	}
	next.ServeHTTP(rec, r)
}

func (s *Server) enter(r *http.Request, now time.Time) *Problem {
	if isProbe(r.URL.Path) {
		return nil // a full node must still say that it lives
	}
	if !s.all.take() {
		return problem(ErrBusy, "%d requests are in progress", s.cfg.Limits.Requests).help("Try again in a moment.").retry(1)
	}
	if p := s.visitors.enter(clientAddr(r), now); p != nil {
		s.all.release()
		return p
	}
	return nil
}

func (s *Server) leave(r *http.Request) {
	if isProbe(r.URL.Path) {
		return
	}
	s.visitors.leave(clientAddr(r))
	s.all.release()
}

func isProbe(path string) bool { return path == "/livez" || path == "/healthz" || path == "/readyz" }

func (s *Server) fault(route string, err error) {
	if s.cfg.Fault != nil {
		s.cfg.Fault(route, err)
	}
}

// commonHeaders make an answer harmless in a browser and unshared in caches.
func commonHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
}

// recorder remembers the status for Observe.
type recorder struct {
	http.ResponseWriter
	route, method string
	status        int
}

// WriteHeader remembers the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write is an implicit 200.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
