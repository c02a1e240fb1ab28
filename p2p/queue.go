package p2p

import (
	"context"
	"sync"
)

// queue holds the messages waiting for one writer. It never blocks a sender: at
// its limit it drops the oldest message, because in every class the newest
// message says most (a newer vote replaces an older one).
type queue struct {
	limits ClassLimits
	ready  chan struct{} // one token when messages wait

	mu      sync.Mutex
	msgs    [][]byte
	bytes   int
	writing bool          // the writer holds a message popped and not done
	idle    chan struct{} // closed while nothing waits and nothing is written
}

func newQueue(limits ClassLimits) *queue {
	q := &queue{limits: limits, ready: make(chan struct{}, 1), idle: make(chan struct{})}
	close(q.idle)
	return q
}

// push adds msg and returns how many old messages it had to drop.
func (q *queue) push(msg []byte) (dropped int) {
	q.mu.Lock()
	if len(q.msgs) == 0 && !q.writing {
		q.idle = make(chan struct{})
	}
	for len(q.msgs) > 0 && (len(q.msgs) >= q.limits.QueueMessages || q.bytes+len(msg) > q.limits.QueueBytes) {
		q.bytes -= len(q.msgs[0])
		q.msgs[0] = nil
		q.msgs = q.msgs[1:]
		dropped++
	}
	q.msgs = append(q.msgs, msg)
	q.bytes += len(msg)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return dropped
}

// pop waits for the oldest message. After writing it the caller must call done.
func (q *queue) pop(ctx context.Context) ([]byte, bool) {
	for {
		q.mu.Lock()
		if len(q.msgs) > 0 {
			msg := q.msgs[0]
			q.msgs[0] = nil
			q.msgs = q.msgs[1:]
			q.bytes -= len(msg)
			q.writing = true
			q.mu.Unlock()
			return msg, true
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, false
		case <-q.ready:
		}
	}
}

// done says that the popped message is written or given up.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = false
	if len(q.msgs) == 0 {
		close(q.idle)
	}
}

// idleSignal returns a channel that is closed as soon as the queue is idle.
func (q *queue) idleSignal() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.idle
}

// depth returns how many messages wait.
func (q *queue) depth() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.msgs)
}
