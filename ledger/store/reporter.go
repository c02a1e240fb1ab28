package store

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// reporter catches failures that Pebble reports to its logger and listener instead of returning them: a failed write
// of the log or the manifest, a failed flush. The first one sticks. Pebble expects Fatalf not to return; ours does,
// because a library must not end the process; therefore every write looks at the reporter before and after, and nothing
// is written once it has failed.
type reporter struct {
	failed chan struct{} // closed by the first failure

	mu  sync.Mutex
	err error
}

func newReporter() *reporter { return &reporter{failed: make(chan struct{})} }

func (r *reporter) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && err != nil {
		r.err = err
		close(r.failed)
	}
}

func (r *reporter) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// background is told of failed flushes and compactions. Cancelled compactions are no failures.
func (r *reporter) background(err error) {
	if !errors.Is(err, pebble.ErrCancelledCompaction) {
		r.fail(err)
	}
}

// Infof and Errorf drop what Pebble says: only node and cmd log.
func (r *reporter) Infof(string, ...interface{}) {}

// Errorf implements pebble.Logger.
func (r *reporter) Errorf(string, ...interface{}) {}

// Fatalf keeps the first error among the arguments, so that its cause (no space, say) can be told.
func (r *reporter) Fatalf(format string, args ...interface{}) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			r.fail(err)
			return
		}
	}
	r.fail(fmt.Errorf(format, args...))
}
