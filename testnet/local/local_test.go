package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/epcis"
	"waybill/epcis/gs1"
)

// Every document of the demonstration is used, is right, and names only companies that take part.
func TestDocuments(t *testing.T) {
	used := map[string]string{}
	for _, s := range steps() {
		used[s.file] = s.company
	}
	for _, f := range frauds() {
		used[f.file] = f.company
	}
	used[forbidden] = "store1"
	entries, err := documents.ReadDir("lettuce")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(used) {
		t.Errorf("there are %d documents and %d are used", len(entries), len(used))
	}
	keys := map[string]*company{}
	for _, c := range newCompanies() {
		keys[c.key] = c
	}
	events := 0
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".json")
		if keys[used[name]] == nil {
			t.Errorf("%s is nobody's", name)
			continue
		}
		text, err := document(name, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		doc, err := epcis.ParseDocument(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(doc.Warnings) > 0 {
			t.Errorf("%s: %v", name, doc.Warnings)
		}
		for _, event := range doc.Events {
			if at, err := gs1.Parse(event.ReadPoint.ID); err != nil || !slices.ContainsFunc(newCompanies(), func(c *company) bool { return at.HasPrefix(c.prefix) }) {
				t.Errorf("%s: read point %s is nobody's place (%v)", name, event.ReadPoint.ID, err)
			}
		}
		if !strings.HasPrefix(name, "fraud") {
			events += len(doc.Events)
		}
	}
	if events < 40 {
		t.Errorf("the way of the lettuce has only %d events", events)
	}
}

// Nobody acts through a node while it is down, and the network has a quorum without it.
func TestCrashIsSurvivable(t *testing.T) {
	nodes := map[string]int{}
	for _, c := range newCompanies() {
		nodes[c.key] = c.node
	}
	for _, s := range steps() {
		if s.number > crashAfter && s.number <= returnAfter && nodes[s.company] == crashing {
			t.Errorf("step %d uses the node that is down", s.number)
		}
	}
	for _, f := range frauds() {
		if f.after > crashAfter && f.after <= returnAfter && nodes[f.company] == crashing {
			t.Errorf("fraud %s uses the node that is down", f.file)
		}
	}
	for _, stakes := range [][]uint64{demoStakes[:], defaultStakes(4), defaultStakes(7), defaultStakes(10)} {
		total := uint64(0)
		for _, s := range stakes {
			total += s
		}
		for i, s := range stakes {
			if 3*(total-s) <= 2*total {
				t.Errorf("without validator %d of %v there is no quorum", i, stakes)
			}
		}
	}
}

func TestClearFolderTouchesOnlyItsOwn(t *testing.T) {
	foreign := t.TempDir()
	precious := filepath.Join(foreign, "thesis.txt")
	if err := os.WriteFile(precious, []byte("years of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := clearFolder(foreign); !errors.Is(err, ErrFolder) {
		t.Errorf("clearing somebody's folder: %v, not ErrFolder", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
	own := t.TempDir()
	for _, name := range []string{markerFile, manifestFile, lockFile} {
		if err := os.WriteFile(filepath.Join(own, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := clearFolder(own); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(own)
	if err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v; not the marker and the lock", left, err)
	}
	if err := clearFolder(filepath.Join(own, "not there")); err != nil {
		t.Errorf("clearing nothing: %v", err)
	}
}

func TestHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	release, err := Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	if pid, yes, err := held(filepath.Join(dir, lockFile), filepath.Join(dir, pidFile)); err != nil || !yes || pid != os.Getpid() {
		t.Errorf("held by %d, %v, %v; not by this process", pid, yes, err)
	}
	if _, err := Hold(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("held twice: %v, not ErrInUse", err)
	}
	release()
	again, err := Hold(dir)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	again()
}

func TestPorts(t *testing.T) {
	ports, err := freePorts(0, 20)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if len(slices.Compact(ports)) != 20 || ports[0] < firstPort || ports[len(ports)-1] >= lastPort {
		t.Errorf("ports %v", ports)
	}
}

// Ports are the next free ones from where one says, over the end of them too.
func TestPortsFrom(t *testing.T) {
	var held []int
	var l net.Listener
	for tries := 0; l == nil; tries++ { // somebody else may take it meanwhile
		var err error
		if held, err = freePorts(0, 1); err == nil {
			l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", held[0]))
		}
		if err != nil && tries == 20 {
			t.Fatal(err)
		}
	}
	defer l.Close()
	for _, first := range []int{held[0], firstPort, lastPort - 1, lastPort} {
		got, err := freePorts(first, 3)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(got, held[0]) || slices.Min(got) < firstPort || slices.Max(got) >= lastPort {
			t.Errorf("from %d: %v; %d is taken", first, got, held[0])
		}
		for i, at := range got {
			if ahead := (at - first + 2*(lastPort-firstPort)) % (lastPort - firstPort); ahead < i || ahead > 500 {
				t.Errorf("from %d: %v", first, got)
			}
		}
	}
}

func TestPlansThatMakeNoNetwork(t *testing.T) {
	for _, p := range []Plan{{Validators: 0}, {Validators: 1, Full: -1}, {Validators: 60, Full: 10}, {Validators: 2, Stakes: []uint64{1}}, {Validators: 1, FirstPort: firstPort - 1}, {Validators: 1, FirstPort: lastPort}} {
		p.Dir = filepath.Join(t.TempDir(), "net")
		if _, err := Create(context.Background(), p, Options{Program: "/bin/false"}); !errors.Is(err, ErrPlan) {
			t.Errorf("%+v: %v, not ErrPlan", p, err)
		}
		if _, err := os.Stat(p.Dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%+v left a folder", p)
		}
	}
	if _, err := Open(t.TempDir(), Options{}); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("opening nothing: %v, not ErrNoNetwork", err)
	}
	if err := Down(context.Background(), t.TempDir()); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("stopping nothing: %v, not ErrNoNetwork", err)
	}
}

func TestQuote(t *testing.T) {
	if got := quote("it's"); got != `'it'\''s'` {
		t.Errorf("quote: %s", got)
	}
}
