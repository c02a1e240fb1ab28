// Package sim runs whole networks of the shipped node.Replica in virtual time, from a seed.
//
// What it does. A Plan, made from one number, says how many validators there are and with how much stake, how
// the network loses, delays and repeats messages, when it falls apart, who crashes when and what of its disk
// survives. Run carries a plan out on one goroutine: a queue of events ordered by virtual time is the only
// scheduler, so that two runs of a seed are equal to the byte. Real are the replica, the consensus machine,
// the journal, block sync and every encoding; modelled are the disk (unsynced writes may be lost), the
// ledger (a chain of hashes), the transactions (opaque bytes), the network and the clock. Signatures are a
// keyed hash unless a plan asks for real ones.
//
// What it judges. The oracle sees every message sent and every block executed, and works from those alone: it
// calls none of the predicates it judges. See oracle.
//
// Every run ends by healing everything and demanding progress.
package sim
