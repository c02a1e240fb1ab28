package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a node that this Network started.
type process struct {
	cmd      *exec.Cmd
	lifeline io.Closer     // closing it stops the node; nil for a detached one
	done     chan struct{} // closed when it has ended and was waited for
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ownGroup keeps signals of the terminal from the nodes: whoever started them stops them in order. A detached node also
// leaves the session, so that closing the terminal does not end it.
func ownGroup(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true}
}

// launch starts `waybill node start` for a folder, its log appended to node.log there.
func launch(program, dir string, detached bool, flags []string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "node.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a node's log: %w", err)
	}
	defer log.Close() // the child has its own
	args := append([]string{"node", "start", "--data", dir}, flags...)
	p := &process{done: make(chan struct{})}
	if !detached {
		args = append(args, "--lifeline")
	}
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = ownGroup(detached)
	p.cmd.Env = nodeEnvironment()
	if !detached {
		if p.lifeline, err = p.cmd.StdinPipe(); err != nil {
			return nil, fmt.Errorf("making a pipe for a node: %w", err)
		}
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a node: %w", err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log; that it ended is what matters here
		close(p.done)
	}()
	return p, nil
}

// nodeEnvironment is ours without settings of the caller's own node, which would make all nodes use one port.
func nodeEnvironment() []string {
	var out []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "WAYBILL_") {
			out = append(out, pair)
		}
	}
	return out
}

// running returns the process id of a node that runs, whoever started it.
func running(dir string) (pid int, yes bool, err error) {
	return held(filepath.Join(dir, "node.lock"), filepath.Join(dir, "node.pid"))
}

// stopTime is how long a node may take to stop before it is killed.
const stopTime = 20 * time.Second

// pollEvery is how often the state of a process or a node is asked for.
const pollEvery = 25 * time.Millisecond

// await polls until it is so, or the context ends.
func (n *Network) await(ctx context.Context, so func() bool) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	return nil
}

// end sends a signal to a node and waits until it has gone; one that does not go in time is killed.
func (n *Network) end(ctx context.Context, node Node, signal syscall.Signal) error {
	dir := n.dirOf(node)
	pid, yes, err := running(dir)
	if err != nil {
		return err
	}
	if yes && pid > 0 {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("sending %v to %s (process %d): %w", signal, node.Name, pid, err)
		}
	}
	// A node that was started but has not taken its lock yet is known only here.
	own := n.own(node.Name)
	if own != nil && !yes && !own.ended() {
		_ = own.cmd.Process.Signal(signal) // it may just have ended
	}
	gone := func() bool {
		_, yes, err := running(dir)
		return err == nil && !yes && (own == nil || own.ended())
	}
	patience, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if err := n.await(patience, gone); err == nil {
		_ = os.Remove(filepath.Join(dir, "node.pid")) // a killed node leaves it, and the number may soon be somebody else's
		return n.forget(node.Name)
	}
	if pid, yes, _ := running(dir); yes && pid > 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL) // ESRCH: gone in between
	}
	if own != nil && !own.ended() {
		_ = own.cmd.Process.Kill()
	}
	last, cancelLast := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancelLast()
	if err := n.await(last, gone); err != nil {
		return fmt.Errorf("%s does not end even when killed: %w", node.Name, err)
	}
	return errors.Join(fmt.Errorf("%s did not stop within %s and was killed; see %s", node.Name, stopTime, filepath.Join(dir, "node.log")), n.forget(node.Name))
}

func (n *Network) own(name string) *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.processes[name]
}

func (n *Network) forget(name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.processes[name]
	delete(n.processes, name)
	if p == nil || p.lifeline == nil {
		return nil
	}
	if err := p.lifeline.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("closing a node's pipe: %w", err)
	}
	return nil
}

// ready asks a node whether it is in sync and takes transactions.
func (n *Network) ready(ctx context.Context, node Node) bool { return n.asks(ctx, node, "/readyz") }

// asks reports whether a node answers a question about its health with yes.
func (n *Network) asks(ctx context.Context, node Node, path string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, node.URL()+path, nil)
	if err != nil {
		return false
	}
	resp, err := n.http.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// lastLines is the end of a node's log, for an error message.
func lastLines(path string, count int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
