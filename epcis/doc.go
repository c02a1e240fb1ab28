// Package epcis is the EPCIS 2.0 event model (ISO/IEC 19987:2024), the vocabularies of CBV 2.0 (ISO/IEC 19988:2024),
// the JSON(-LD) form, the deterministic CBOR form, the canonical form and the hashes of events.
//
// What it does. [ParseDocument] reads capture documents, query documents, bare events and lists of them strictly, and
// answers every fault it finds with a JSON pointer. [FormatDocument] and [FormatEvent] write the same back: nothing an
// author wrote is lost, user extensions at every level included. [EncodeEvent] and [DecodeEvent] are the form that the
// ledger keeps. [Event.Validate] checks what an event means. [Event.Hash] is the identity of an event, whatever the
// spelling of its identifiers; [Event.CBVHash] is the hash identifier of CBV 2.0, an alias only.
//
// Limits. Reading takes at most 16 bytes of memory for each byte of a document or event and 64 KiB, see [crypto.Budget];
// what would take more is a [FaultTooLarge]. [Examiner] holds a whole transaction to that. The others are [MaxDocumentBytes],
// [MaxEventBytes], [MaxDepth], [MaxNamespaces] and [MaxFaults].
//
// What it deliberately does not do. It resolves no JSON-LD context over a network: the standard context is built in
// and the prefixes that a document declares are the only others. It holds no float: numbers are exact decimals, and
// numbers inside extensions keep the literal of their author. It knows no ledger, no custody and no query.
//
// Who calls it. The ledger (CBOR, hashes, validation), the index, queries and traces (the model), the api and the
// wallet (JSON).
//
// Concurrency. All functions are pure. An [Event] is a plain value: any number of readers, or one writer.
package epcis
