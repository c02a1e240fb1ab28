package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// evidenceFile is the running total of what was run: a line of JSON for each suite of each soak.
const evidenceFile = "docs/evidence/soak.jsonl"

// entry is a line of the book.
type entry struct {
	Commit string `json:"commit"`
	Dirty  bool   `json:"dirty"` // the tree had changes that are not in the commit
	Date   string `json:"date"`  // of the end, UTC
	Go     string `json:"go"`
	CPUs   int    `json:"cpus"`
	row
}

// book is what was recorded.
type book []entry

// readBook reads the book; one that is not there is empty, one that cannot be understood is an error.
func readBook(path string) (book, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was run: %w", err)
	}
	var b book
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s line %d: %w", evidenceFile, n, err)
		}
		b = append(b, e)
	}
	return b, lines.Err()
}

// recordedFrom is the first seed of soaks: those below belong to the tests.
const recordedFrom = 1 << 32

// next is the first seed of a suite that no soak has run.
func (b book) next(suite string) uint64 {
	first := uint64(recordedFrom)
	for _, e := range b {
		if e.Suite == suite {
			first = max(first, e.LastSeed+1)
		}
	}
	return first
}

// stamp says where and when a row was made.
func stamp(ctx context.Context, root string, r row) entry {
	git := func(args ...string) string {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = root
		said, err := cmd.Output()
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(string(said))
	}
	return entry{
		Commit: git("rev-parse", "HEAD"), Dirty: git("status", "--porcelain", "--", ".", ":!"+evidenceFile) != "",
		Date: time.Now().UTC().Format(time.RFC3339), Go: runtime.Version(), CPUs: runtime.NumCPU(), row: r,
	}
}

// appendBook adds a line.
func appendBook(path string, e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("recording what was run: %w", err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("recording what was run: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
