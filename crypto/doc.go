// Package crypto is about bytes that are hashed or signed: keys, tagged hashes, signatures, addresses, the one
// deterministic encoding, Merkle trees and their proofs.
//
// What it does. [Sum] hashes under one of the domain tags of a single table. [PrivateKey], [PublicKey] and [Signature]
// are ECDSA over secp256k1 with deterministic nonces (RFC 6979), 64 bytes r||s, low s only. [VerifyBatch] is the only
// function that checks signatures; callers hand it many at once. [Marshal] and [Unmarshal] are deterministic CBOR
// (RFC 8949, section 4.2) where every value has exactly one accepted encoding. [MerkleRoot] and [MerkleProof] follow
// RFC 6962. [UpdateTree], [ProveTree] and [VerifyTree] are a sparse Merkle tree over the state of the ledger, stored
// in pages that somebody else keeps.
//
// Decoding takes at most 16 bytes of memory for each byte of input and 64 KiB: a [Budget] counts what is made before it is
// made, by fixed weights, and what is too dense is refused with ErrTooLarge, by Marshal too. Types that read themselves
// ([CBORParser]) say what they make.
//
// What it does not do. It stores nothing, encrypts nothing, knows no transaction, vote or block, and reads no
// randomness unless the caller passes a reader. Keys at rest belong to the wallet and the node.
//
// Who calls it. Everything above it; it imports nothing of ours.
//
// Concurrency. All functions are pure and may run at once, on shared read-only arguments. The one object with state
// is [KeyCache], which is safe for concurrent use.
package crypto
