package epcis

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParseValueRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, c := range map[string]struct {
		text, pointer string
		kind          Kind
	}{
		"empty":                {"", "", FaultSyntax},
		"only space":           {" \n", "", FaultSyntax},
		"trailing":             {"{} x", "", FaultSyntax},
		"two values":           {"1 2", "", FaultSyntax},
		"duplicate":            {`{"a":{"b":1,"c":2,"b":3}}`, "/a/b", FaultSyntax},
		"duplicate escaped":    {`{"a":1,"\u0061":2}`, "/a", FaultSyntax},
		"duplicate among many": {`{` + strings.Join(manyNames(40), ",") + `,"n7":0}`, "/n7", FaultSyntax},
		"depth":                {deep(65), strings.Repeat("/0", 64), FaultTooLarge},
		"long number":          {`{"a":[1,` + strings.Repeat("1", 65) + `]}`, "/a/1", FaultTooLarge},
		"utf8":                 {"{\"a\":\"\xff\"}", "/a", FaultSyntax},
		"utf8 after escape":    {"[\"\\n\xc3\"]", "/0", FaultSyntax},
		"utf8 surrogate":       {"[\"\xed\xa0\x80\"]", "/0", FaultSyntax},
		"lone surrogate":       {`["\ud800"]`, "/0", FaultSyntax},
		"low surrogate":        {`["\udc00\ud800"]`, "/0", FaultSyntax},
		"control":              {"[\"a\x01\"]", "/0", FaultSyntax},
		"control after":        {"[\"\\t\x01\"]", "/0", FaultSyntax},
		"bad escape":           {`["\x"]`, "/0", FaultSyntax},
		"short escape":         {`["\u12"]`, "/0", FaultSyntax},
		"open text":            {`["abc`, "/0", FaultSyntax},
		"open escape":          {`["abc\`, "/0", FaultSyntax},
		"open after escape":    {"[\"a\\n", "/0", FaultSyntax},
		"open array":           {`[1`, "", FaultSyntax},
		"open object":          {`{"a":1`, "", FaultSyntax},
		"no comma":             {`[1 2]`, "", FaultSyntax},
		"trailing comma":       {`[1,]`, "/1", FaultSyntax},
		"trailing comma 2":     {`{"a":1,}`, "", FaultSyntax},
		"no colon":             {`{"a" 1}`, "", FaultSyntax},
		"bare name":            {`{a:1}`, "", FaultSyntax},
		"leading zero":         {`[01]`, "/0", FaultSyntax},
		"plus":                 {`[+1]`, "/0", FaultSyntax},
		"hex":                  {`[0x10]`, "", FaultSyntax},
		"nan":                  {`[NaN]`, "/0", FaultSyntax},
		"True":                 {`[True]`, "/0", FaultSyntax},
		"comment":              {`[1/*x*/]`, "", FaultSyntax},
		"pointer escapes":      {`{"a/b~c":{"":[nul]}}`, "/a~1b~0c//0", FaultSyntax},
		"too large":            {`"` + strings.Repeat("a", MaxDocumentBytes) + `"`, "", FaultTooLarge},
		"too many values":      {"[" + strings.Repeat("1,", maxValues) + "1]", "", FaultTooLarge},
		"too many members":     {"{" + strings.Join(manyNames(maxMembers+1), ",") + "}", "", FaultTooLarge},
	} {
		_, err := ParseValue([]byte(c.text))
		var faults Faults
		if !errors.As(err, &faults) || len(faults) != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "too many values" {
			faults[0].Pointer = "" // the element at which patience ended
		}
		if faults[0].Kind != c.kind || faults[0].Pointer != c.pointer {
			t.Errorf("%s: %v, want %s at %q", name, faults[0], c.kind, c.pointer)
		}
		if len(faults[0].Error()) > 400 {
			t.Errorf("%s: the message has %d bytes", name, len(faults[0].Error()))
		}
	}
}

func manyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = `"n` + itoa(i) + `":0`
	}
	return names
}

func itoa(i int) string { b, _ := json.Marshal(i); return string(b) }

func TestParseValueAccepts(t *testing.T) {
	for _, text := range []string{
		`null`, `true`, `false`, `0`, `-0.0e-0`, `""`, `[]`, `{}`, ` [ 1 , {"a" : [ ] } ] `,
		`"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, "\"é😀\u2028\"", `{"":{"":1}}`, `"\n x\t"`,
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), strings.Repeat("1", maxNumberBytes),
		"{" + strings.Join(manyNames(maxMembers), ",") + "}",
	} {
		v, err := ParseValue([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		checkAgainstStandard(t, []byte(text), v)
	}
}

// checkAgainstStandard compares a value with what encoding/json makes of the same text and of the text written back.
func checkAgainstStandard(t *testing.T, text []byte, v Value) {
	t.Helper()
	again := v.Format()
	if d := difference("", decodeJSON(t, text), decodeJSON(t, again), nil, true); d != "" {
		t.Errorf("%s written back as %s: %s", text, again, d)
	}
}

// FuzzParseValue: what is accepted, encoding/json accepts, too, and reads alike; writing it and reading it again
// changes nothing.
func FuzzParseValue(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9",null,true,{"b":{}}]}`, `[[[]]]`, `"\ud83d\ude00"`, `{"a":1,"a":2}`, "\"\xff\"", `-0`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ParseValue(data)
		if err != nil {
			if v.Kind() != None {
				t.Fatal("a value and an error")
			}
			return
		}
		checkAgainstStandard(t, data, v)
		twice, err := ParseValue(v.Format())
		if err != nil || string(twice.Format()) != string(v.Format()) {
			t.Fatalf("written back it differs: %v", err)
		}
	})
}
