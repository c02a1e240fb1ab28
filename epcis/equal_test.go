package epcis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// compareJSON is the yardstick of round trips: it knows JSON and the spellings of vocabulary values, and nothing of
// the parser. It returns the first difference, "" if there is none.
//
// Aside from the order of members it forgives: the spelling of vocabulary values in the fields that hold them, "isA"
// for "type", one event or value in place of a list of one, and the spelling of numbers in the standard's own numeric
// fields. Inside user extensions nothing is forgiven but order.
func compareJSON(t testing.TB, want, got []byte) string {
	t.Helper()
	a, b := decodeJSON(t, want), decodeJSON(t, got)
	return difference("", a, b, comparedContext(a, nil), false)
}

func decodeJSON(t testing.TB, data []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\uFEFF"))))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// comparedContext collects prefixes from an "@context".
func comparedContext(v any, outer map[string]string) map[string]string {
	prefixes := maps.Clone(outer)
	if prefixes == nil {
		prefixes = map[string]string{}
	}
	object, _ := v.(map[string]any)
	contexts, isList := object["@context"].([]any)
	if !isList {
		contexts = []any{object["@context"]}
	}
	for _, c := range contexts {
		terms, _ := c.(map[string]any)
		for name, uri := range terms {
			if s, ok := uri.(string); ok {
				prefixes[name] = s
			}
		}
	}
	return prefixes
}

var (
	vocabularyFields = strings.Fields("bizStep disposition set unset reason exception component")
	numericFields    = strings.Fields("quantity value minValue maxValue meanValue sDev percRank percValue")
)

func difference(at string, a, b any, prefixes map[string]string, extension bool) string {
	field := at[strings.LastIndexByte(at, '/')+1:]
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s: object became %T", at, b)
		}
		prefixes = comparedContext(x, prefixes)
		x, y = alias(x), alias(y)
		names := slices.Sorted(maps.Keys(x))
		if others := slices.Sorted(maps.Keys(y)); !slices.Equal(names, others) {
			return fmt.Sprintf("%s: members %v became %v", at, names, others)
		}
		for _, name := range names {
			own := extension || strings.Contains(name, ":") || strings.HasPrefix(name, "_") || name == "epcisHeader" || name == "vocabularyList" || name == "@context"
			if d := difference(at+"/"+name, x[name], y[name], prefixes, own); d != "" {
				return d
			}
		}
		return ""
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return fmt.Sprintf("%s: list of %d became %v", at, len(x), b)
		}
		for i := range x {
			here := at // elements of a list of texts are fields of the list's name
			if _, isObject := x[i].(map[string]any); isObject {
				here = fmt.Sprintf("%s/%d", at, i)
			}
			if d := difference(here, x[i], y[i], prefixes, extension); d != "" {
				return d
			}
		}
		return ""
	}
	if list, ok := b.([]any); ok && len(list) == 1 && !extension {
		return difference(at, a, list[0], prefixes, extension)
	}
	if !extension && scalarsAgree(field, a, b, prefixes) || a == b {
		return ""
	}
	return fmt.Sprintf("%s: %v became %v", at, a, b)
}

func alias(x map[string]any) map[string]any {
	if older, ok := x["isA"]; ok {
		x = maps.Clone(x)
		delete(x, "isA")
		x["type"] = older
	}
	return x
}

func scalarsAgree(field string, a, b any, prefixes map[string]string) bool {
	if slices.Contains(numericFields, field) {
		x, okX := new(big.Rat).SetString(fmt.Sprint(a))
		y, okY := new(big.Rat).SetString(fmt.Sprint(b))
		return okX && okY && x.Cmp(y) == 0 && fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b)
	}
	s, okS := a.(string)
	u, okU := b.(string)
	if !okS || !okU {
		return false
	}
	if slices.Contains(vocabularyFields, field) || field == "type" {
		return plainWord(s, prefixes) == plainWord(u, prefixes)
	}
	return false
}

// plainWord undoes the spellings of vocabulary values.
func plainWord(s string, prefixes map[string]string) string {
	if prefix, local, found := strings.Cut(s, ":"); found && prefixes[prefix] != "" && prefix != "cbv" && prefix != "gs1" {
		s = prefixes[prefix] + local
	}
	for _, p := range []string{
		"urn:epcglobal:cbv:bizstep:", "urn:epcglobal:cbv:disp:", "urn:epcglobal:cbv:btt:", "urn:epcglobal:cbv:sdt:", "urn:epcglobal:cbv:er:",
		"https://ref.gs1.org/cbv/BizStep-", "https://ref.gs1.org/cbv/Disp-", "https://ref.gs1.org/cbv/BTT-", "https://ref.gs1.org/cbv/SDT-",
		"https://ref.gs1.org/cbv/ER-", "https://ref.gs1.org/cbv/Comp-", "cbv:BizStep-", "cbv:Disp-", "cbv:BTT-", "cbv:SDT-", "cbv:ER-", "cbv:Comp-",
		"https://ref.gs1.org/cbv/", "cbv:", "https://gs1.org/voc/", "gs1:",
	} {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest
		}
	}
	return s
}

// TestCompareJSON shows that the yardstick can fail.
func TestCompareJSON(t *testing.T) {
	const base = `{"@context":{"x":"https://x/"},"type":"ObjectEvent","bizStep":"shipping","epcList":["urn:a:1"],"quantityList":[{"quantity":2.50}],"x:e":{"n":1.0,"bizStep":"shipping"}}`
	same := []string{
		`{"x:e":{"bizStep":"shipping","n":1.0},"isA":"ObjectEvent","bizStep":"cbv:BizStep-shipping","epcList":["urn:a:1"],"quantityList":[{"quantity":2.5}],"@context":{"x":"https://x/"}}`,
	}
	for _, s := range same {
		if d := compareJSON(t, []byte(base), []byte(s)); d != "" {
			t.Errorf("%s: %s", s, d)
		}
	}
	for _, change := range [][2]string{
		{`"shipping","epcList"`, `"receiving","epcList"`},
		{`urn:a:1`, `urn:a:2`},
		{`["urn:a:1"]`, `[]`},
		{`2.50`, `2.51`},
		{`"n":1.0`, `"n":1`},
		{`"n":1.0,`, ``},
		{`"bizStep":"shipping"}}`, `"bizStep":"cbv:BizStep-shipping"}}`},
		{`https://x/`, `https://y/`},
		{`"ObjectEvent"`, `"AggregationEvent"`},
	} {
		changed := strings.Replace(base, change[0], change[1], 1)
		if changed == base {
			t.Fatalf("no change: %v", change)
		}
		if compareJSON(t, []byte(base), []byte(changed)) == "" {
			t.Errorf("unseen: %v", change)
		}
	}
}
