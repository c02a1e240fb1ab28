package api

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

// fakeCertifier answers with what it was asked.
type fakeCertifier struct{ asked CertificateRequest }

func (f *fakeCertifier) Certificate(_ context.Context, r CertificateRequest) ([]byte, error) {
	f.asked = r
	if r.Item == "late" {
		return nil, &NotProvenError{Tip: 9, Provable: 7}
	}
	if r.Item == "nothing" {
		return nil, ErrNotFound
	}
	return []byte("certificate"), nil
}

func TestCertificateRoute(t *testing.T) {
	h := newHarness(t)
	if rec := h.get("/v1/certificates?item=x"); rec.Code != http.StatusNotFound {
		t.Errorf("of a node that makes none: %d", rec.Code)
	}
	f := &fakeCertifier{}
	h.server.cfg.Certifier = f
	rec := h.get("/v1/certificates?item=x&height=7&depth=0&events=9&epoch=2")
	if want := (CertificateRequest{Item: "x", Height: 7, Depth: 0, Events: 9, Epoch: 2}); rec.Code != 200 || f.asked != want || rec.Body.String() != "certificate" {
		t.Errorf("status %d, asked %+v, body %s", rec.Code, f.asked, rec.Body)
	}
	if got := rec.Header().Get("Content-Type"); got != mediaCertificate {
		t.Errorf("it is called %s", got)
	}
	if h.get("/v1/certificates?item=x"); f.asked.Depth != -1 {
		t.Errorf("without a depth it is %d", f.asked.Depth)
	}
	for query, status := range map[string]int{
		"": 400, "item=x&depth=65": 400, "item=x&depth=-1": 400, "item=x&height=x": 400, "item=x&events=99999999": 400, "item=x&nonsense=1": 400, "item=nothing": 404, "item=late": 503,
	} {
		if rec := h.get("/v1/certificates?" + query); rec.Code != status {
			t.Errorf("%q: status %d, want %d", query, rec.Code, status)
		}
	}
}

func TestCertificateClient(t *testing.T) {
	h := newHarness(t)
	f := &fakeCertifier{}
	h.server.cfg.Certifier = f
	client := h.client()
	for _, want := range []CertificateRequest{{Item: "a b", Depth: -1}, {Item: "x", Height: 7, Depth: 3, Events: 9, Epoch: 2}} {
		data, err := client.Certificate(t.Context(), want)
		if err != nil || string(data) != "certificate" || f.asked != want {
			t.Errorf("asked %+v, want %+v: %v", f.asked, want, err)
		}
	}
	if _, err := client.Certificate(t.Context(), CertificateRequest{Item: "nothing"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("nothing: %v", err)
	}
	var p *Problem
	if _, err := client.Certificate(t.Context(), CertificateRequest{Item: "late"}); !errors.Is(err, ErrNotProven) || !errors.As(err, &p) ||
		p.Detail != "the ledger is at block 9 and block 7 is the newest that can be proven" || p.RetryAfter == 0 {
		t.Errorf("what is final and not proven: %v", err)
	}
}
