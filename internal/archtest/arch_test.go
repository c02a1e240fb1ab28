package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "waybill"

// storeys is the table of docs/ARCHITECTURE.md: package → the packages of ours it may import.
// A name ending in /... stands for the folder and everything below it.
var storeys = map[string][]string{
	"crypto":            {},
	"epcis/gs1":         {},
	"epcis/unit":        {},
	"p2p":               {},
	"epcis":             {"epcis/gs1", "epcis/unit", "crypto"},
	"epcis/query":       {"epcis", "epcis/gs1"},
	"epcis/trace":       {"epcis", "epcis/gs1", "epcis/unit"},
	"consensus/quorum":  {"crypto"},
	"consensus":         {"consensus/quorum", "crypto"},
	"ledger":            {"consensus/quorum", "epcis", "epcis/gs1", "epcis/unit", "crypto"},
	"ledger/store":      {"ledger", "consensus/quorum", "crypto"},
	"ledger/index":      {"ledger", "epcis/...", "epcis", "consensus/quorum", "crypto"},
	"ledger/refusal":    {},
	"ledger/snapshot":   {"ledger/refusal", "ledger/store", "ledger", "consensus/quorum", "crypto"},
	"ledger/light":      {"ledger/refusal", "ledger", "consensus/quorum", "crypto"},
	"ledger/export":     {"ledger/refusal", "ledger/store", "ledger/light", "ledger", "epcis", "consensus/quorum", "crypto"},
	"ledger/provenance": {"ledger/refusal", "ledger", "ledger/light", "epcis", "epcis/gs1", "consensus/quorum", "crypto"},
	"node/journal":      {"node/signer", "consensus", "consensus/quorum", "crypto"},
	"node/signer":       {"consensus/quorum", "crypto"},
	"node/mempool":      {"ledger", "consensus/quorum", "crypto"},
	"node/sync":         {"ledger", "ledger/store", "ledger/snapshot", "ledger/light", "p2p", "consensus/quorum", "crypto"},
	"node": {"node/...", "ledger", "ledger/...", "consensus", "consensus/quorum", "epcis", "epcis/...",
		"p2p", "api", "crypto"},
	"api":               {"ledger", "ledger/light", "epcis", "epcis/...", "consensus/quorum", "crypto"},
	"wallet":            {"ledger", "ledger/light", "epcis", "epcis/...", "consensus/quorum", "crypto", "api"},
	"testnet/explore":   {"consensus", "consensus/quorum", "crypto"},
	"testnet/...":       {"..."},
	"testnet":           {"..."},
	"cmd/waybill":       {"..."},
	"internal/archtest": {},
	"internal/vectors":  {"..."},
	"internal/dense":    {},
}

// testsMay lists what the tests of a package may import besides what its code may, and why.
var testsMay = map[string][]string{
	"ledger/store": {"ledger/light"}, // proofs are tested with what verifies them
	// Decoders are searched for inputs that take much memory for their length.
	"crypto": {"internal/dense"}, "epcis": {"internal/dense"}, "ledger": {"internal/dense"}, "wallet": {"internal/dense"},
	"epcis/query": {"internal/dense"}, "epcis/gs1": {"internal/dense"}, "ledger/provenance": {"internal/dense"},
}

// bannedImports are standard or foreign packages that a package of ours must not see, and why.
var bannedImports = []struct {
	in      string
	imports []string
	why     string
}{
	{"consensus", []string{"sync", "context", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "os", "net", "io", "encoding/json"},
		"the engine is a deterministic machine: same inputs, same outputs"},
	{"consensus/quorum", []string{"sync", "context", "log", "log/slog", "math/rand", "math/rand/v2", "os", "net", "encoding/json"},
		"quorum rules are values and arithmetic"},
	{"ledger", []string{"sync", "context", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "os", "net", "encoding/json", "github.com/cockroachdb/pebble/v2"},
		"the state transition must not depend on disk, derived data or a parser's mood"},
	{"api", []string{"github.com/cockroachdb/pebble/v2", "github.com/libp2p/go-libp2p"},
		"a wallet links neither Pebble nor libp2p"},
	{"wallet", []string{"github.com/cockroachdb/pebble/v2", "github.com/libp2p/go-libp2p"},
		"a wallet links neither Pebble nor libp2p"},
	{"p2p", []string{"github.com/cockroachdb/pebble/v2"}, "p2p moves bytes and keeps none"},
}

// pure packages have no goroutine, no clock and no float that could reach a hash.
var pure = []string{"consensus", "consensus/quorum", "ledger", "ledger/provenance"}

// mayLog lists the packages that write logs; everyone else returns errors.
var mayLog = []string{"node", "cmd/waybill", "p2p", "testnet"}

// hidesFromLogs lists packages that import slog only to implement slog.LogValuer, so that secrets never reach a log.
var hidesFromLogs = []string{"crypto", "wallet"}

var bannedNames = []string{"util", "utils", "common", "types", "helpers", "helper", "manager", "misc", "lib"}

type sourceFile struct {
	pkg  string // path below the module root, "" for the root itself
	path string
	test bool
	ast  *ast.File
}

func load(t *testing.T) (*token.FileSet, []sourceFile) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("module root not found: %v", err)
	}
	fset := token.NewFileSet()
	var files []sourceFile
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		files = append(files, sourceFile{pkg: filepath.ToSlash(rel), path: path, test: strings.HasSuffix(path, "_test.go"), ast: parsed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d Go files found below %s: the walk is broken", len(files), root)
	}
	return fset, files
}

func allowed(pkg string) ([]string, bool) {
	if list, ok := storeys[pkg]; ok {
		return list, true
	}
	for dir := pkg; strings.Contains(dir, "/"); {
		dir = dir[:strings.LastIndex(dir, "/")]
		if list, ok := storeys[dir+"/..."]; ok {
			return list, true
		}
	}
	return nil, false
}

func permits(list []string, imported string) bool {
	for _, a := range list {
		if a == "..." || a == imported {
			return true
		}
		if dir, ok := strings.CutSuffix(a, "/..."); ok && strings.HasPrefix(imported, dir+"/") {
			return true
		}
	}
	return false
}

func importsOf(f *ast.File) []string {
	var out []string
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			out = append(out, path)
		}
	}
	return out
}

// TestImportsGoDownward checks every import of ours, in code and in tests (a test may also import its
// own package), against the table.
func TestImportsGoDownward(t *testing.T) {
	_, files := load(t)
	seen := map[string]bool{}
	for _, f := range files {
		seen[f.pkg] = true
		list, ok := allowed(f.pkg)
		if !ok {
			t.Errorf("%s: package %q is not in the table: give it a storey in internal/archtest and docs/ARCHITECTURE.md", f.path, f.pkg)
			continue
		}
		for _, imported := range importsOf(f.ast) {
			ours, isOurs := strings.CutPrefix(imported, module+"/")
			if !isOurs || permits(list, ours) || f.test && (ours == f.pkg || permits(testsMay[f.pkg], ours)) {
				continue
			}
			t.Errorf("%s: %s may not import %s (may: %v)", f.path, f.pkg, ours, list)
		}
	}
	for pkg := range storeys {
		if !strings.HasSuffix(pkg, "...") && pkg != "testnet" && !seen[pkg] {
			t.Errorf("the table names %s, which is not in the tree", pkg)
		}
	}
}

// TestNobodyImportsTheTop keeps cmd and testnet out of everything below them.
func TestNobodyImportsTheTop(t *testing.T) {
	_, files := load(t)
	for _, f := range files {
		if strings.HasPrefix(f.pkg, "cmd/") || strings.HasPrefix(f.pkg, "testnet") {
			continue
		}
		for _, imported := range importsOf(f.ast) {
			if strings.HasPrefix(imported, module+"/cmd/") || strings.HasPrefix(imported, module+"/testnet") {
				t.Errorf("%s imports %s: nobody imports cmd or testnet", f.path, imported)
			}
		}
	}
}

// TestBannedImports checks the packages each part must never see.
func TestBannedImports(t *testing.T) {
	_, files := load(t)
	for _, f := range files {
		if f.test {
			continue
		}
		for _, ban := range bannedImports {
			if ban.in != f.pkg {
				continue
			}
			for _, imported := range importsOf(f.ast) {
				for _, b := range ban.imports {
					if imported == b || strings.HasPrefix(imported, b+"/") && strings.Contains(b, ".") {
						t.Errorf("%s imports %s: %s", f.path, imported, ban.why)
					}
				}
			}
		}
		if !permits(mayLog, f.pkg) && !strings.HasPrefix(f.pkg, "testnet/") && !strings.HasPrefix(f.pkg, "node/") {
			for _, imported := range importsOf(f.ast) {
				if imported == "log" || imported == "log/slog" && !slices.Contains(hidesFromLogs, f.pkg) {
					t.Errorf("%s imports %s: only the shell logs; return an error instead", f.path, imported)
				}
			}
		}
	}
}

// TestPureCore forbids goroutines, channels, the clock and floats in the pure packages.
func TestPureCore(t *testing.T) {
	fset, files := load(t)
	for _, f := range files {
		if f.test || !slices.Contains(pure, f.pkg) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			bad := ""
			switch n := n.(type) {
			case *ast.GoStmt:
				bad = "a go statement"
			case *ast.SelectStmt:
				bad = "a select statement"
			case *ast.ChanType:
				bad = "a channel"
			case *ast.Ident:
				if n.Name == "float64" || n.Name == "float32" {
					bad = n.Name
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					bad = "a float literal"
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "Sleep", "NewTimer", "Tick"}, n.Sel.Name) {
					bad = "time." + n.Sel.Name
				}
			}
			if bad != "" {
				t.Errorf("%s: %s in the pure core", fset.Position(n.Pos()), bad)
			}
			return true
		})
	}
}

// TestNoHiddenState forbids init functions, package variables that code assigns to, and package names
// that say nothing.
func TestNoHiddenState(t *testing.T) {
	fset, files := load(t)
	vars := map[string]map[string]bool{}
	for _, f := range files {
		if slices.Contains(bannedNames, f.ast.Name.Name) {
			t.Errorf("%s: package name %s says nothing", f.path, f.ast.Name.Name)
		}
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init function: build values where they are used", fset.Position(fn.Pos()))
			}
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR || f.test {
				continue
			}
			if vars[f.pkg] == nil {
				vars[f.pkg] = map[string]bool{}
			}
			for _, spec := range gen.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					vars[f.pkg][name.Name] = true
				}
			}
		}
	}
	for _, f := range files {
		if f.test {
			continue
		}
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
				for _, fault := range assignsPackageVar(fset, fn, vars[f.pkg]) {
					t.Error(fault)
				}
			}
		}
	}
}

// assignsPackageVar reports assignments in fn whose target's root is a package variable. Names declared
// inside fn (parameters, :=, var) shadow package variables and are left alone.
func assignsPackageVar(fset *token.FileSet, fn *ast.FuncDecl, vars map[string]bool) []string {
	local := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				local[name.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, lhs := range n.Lhs {
					if id, ok := lhs.(*ast.Ident); ok {
						local[id.Name] = true
					}
				}
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				local[name.Name] = true
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				for _, e := range []ast.Expr{n.Key, n.Value} {
					if id, ok := e.(*ast.Ident); ok {
						local[id.Name] = true
					}
				}
			}
		}
		return true
	})
	var faults []string
	check := func(e ast.Expr) {
		if id := root(e); id != nil && id.Name != "_" && vars[id.Name] && !local[id.Name] {
			faults = append(faults, fmt.Sprintf("%s: assigns package variable %s", fset.Position(e.Pos()), id.Name))
		}
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, lhs := range n.Lhs {
					check(lhs)
				}
			}
		case *ast.IncDecStmt:
			check(n.X)
		}
		return true
	})
	return faults
}

func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// TestTheChecksCanFail feeds each check a wrong program, so that a check that silently stopped
// working is seen.
func TestTheChecksCanFail(t *testing.T) {
	if permits(storeys["consensus"], "ledger") || permits(storeys["p2p"], "crypto") || !permits(storeys["wallet"], "epcis/gs1") {
		t.Error("permits does not follow the table")
	}
	if _, ok := allowed("nowhere"); ok {
		t.Error("an unknown package is allowed")
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "x.go", "package x\nvar n int\nvar m = map[int]int{}\nfunc f() { n++; m[1] = 2; k := 1; k = 2; _ = k }\nfunc g() { n := 1; n = 2; _ = n }", 0)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]bool{"n": true, "m": true}
	if got := len(assignsPackageVar(fset, f.Decls[2].(*ast.FuncDecl), vars)); got != 2 {
		t.Errorf("f assigns 2 package variables, found %d", got)
	}
	if got := len(assignsPackageVar(fset, f.Decls[3].(*ast.FuncDecl), vars)); got != 0 {
		t.Errorf("g assigns none, found %d", got)
	}
}
