package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"waybill/consensus/quorum"
)

// Media types.
const (
	mediaJSON        = "application/json"
	mediaJSONLD      = "application/ld+json"
	mediaTransaction = "application/vnd.waybill.transaction+cbor"
)

// route is one line of the table that both the mux and the test of openapi.json are made from.
type route struct {
	method  string
	pattern string
	params  []string // query parameters; any other is refused
	query   bool     // the parameters are those of an EPCIS query, which epcis/query checks
	body    []string // media types that are read; nil: the request has no body
	heavy   bool     // costs enough to be bounded separately
	walks   bool     // and more than that: see Limits.Walks
	reads   bool     // honours minHeight
	asOf    bool     // honours height: answers from the state after that block
	plain   bool     // answers text to whoever asks, whatever they accept
	handle  func(*Server, *request) (*reply, error)
}

// request is a checked request.
type request struct {
	*http.Request
	params url.Values
	media  string
	body   []byte

	held  int64  // bytes of body that count against Limits.BodiesBytes
	light func() // gives back the place among the heavy ones early, before a wait; nil: it has none
}

// param returns the only value of a parameter, "" if absent.
func (r *request) param(name string) string { return r.params.Get(name) }

// reply is an answer that is written only when it is complete.
type reply struct {
	status int // 0: 200
	header http.Header
	json   any    // encoded as JSON, or
	raw    []byte // written as it is
	media  string // of raw
}

func (r *reply) set(name, value string) *reply {
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(name, value)
	return r
}

// routes builds the mux: one handler per pattern, which chooses by method, so that every refusal is a problem.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	byPattern := map[string][]route{}
	for _, rt := range table() {
		byPattern[rt.pattern] = append(byPattern[rt.pattern], rt)
	}
	for pattern, routes := range byPattern {
		mux.Handle(pattern, s.dispatch(pattern, routes))
	}
	if s.cfg.Metrics != nil {
		mux.Handle("/metrics", s.cfg.Metrics)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem(ErrNotFound, "there is nothing at this address").
			help("The ledger is under /v1 (see /v1/openapi.json), EPCIS under /epcis/v2. Identifiers in a path are percent-encoded.").write(w, r)
	})
	return mux
}

func (s *Server) dispatch(pattern string, routes []route) http.Handler {
	allow := []string{http.MethodOptions}
	for _, rt := range routes {
		allow = append(allow, rt.method)
		if rt.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	allowed := strings.Join(allow, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec, _ := w.(*recorder)
		if rec != nil {
			rec.route = pattern
		}
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if method == http.MethodOptions {
			s.options(w, r, allowed)
			return
		}
		i := slices.IndexFunc(routes, func(rt route) bool { return rt.method == method })
		if i < 0 {
			w.Header().Set("Allow", allowed)
			problem(ErrMethod, "this address does not take %s", show(r.Method)).want(allowed, r.Method).write(w, r)
			return
		}
		if rec != nil {
			rec.method = method
		}
		s.answer(w, r, &routes[i])
	})
}

func (s *Server) options(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	if isEPCIS(r) {
		s.discovery(w.Header())
	}
	w.WriteHeader(http.StatusNoContent)
}

// answer runs one route and writes what came of it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, rt *route) {
	if isEPCIS(r) {
		gs1Headers(w.Header())
	}
	out, err := s.run(w, r, rt)
	var body []byte
	if err == nil {
		body, err = out.encode()
	}
	if err != nil {
		p := problemOf(err)
		if p.Code == ErrInternal {
			s.fault(rt.pattern, err)
		}
		if p.Code == ErrTooLarge && isEPCIS(r) {
			s.captureLimits(w.Header())
		}
		p.write(w, r)
		return
	}
	h := w.Header()
	for name, values := range out.header {
		h[name] = values
	}
	if out.status == 0 {
		out.status = http.StatusOK
	}
	if body != nil {
		h.Set("Content-Type", out.media)
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.status)
	if body != nil && r.Method != http.MethodHead {
		_, _ = w.Write(body) // fails only when the client is gone
	}
}

func (out *reply) encode() ([]byte, error) {
	if out.json == nil {
		return out.raw, nil
	}
	var b bytes.Buffer
	// The encoder's default escapes <, > and &: a hostile name stays text even where somebody pastes it into a page.
	if err := json.NewEncoder(&b).Encode(out.json); err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	out.media = mediaJSON
	return b.Bytes(), nil
}

func (s *Server) run(w http.ResponseWriter, r *http.Request, rt *route) (*reply, error) {
	req := &request{Request: r}
	var err error
	if req.params, err = parseParams(r.URL.RawQuery, rt); err != nil {
		return nil, err
	}
	if err := acceptable(r.Header.Values("Accept")); err != nil && !rt.plain {
		return nil, err
	}
	if isEPCIS(r) {
		if err := checkGS1Headers(r.Header); err != nil {
			return nil, err
		}
	}
	if rt.body != nil {
		defer func() { s.bodies.give(req.held) }()
		// Before a place among the heavy ones is taken: a slow body must not hold one.
		if err := s.readBody(w, req, rt.body); err != nil {
			return nil, err
		}
	}
	ctx, cancel := s.within(r.Context(), s.cfg.Limits.WaitTime)
	defer cancel()
	req.Request = r.WithContext(ctx)
	if rt.reads {
		if err := s.awaitHeight(req); err != nil {
			return nil, err
		}
	}
	if rt.heavy {
		if !s.heavy.take() {
			return nil, problem(ErrBusy, "%d captures, queries and traces are in progress", s.cfg.Limits.Heavy).help("Try again in a moment.").retry(1)
		}
		req.light = sync.OnceFunc(s.heavy.release)
		defer req.light()
	}
	if rt.walks {
		if !s.walks.take() {
			return nil, problem(ErrBusy, "%d traces, scopes and balances are in progress", s.cfg.Limits.Walks).help("Try again in a moment.").retry(1)
		}
		defer s.walks.release()
	}
	return rt.handle(s, req)
}

// within bounds a context by time and by the server's stop.
func (s *Server) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	unhook := context.AfterFunc(s.stopping, cancel)
	return ctx, func() { unhook(); cancel() }
}

// parseParams refuses what net/url would silently drop, what the route does not know, and what stands twice.
func parseParams(raw string, rt *route) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, problem(ErrBadRequest, "the query part of the address does not parse").
			help("Percent-encode names and values; separate them with &.")
	}
	for name, list := range values {
		if rt.query && name != "minHeight" {
			continue
		}
		known := slices.Contains(rt.params, name) || rt.reads && name == "minHeight" || rt.asOf && name == "height"
		if !known {
			p := problem(ErrBadRequest, "unknown query parameter %q", show(name)).want(expectedParams(rt), name)
			p.Errors = []Fault{{Pointer: "/" + show(name), Code: "unknown parameter", Detail: "this address does not know the parameter"}}
			return nil, p.help("Remove it or correct its name; names are case-sensitive.")
		}
		if len(list) > 1 {
			return nil, problem(ErrBadRequest, "query parameter %q stands %d times", name, len(list)).help("Give it once.")
		}
	}
	return values, nil
}

func expectedParams(rt *route) string {
	names := slices.Clone(rt.params)
	if rt.reads {
		names = append(names, "minHeight")
	}
	if rt.asOf {
		names = append(names, "height")
	}
	if len(names) == 0 {
		return "no parameters"
	}
	return strings.Join(names, ", ")
}

// acceptable says whether the client takes JSON. No Accept header means anything.
func acceptable(headers []string) error {
	if len(headers) == 0 {
		return nil
	}
	accept := strings.Join(headers, ",")
	best, bestMatch := 0.0, -1
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		match := slices.Index([]string{"*/*", "application/*", mediaJSONLD, mediaJSON}, media)
		if match < 0 {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		// The most specific range decides (RFC 9110, 12.5.1); JSON-LD is one of the two names of our answers.
		if match > bestMatch || match >= 2 && q > best {
			best, bestMatch = q, match
		}
	}
	if best > 0 {
		return nil
	}
	return problem(ErrNotAcceptable, "this node answers JSON only").want(mediaJSON+" or "+mediaJSONLD, accept).
		help("Send Accept: application/json, or no Accept header.")
}

// readBody checks the kind of body and reads it whole within the limits.
func (s *Server) readBody(w http.ResponseWriter, r *request, media []string) error {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return problem(ErrMediaType, "this node does not unpack compressed bodies").want("no Content-Encoding", enc).
			help("Send the document uncompressed.")
	}
	text := r.Header.Get("Content-Type")
	got, params, err := mime.ParseMediaType(text)
	charset := strings.ToLower(params["charset"])
	if err != nil || !slices.Contains(media, got) || charset != "" && charset != "utf-8" && charset != "us-ascii" {
		return problem(ErrMediaType, "the body is of a media type that this address does not take").want(strings.Join(media, ", "), text).
			help("Set Content-Type to one of the expected types.")
	}
	r.media = got
	if r.ContentLength > s.cfg.Limits.BodyBytes {
		w.Header().Set("Connection", "close") // do not read it just to reuse the connection
		return tooLarge(s.cfg.Limits.BodyBytes)
	}
	control := http.NewResponseController(w)
	now := time.Now()
	slow := &bodyReader{control: control, start: now, end: now.Add(s.cfg.Limits.BodyTime), next: r.Body}
	counted := &countedReader{next: http.MaxBytesReader(w, io.NopCloser(slow), s.cfg.Limits.BodyBytes), bodies: &s.bodies, held: &r.held}
	r.body, err = io.ReadAll(counted)
	if err != nil {
		w.Header().Set("Connection", "close") // the server would first read the rest, however slowly it comes
		return bodyProblem(err)
	}
	// The server watches the connection while the handler runs; a deadline left over would look like a lost client. The
	// answer gets its whole time however long the body took. Recorders in tests have no deadlines.
	end := time.Now().Add(s.cfg.Limits.WriteTime)
	_, _ = control.SetReadDeadline(end), control.SetWriteDeadline(end)
	if len(r.body) == 0 {
		return problem(ErrBadRequest, "the body is empty").want(strings.Join(media, ", "), "nothing")
	}
	return nil
}

func bodyProblem(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return err
	case errors.Is(err, errBodies):
		return problem(ErrBusy, "the node holds as much of requests as it has room for").help("Try again in a moment.").retry(1)
	}
	return problem(ErrBadRequest, "the body ended early or came too slowly").help("Send it again over a better connection, or in smaller parts.")
}

const minHeightHeader = "Waybill-Min-Height"

// awaitHeight waits until the answer can contain what was final at the height that the client names.
func (s *Server) awaitHeight(r *request) error {
	text := r.param("minHeight")
	r.params.Del("minHeight")
	if text == "" {
		text = r.Header.Get(minHeightHeader)
	}
	if text == "" {
		return nil
	}
	height, err := parseHeight(text)
	if err != nil {
		return problem(ErrBadRequest, "minHeight is not a height").want("a whole number", text)
	}
	if err := s.cfg.Events.WaitIndexed(r.Context(), height); err != nil {
		if r.Context().Err() == nil {
			return err
		}
		return problem(ErrNotReady, "this node's index is at height %d and did not reach %d in time", s.cfg.Events.IndexedHeight(), height).
			help("Try again, or ask a node that is further.").retry(2)
	}
	return nil
}

func parseHeight(text string) (quorum.Height, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || text != strconv.FormatUint(n, 10) {
		return 0, errors.New("not a height")
	}
	return quorum.Height(n), nil
}

// limitParam reads a page size from 1 to most.
func (r *request) limitParam(usual, most int) (int, error) {
	text := r.param("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, problem(ErrBadRequest, "limit is not a page size").want(fmt.Sprintf("1 to %d", most), text)
	}
	return min(n, most), nil
}

// flagParam reads a parameter that is true or false.
func (r *request) flagParam(name string) (bool, error) {
	switch text := r.param(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, problem(ErrBadRequest, "%s is true or false", name).want("true or false", text)
	}
}

const itemsPrefix = "/v1/items/"

// normalise bounds the address and refuses what the mux would answer with a redirect. In /v1/items/ a Digital Link may stand
// unescaped; its "//" would be folded, so it is escaped first.
func (s *Server) normalise(r *http.Request) *Problem {
	if n := len(r.URL.RequestURI()); n > s.cfg.Limits.URLBytes {
		return problem(ErrTooLong, "the address has %d bytes; at most %d", n, s.cfg.Limits.URLBytes).help("Use shorter lists of values, or several requests.")
	}
	escaped := r.URL.EscapedPath()
	if strings.HasPrefix(escaped, itemsPrefix) && strings.Contains(escaped, "//") {
		escaped = itemsPrefix + strings.ReplaceAll(escaped[len(itemsPrefix):], "//", "/%2F")
		r.URL.RawPath = escaped
	}
	segments := strings.Split(escaped, "/")
	for i, seg := range segments {
		if seg == "." || seg == ".." || seg == "" && i > 0 && i < len(segments)-1 {
			return problem(ErrNotFound, "the path has an empty or dot segment").
				help("Percent-encode identifiers in a path: / is %%2F.")
		}
	}
	return nil
}
