package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/node/signer"
	"waybill/testnet/local"
)

// signerFixture is a folder with the validator key of a new network, and its genesis.
func signerFixture(t *testing.T) (dir string, genesis *ledger.Genesis, key crypto.PrivateKey) {
	t.Helper()
	network := filepath.Join(t.TempDir(), "net")
	program, err := exec.LookPath("waybill")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := local.Create(context.Background(), local.Plan{Dir: network, Validators: 1}, local.Options{Program: program}); err != nil {
		t.Fatal(err) // it is never started
	}
	found, err := filepath.Glob(filepath.Join(network, "*", validatorKeyFile))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d validator keys in %s (%v)", len(found), network, err)
	}
	if key, err = readKey(found[0]); err != nil {
		t.Fatal(err)
	}
	if genesis, err = readGenesis(filepath.Join(filepath.Dir(found[0]), genesisFile)); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, name := range []string{validatorKeyFile, genesisFile} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(found[0]), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, genesis, key
}

// signerStarts runs `waybill signer run` and returns when it is ready, with the address for nodes.
func signerStarts(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("waybill", append([]string{"signer", "run"}, args...)...)
	log := filepath.Join(t.TempDir(), "log")
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // after a failure
	address := ""
	eventually(t, "the signer is ready", func() bool {
		said, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		var found bool
		_, address, found = strings.Cut(string(said), "--signer ")
		return found && strings.HasSuffix(address, "\n")
	})
	return cmd, strings.Fields(address)[0]
}

func waybill(t *testing.T, want int, args ...string) string {
	t.Helper()
	cmd := exec.Command("waybill", args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("waybill %v: exit status %d, want %d: %s", args, got, want, said.String())
	}
	return out.String()
}

func testVote(e quorum.Epoch, v quorum.View, block byte) signer.Request {
	return signer.Request{Vote: quorum.Vote{Kind: quorum.KindNotarize, Epoch: e, View: v, Height: 1, Block: crypto.Hash{block}}}
}

// TestSignerRun kills a signer again and again while a node asks it, over both transports. No two signatures of one view
// differ, and what was signed is signed again alike.
func TestSignerRun(t *testing.T) {
	dir, genesis, key := signerFixture(t)
	peer, err := crypto.GeneratePrivateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "signer", "init", "--data", dir)
	rounds, view := 6, quorum.View(0)
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		listen := []string{"--listen", "unix:" + filepath.Join(t.TempDir(), "s")}
		if round%2 == 1 {
			listen = []string{"--listen", "tcp:127.0.0.1:0", "--allow", peer.Public().String()}
		}
		cmd, address := signerStarts(t, append([]string{"--data", dir}, listen...)...)
		waybill(t, exitDataFolder, "signer", "show", "--data", dir)
		c, err := signer.Dial(t.Context(), signer.Remote{Address: address, Key: peer, Genesis: genesis.Hash(), Validator: key.Public(), Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			view++
			a, err := c.Sign([]signer.Request{testVote(0, view, 1), testVote(0, view, 2), testVote(0, view, 1)})
			if err != nil || a[0].Refused != nil || a[1].Refused == nil || a[2].Signature != a[0].Signature {
				t.Fatalf("view %d: %+v, %v", view, a, err)
			}
			if !crypto.VerifyBatch([]crypto.Check{{Key: key.Public(), Digest: quorum.VoteDigest(genesis.Hash(), crypto.Hash{}, testVote(0, view, 1).Vote), Signature: a[0].Signature}})[0] {
				t.Fatalf("view %d: the signature is none", view)
			}
		}
		signalTo(t, cmd, []os.Signal{syscall.SIGKILL, syscall.SIGTERM}[round/2%2])
		_ = cmd.Wait() // it was told to
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		var shown signerView
		if err := json.Unmarshal([]byte(waybill(t, exitOK, "signer", "show", "--data", dir, "--output", "json")), &shown); err != nil {
			t.Fatal(err)
		}
		if shown.Mark != (signer.Mark{View: view, Step: 1}) || !shown.Exact {
			t.Fatalf("after view %d the file says %+v", view, shown)
		}
	}
}

// TestSignerMoves carries a key to another folder by its watermark.
func TestSignerMoves(t *testing.T) {
	dir, genesis, key := signerFixture(t)
	waybill(t, exitSafety, "signer", "show", "--data", dir)
	waybill(t, exitSafety, "signer", "run", "--data", dir, "--listen", "unix:"+filepath.Join(t.TempDir(), "s"))
	run(t, "signer", "init", "--data", dir)
	waybill(t, exitSafety, "signer", "init", "--data", dir)
	waybill(t, exitConfig, "signer", "run", "--data", dir, "--listen", "udp:x")
	waybill(t, exitUsage, "signer", "run", "--data", dir, "--listen", "tcp:127.0.0.1:0")

	mark := signer.Watermark{Version: 1, Genesis: genesis.Hash(), Key: key.Public(), Mark: signer.Mark{Epoch: 2, View: 70, Step: 1}, Proposed: signer.Slot{Epoch: 2, View: 69}}
	file := func(w signer.Watermark) string {
		text, err := w.Encode()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "watermark.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	waybill(t, exitOK, "signer", "import", file(mark), "--data", dir)
	lower := mark
	lower.Mark.View--
	waybill(t, exitSafety, "signer", "import", file(lower), "--data", dir)
	foreign := mark
	foreign.Genesis[0]++
	waybill(t, exitDataFolder, "signer", "import", file(foreign), "--data", dir)
	waybill(t, exitConfig, "signer", "import", filepath.Join(dir, genesisFile), "--data", dir)
	text := waybill(t, exitOK, "signer", "export", "--data", dir)
	if got, err := signer.DecodeWatermark([]byte(text)); err != nil || got != mark {
		t.Fatalf("exported %s (%v), imported was %+v", text, err, mark)
	}
	if err := os.Remove(filepath.Join(dir, signer.FileName)); err != nil {
		t.Fatal(err)
	}
	waybill(t, exitOK, "signer", "import", file(mark), "--data", dir)
	if got := waybill(t, exitOK, "signer", "export", "--data", dir); got != text {
		t.Fatalf("a new folder exports %s, not %s", got, text)
	}
	if err := os.WriteFile(filepath.Join(dir, signer.FileName), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	waybill(t, exitSafety, "signer", "show", "--data", dir)
}
