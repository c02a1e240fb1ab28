package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"waybill/epcis/trace"
	"waybill/ledger"
)

// What these tests read of an OpenAPI document.
type openAPIDoc struct {
	OpenAPI    string                            `json:"openapi"`
	Paths      map[string]map[string]*openAPIOp  `json:"paths"`
	Components map[string]map[string]*openAPIAny `json:"components"`
}

type openAPIOp struct {
	OperationID string                 `json:"operationId"`
	Parameters  []*openAPIAny          `json:"parameters"`
	RequestBody *openAPIAny            `json:"requestBody"`
	Responses   map[string]*openAPIAny `json:"responses"`
}

// openAPIAny is a parameter, response, schema or a reference to one.
type openAPIAny struct {
	Ref        string                 `json:"$ref"`
	Name       string                 `json:"name"`
	In         string                 `json:"in"`
	Content    map[string]*openAPIAny `json:"content"`
	Schema     *openAPIAny            `json:"schema"`
	Type       string                 `json:"type"`
	Items      *openAPIAny            `json:"items"`
	Properties map[string]*openAPIAny `json:"properties"`
	Required   any                    `json:"required"`
	Additional any                    `json:"additionalProperties"`
}

func readOpenAPI() (*openAPIDoc, error) {
	doc := &openAPIDoc{}
	err := json.Unmarshal([]byte(openAPIFile), doc)
	return doc, err
}

func openAPIPath(pattern string) string {
	pattern = strings.TrimSuffix(pattern, "{$}")
	return strings.ReplaceAll(pattern, "...}", "}")
}

func (d *openAPIDoc) operation(method, pattern string) *openAPIOp {
	return d.Paths[openAPIPath(pattern)][strings.ToLower(method)]
}

func (d *openAPIDoc) resolve(a *openAPIAny) *openAPIAny {
	for a != nil && a.Ref != "" {
		parts := strings.Split(strings.TrimPrefix(a.Ref, "#/components/"), "/")
		a = d.Components[parts[0]][parts[1]]
	}
	return a
}

// ownStatuses are the answers of a route besides those that follow from its other fields.
func ownStatuses(rt route) []int {
	epcisEvents := rt.method == http.MethodGet && (strings.HasSuffix(rt.pattern, "/events") || strings.HasSuffix(rt.pattern, "/events/{eventID}"))
	switch {
	case rt.pattern == epcisRoot+"/events/{eventID}":
		return []int{200, 404, 413, 501}
	case epcisEvents:
		return []int{200, 413, 501}
	case rt.query:
		return []int{200}
	}
	key := rt.method + " " + rt.pattern
	if own, known := map[string][]int{
		"POST /epcis/v2/capture":            {202, 409, 422},
		"POST /epcis/v2/events":             {201, 202, 404, 422},
		"GET /epcis/v2/capture/{captureID}": {200, 404},
		"GET /epcis/v2/eventTypes/{value}":  {200, 404},
		"GET /epcis/v2/epcs":                {501}, "GET /epcis/v2/bizSteps": {501}, "GET /epcis/v2/bizLocations": {501},
		"GET /epcis/v2/readPoints": {501}, "GET /epcis/v2/dispositions": {501},
		"GET /v1/blocks/{block}": {200, 404}, "GET /v1/epochs/{epoch}": {200, 404}, "POST /v1/transactions": {200, 202, 404, 422}, "GET /v1/transactions/{id}": {200, 404},
		"GET /v1/items": {200, 404}, "GET /v1/items/{id...}": {200, 404}, "GET /v1/trace/back": {200, 404}, "GET /v1/trace/forward": {200, 404},
		"GET /v1/certificates": {200, 404, 413}, "GET /v1/organisations/{id}": {200, 404}, "GET /v1/prefixes/{prefix}": {200, 404},
		"GET /healthz": {200, 503}, "GET /readyz": {200, 503},
	}[key]; known {
		return own
	}
	return []int{200}
}

func statuses(rt route) []string {
	list := append(ownStatuses(rt), 400, 414, 500)
	if !rt.plain {
		list = append(list, 406, 429, 503)
	}
	if rt.asOf {
		list = append(list, 404, 410)
	}
	if rt.body != nil {
		list = append(list, 403, 413, 415)
	}
	slices.Sort(list)
	var out []string
	for _, s := range slices.Compact(list) {
		out = append(out, fmt.Sprint(s))
	}
	return out
}

// parameters are the query parameters of a route and the names in its pattern.
func parameters(rt route) []string {
	var out []string
	for _, p := range rt.params {
		out = append(out, "query "+p)
	}
	if rt.query {
		out = append(out, "query query", "query perPage", "query nextPageToken")
	}
	if rt.reads {
		out = append(out, "query minHeight")
	}
	if rt.asOf {
		out = append(out, "query height")
	}
	for part := range strings.SplitSeq(rt.pattern, "/") {
		if name := strings.Trim(part, "{}."); strings.HasPrefix(part, "{") && name != "$" {
			out = append(out, "path "+name)
		}
	}
	slices.Sort(out)
	return out
}

func TestOpenAPIIsTheTable(t *testing.T) {
	doc, err := readOpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi is %q", doc.OpenAPI)
	}
	documented, ids := map[string]bool{}, map[string]bool{}
	for _, rt := range table() {
		op := doc.operation(rt.method, rt.pattern)
		where := rt.method + " " + rt.pattern
		if op == nil {
			t.Errorf("%s is not in openapi.json", where)
			continue
		}
		documented[strings.ToLower(rt.method)+" "+openAPIPath(rt.pattern)] = true
		if op.OperationID == "" || ids[op.OperationID] {
			t.Errorf("%s: operationId %q is missing or stands twice", where, op.OperationID)
		}
		ids[op.OperationID] = true
		var params []string
		for _, p := range op.Parameters {
			if p = doc.resolve(p); p == nil {
				t.Errorf("%s: a reference to no parameter", where)
			} else if p.In != "header" {
				params = append(params, p.In+" "+p.Name)
			}
		}
		slices.Sort(params)
		if want := parameters(rt); !slices.Equal(params, want) {
			t.Errorf("%s: parameters are %v, openapi.json has %v", where, want, params)
		}
		if got, want := slices.Sorted(maps.Keys(op.Responses)), statuses(rt); !slices.Equal(got, want) {
			t.Errorf("%s: statuses are %v, openapi.json has %v", where, want, got)
		}
		var media []string
		if op.RequestBody != nil {
			media = slices.Sorted(maps.Keys(op.RequestBody.Content))
		}
		want := slices.Sorted(slices.Values(rt.body))
		if !slices.Equal(media, want) {
			t.Errorf("%s: bodies are %v, openapi.json has %v", where, want, media)
		}
	}
	for path, ops := range doc.Paths {
		for method := range ops {
			if !documented[method+" "+path] {
				t.Errorf("openapi.json has %s %s, which is no route", method, path)
			}
		}
	}
}

// Every reference leads somewhere and every component is used.
func TestOpenAPIReferences(t *testing.T) {
	doc, err := readOpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	if err := json.Unmarshal([]byte(openAPIFile), &whole); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
				if doc.resolve(&openAPIAny{Ref: ref}) == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(whole)
	for group, members := range doc.Components {
		for name := range members {
			if !used["#/components/"+group+"/"+name] {
				t.Errorf("component %s/%s is used nowhere", group, name)
			}
		}
	}
}

// conforms holds an answer against the schema of openapi.json: no property that is not described, none missing that is
// required, and the JSON types as they should be.
func conforms(doc *openAPIDoc, s *openAPIAny, v any, at string) []string {
	if s = doc.resolve(s); s == nil {
		return []string{at + ": no schema"}
	}
	var out []string
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			return []string{at + ": an object, want " + s.Type}
		}
		required, _ := s.Required.([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				out = append(out, at+"/"+name.(string)+": missing")
			}
		}
		for name, x := range v {
			switch p := s.Properties[name]; {
			case p != nil:
				out = append(out, conforms(doc, p, x, at+"/"+name)...)
			case s.Additional == nil && s.Properties != nil:
				out = append(out, at+"/"+name+": not described")
			}
		}
	case []any:
		if s.Type != "array" {
			return []string{at + ": a list, want " + s.Type}
		}
		for i, x := range v {
			out = append(out, conforms(doc, s.Items, x, fmt.Sprintf("%s/%d", at, i))...)
		}
	case string:
		if s.Type != "string" {
			out = append(out, at+": a text, want "+s.Type)
		}
	case bool:
		if s.Type != "boolean" {
			out = append(out, at+": a boolean, want "+s.Type)
		}
	case float64:
		if s.Type != "integer" {
			out = append(out, at+": a number, want "+s.Type)
		}
	case nil:
		out = append(out, at+": null, want "+s.Type)
	}
	return out
}

// Answers look as openapi.json says.
func TestAnswersConform(t *testing.T) {
	h := newHarness(t)
	job := h.captured()
	h.node.seal()
	h.chain()
	h.ruled()
	h.attached()
	doc, err := readOpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	farm := keyOf("farm").Address().String()
	refusedTx := h.captureTx("hostile", ledger.Rollback, harvest("urn:epc:id:sgtin:9521321.000001.77", 9))
	h.do("POST", "/v1/transactions?wait=final", string(refusedTx.Raw()), "Content-Type", mediaTransaction)
	for _, target := range []string{
		"GET /v1/status /v1/status", "GET /v1/genesis /v1/genesis", "GET /v1/peers /v1/peers", "GET /v1/blocks /v1/blocks",
		"GET /v1/blocks/{block} /v1/blocks/1", "GET /v1/epochs/{epoch} /v1/epochs/0", "GET /v1/transactions/{id} /v1/transactions/" + job.Transactions[0].ID.String() + "?prove=true",
		"GET /v1/transactions/{id} /v1/transactions/" + refusedTx.ID().String(),
		"GET /v1/items /v1/items?prove=true&id=" + bag1, "GET /v1/items/{id...} /v1/items/" + lot1 + "?custodian=" + farm,
		"GET /v1/trace/back /v1/trace/back?item=" + bag1, "GET /v1/trace/forward /v1/trace/forward?item=" + lot1,
		"GET /v1/accounts/{address} /v1/accounts/" + farm, "GET /v1/organisations /v1/organisations?limit=1",
		"GET /v1/organisations/{id} /v1/organisations/" + farm, "GET /v1/prefixes/{prefix} /v1/prefixes/" + farmPrefix,
		"GET /v1/validators /v1/validators", "GET /v1/proofs/state /v1/proofs/state?key=aa",
		"GET /v1/notices /v1/notices", "GET /v1/notices/{notice} /v1/notices/" + id(1).String() + "?prove=true", "GET /v1/recalls/{notice}/scope /v1/recalls/" + id(1).String() + "/scope",
		"GET /v1/scope /v1/scope?item=" + lot1, "GET /v1/disputes /v1/disputes", "GET /v1/disputes/{dispute} /v1/disputes/" + id(1).String(),
		"GET /v1/shipments /v1/shipments?from=" + farm, "GET /v1/shipments/{shipment} /v1/shipments/" + id(50).String(), "GET /v1/balances /v1/balances?party=" + farm,
		"GET /v1/attestations /v1/attestations", "GET /v1/attestations/{id} /v1/attestations/urn:x:1?prove=true", "GET /v1/anchors /v1/anchors",
		"GET /v1/anchors/{document} /v1/anchors/" + id(7).String(), "GET /v1/yields /v1/yields?party=" + farm, "GET /v1/proposals /v1/proposals",
		"GET /v1/attachments /v1/attachments?parent=" + pallet1,
		"GET /v1/proposals/{proposal} /v1/proposals/" + id(8).String(), "GET /v1/params /v1/params?prove=true",
		"GET /v1/massbalance /v1/massbalance?party=" + farm + "&class=" + strings.TrimSuffix(trace.Key(lot1), "/10/L1"),
		"GET /epcis/v2/capture /epcis/v2/capture", "GET /epcis/v2/capture/{captureID} /epcis/v2/capture/" + refusedTx.ID().String(),
		"GET /epcis/v2/events /epcis/v2/events", "GET /epcis/v2/eventTypes /epcis/v2/eventTypes",
	} {
		parts := strings.SplitN(target, " ", 3)
		rec := h.get(parts[2])
		if rec.Code != 200 {
			t.Errorf("%s: status %d: %s", parts[2], rec.Code, rec.Body)
			continue
		}
		var v any
		if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
			t.Errorf("%s: %v", parts[2], err)
			continue
		}
		schema := doc.operation(parts[0], parts[1]).Responses["200"].Content[mediaJSON].Schema
		for _, fault := range conforms(doc, schema, v, "") {
			t.Errorf("%s: %s", parts[2], fault)
		}
	}
	rec := h.get("/v1/status?nonsense=1")
	var v any
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	for _, fault := range conforms(doc, &openAPIAny{Ref: "#/components/schemas/Problem"}, v, "") {
		t.Error(fault)
	}
}
