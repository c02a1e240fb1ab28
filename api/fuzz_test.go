package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"waybill/ledger"
)

// FuzzHTTP asks anything. Whatever it is, there is one answer, it is no fault of the node, every error is a problem, and no
// place stays taken.
func FuzzHTTP(f *testing.F) {
	h := newHarness(f, func(c *Config) { c.Limits.WaitTime = time.Millisecond })
	h.captured()
	tx := h.captureTx("farm", ledger.Rollback, harvest(bag1, 1))
	for _, rt := range table() {
		path := strings.NewReplacer("{$}", "", "{captureID}", tx.ID().String(), "{eventID}", "urn:uuid:1", "{value}", bag1, "{block}", "1", "{id}", tx.ID().String(),
			"{id...}", bag1, "{address}", keyOf("farm").Address().String(), "{prefix}", farmPrefix).Replace(rt.pattern)
		query := url.Values{}
		for _, p := range rt.params {
			query.Set(p, "1")
		}
		f.Add(rt.method, path, query.Encode(), "", "", []byte{})
		if rt.body != nil {
			f.Add(rt.method, path, "", mediaJSON, "*/*", []byte(document(harvest(bag1, 1))))
			f.Add(rt.method, path, "wait=final", mediaTransaction, "", tx.Raw())
			f.Add(rt.method, path, "", mediaTransaction, "", []byte(packed2(f, tx.Raw(), tx.Raw())))
		}
	}
	f.Add("GET", "/epcis/v2/events", "EQ_bizStep=a%7Cb&GE_quantity=1&MATCH_epc=urn:epc:idpat:sgtin:9521321.*.*&orderBy=eventTime&perPage=2&nextPageToken=after1", "", "", []byte{})
	f.Add("GET", "/v1/items/https://id.gs1.org/01/09521321000018/21/1", "minHeight=1&limit=3", "", "application/ld+json;q=0.1", []byte{})
	f.Add("GET", "/v1/items/%2e%2e//./x", "%zz", "", "text/html", []byte{})
	f.Add("OPTIONS", "/epcis/v2/capture", "", "", "", []byte{})
	f.Add("CONNECT", "x", "", "", "", []byte("x"))
	f.Add("", "/*", "a;b", ";", ";;,", []byte("{"))
	f.Fuzz(func(t *testing.T, method, path, query, media, accept string, body []byte) {
		r, err := http.NewRequest(method, "http://node", bytes.NewReader(body))
		if err != nil {
			return // no client and no server takes such a method
		}
		u, err := url.ParseRequestURI(path + "?" + query)
		if err != nil {
			return
		}
		r.URL, r.RequestURI, r.RemoteAddr = u, path+"?"+query, "192.0.2.1:1"
		for name, value := range map[string]string{"Content-Type": media, "Accept": accept} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		before := len(h.faults)
		rec := httptest.NewRecorder()
		h.handler.ServeHTTP(rec, r)
		if len(h.faults) > before {
			t.Fatalf("a fault: %v", h.faults[before:])
		}
		code, ready := rec.Code, isProbe(u.Path)
		if code >= 500 && code != http.StatusNotImplemented && code != http.StatusServiceUnavailable {
			t.Errorf("%s %s: status %d: %s", method, r.RequestURI, code, rec.Body)
		}
		if code == http.StatusServiceUnavailable && !strings.Contains(rec.Body.String(), `"not-ready"`) && !strings.Contains(rec.Body.String(), `"busy"`) {
			t.Errorf("%s %s: status %d: %s", method, r.RequestURI, code, rec.Body)
		}
		if code >= 400 && method != http.MethodHead && !ready {
			p := &Problem{}
			if err := json.Unmarshal(rec.Body.Bytes(), p); err != nil || p.Status != code || p.Code == "" {
				t.Errorf("%s %s: %d is no problem: %s", method, r.RequestURI, code, rec.Body)
			}
		}
		if strings.ContainsAny(rec.Body.String(), "<>") {
			t.Errorf("%s %s: an angle bracket in %s", method, r.RequestURI, rec.Body)
		}
		if len(h.server.all)+len(h.server.heavy) != 0 || h.server.bodies.left.Load() != h.server.cfg.Limits.BodiesBytes {
			t.Error("a place or room for a body stays taken")
		}
	})
}

// FuzzProofInfo decodes what a node might send as a proof.
func FuzzProofInfo(f *testing.F) {
	h := newHarness(f)
	job := h.captured()
	for _, target := range []string{"/v1/proofs/state?key=aa", "/v1/transactions/" + job.Transactions[0].ID.String() + "?prove=true"} {
		f.Add(h.get(target).Body.Bytes())
	}
	f.Add([]byte(`{"header":"AA==","path":["AA=="],"certificate":"","tree":"AA=="}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var info struct {
			ProofInfo
			Proof ProofInfo `json:"proof"`
		}
		if json.Unmarshal(data, &info) != nil {
			return
		}
		for _, i := range []*ProofInfo{&info.ProofInfo, &info.Proof} {
			if p, err := i.Transaction(); err == nil {
				if tx, err := p.Check(h.node.domain); err == nil && !bytes.Equal(tx.Raw(), p.Raw) {
					t.Error("the proof is of something else")
				}
			}
			if p, err := i.State(); err == nil && p.Check(h.node.domain, p.Key) == nil {
				if want := h.node.states[p.Header.ExecHeight][string(p.Key)]; !bytes.Equal(p.Value, want) {
					t.Errorf("a proof that %x is %x, which is %x", p.Key, p.Value, want)
				}
			}
		}
	})
}
