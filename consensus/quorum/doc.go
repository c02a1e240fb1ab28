// Package quorum says who may vote with how much power, and when votes are enough.
//
// What it does. A [Set] lists the validators of an epoch and their power; [Set.Quorum] and [Set.Blocking] are the two
// thresholds everything rests on; [LimitChange] bounds how far the set of the next epoch may differ; a [Slate] names the
// leader of every view. A [Header] is of an ordinary block, of the closing block of an epoch, or of a tail, which makes a
// closing block final and is no block of the ledger. [Header], [Vote], [Certificate],
// [Justification], [Proposal] and [Evidence] have one fixed-width binary form each, digests under domain tags, and
// strict, bounded decoders. [VerifyVotes], [VerifyCertificates] and [VerifyProposal] turn untrusted values into
// [VerifiedVote], [VerifiedCertificate] and [VerifiedProposal]; nothing else can make those, so what holds one need not
// check again. A [Tally] counts the votes of one view by power and finds contradictions.
//
// What it does not do. It takes no decision: when to vote, what to propose and which view to enter is package
// consensus. It keeps nothing, knows no transaction and reads no clock.
//
// Who calls it. consensus, ledger and its light client, node. It imports crypto only.
//
// Concurrency. Everything is a value or immutable after it is made, and safe to share, except [Tally], which has one
// owner. Verification is pure and meant to run in a pool.
package quorum
