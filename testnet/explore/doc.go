// Package explore runs the consensus machine itself, without node, network or disk, through as many histories as
// there is time for, and judges them with rules of its own.
//
// Four ways, each from one number, so that a failing history is one line to repeat:
//
//   - [Twins] (after Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021): validators of less than a third of the
//     stake run as two honest copies with one key each. Rounds in lock step; each round has a leader and a partition of
//     the copies. [Enumeration] lists all scenarios of a shape up to renaming of equals; [Twins] draws from larger ones,
//     with lost messages and restarts.
//   - [Storm]: time, loss, repetition, reordering, partitions, crashes, skewed stakes, an epoch that ends, and faulty
//     validators of a named conduct each.
//   - [Beyond]: twins of more than a third of the stake. They fork the chain, and [quorum.Accuse] must name them from it.
//   - [Explore]: every order of deliveries and timeouts of four validators, one of them faulty, over the first views, as
//     a graph whose edges were computed by the machine.
//
// What it judges. The oracle is told what machines signed, were sent, made final and accused others of. It calls none of
// the predicates it judges: quorums and contradictions are its own arithmetic. Every history ends with all partitions
// gone and a demand for progress.
//
// What it does not do. Journal, Replica, block sync and encodings are testnet/sim's. Signatures are a stand-in: nothing
// here forges one by computing it.
//
// Who calls it. Its tests, and the soak program. Each run is one goroutine; runs share only immutable tables, and may go
// on in parallel.
package explore
