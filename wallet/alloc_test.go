package wallet

import (
	"os"
	"path/filepath"
	"testing"

	"waybill/internal/dense"
)

// TestDecodersAllocateLittle searches for the densest draft and key file.
func TestDecodersAllocateLittle(t *testing.T) {
	for pattern, decode := range map[string]func([]byte){
		"draft-*.json":    func(data []byte) { _, _ = ParseDraft(data) },
		"keystore-*.json": func(data []byte) { _, _ = parseKeystore(data) },
	} {
		search := dense.NewSearch(t, 1<<18)
		paths, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no samples %s: %v", pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			search.JSON(filepath.Base(path), data, decode)
		}
		search.Report(pattern)
	}
}
