// Package export writes a whole ledger as plain files, and checks such files, so that anybody can leave, keep or study what
// is on it without this program.
//
// # The files
//
// All are UTF-8 text. Bytes stand in base64, hashes in hex. A .jsonl file has one JSON object a line.
//
//	README.txt             what the folder is and how to read it
//	manifest.json          what is exported (Manifest), with length and SHA-256 of every other file
//	genesis.json           the document the network began with
//	epochs.jsonl           for every epoch that ended: its closing header, the certificate of that, and the next validators
//	blocks-000001.jsonl …  every block: header, certificate (where it has one of its own), transactions and receipts
//	events-000001.json …   every accepted event, in the order of the ledger, as EPCIS 2.0 JSON-LD capture documents with the
//	                       time of its block as recordTime
//	state-0000.jsonl …     every record of the state after block Height, by position in the state tree
//
// The last few blocks stand there with header and certificate only: they are what makes the state and the receipts up to
// Height final.
//
// Headers, certificates and validator sets are the fixed-width encodings of consensus/quorum; transactions, receipts and
// records are deterministic CBOR (RFC 8949), described by the structs of package ledger. A reader who does not want to
// decode them needs only the event documents.
//
// # What can be checked
//
// With the genesis document alone: the hand-overs lead from its validators to those of every epoch; the headers are a chain
// whose last has a certificate; transactions hash to the payload roots, receipts to the chain that later headers carry, and
// the records to the state root of the committing header; the event documents are what the transactions and receipts say.
// [Verify] does, in one pass, and holds no more than a block, a document and a part of the state in memory.
//
// # The state
//
// A record with key k stands at position SHA-256-tagged(k) of the state tree (crypto.TreeKey). The first Bits bits of the
// position number the file, so that no file is large; in a file positions ascend. An empty subtree hashes to zero, one with
// a single record to its leaf, any other to the node of its halves.
//
// Write goes to a temporary folder beside the target, and renames it when everything is synced: an export is whole or not
// there. A ledger that began at a snapshot has no blocks from before; Manifest.From says where it begins.
//
// Callers are cmd/waybill. Nothing is shared between calls.
package export
