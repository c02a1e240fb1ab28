package main

import (
	"strings"
	"testing"
)

// TestModel checks both models and that every seeded fault of theirs is found. With -short it leaves out the bitstate
// search.
func TestModel(t *testing.T) {
	if err := installed(); err != nil {
		t.Skip("NOT CHECKED: ", err)
	}
	for _, c := range checks {
		if c.bitstate && testing.Short() {
			continue
		}
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			o, err := c.run(t.Context(), ".")
			if err != nil {
				t.Fatal(err)
			}
			t.Log(c.row(o))
			if problem := c.judge(o); problem != "" {
				t.Fatal(problem)
			}
		})
	}
}

// TestJudge keeps the judge from being satisfied by anything.
func TestJudge(t *testing.T) {
	property, fault := check{name: "p"}, check{name: "f", finds: "agreement"}
	for _, c := range []struct {
		check check
		out   outcome
		good  bool
	}{
		{property, outcome{complete: true, states: 9}, true},
		{property, outcome{complete: true, errors: 1, violated: "agreement"}, false},
		{property, outcome{states: 9}, false},
		{fault, outcome{errors: 1, violated: "agreement"}, true},
		{fault, outcome{errors: 1, violated: "unreachable"}, false},
		{fault, outcome{complete: true}, false},
	} {
		if got := c.check.judge(c.out) == ""; got != c.good {
			t.Errorf("judge(%s, %+v) satisfied: %v, want %v", c.check.name, c.out, got, c.good)
		}
	}
	if _, err := property.parse("pan: out of memory"); err == nil {
		t.Error("a report without figures was taken for one")
	}
	o, err := property.parse("Warning: Search not completed\nState-vector 28 byte, depth reached 19, errors: 0\n  8315422 states, stored\n")
	if err != nil || o.complete || o.states != 8315422 || o.depth != 19 {
		t.Errorf("parsed %+v, %v", o, err)
	}
}
