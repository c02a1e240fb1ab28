// Package mempool holds valid transactions until they are ordered, and remembers which ones were verified.
//
// What it does. A Pool keeps admitted transactions within limits on number, bytes and per author, offers
// them for a block by tip and age with dependencies before dependents, and drops them when they are ordered
// or expire. A Verifier decodes transactions and checks their signatures in batches, and remembers the last
// ones, so that a transaction is verified once on its way from the wire through a proposal into the ledger.
//
// What it deliberately does not do. It does not decide what is legal (ledger.Admit does, before Add), keeps
// nothing on disk, and forwards nothing.
//
// Who calls it. node. A Pool belongs to one goroutine at a time (node guards it with a mutex); a Verifier is
// safe for concurrent use.
package mempool
