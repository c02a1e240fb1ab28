package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// provenance is the package that makes and verifies certificates.
const provenance = "ledger/provenance"

// certificateRows runs the benchmarks of certificates; a row says so where there are none. Their names tell what they
// measure.
func certificateRows(ctx context.Context) []row {
	root, err := moduleRoot()
	if err == nil {
		_, err = os.Stat(filepath.Join(root, provenance))
	}
	if err != nil {
		return []row{{"certificate of a 200-event history", "< 500 ms, < 100 ms", "not measured: there is no " + provenance}}
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark(Make|Verify)", "-benchtime", "20x", "./"+provenance)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return []row{{"certificate of a 200-event history", "", "its benchmarks fail: " + err.Error()}}
	}
	var rows []row
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") || fields[3] != "ns/op" {
			continue
		}
		ns, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			continue
		}
		rows = append(rows, row{"certificate of 200 events: " + strings.TrimPrefix(fields[0], "Benchmark"), certificateGoal(fields[0]), "mean " + brief(time.Duration(ns)) + " of " + fields[1]})
	}
	if len(rows) == 0 {
		rows = []row{{"certificate of a 200-event history", "", "not measured: " + provenance + " has no benchmark of that name"}}
	}
	return rows
}

func certificateGoal(name string) string {
	switch name = strings.ToLower(name); {
	case strings.Contains(name, "verify"):
		return "< 100 ms"
	case strings.Contains(name, "make"):
		return "< 500 ms"
	}
	return ""
}

// moduleRoot is the folder of go.mod, at or above the working directory.
func moduleRoot() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", os.ErrNotExist
		}
		at = filepath.Dir(at)
	}
}
