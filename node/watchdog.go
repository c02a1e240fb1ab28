package node

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"waybill/api"
	"waybill/consensus"
	"waybill/consensus/quorum"
)

// standing is where a node is; while there is work some of it moves.
type standing struct {
	epoch           quorum.Epoch
	view            quorum.View
	final, executed quorum.Height
}

// watchdog notices that there is work and nothing moves: neither view nor height. The cause may be a network without a
// quorum, which is not this node's fault, or a goroutine that hangs, which nothing else would ever tell. It asks no part
// of the node that could hang with it.
type watchdog struct {
	stuck atomic.Pointer[string] // why the node is not ready; nil while it moves

	// Owned by one goroutine.
	limit time.Duration // follows the parameters of the epoch
	last  standing
	since time.Time // when last began, or work did
	seen  time.Time // the last observation
}

const (
	watchdogLeast = 30 * time.Second
	watchdogEvery = time.Second
	maxDump       = 1 << 20 // bytes of goroutine stacks
)

// newWatchdog watches a network with these waiting times.
func newWatchdog(t consensus.Timing) *watchdog { return &watchdog{limit: patience(t)} }

// patience allows for ten of the longest timeouts of a view, and for blocks that come as slowly as they must.
func patience(t consensus.Timing) time.Duration {
	return max(watchdogLeast, time.Duration(max(10*t.Max, 3*t.MinBlockInterval))*time.Millisecond)
}

// observe notes where the node is. It returns true once each time that it begins to be stuck.
func (w *watchdog) observe(now time.Time, at standing, work bool) bool {
	asleep := now.Sub(w.seen) > w.limit/2 // the machine was: nobody could have moved
	w.seen = now
	if !work || at != w.last || asleep {
		w.last, w.since = at, now
		w.stuck.Store(nil)
		return false
	}
	idle := now.Sub(w.since)
	if idle < w.limit {
		return false
	}
	why := fmt.Sprintf("there is work, and for %s nothing moved: epoch %d, view %d, final %d, executed %d",
		idle.Round(time.Second), at.epoch, at.view, at.final, at.executed)
	return w.stuck.Swap(&why) == nil
}

// check is the watchdog's part of the node's health. It keeps the node from being ready, and is not vital: an outage of
// the network would have every node restarted.
func (w *watchdog) check() api.Check {
	if why := w.stuck.Load(); why != nil {
		return api.Check{Name: "progress", Detail: *why}
	}
	return api.Check{Name: "progress", OK: true, Detail: "the engine moves, or there is nothing to do"}
}

// tellVoting logs when this validator ceases to vote, and when it begins again: nobody else would tell its operator
// before it is jailed. It is called by the watchdog's goroutine only.
func (n *Node) tellVoting(away, recovering bool) {
	if away != n.signerAway {
		if n.signerAway = away; away {
			n.log.Warn("the signer does not answer: this validator does not vote")
		} else {
			n.log.Info("the signer answers again: this validator votes")
		}
	}
	if recovering != n.recovering {
		if n.recovering = recovering; recovering {
			n.log.Warn("recovering the signer: this validator watches first, until others finalize a view above all it saw", "atLeast",
				3*time.Duration(n.members.Load().epoch.Rules.Timing.Max)*time.Millisecond)
		} else {
			n.log.Info("the signer is recovered: this validator votes")
		}
	}
}

// signerCheck is the signer's part of the node's health; not vital, for the ledger is served all the same.
func (n *Node) signerCheck() api.Check {
	switch snap := n.snapshot.Load(); {
	case snap.SignerAway:
		return api.Check{Name: "signer", Detail: "the signer does not answer: this validator does not vote"}
	case snap.Recovering:
		return api.Check{Name: "signer", Detail: "recovering: this validator watches and does not vote yet"}
	}
	return api.Check{Name: "signer", OK: true, Detail: "it answers, or there is none"}
}

// watch runs the watchdog.
func (n *Node) watch(ctx context.Context) error {
	ticker := time.NewTicker(watchdogEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			snap, tip := n.snapshot.Load(), n.store.Tip().Height
			at := standing{snap.Consensus.Epoch, snap.Consensus.View, snap.Final.Height, tip}
			n.watchdog.limit = patience(n.members.Load().epoch.Rules.Timing)
			n.tellVoting(snap.SignerAway, snap.Recovering)
			work := snap.Consensus.Active || n.pool.Pending() || snap.Final.Height > tip || snap.BestKnown > tip
			if !n.watchdog.observe(now, at, work) {
				continue
			}
			stacks := make([]byte, maxDump)
			stacks = stacks[:runtime.Stack(stacks, true)]
			n.log.Error("the node does not get on", "why", *n.watchdog.stuck.Load(), "connected", n.net.Stats().Peers, "goroutines", string(stacks))
		}
	}
}
