package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// patience is how long the tests of one mutant may take, compiling not counted; of time on the clock or of computing,
// whichever is less, so that a busy machine does not save a mutant. At four times that on the clock they are ended.
const patience = 60 * time.Second

// mutant is a mistake and the tests that must notice it.
type mutant struct {
	name    string
	mistake string // row of the list of classical mistakes, or attack, that it is
	file    string // from the root
	old     string // occurs in it exactly once
	new     string
	also    string // a second text, for a mistake that two rules guard against; empty: none
	into    string
	tests   string // package and, after a blank, the pattern for -run
	flags   string // further flags of the tests, blank between them
}

func (m *mutant) pkg() string {
	pkg, _, _ := strings.Cut(m.tests, " ")
	return pkg
}

func (m *mutant) suite() string { return m.tests + " " + m.flags }

func (m *mutant) pattern() string {
	_, pattern, _ := strings.Cut(m.tests, " ")
	return pattern
}

// apply returns the file with the mistake in it.
func (m *mutant) apply(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	edits := [][2]string{{m.old, m.new}}
	if m.also != "" {
		edits = append(edits, [2]string{m.also, m.into})
	}
	for _, e := range edits {
		if n := bytes.Count(text, []byte(e[0])); n != 1 || e[0] == e[1] {
			return nil, fmt.Errorf("%s: the text to replace occurs %d times in %s: %q", m.name, n, m.file, e[0])
		}
		text = bytes.Replace(text, []byte(e[0]), []byte(e[1]), 1)
	}
	return text, nil
}

// outcome is what became of a mutant: killed, or err says why not.
type outcome struct {
	by   string // the first test that failed
	took time.Duration
	err  error
}

type bench struct {
	root, work string
	parallel   int
	broken     map[string]error // suites that fail without any mistake
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("go.mod not found: run it in the repository")
		}
	}
}

// baseline runs the tests of all mutants without any mistake, and notes which of them fail even so.
func (b *bench) baseline(ctx context.Context, chosen []mutant) {
	var all []mutant
	for _, m := range chosen {
		if !slices.ContainsFunc(all, func(o mutant) bool { return o.suite() == m.suite() }) {
			all = append(all, m)
		}
	}
	problems := make([]error, len(all))
	b.each(len(all), func(i int) {
		binary, err := b.compile(ctx, fmt.Sprintf("baseline%d", i), all[i].pkg(), "")
		if err != nil {
			problems[i] = fmt.Errorf("without the mistake, too: %w", err)
			return
		}
		defer os.Remove(binary)
		if o, said := b.test(ctx, binary, &all[i]); o.by != "" || o.err == nil || o.took >= patience {
			problems[i] = fmt.Errorf("%s fails without the mistake, too, in %.0f s", o.by, o.took.Seconds())
			fmt.Printf("%s without any mistake: %s\n%.3000s\n", all[i].suite(), o.by, said)
		}
	})
	b.broken = map[string]error{}
	for i, err := range problems {
		b.broken[all[i].suite()] = err
	}
}

// kill seeds one mistake and runs its tests.
func (b *bench) kill(ctx context.Context, i int, m mutant) outcome {
	if err := b.broken[m.suite()]; err != nil {
		return outcome{err: err}
	}
	text, err := m.apply(b.root)
	if err != nil {
		return outcome{err: err}
	}
	name := fmt.Sprintf("mutant%d", i)
	changed := filepath.Join(b.work, name+".go")
	if err := os.WriteFile(changed, text, 0o600); err != nil {
		return outcome{err: err}
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(b.root, m.file): changed}})
	if err != nil {
		return outcome{err: err}
	}
	overlayFile := filepath.Join(b.work, name+".json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		return outcome{err: err}
	}
	binary, err := b.compile(ctx, name, m.pkg(), overlayFile)
	if err != nil {
		return outcome{err: err}
	}
	defer os.Remove(binary)
	o, _ := b.test(ctx, binary, &m)
	return o
}

// compile makes the test program of a package, without go vet, which would refuse some mistakes.
func (b *bench) compile(ctx context.Context, name, pkg, overlay string) (string, error) {
	binary := filepath.Join(b.work, name+".test")
	args := []string{"test", "-c", "-vet=off", "-o", binary}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = b.root
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("does not compile: %w\n%.1000s", err, said)
	}
	return binary, nil
}

var (
	saidFail  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	saidPanic = regexp.MustCompile(`(?m)^panic: (.{1,60})|^fatal error: (.{1,60})`)
	saidNone  = "testing: warning: no tests to run"
)

// test runs a test program. Success of the tests is an outcome with an error; failure names the first test that failed,
// or the panic.
func (b *bench) test(ctx context.Context, binary string, m *mutant) (outcome, string) {
	ctx, cancel := context.WithTimeout(ctx, 4*patience+10*time.Second)
	defer cancel()
	args := []string{"-test.short", "-test.run", m.pattern(), "-test.failfast", "-test.timeout", (4 * patience).String()}
	args = append(args, strings.Fields(m.flags)...)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = filepath.Join(b.root, m.pkg())
	cmd.WaitDelay = time.Second
	began := time.Now()
	raw, err := cmd.CombinedOutput()
	said, o := string(raw), outcome{took: time.Since(began)}
	if state := cmd.ProcessState; state != nil {
		o.took = min(o.took, state.UserTime()+state.SystemTime())
	}
	switch fail, crash := saidFail.FindStringSubmatch(said), saidPanic.FindStringSubmatch(said); {
	case strings.Contains(said, saidNone):
		o.by, o.err = "no test", fmt.Errorf("no test matches %s", m.tests)
	case err == nil:
		o.err = fmt.Errorf("%s pass", m.tests)
	case o.took >= patience:
		o.err = fmt.Errorf("not noticed within %s", patience)
	case fail != nil:
		o.by = deepest(said)
	case crash != nil:
		o.by = "panic: " + crash[1] + crash[2]
	default:
		o.err = fmt.Errorf("the tests did not run: %w", err)
	}
	return o, said
}

// deepest returns the most precise name of the first test that failed.
func deepest(said string) string {
	all := saidFail.FindAllStringSubmatch(said, -1)
	name := all[0][1]
	for _, f := range all {
		if strings.HasPrefix(f[1], name+"/") {
			name = f[1]
		}
	}
	return name
}
