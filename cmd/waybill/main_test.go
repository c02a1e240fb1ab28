package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"waybill/testnet/local"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"waybill": func() { os.Exit(realMain()) }})
}

// TestCommands runs the scripts of testdata: the command line as a person types it, without a network.
func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Cmds: scriptCommands(), Setup: cleanEnvironment})
}

// TestNetwork runs the scripts of testdata/network, which start real nodes.
func TestNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT RUN under -short: networks of real node processes")
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/network", Cmds: scriptCommands(), Condition: hasData, Setup: func(env *testscript.Env) error {
		env.Defer(func() { takeDown(t, env.WorkDir) })
		return cleanEnvironment(env)
	}})
}

// takeDown stops whatever a script left running, and fails the test if nodes outlive that.
func takeDown(t *testing.T, work string) {
	found, err := filepath.Glob(filepath.Join(work, "*", "network.json"))
	if err != nil {
		t.Error(err)
	}
	for _, path := range found {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		dir := filepath.Dir(path)
		if err := local.Down(ctx, dir); err != nil {
			t.Errorf("stopping the network of %s: %v", dir, err)
		}
		cancel()
		if yes, err := local.Running(dir); err != nil || yes {
			t.Errorf("nodes are left running in %s (%v)", dir, err)
		}
	}
}

func cleanEnvironment(env *testscript.Env) error {
	env.Setenv("WAYBILL_WALLETS", filepath.Join(env.WorkDir, "wallets"))
	env.Setenv("WAYBILL_NODE", "http://127.0.0.1:1") // nobody listens there
	env.Setenv("WAYBILL_TESTNET_FIRST_PORT", strconv.Itoa(ownPorts()))
	return nil
}

// ports counts the networks that tests of this package made, several at once.
var ports atomic.Int32

// ownPorts is where the ports of a network of one's own begin: what another one left free while a node was down, or before it
// was up, is no port to take.
func ownPorts() int {
	const first, each, most = 20_000, 150, 70
	return first + each*(int(ports.Add(1))%most)
}

func scriptCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"exits": exits, "loadenv": loadEnv, "private": private, "copydata": copyData, "bigdoc": bigDocument,
	}
}

// exits STATUS PROGRAM ARGS… runs a program and checks its exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("running %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, not %d; it said:\n%s", strings.Join(args[1:], " "), got, want, ts.ReadFile("stderr"))
	}
}

// loadenv FILE sets the variables that a network's env file exports.
func loadEnv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: loadenv FILE")
	}
	for line := range strings.SplitSeq(ts.ReadFile(args[0]), "\n") {
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if ok {
			ts.Setenv(name, strings.Trim(value, "'"))
		}
	}
}

// bigdoc FILE EVENTS ITEMS writes a document of so many events of so many items each.
func bigDocument(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: bigdoc FILE EVENTS ITEMS")
	}
	events, err := strconv.Atoi(args[1])
	ts.Check(err)
	items, err := strconv.Atoi(args[2])
	ts.Check(err)
	var out strings.Builder
	out.WriteString(`{"@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"], "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-01-01T00:00:00Z", "epcisBody": {"eventList": [`)
	for e := range events {
		ids := make([]string, items)
		for i := range ids {
			ids[i] = strconv.Quote("urn:epc:id:sgtin:9521001.010001." + strconv.Itoa(e*items+i))
		}
		if e > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"type": "ObjectEvent", "eventTime": "2026-01-01T00:00:00Z", "eventTimeZoneOffset": "+00:00", "action": "OBSERVE", "bizStep": "inspecting", "epcList": [%s]}`, strings.Join(ids, ","))
	}
	out.WriteString("]}}")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o644))
}

// private FILE… makes files readable by their owner only: those of a script are readable by all.
func private(ts *testscript.TestScript, neg bool, args []string) {
	for _, path := range args {
		ts.Check(os.Chmod(ts.MkAbs(path), 0o600))
	}
}

// copydata PATH FILE copies a file of the public test data, which lies outside the repository.
func copyData(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: copydata PATH FILE")
	}
	dir, err := dataFolder()
	ts.Check(err)
	data, err := os.ReadFile(filepath.Join(dir, args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}

// hasData is the condition [data]: the public test data is there.
func hasData(condition string) (bool, error) {
	if condition != "data" {
		return false, errors.New("unknown condition " + condition)
	}
	dir, err := dataFolder()
	if err != nil {
		return false, err
	}
	_, err = os.Stat(dir)
	return err == nil, nil
}

// dataFolder is where the public test data would be.
func dataFolder() (string, error) {
	if dir := os.Getenv("WAYBILL_DATA"); dir != "" {
		return dir, nil
	}
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return filepath.Join(dir, "..", "shared", "data"), nil
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
