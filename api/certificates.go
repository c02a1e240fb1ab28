package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"waybill/consensus/quorum"
)

// mediaCertificate is the type of a provenance certificate, in the format of ledger/provenance.
const mediaCertificate = "application/vnd.waybill.certificate"

// CertificateRequest says what to make a provenance certificate of.
type CertificateRequest struct {
	Item   string        // item, lot or class, in any spelling
	Height quorum.Height // 0: the newest to whose state a finalized header commits, and no older than what is final now
	Depth  int           // steps back through transformations; negative: as many as a certificate can have
	Events uint64        // other things with more events are not followed; 0: the usual limit
	Epoch  quorum.Epoch  // whose validators whoever checks it trusts; 0: those of genesis
}

// Certifier makes provenance certificates.
type Certifier interface {
	// Certificate returns the file. Errors: ErrBadRequest, ErrNotFound (no such thing, or the height is not kept),
	// ErrTooLarge, ErrNotReady (the index is behind), *NotProvenError.
	Certificate(ctx context.Context, r CertificateRequest) ([]byte, error)
}

func (s *Server) getCertificate(r *request) (*reply, error) {
	if s.cfg.Certifier == nil {
		return nil, problem(ErrNotFound, "this node makes no certificates")
	}
	q := CertificateRequest{Item: r.param("item"), Depth: -1}
	if q.Item == "" {
		return nil, problem(ErrBadRequest, "say of which item").want("item=ID, percent-encoded", "nothing")
	}
	for _, p := range []struct {
		name string
		most uint64
		set  func(uint64)
	}{
		{"height", 1<<63 - 1, func(n uint64) { q.Height = quorum.Height(n) }}, {"depth", maxTraceDepth, func(n uint64) { q.Depth = int(n) }},
		{"events", 1 << 20, func(n uint64) { q.Events = n }}, {"epoch", 1<<63 - 1, func(n uint64) { q.Epoch = quorum.Epoch(n) }},
	} {
		text := r.param(p.name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n > p.most {
			return nil, problem(ErrBadRequest, "%s is out of bounds", p.name).want("0 to "+strconv.FormatUint(p.most, 10), text)
		}
		p.set(n)
	}
	data, err := s.cfg.Certifier.Certificate(r.Context(), q)
	if err != nil {
		return nil, err
	}
	return (&reply{raw: data, media: mediaCertificate}).set("Content-Disposition", `attachment; filename="provenance.waybill"`), nil
}

// Certificate has the node make a provenance certificate. Nothing in it is checked yet: see ledger/provenance.
func (c *Client) Certificate(ctx context.Context, r CertificateRequest) ([]byte, error) {
	q := url.Values{"item": {r.Item}}
	if r.Depth >= 0 {
		q.Set("depth", strconv.Itoa(r.Depth))
	}
	for name, n := range map[string]uint64{"height": uint64(r.Height), "events": r.Events, "epoch": uint64(r.Epoch)} {
		if n > 0 {
			q.Set(name, strconv.FormatUint(n, 10))
		}
	}
	a, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/certificates", query: q})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}
