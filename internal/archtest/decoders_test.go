package archtest

import (
	"go/ast"
	"strings"
	"testing"
)

// decodes reports whether a function is by its name and parameters one that reads what strangers may have written: exported
// or not, from bytes or a text.
func decodes(fn *ast.FuncDecl) bool {
	name := strings.ToLower(fn.Name.Name)
	if name == "unmarshaltext" || name == "unmarshaljson" || name == "unmarshalbinary" {
		return true
	}
	if fn.Recv != nil || !ast.IsExported(fn.Name.Name) && !strings.HasPrefix(name, "decode") ||
		!strings.HasPrefix(name, "decode") && !strings.HasPrefix(name, "parse") && !strings.HasPrefix(name, "unmarshal") {
		return false
	}
	for _, p := range fn.Type.Params.List {
		switch x := p.Type.(type) {
		case *ast.Ident:
			if x.Name == "string" {
				return true
			}
		case *ast.ArrayType:
			if e, ok := x.Elt.(*ast.Ident); ok && x.Len == nil && e.Name == "byte" {
				return true
			}
		}
	}
	return false
}

// fuzzedBy names, of decoders that no fuzz target calls itself, the exported function through which one does.
var fuzzedBy = map[string]string{
	"ledger.decodeRecord": "crypto.Unmarshal, which FuzzStateRecords asks for every record", "ledger/export.decode": "Verify", "ledger/provenance.decodePath": "Verify",
	"ledger/index.decodeRef": "keys that the index wrote itself", "node.decodeTransactions": "FuzzVerify", "node.decodeVotes": "FuzzVerify",
	"node/sync.decodeBlock": "DecodeBlocks", "node/sync.decodeSnapshot": "FuzzStateAnswer", "node/sync.decodeChunk": "FuzzStateAnswer",
	"node/signer.decodeRequests": "FuzzSignerFrame", "node/signer.decodeAnswers": "FuzzSignerFrame", "node/signer.decodeState": "FuzzSignerSlot",
	"crypto.decodeHex": "UnmarshalText", "api.decodePlace": "FuzzHTTP", "crypto.decodeTreePage": "FuzzTreePage",
	"consensus/quorum.DecodeHeader": "FuzzDecodeHeader, by a table", "consensus/quorum.DecodeVote": "FuzzDecodeVote, by a table",
	"consensus/quorum.DecodeCertificate": "FuzzDecodeCertificate, by a table", "consensus/quorum.DecodeJustification": "FuzzDecodeJustification, by a table",
	"consensus/quorum.DecodeEvidence": "FuzzDecodeEvidence, by a table", "consensus/quorum.DecodeSet": "FuzzDecodeSet, by a table",
}

// TestEveryDecoderIsFuzzed: each has a fuzz target in its package, or stands in fuzzedBy.
func TestEveryDecoderIsFuzzed(t *testing.T) {
	_, files := load(t)
	called := map[string]bool{} // package.name, in fuzz targets
	for _, f := range files {
		if !f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				noteCalls(fn, f.pkg, called)
			}
		}
	}
	found := 0
	for _, f := range files {
		if f.test || f.pkg == "testnet" || strings.HasPrefix(f.pkg, "testnet/") {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !decodes(fn) {
				continue
			}
			found++
			if name := f.pkg + "." + fn.Name.Name; !called[name] && fuzzedBy[name] == "" {
				t.Errorf("%s has no fuzz target in its package", name)
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d decoders found: the search is broken", found)
	}
}

func noteCalls(fn *ast.FuncDecl, pkg string, called map[string]bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.Ident:
			called[pkg+"."+x.Name] = true
		case *ast.SelectorExpr:
			called[pkg+"."+x.Sel.Name] = true
		}
		return true
	})
}
