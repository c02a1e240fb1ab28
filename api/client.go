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
	"strconv"
	"strings"
	"sync"
	"time"

	"waybill/consensus/quorum"
	"waybill/ledger"
)

// Client asks one node. Make it with [NewClient]; it is safe for concurrent use.
//
// What a node refuses comes back as *[Problem], for errors.Is with the Kinds of this package: errors.Is(err,
// [ErrNotFound]). A node that cannot be reached is an ordinary error that names its address and wraps that of the
// network. The error of the context wins over both.
type Client struct {
	base      string // without a slash at the end
	http      *http.Client
	minHeight quorum.Height // 0: none
	asOf      *quorum.Height
	most      int64 // bytes of an answer

	known *knownGenesis // shared with the clients that AtLeast makes
}

type knownGenesis struct {
	mu  sync.Mutex // guards doc
	doc *ledger.Genesis
}

// Bounds of the client.
const (
	maxAnswerBytes  = 64 << 20         // of an answer
	maxProblemBytes = 1 << 20          // of a problem
	headTime        = 90 * time.Second // until an answer begins: more than any wait of a server
	pollPause       = 100 * time.Millisecond
	maxPause        = 5 * time.Second // whatever Retry-After says
)

// ClientOption changes what NewClient makes.
type ClientOption func(*Client)

// WithHTTPClient has requests made by another HTTP client, for example one that trusts a company's own certificates.
func WithHTTPClient(h *http.Client) ClientOption { return func(c *Client) { c.http = h } }

// NewClient makes a client of the node at an address such as "http://127.0.0.1:8440"; "http://" may be left out.
func NewClient(baseURL string, opts ...ClientOption) (*Client, error) {
	text := baseURL
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is no address of a node; write it like http://127.0.0.1:8440", show(baseURL))
	}
	c := &Client{base: strings.TrimRight(u.Scheme+"://"+u.Host+u.EscapedPath(), "/"), most: maxAnswerBytes, known: &knownGenesis{}}
	for _, o := range opts {
		o(c)
	}
	if c.http == nil {
		c.http = ownHTTPClient()
	}
	return c, nil
}

func ownHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = headTime
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.MaxIdleConnsPerHost = 16
	transport.DisableCompression = true // a node never compresses, and what does not arrive cannot explode
	return &http.Client{
		Transport: transport,
		// A node never redirects; whoever does is something else and must not get a transaction that was meant for a node.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// URL is the address of the node, without a slash at the end.
func (c *Client) URL() string { return c.base }

// Close gives back connections that are not in use. The client can still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// AtLeast makes a client of the same node whose questions are answered only when the node's index has reached a height:
// pass the height of a capture job that ended on another node. ErrNotReady when the node is not there in time.
func (c *Client) AtLeast(height quorum.Height) *Client {
	other := *c
	other.minHeight = height
	return &other
}

// call is one request.
type call struct {
	method string
	path   string // escaped
	query  url.Values
	media  string // of body
	body   []byte
	header http.Header
}

// answer is what came back with a status of success.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do makes a request and turns whatever is not a success into an error.
func (c *Client) do(ctx context.Context, q call) (*answer, error) {
	req, err := c.request(ctx, q)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer func() { _ = res.Body.Close() }() // nothing more is read of it
	limit := c.most
	success := res.StatusCode >= 200 && res.StatusCode < 300
	if !success {
		limit = maxProblemBytes
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, c.unreachable(ctx, fmt.Errorf("reading the answer to %s %s: %w", q.method, q.path, err))
	}
	if !success {
		return nil, problemFrom(res, body)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("the answer of %s to %s %s has more than %d bytes; ask for less at once", c.base, q.method, q.path, limit)
	}
	return &answer{status: res.StatusCode, header: res.Header, body: body}, nil
}

// maxTargetBytes bounds the address of a request. Servers answer ErrTooLong to less, and hang up on more.
const maxTargetBytes = 16 << 10

func (c *Client) request(ctx context.Context, q call) (*http.Request, error) {
	target := c.base + q.path
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	if len(target) > maxTargetBytes {
		return nil, problem(ErrTooLong, "the address of the question has %d bytes; at most %d", len(target), maxTargetBytes).help("Check what was asked for; use shorter lists of values, or several requests.")
	}
	req, err := http.NewRequestWithContext(ctx, q.method, target, bytes.NewReader(q.body))
	if err != nil {
		return nil, fmt.Errorf("making a request to %s: %w", c.base, err)
	}
	for name, values := range q.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", mediaJSON+", text/plain;q=0.5")
	if q.media != "" {
		req.Header.Set("Content-Type", q.media)
	}
	if c.minHeight > 0 {
		req.Header.Set(minHeightHeader, strconv.FormatUint(uint64(c.minHeight), 10))
	}
	return req, nil
}

// unreachable says which node, and what to do about it. The request's own URL is left out of the sentence: base names the node.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking the node at %s: %w", c.base, ctx.Err())
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("the node at %s does not answer: %w. Is it running, and is this its address?", c.base, err)
}

// problemFrom reads an answer that is not a success. What is not a problem of a node is made one, so that callers have one
// kind of error to look at.
func problemFrom(res *http.Response, body []byte) *Problem {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")) // an unreadable one is not a problem's
	p := &Problem{}
	if media != "application/problem+json" || json.Unmarshal(body, p) != nil || p.Code == "" {
		p = problem(kindOfStatus(res.StatusCode), "the answer was %s: %s", res.Status, firstLine(body)).
			help("This is not an answer of a Waybill node; check the address, and what stands between.")
	}
	p.Status = res.StatusCode
	if p.RetryAfter == 0 {
		p.RetryAfter, _ = strconv.Atoi(res.Header.Get("Retry-After")) // a date or nonsense counts as none
	}
	return p
}

func kindOfStatus(status int) Kind {
	for _, k := range []Kind{ErrBadRequest, ErrForbidden, ErrNotFound, ErrMethod, ErrNotAcceptable, ErrConflict, ErrPruned, ErrTooLarge, ErrTooLong,
		ErrMediaType, ErrRefused, ErrRateLimited, ErrUnsupported, ErrBusy} {
		if k.info().status == status {
			return k
		}
	}
	if status == http.StatusUnauthorized {
		return ErrForbidden
	}
	if status >= 400 && status < 500 {
		return ErrBadRequest
	}
	return ErrInternal
}

func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return printable(show(line))
}

// ask gets a T as JSON.
func ask[T any](ctx context.Context, c *Client, path string, query url.Values) (*T, error) {
	out := new(T)
	if _, err := c.json(ctx, call{method: http.MethodGet, path: path, query: query}, out); err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Client) json(ctx context.Context, q call, into any) (*answer, error) {
	a, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return nil, fmt.Errorf("the answer of %s to %s %s is not what a Waybill node of this version says: %w", c.base, q.method, q.path, err)
	}
	return a, nil
}

// patience sleeps before another try of something that a node at one of its limits did not answer. It returns the error
// when there is no use in trying again.
func patience(ctx context.Context, err error) error {
	if !errors.Is(err, ErrBusy) && !errors.Is(err, ErrRateLimited) && !errors.Is(err, ErrNotReady) {
		return err
	}
	pause := pollPause
	var p *Problem
	if errors.As(err, &p) {
		pause = max(pause, time.Duration(min(p.RetryAfter, int(maxPause/time.Second)))*time.Second)
	}
	return sleep(ctx, pause)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func number[T ~int | ~uint64](n T) string { return fmt.Sprint(n) }
