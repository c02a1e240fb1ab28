package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// atLeast is how many mistakes are promised to be seeded.
const atLeast = 110

// TestTableFitsTheCode keeps the table from rotting: each text still occurs once, what replaces it is Go, and the tests
// that must notice are there.
func TestTableFitsTheCode(t *testing.T) {
	if n := len(table()); n < atLeast {
		t.Errorf("%d mutants, promised are %d", n, atLeast)
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range table() {
		if seen[m.name] {
			t.Errorf("two mutants are named %q", m.name)
		}
		seen[m.name] = true
		text, err := m.apply(root)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, text, parser.SkipObjectResolution); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if m.mistake == "" {
			t.Errorf("%s does not say which mistake it is", m.name)
		}
		if !testExists(t, root, &m) {
			t.Errorf("%s: no test of %s", m.name, m.tests)
		}
	}
}

// testExists reports whether the pattern of a mutant matches a test of its package.
func testExists(t *testing.T, root string, m *mutant) bool {
	t.Helper()
	top, _, _ := strings.Cut(m.pattern(), "/")
	pattern, err := regexp.Compile(top)
	if err != nil || top == "" {
		return false
	}
	files, err := filepath.Glob(filepath.Join(root, m.pkg(), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			if pattern.Match(found[1]) {
				return true
			}
		}
	}
	return false
}

// TestDeepest checks how the table names the first failing test.
func TestDeepest(t *testing.T) {
	said := "--- FAIL: TestA (0.01s)\n    --- FAIL: TestA/b (0.00s)\n        --- FAIL: TestA/b/c (0.00s)\n--- FAIL: TestZ (0.00s)\n"
	if got := deepest(said); got != "TestA/b/c" {
		t.Errorf("first failing test: %q", got)
	}
}

// Every mutant is in one part.
func TestParts(t *testing.T) {
	for _, parts := range []int{1, 3, 7} {
		seen := map[string]int{}
		for which := range parts {
			chosen, err := choose("", fmt.Sprintf("%d/%d", which+1, parts))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range chosen {
				seen[m.name]++
			}
		}
		for _, m := range table() {
			if seen[m.name] != 1 {
				t.Errorf("%s is in %d of %d parts", m.name, seen[m.name], parts)
			}
		}
	}
	for _, bad := range []string{"", "0/3", "4/3", "1", "x/y", "1/0"} {
		if _, err := choose("", bad); err == nil {
			t.Errorf("%q is a part", bad)
		}
	}
	if _, err := choose("no such mutant", "1/1"); err == nil {
		t.Error("a pattern that matches nothing is no error")
	}
}
