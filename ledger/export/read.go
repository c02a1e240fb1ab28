package export

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"waybill/crypto"
)

// readManifest reads the manifest and checks that the folder has its files and no others.
func readManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, fileManifest)
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, refuse(ErrFormat, nil, "there is no %s in %s", fileManifest, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("looking at the manifest: %w", err)
	}
	if !info.Mode().IsRegular() { // a link to a device has no end
		return nil, refuse(ErrFormat, nil, "%s is not a file", fileManifest)
	}
	if info.Size() > maxManifestBytes {
		return nil, refuse(ErrFormat, nil, "a manifest of %d bytes, at most %d", info.Size(), maxManifestBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	m := &Manifest{}
	if err := strictJSON(data, m); err != nil {
		return nil, refuse(ErrFormat, err, "the manifest")
	}
	if again, err := encodeManifest(m); err != nil || !bytes.Equal(again, data) || m.Format != Format {
		return nil, refuse(ErrFormat, err, "the manifest is not in the format %q", Format)
	}
	if m.From < 1 || m.Height < m.From || m.Committing <= m.Height || m.Bits < 0 || m.Bits > maxBits {
		return nil, refuse(ErrFormat, nil, "blocks %d to %d and %d, %d bits", m.From, m.Height, m.Committing, m.Bits)
	}
	return m, m.checkFolder(dir)
}

func (m *Manifest) checkFolder(dir string) error {
	listed := map[string]bool{fileManifest: true}
	for i, f := range m.Files {
		if f.Name != filepath.Base(f.Name) || listed[f.Name] || i > 0 && m.Files[i-1].Name >= f.Name {
			return refuse(ErrFormat, nil, "the manifest lists %q out of order, twice, or in another folder", f.Name)
		}
		listed[f.Name] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing the export: %w", err)
	}
	for _, e := range entries {
		if !listed[e.Name()] || !e.Type().IsRegular() {
			return refuse(ErrFormat, nil, "%s is in the folder and not in the manifest", e.Name())
		}
	}
	if len(entries) != len(listed) {
		return refuse(ErrFormat, nil, "the manifest lists %d files, the folder has %d", len(listed), len(entries))
	}
	return nil
}

func strictJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

// input is a file of the export that is hashed while it is read.
type input struct {
	name   string
	want   File
	file   *os.File
	hash   *hashing
	buffer *bufio.Reader
}

type hashing struct {
	sum   interface{ Sum([]byte) []byte }
	write io.Writer
	count int64
}

// Write implements io.Writer.
func (h *hashing) Write(b []byte) (int, error) {
	h.count += int64(len(b))
	return h.write.Write(b)
}

// open opens the next file that the manifest must list; each is read once.
func (v *verifier) open(name string) (*input, error) {
	for i := range v.manifest.Files {
		if v.manifest.Files[i].Name != name {
			continue
		}
		v.read[name] = true
		f, err := os.Open(filepath.Join(v.dir, name))
		if err != nil {
			return nil, fmt.Errorf("opening an export: %w", err)
		}
		sum := sha256.New()
		in := &input{name: name, want: v.manifest.Files[i], file: f, hash: &hashing{sum: sum, write: sum}}
		in.buffer = bufio.NewReaderSize(io.TeeReader(io.LimitReader(f, in.want.Bytes+1), in.hash), 1<<20)
		return in, nil
	}
	return nil, refuse(ErrFormat, nil, "there is no %s", name)
}

// line reads the next line into v, which must be written exactly so; false at the end of the file.
func (in *input) line(v any) (bool, error) {
	var line []byte
	for {
		part, err := in.buffer.ReadSlice('\n')
		if len(line)+len(part) > maxLineBytes {
			return false, refuse(ErrFormat, nil, "a line of more than %d bytes in %s", maxLineBytes, in.name)
		}
		line = append(line, part...)
		switch {
		case err == nil:
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) == 0:
			return false, nil
		case errors.Is(err, io.EOF):
			return false, refuse(ErrFile, nil, "%s ends inside a line", in.name)
		default:
			return false, fmt.Errorf("reading %s: %w", in.name, err)
		}
		break
	}
	if n := bytes.Count(line, []byte(",")); n > len(line)/commaBytes+commaSlack {
		return false, refuse(ErrFormat, nil, "a line of %s has %d members in %d bytes", in.name, n, len(line))
	}
	if err := strictJSON(line, v); err != nil {
		return false, refuse(ErrFormat, err, "a line of %s", in.name)
	}
	if again, err := jsonLine(v); err != nil || !bytes.Equal(again, line) {
		return false, refuse(ErrFormat, err, "a line of %s is not in its one form", in.name)
	}
	return true, nil
}

// close checks length and hash; the file must have been read to its end.
func (in *input) close() error {
	_, err := io.Copy(io.Discard, in.buffer)
	err = firstOf(err, in.file.Close())
	if err != nil {
		return fmt.Errorf("reading %s: %w", in.name, err)
	}
	if got := crypto.Hash(in.hash.sum.Sum(nil)); in.hash.count != in.want.Bytes || got != in.want.SHA256 {
		return refuse(ErrFile, nil, "%s has SHA-256 %s, the manifest says %s", in.name, got, in.want.SHA256)
	}
	return nil
}

// same checks that a file holds exactly these bytes.
func (v *verifier) same(name string, want []byte) error {
	in, err := v.open(name)
	if err != nil {
		return err
	}
	if in.want.Bytes != int64(len(want)) || in.want.SHA256 != crypto.Hash(sha256.Sum256(want)) {
		return firstOf(refuse(ErrProof, nil, "%s is not what the blocks say", name), in.file.Close())
	}
	return in.close()
}
