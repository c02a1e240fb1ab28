// Package provenance makes and checks provenance certificates: one file that shows the complete history of an item, a lot
// or a class, through everything it was made of and packed in, to somebody who trusts nothing but the genesis document (or
// a later checkpoint) of the network. No node, no network connection and no database is needed to check one.
//
// # What is shown
//
// All statements are about the state after one block, the height of the certificate.
//
//   - The validators: the hand-overs from epoch to epoch, from genesis on, up to the last epoch of which a header is used.
//   - The headers of all blocks used, each once, in paths whose last header has a certificate.
//   - Records of the state, or that there are none, each by a proof under the state root that one of the headers carries.
//   - Transactions, each in its block, with the receipt that the ledger gave it.
//   - For each thing the list of the events on its chain.
//
// A thing's record holds the number of events that ever named it and the head of the hash chain over them. The events of the
// certificate fold to that head: nothing was left out, added, replaced or reordered. So do [ledger.Item].Made and the records
// of its edges and their links say what it was made of: no ancestor was left out. The mark of every event ([ledger.EventMark],
// in the state too) binds its author, transaction and height. For all things the holds are shown, of the thing, its lot and
// its class, and every notice in them: no recall was left out.
//
// # What is trusted
//
// Genesis, or a later checkpoint, is taken on trust; from there on more than two thirds of the validators of each epoch are, but
// not all for the same:
//
//   - The records are under one state root, that of the header of block Signed.Block, so they rest on the validators of the epoch
//     of that block alone, the newest that is used. So does all that follows from records and marks: which events there are, who
//     signed them, in which transaction and at which height they were recorded, what a thing was made of, where it is and who
//     holds it, and the notices over it. Keys of validators who left before can change none of this.
//   - The header of an older block and the receipts of its transactions rest on the validators of the epoch of that block, and
//     on their keys as they are kept since. Who has more than two thirds of an epoch's keys, though their owners left long ago,
//     can sign another header for a height of that epoch: with another time ([Event].RecordedMs, and Report.TimeMs and Block if the
//     height itself lies before Signed.Block's epoch) and with other receipts (what the rules had to say, Event.Flags, and the
//     name of the author's organisation at that time, Event.OrgThen). What events say of themselves is signed by their author.
//   - That the hand-overs lead to the validators of today is worth what the keys of all epochs between are: see Report.Stale.
//     Whoever compares a block with a source it trusts (Trust.Pin) needs to rely on no epoch before that block.
//   - A certificate is of its height. One of before a recall holds for ever, does not show the recall, and says when it is of
//     (Report.Height, TimeMs, AgeMs): whether that is new enough is for whoever asks to decide.
//
// # What is followed
//
// [Make] and [Verify] run the same walk, Make over the state of a node and Verify over what is proven, and a certificate
// holds exactly what the walk reads, in the order in which it reads it. Something missing is refused and so is something
// too much. The walk begins at the subject and follows
//
//   - the lot of an item;
//   - what it was made of: the inputs of every transformation that made it or its lot, all events of one transformationID
//     together, and theirs in turn, to Request.Depth steps. Depth 0 follows none;
//   - what it was packed in, and what that was packed in: those events moved it. Not for the lot of an item, of which the
//     item is a part. Containers are followed whatever the time, so that what is not the item's own time with them is
//     there too; [Report].Journey tells which is which.
//
// Other things than the subject with more than Request.Events events are named and not followed. Where the walk was cut
// short the report says so, and that the history is not complete.
//
// Master data of the products and places is shown as it was last recorded. What is in a container, where an amount of a lot
// lies, disputes about deliveries (but for the state in which they leave the subject), answers to notices, attestations and
// money are no part of a certificate; neither are events that named a thing before it was on the ledger. Of notices that were
// released a hold may have dropped some when its list was full. That what somebody recorded is true, no ledger can show.
//
// # The file
//
// [Magic], then frames until the end of the file: 4 bytes of length, big-endian, and that many bytes of deterministic CBOR
// (RFC 8949, section 4.2.1; see crypto.Unmarshal). All structs are arrays; the frames are, in this order:
//
//	head          1  network, subject, heights, limits, and the number of the frames that follow
//	handover      *  closing header, its certificate, the next validator set (empty: the same again)
//	path          *  headers of consecutive blocks of one epoch, and the certificate of the last; ascending
//	stateEntry    *  key, whether there is a record, its value, proof; in the order of the walk
//	block         *  height, the block that commits to its receipts, and the proof of its receipts root; ascending
//	transaction   *  index of its block, place in it, bytes, and the proofs of it and of its receipt; ascending
//	thing         *  identifier, whether it is a lot, and its events as (transaction, event); in the order of the walk
//
// Headers, certificates, sets, proofs, transactions and receipts are in the encodings of their own packages. A file is at
// most [MaxBytes].
//
// Callers are node (Make) and whoever checks: cmd/waybill, wallets. Everything is a pure function; a Source is used by one
// goroutine.
package provenance
