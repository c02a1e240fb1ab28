package export

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzVerify puts any bytes in the place of a file of an export, and makes the manifest fit them: nothing panics, and what
// passes is what was written.
func FuzzVerify(f *testing.F) {
	c := grown(f)
	dir, manifest := exported(f, c)
	files := map[string][]byte{}
	var names []string
	for _, file := range manifest.Files {
		data, err := os.ReadFile(filepath.Join(dir, file.Name))
		if err != nil {
			f.Fatal(err)
		}
		files[file.Name] = data
		f.Add(uint8(len(names)), data[:min(len(data), 4096)])
		names = append(names, file.Name)
	}
	text, err := encodeManifest(manifest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(len(names)), text)
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		dir := t.TempDir()
		for name, data := range files {
			write(t, filepath.Join(dir, name), data)
		}
		write(t, filepath.Join(dir, fileManifest), text)
		name := fileManifest
		if int(which)%(len(names)+1) < len(names) {
			name = names[int(which)%(len(names)+1)]
			m := *manifest
			m.Files = append([]File{}, manifest.Files...)
			fitManifest(t, dir, &m, name, data)
		}
		write(t, filepath.Join(dir, name), data)
		m, err := Verify(t.Context(), dir, c.genesis, nil)
		want := text
		if name != fileManifest {
			want = files[name]
		}
		if err == nil && (m == nil || !bytes.Equal(data, want)) {
			t.Fatalf("%s is another and passes", name)
		}
	})
}
