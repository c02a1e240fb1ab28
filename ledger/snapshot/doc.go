// Package snapshot makes, checks and restores copies of the state that a new node may start from.
//
// What it does. A snapshot is the state after one block s, cut into chunks along the state tree: every chunk holds all
// keys whose positions begin with one prefix. The [Manifest] lists the hash of the subtree below each prefix, and those
// hashes fold to the state root that the header of a later block x carries. A finalization of x ([Proof]) therefore
// certifies the manifest, and with it each chunk, before a single chunk is fetched: a chunk is right exactly when its
// keys build the subtree. Manifest and chunks are functions of the ledger alone, so that all nodes make the same bytes
// and a chunk may come from any of them. [Epochs] follows the hand-overs between validator sets, from genesis or from a
// checkpoint, to the set that certified x. [Library] keeps snapshots in a folder; [Taker] adds to it while the node
// runs; [Restore] makes an empty ledger begin at s.
//
// What it deliberately does not do. A snapshot holds no blocks, transactions, receipts or indexes of the past: a node
// that starts from one knows the state and everything after s, and nothing before. It carries no secrets, and nothing of
// a signer or its journal. Fetching is node/sync's business.
//
// Who calls it. node and cmd/waybill, and node/sync for the formats and the checks.
//
// Everything but Library and Taker is pure. A Library may be used by several goroutines; a Taker's methods say whose
// goroutine calls them.
package snapshot
