// Package journal is the durable memory of what this node signed, so that it never signs two things.
//
// What it does. A Journal signs votes and proposals with the validator key and returns them only after the
// record is on disk: one synced write per call, together with the blocks the votes speak for. It refuses to
// sign backwards. After a restart it returns what was signed, so that the same votes are sent again and
// nothing else can be signed in their place. It also keeps, unsynced, certificates that save work after a
// restart.
//
// The rule of the signer: a vote of (epoch, view, step) is signed only if (view, step) is above the
// watermark, or if it is the very vote that was signed there before; step 1 is notarize, step 2 finalize or
// nullify. A finalize vote additionally needs our own notarize vote for the same block. A proposal has a
// watermark of its own: one per view. The watermark is the maximum over all records, never the last record.
//
// What it deliberately does not do. It does not decide what to sign (consensus does), sends nothing, and does
// not survive the loss of its disk: see docs/ARCHITECTURE.md.
//
// Who calls it. node.Replica, on the goroutine that owns the replica. Nothing here may run concurrently.
package journal
