package crypto

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tagTable reads the constants of tag.go, so that no tag escapes the tests by not being listed twice.
func tagTable(t *testing.T) map[string]Tag {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "tag.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]Tag{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		tags[spec.Names[0].Name] = Tag(value)
		return true
	})
	if len(tags) < 10 {
		t.Fatalf("found only %d tags in tag.go", len(tags))
	}
	return tags
}

func TestTagsArePrefixFree(t *testing.T) {
	tags := tagTable(t)
	for a, x := range tags {
		if !regexp.MustCompile(`^waybill/[a-z/]+/[1-9][0-9]*$`).MatchString(string(x)) {
			t.Errorf("%s = %q is not waybill/<domain>/<version>", a, x)
		}
		for b, y := range tags {
			if a != b && strings.HasPrefix(string(y), string(x)) {
				t.Errorf("%s = %q is a prefix of %s = %q", a, x, b, y)
			}
		}
	}
}

// TestTagsAreUsed keeps the table honest: every tag stands in code that is not a test.
func TestTagsAreUsed(t *testing.T) {
	used := map[string]bool{}
	word := regexp.MustCompile(`\bTag[A-Z][A-Za-z]*\b`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || d.Name() == "tag.go" {
			return nil
		}
		code, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, w := range word.FindAllString(string(code), -1) {
			used[w] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range tagTable(t) {
		if !used[name] {
			t.Errorf("%s is in the table and used nowhere", name)
		}
	}
}

// TestTagsBeyondTheTable finds domains made up outside the table.
func TestTagsBeyondTheTable(t *testing.T) {
	conversion := regexp.MustCompile(`\bcrypto\.(Tag\(|Sum\("|Sum\(\[\])`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		code, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := conversion.Find(code); found != nil {
			t.Errorf("%s makes a domain of its own with %s; add it to crypto/tag.go", path, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
