// Package vectors freezes what every implementation must compute alike: addresses, digests, signatures, Merkle and state
// tree proofs, votes, headers, certificates, identifiers, events and transactions.
//
// Each file of testdata is a list of {"name", "in", "want"}: texts in, texts out, bytes as hex digits. A vector whose "want"
// holds "refused" must be refused, for that reason. The files are data for other programs as much as for the tests of this
// package, which holds nothing else. A change of a file is a change of the protocol: `go test ./internal/vectors
// -rewrite-vectors` writes them anew, and the commit that does so says why.
package vectors
