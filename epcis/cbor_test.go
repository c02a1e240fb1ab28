package epcis

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"waybill/crypto"
)

// TestDecodeRefuses breaks the wire form of one event, each time in one way.
func TestDecodeRefuses(t *testing.T) {
	fresh := func() *wireEvent {
		_, d := chain(t)
		w := toWire(d.Events[0])
		w.SensorElements = toWire(d.Events[2]).SensorElements
		return w
	}
	if data, err := crypto.Marshal(fresh()); err != nil {
		t.Fatal(err)
	} else if _, err := DecodeEvent(data); err != nil {
		t.Fatalf("the unbroken form: %v", err)
	}
	deep := []wireToken{{Kind: uint8(Object), Size: 1}}
	for range maxExtensionDepth + 1 {
		deep = append(deep, wireToken{Kind: uint8(List), Name: "x:a"[:3*boolInt(len(deep) == 1)], Size: 1})
	}
	deep = append(deep, wireToken{Kind: uint8(Null)})
	for name, change := range map[string]func(w *wireEvent){
		"version":               func(w *wireEvent) { w.Version = 2 },
		"no type":               func(w *wireEvent) { w.Type = 0 },
		"unknown type":          func(w *wireEvent) { w.Type = 6 },
		"time":                  func(w *wireEvent) { w.EventTime = "2026-01-01" },
		"record time":           func(w *wireEvent) { w.RecordTime = "soon" },
		"long vocabulary value": func(w *wireEvent) { w.BizStep = "https://ref.gs1.org/cbv/BizStep-shipping" },
		"prefixed value":        func(w *wireEvent) { w.Disposition = "grow:rolling" },
		"long persistent":       func(w *wireEvent) { (*w.PersistentDisposition.Set)[0] = "cbv:Disp-active" },
		"long type":             func(w *wireEvent) { (*w.Sources)[0].Type = "cbv:SDT-location" },
		"decimal not reduced":   func(w *wireEvent) { (*w.Quantities)[0].Quantity.Coefficient = 10 },
		"decimal zero":          func(w *wireEvent) { *(*w.Quantities)[0].Quantity = wireDecimal{Exponent: 1} },
		"bare list":             func(w *wireEvent) { *w.CertificationInfo = append(*w.CertificationInfo, "urn:x:2") },
		"sensor field":          func(w *wireEvent) { (*w.SensorElements)[0].Metadata.Texts[8] = "x" },
		"sensor text":           func(w *wireEvent) { (*(*w.SensorElements)[0].Reports)[0].Texts[3] = "" },
		"sensor time":           func(w *wireEvent) { (*(*w.SensorElements)[0].Reports)[0].Texts[7] = "noon" },
		"sensor vocabulary":     func(w *wireEvent) { (*(*w.SensorElements)[0].Reports)[0].Texts[0] = "gs1:Mass" },
		"metadata time":         func(w *wireEvent) { (*w.SensorElements)[0].Metadata.Texts[1] = "noon" },
		"sensor number":         func(w *wireEvent) { (*(*w.SensorElements)[0].Reports)[0].Numbers[7] = wireDecimal{} },
		"text numbers absent":   func(w *wireEvent) { (*(*w.SensorElements)[0].Reports)[1].TextNumbers = []uint8{1} },
		"text numbers twice":    func(w *wireEvent) { (*(*w.SensorElements)[0].Reports)[1].TextNumbers = []uint8{0, 0} },
		"token kind":            func(w *wireEvent) { w.Extensions[1].Kind = 9 },
		"token none":            func(w *wireEvent) { w.Extensions[1].Kind = 0 },
		"token size":            func(w *wireEvent) { w.Extensions[0].Size++ },
		"token size huge":       func(w *wireEvent) { w.Extensions[0].Size = 1 << 31 },
		"token left over":       func(w *wireEvent) { w.Extensions[0].Size-- },
		"list size huge":        func(w *wireEvent) { w.Extensions[1] = wireToken{Kind: uint8(List), Name: "x:a", Size: 1 << 31} },
		"many members":          func(w *wireEvent) { w.Extensions = manyMembers(maxMembers + 1) },
		"deep context":          func(w *wireEvent) { w.Context = toTokens(Extensions{{"x", nested(maxExtensionDepth)}}) },
		"text with size":        func(w *wireEvent) { w.Extensions[1].Size = 1 },
		"root with name":        func(w *wireEvent) { w.Extensions[0].Name = "x" },
		"object with text":      func(w *wireEvent) { w.Extensions[0].Text = "x" },
		"number":                func(w *wireEvent) { w.Extensions[1].Kind, w.Extensions[1].Text = uint8(Number), "1." },
		"long number": func(w *wireEvent) {
			w.Extensions[1].Kind, w.Extensions[1].Text = uint8(Number), strings.Repeat("1", 65)
		},
		"name twice":              func(w *wireEvent) { w.Extensions[2].Name = w.Extensions[1].Name },
		"root is no object":       func(w *wireEvent) { w.Extensions = []wireToken{{Kind: uint8(Text), Text: "x"}} },
		"no extensions, written":  func(w *wireEvent) { w.Extensions = []wireToken{{Kind: uint8(Object)}} },
		"too deep":                func(w *wireEvent) { w.Extensions = deep },
		"context is a number":     func(w *wireEvent) { w.Context = []wireToken{{Kind: uint8(Number), Text: "1"}} },
		"namespaces unsorted":     func(w *wireEvent) { w.Namespaces[0], w.Namespaces[1] = w.Namespaces[1], w.Namespaces[0] },
		"namespace twice":         func(w *wireEvent) { w.Namespaces = append(w.Namespaces, wireNamespace{Prefix: "grow", URI: "z:"}) },
		"namespace of nothing":    func(w *wireEvent) { w.Namespaces[1].URI = "" },
		"error declaration time":  func(w *wireEvent) { w.ErrorDeclaration = &wireError{DeclarationTime: "x"} },
		"error declaration words": func(w *wireEvent) { w.ErrorDeclaration = &wireError{Reason: "cbv:ER-incorrect_data"} },
	} {
		w := fresh()
		change(w)
		data, err := crypto.Marshal(w)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e, err := DecodeEvent(data)
		if err == nil {
			t.Errorf("%s: accepted: %+v", name, e)
		} else if !errors.Is(err, FaultEncoding) && !errors.Is(err, FaultValue) && !errors.Is(err, FaultTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyMembers(n int) []wireToken {
	tokens := []wireToken{{Kind: uint8(Object), Size: uint32(n)}}
	for i := range n {
		tokens = append(tokens, wireToken{Kind: uint8(Null), Name: "x:" + itoa(i)})
	}
	return tokens
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestDecodeRefusesBytes(t *testing.T) {
	_, d := chain(t)
	data, err := EncodeEvent(d.Events[0])
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(data) {
		if _, err := DecodeEvent(data[:i]); err == nil {
			t.Fatalf("the first %d bytes are accepted", i)
		}
	}
	if _, err := DecodeEvent(append(bytes.Clone(data), 0)); err == nil {
		t.Error("a byte after the end is accepted")
	}
	if _, err := DecodeEvent(make([]byte, MaxEventBytes+1)); !errors.Is(err, FaultTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	_, d := chain(t)
	for name, change := range map[string]func(e *Event){
		"no type":         func(e *Event) { e.Type = 0 },
		"time":            func(e *Event) { e.EventTime.Text = "x" },
		"spelling":        func(e *Event) { e.BizStep = "cbv:BizStep-shipping" },
		"bare":            func(e *Event) { e.CertificationInfo = nil },
		"not UTF-8":       func(e *Event) { e.EventID = "\xff" },
		"too large":       func(e *Event) { e.EventID = strings.Repeat("x", MaxEventBytes) },
		"deep extensions": func(e *Event) { e.Extensions = Extensions{{"x:a", nested(maxExtensionDepth + 1)}} },
	} {
		e := *d.Events[0]
		change(&e)
		if _, err := EncodeEvent(&e); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	e := *d.Events[0]
	e.Extensions = Extensions{{"x:a", nested(maxExtensionDepth)}, {"x:n", Value{kind: Number, text: strings.Repeat("1", maxNumberBytes)}}}
	data, err := EncodeEvent(&e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeEvent(data); err != nil {
		t.Errorf("the deepest extension: %v", err)
	}
	text, err := FormatDocument(NewQueryDocument(NewTimestamp(0), "q", "s", &e))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseDocument(text); err != nil {
		t.Errorf("the deepest extension as JSON: %v", err)
	}
}

func nested(depth int) Value {
	v := NewNull()
	for range depth {
		v = NewList(v)
	}
	return v
}
