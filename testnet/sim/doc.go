// Package sim runs whole networks of the shipped node.Replica in virtual time, from a seed.
//
// What it does. A Plan, made from one number, says how many nodes there are and with how much stake, who of them
// misbehaves and how, how the network loses, delays and repeats messages, when it falls apart, who crashes when and what
// of its disk survives, whose clock is wrong, when epochs end and whom they elect. Run carries a plan out on one
// goroutine: a queue of events ordered by virtual time is the only scheduler, so that two runs of a plan are equal to the
// byte. Real are the replica, the consensus machine, the journal, the signer and its file format, block sync and every
// encoding; modelled are the disk (unsynced writes may be lost or torn, and writes may fail), the transactions, the
// network and the clocks. The ledger is a chain of hashes with elections by the plan, or, where offences are to be
// punished, ledger.Apply in memory. Signatures are a keyed hash.
//
// There are four kinds of plans. NewPlan: anything, with less than a third of the stake faulty; everything heals in the
// end and the network must go on. NewCatchUpPlan: a node far behind among liars. NewForkPlan: a third of the stake and
// more colludes; forks are to be expected and must be attributable. NewSlashPlan: offenders against the real ledger.
//
// Who misbehaves is a replica whose messages pass through adversaries, one file each (adversary_*.go), which hold the
// node's key and say what they like with it. A node that loses its data folder or its signer's file is honest: it must
// refuse to sign, and follows.
//
// What it judges. The oracle sees every message that an honest node sends and every block it executes, and works from
// those alone: it calls none of the predicates it judges. See oracle, accountability.go and ledger_real.go.
//
// What it deliberately does not: it forges no signatures, it has no p2p layer (bans, rate limits and queues of the shell
// are tested in packages node and p2p), and messages of more than one connection keep no order.
//
// Run may be called from many goroutines at once. Package testnet/soak and the tests call it.
package sim
