package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/ledger"
	"waybill/testnet/local"
	"waybill/wallet"
)

// TestNothingIsLeft starts a network in the foreground and ends its process: in order, by `testnet down`, and by SIGKILL.
// However it ends, the nodes end too.
func TestNothingIsLeft(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT RUN under -short: networks of real node processes")
	}
	for _, end := range []struct {
		name string
		how  func(t *testing.T, cmd *exec.Cmd, dir string)
		exit int
	}{
		{"terminated", func(t *testing.T, cmd *exec.Cmd, _ string) { signalTo(t, cmd, syscall.SIGTERM) }, 0},
		{"interrupted", func(t *testing.T, cmd *exec.Cmd, _ string) { signalTo(t, cmd, syscall.SIGINT) }, 0},
		{"taken down", func(t *testing.T, _ *exec.Cmd, dir string) { run(t, "testnet", "down", "--dir", dir) }, 0},
		{"killed", func(t *testing.T, cmd *exec.Cmd, _ string) { signalTo(t, cmd, syscall.SIGKILL) }, -1},
	} {
		t.Run(end.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "net")
			cmd := exec.Command("waybill", "testnet", "up", "--validators", "2", "--dir", dir)
			said := &spoken{}
			cmd.Stdout, cmd.Stderr = said, said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }() // after a failure
			// The command must have seen it too: a signal while it still waits for the network ends it with another status.
			eventually(t, "the network is ready", func() bool { return readyNodes(t, dir) == 2 && strings.Contains(said.String(), "Ctrl-C") })
			end.how(t, cmd, dir)
			_ = cmd.Wait() // the status is looked at below
			if got := cmd.ProcessState.ExitCode(); got != end.exit {
				t.Errorf("exit status %d, not %d; it said:\n%s", got, end.exit, said.String())
			}
			eventually(t, "every node has ended", func() bool {
				yes, err := local.Running(dir)
				return err == nil && !yes
			})
		})
	}
}

// spoken is what a process has said so far.
type spoken struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func signalTo(t *testing.T, cmd *exec.Cmd, signal os.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("waybill", args...).CombinedOutput(); err != nil {
		t.Fatalf("waybill %v: %v\n%s", args, err, out)
	}
}

func readyNodes(t *testing.T, dir string) int {
	network, err := local.Open(dir, local.Options{})
	if err != nil {
		return 0 // not made yet
	}
	states, err := network.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ready := 0
	for _, s := range states {
		if s.Ready {
			ready++
		}
	}
	return ready
}

// eventually waits until it is so, generously: this test is about what happens, not how fast.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 600 {
		if so() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("not so after a minute: %s", what)
}

// TestHarness uses the network as tests of other packages do, and leaves no goroutine behind.
func TestHarness(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT RUN under -short: networks of real node processes")
	}
	program, err := exec.LookPath("waybill")
	if err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "net")
	network, err := local.Create(ctx, local.Plan{Dir: dir, Validators: 4, Full: 1, FirstPort: ownPorts()}, local.Options{Program: program})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := network.Stop(ctx); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before)
	}()
	if err := network.Start(ctx); err != nil {
		t.Fatal(err)
	}
	faucet, err := network.Wallet("faucet")
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(network.URL(0))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	pay := func() quorum.Height {
		t.Helper()
		at, err := client.ChainPoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		body, err := buildPayload(&wallet.Builder{Author: faucet.Address(), At: at}, &ledger.Transfer{To: faucet.Address(), Amount: 1})
		if err != nil {
			t.Fatal(err)
		}
		tx, err := faucet.Sign(body)
		if err != nil {
			t.Fatal(err)
		}
		info, err := client.SubmitFinal(ctx, tx.Raw())
		if err != nil || info.Status != api.TxFinal {
			t.Fatalf("paying: %v, %+v", err, info)
		}
		return info.Height
	}
	pay()
	if err := network.KillNode(ctx, 2); err != nil {
		t.Fatal(err)
	}
	height := pay()
	if err := network.StartNode(ctx, 2); err != nil {
		t.Fatal(err)
	}
	added, err := network.AddNode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range network.Nodes() {
		node, err := api.NewClient(network.URL(i))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "every node has every block", func() bool {
			s, err := node.Status(ctx)
			return err == nil && s.Height >= height
		})
		node.Close()
	}
	if got := network.Nodes()[added]; got.Validator || got.Name != "node6" {
		t.Errorf("the added node is %+v", got)
	}
}
