package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// errMissing says that a tool is not there.
var errMissing = errors.New("spin and a C compiler are needed: apt-get install spin gcc")

// installed returns errMissing if a tool is not there.
func installed() error {
	for _, tool := range []string{"spin", "cc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w (%s not found)", errMissing, tool)
		}
	}
	return nil
}

// memoryMB bounds what one search may use.
const memoryMB = 3000

// check is one run of the model checker.
type check struct {
	name  string
	file  string
	flags []string // macros of the model
	finds string   // the assertion that must fail; empty: none may
	// bitstate makes the search approximate and ends it after a minute: visited states are kept as bits of a hash.
	bitstate bool
}

// checks are what make model runs, in this order.
var checks = append([]check{
	{name: "safety: four properties", file: "simplex.pml"},
	{name: "progress: one bad view, then a good one", file: "progress.pml", flags: []string{"ONE_BAD_VIEW"}},
	{name: "progress: two bad views, then a good one", file: "progress.pml", bitstate: true},
	{name: "reachable: three blocks final in a row", file: "simplex.pml", flags: []string{"REACH_CHAIN"}, finds: "unreachable"},
	{name: "reachable: a notarized block skipped for good", file: "simplex.pml", flags: []string{"REACH_SKIP"}, finds: "unreachable"},
	{name: "fault: finalizes what it did not notarize", file: "simplex.pml", flags: []string{"FINALIZE_UNVOTED"}, finds: "honest_votes_once"},
}, seeded()...)

// seeded are the faults that must break the model: by a fork, or by a run without an end.
func seeded() []check {
	forks := [][2]string{
		{"QUORUM_2", "quorum of 2 of 4"}, {"FINALIZE_AFTER_NULLIFY", "finalizes after nullify"},
		{"NULLIFY_AFTER_FINALIZE", "nullifies after finalize"}, {"NO_JUSTIFICATION", "skips views without nullifications"},
		{"NO_PARENT_CERTIFICATE", "builds on a block not notarized"}, {"DOUBLE_NOTARIZE", "notarizes twice"},
		{"AMNESIA", "forgets its votes"},
	}
	stalls := [][2]string{
		{"NO_REPAIR", "certificates are not passed on"}, {"ONLY_LIFTING_REPAIR", "… only those that lift to a later view"},
		{"NO_FETCH", "certified blocks are not fetched"}, {"NULLIFIED_STAY", "who nullified does not follow"},
		{"QUORUM_4", "quorum of 4 of 4"}, {"ALWAYS_TAKE_SKIP", "leader skips the notarized block"},
		{"CRASH_LOSES_CERTIFICATES", "certificates lost in a crash, votes kept"},
	}
	var out []check
	for _, f := range forks {
		out = append(out, check{name: "fault: " + f[1], file: "simplex.pml", flags: []string{"ONLY_AGREEMENT", f[0]}, finds: "agreement"})
	}
	for _, f := range stalls {
		flags := []string{"ONE_BAD_VIEW", f[0]}
		out = append(out, check{name: "fault: " + f[1], file: "progress.pml", flags: flags, finds: "every_run_ends_final"})
	}
	return out
}

// outcome is what the checker said.
type outcome struct {
	states   uint64
	depth    uint64
	seconds  float64
	errors   uint64
	violated string // the assertion that failed
	complete bool
}

// run translates, compiles and searches in a folder of its own.
func (c *check) run(ctx context.Context, models string) (outcome, error) {
	models, err := filepath.Abs(models)
	if err != nil {
		return outcome{}, fmt.Errorf("finding the models: %w", err)
	}
	dir, err := os.MkdirTemp("", "model-")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(dir)
	args := []string{"-a"}
	for _, f := range c.flags {
		args = append(args, "-D"+f)
	}
	if _, err := command(ctx, dir, "spin", append(args, filepath.Join(models, c.file))...); err != nil {
		return outcome{}, err
	}
	cc := []string{"-w", "-DSAFETY", "-DNOCLAIM", "-o", "pan", "pan.c", fmt.Sprintf("-DMEMLIM=%d", memoryMB)}
	search := []string{"-n", "-m100000"}
	switch {
	case c.bitstate:
		cc, search = append(cc, "-O2", "-DBITSTATE"), append(search, "-w32", "-k3", "-Q1")
	case c.finds != "":
		cc, search = append(cc, "-O0"), append(search, "-w22") // found at once: compiling is what takes time
	default:
		cc, search = append(cc, "-O2"), append(search, "-w24")
	}
	if _, err := command(ctx, dir, "cc", cc...); err != nil {
		return outcome{}, err
	}
	said, err := command(ctx, dir, filepath.Join(dir, "pan"), search...)
	if err != nil {
		return outcome{}, err
	}
	return c.parse(said)
}

// command runs a program in a folder and returns what it printed.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%.2000s", filepath.Base(name), strings.Join(args, " "), err, said)
	}
	return string(said), nil
}

var (
	saidErrors   = regexp.MustCompile(`depth reached (\d+), errors: (\d+)`)
	saidStates   = regexp.MustCompile(`(?m)^\s*(\S+) states, stored`)
	saidViolated = regexp.MustCompile(`assertion violated (\w+)`)
	saidTime     = regexp.MustCompile(`elapsed time (\S+) seconds`)
)

// parse reads the checker's report. What it cannot read is an error, never a success.
func (c *check) parse(said string) (outcome, error) {
	line, states := saidErrors.FindStringSubmatch(said), saidStates.FindStringSubmatch(said)
	if line == nil || states == nil {
		return outcome{}, fmt.Errorf("%s: the checker's report is not understood:\n%.2000s", c.name, said)
	}
	var o outcome
	count, err := strconv.ParseFloat(states[1], 64)
	if err != nil {
		return outcome{}, fmt.Errorf("%s: %w", c.name, err)
	}
	o.states = uint64(count)
	o.depth, _ = strconv.ParseUint(line[1], 10, 64)
	o.errors, _ = strconv.ParseUint(line[2], 10, 64)
	if v := saidViolated.FindStringSubmatch(said); v != nil {
		o.violated = v[1]
	}
	if t := saidTime.FindStringSubmatch(said); t != nil {
		o.seconds, _ = strconv.ParseFloat(t[1], 64)
	}
	o.complete = !c.bitstate && !strings.Contains(said, "Search not completed") && !strings.Contains(said, "max search depth too small")
	return o, nil
}

// judge says what is wrong with an outcome; empty if it is the wanted one.
func (c *check) judge(o outcome) string {
	switch {
	case c.finds == "" && o.errors > 0:
		return "the model breaks " + o.violated
	case c.finds == "" && !o.complete && !c.bitstate:
		return "the search was not complete"
	case c.finds != "" && (o.errors == 0 || o.violated != c.finds):
		return fmt.Sprintf("%d errors, violated %q; want a run that violates %q", o.errors, o.violated, c.finds)
	}
	return ""
}

const rowFormat = "%-52s %-10s %11s %6s %-9s %-9s %s\n"

func header() string {
	return fmt.Sprintf(rowFormat, "property or seeded fault", "model", "states", "depth", "complete", "seconds", "found")
}

func (c *check) row(o outcome) string {
	complete, found := "yes", "no violation"
	switch {
	case c.finds != "":
		complete, found = "-", o.violated
	case c.bitstate:
		complete = "no, bits"
	case !o.complete:
		complete = "NO"
	}
	if c.finds == "" && o.errors > 0 {
		found = "VIOLATED " + o.violated
	}
	return fmt.Sprintf(rowFormat, c.name, strings.TrimSuffix(c.file, ".pml"), strconv.FormatUint(o.states, 10),
		strconv.FormatUint(o.depth, 10), complete, fmt.Sprintf("%.1f", o.seconds), found)
}
