// Package store keeps the ledger on disk: blocks with their certificates and receipts, the state with its tree, and
// enough of the past to prove what the state was at a recent height.
//
// Everything is in one Pebble database, keyspaces told apart by their first byte (see the table in keys.go; the node's
// journal and ledger/index own keyspaces of their own there). One block is one batch: a crash leaves the ledger after
// block h or after block h-1, never between. [Store.Commit] does not wait for the disk unless told to; [Store.Sync]
// does. After a failed write the store refuses everything until it is opened again, because what reached the disk is
// then unknown.
//
// The package deliberately does not judge blocks (ledger does) or certificates (consensus/quorum does), and it keeps no
// derived indexes (ledger/index does). Callers are node, testnet and the command line.
//
// One goroutine commits; any number may read meanwhile. A read sees the ledger after the last committed block; reads
// that must agree with each other go through [Store.Snapshot].
package store
