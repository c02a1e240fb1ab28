package epcis

import (
	"os"
	"path/filepath"
	"testing"
)

// dataDir finds the public example documents: WAYBILL_DATA, or shared/data beside the repository. They are not part of
// the repository; a test that needs them is skipped where they are absent.
func dataDir(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("WAYBILL_DATA"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "data")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the public example documents are not here; set WAYBILL_DATA")
	}
	return dir
}

// documents lists the JSON files of the folders, as folder/name.
func documents(t testing.TB, folders ...string) []string {
	t.Helper()
	root := dataDir(t)
	var names []string
	for _, folder := range folders {
		entries, err := os.ReadDir(filepath.Join(root, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); ext == ".json" || ext == ".jsonld" {
				names = append(names, folder+"/"+e.Name())
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("no documents in %v", folders)
	}
	return names
}

func readDocument(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dataDir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// chain is the fixture document of this package.
func chain(t testing.TB) ([]byte, *Document) {
	t.Helper()
	data, err := os.ReadFile("testdata/chain.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDocument(data)
	if err != nil {
		t.Fatal(err)
	}
	return data, d
}
