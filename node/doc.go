// Package node runs one node of the network: it owns the consensus machine and performs its outputs.
//
// What it does. Replica is the core of a node: it composes the consensus machine, the journal, the blocks
// that are not final yet and block sync, single-threaded, behind a small Env (send, arm a timer, check a
// payload, execute a block). Node is the shell: it opens the store and the sockets, verifies what peers send
// in a pool of workers, feeds the replica from one goroutine, executes final blocks on another, answers the
// HTTP API, and stops everything in order. The simulator drives the same Replica with a virtual Env.
//
// What it deliberately does not do. It decides nothing about validity: votes and certificates are judged by
// consensus/quorum, blocks by consensus and ledger, runs of blocks by node/sync. It holds no wallet keys.
//
// Who calls it. cmd/waybill opens and runs a Node; testnet/sim drives Replicas.
//
// # Goroutines of a running Node
//
//	loop      owns the Replica; blocks on inbox, answers, timers; never on anything else
//	executor  ledger.Apply and store.Commit, one block after the other; blocks on its queue and the disk
//	checker   verifies payloads of proposals; blocks on its queue
//	verifiers one per core: decode and verify what peers send; block on their queue, and on the inbox
//	relay     passes on transactions that were submitted here; blocks on its queue and a ticker
//	index     ledger/index.Run
//	http      api.Server.Serve
//	p2p       p2p.Network.Run
//
// The loop never waits for another goroutine: queues towards the executor and the checker have room for all
// the replica may have outstanding, and their answers come on a channel that the loop always reads.
package node
