// Package light trusts nothing but the validators: it checks that a block is final by its certificate, and then that a
// transaction, a receipt, an event or a piece of the state belongs to it, without running a node.
//
// A [Header] can only be made by checking a certificate; every other check takes one. What a check accepts is what the
// validators with more than two thirds of the power signed. The caller brings the domain: the genesis hash and the
// validator set of the epoch. A [Checkpoint] knows both, and follows the validators from epoch to epoch: the closing block of
// an epoch names the next set, and the set that signs it is known.
//
// The package deliberately fetches nothing, keeps nothing and knows no clock: whether a validator set is recent enough to be
// believed is the caller's question, and [Checkpoint.Check] the answer once it brings the time. Callers are wallet,
// node/sync, api clients and the offline verifier. All functions are pure.
package light
