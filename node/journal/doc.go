// Package journal is the durable memory of what this node signed, so that it never signs two things.
//
// What it does. A Journal has votes and proposals signed by a signer.Signer and returns votes only after the record is on
// disk: one synced write per call, together with the blocks the votes speak for. A proposal is written and synced before
// it leaves by SyncProposal, or by the leader's own vote for it: at most two syncs for a block on every node. After a
// restart it returns what was signed, so that the same votes are sent again and nothing else can be signed in their place.
// It also keeps, unsynced, certificates that save work after a restart.
//
// The rule. A vote of (epoch, view, step) is signed only if (view, step) is above the watermark, or if it is the very vote
// that was signed there before; step 1 is notarize, step 2 finalize or nullify. A finalize vote additionally needs our own
// notarize vote for the same block. A proposal has a watermark of its own: one per view. The watermark is the maximum over
// all records, never the last record. The signer applies the same rule with its own, smaller memory in another file, and
// Open holds the two against each other: see signer.Signer. What the signer signed and a crash kept from the journal has
// not left the node; the journal does not take it over, because its block is missing here, and asks again: the signer then
// gives the same signature or none.
//
// The records carry no checksum of their own. Pebble has one for every block and every log record, which finds what a disk
// spoils; and each record is proof of itself besides: a vote, proposal or certificate in which a bit is wrong has a wrong
// signature, hash or key, and Open checks all of them.
//
// Epochs. A Journal is of one epoch. Records of earlier ones are dropped when it opens, those of a later one mean that the
// ledger is an old copy.
//
// What it deliberately does not do. It does not decide what to sign (consensus does), holds no key, sends nothing, and
// does not survive the loss of its disk: see docs/ARCHITECTURE.md.
//
// Who calls it. node.Replica, on the goroutine that owns the replica. Nothing here may run concurrently.
package journal
