// Package ledger says what a block does to the state, and which transactions are legal.
//
// What it does. [DecodeTransaction] turns bytes into a [Transaction] whose payload is parsed and whose identifiers are
// canonical; [VerifyTransactions] checks signatures and its results are the only transactions a [Block] takes; [Admit]
// answers whether a transaction is worth holding; [Apply] executes a finalized block over a read-only [View] and
// returns an [Update] with every state write, a [Receipt] for every transaction and a record of every event. A
// transaction that breaks a rule has no effect but its fee, and its receipt says which rule, where, against what, and
// what would be legal.
//
// What it does not do. It reads no clock, file, socket or randomness, starts nothing, keeps nothing between calls and
// never sees JSON; there are no floats. It keeps no index: questions over many events belong to ledger/index. It does
// not compute the state root: the store does, from Update.Writes.
//
// Who calls it. The node's executor (Apply), its mempool (Admit), the verify pool (DecodeTransaction,
// VerifyTransactions), the store and the indexes (keys, records, receipts), wallets (Sign), the API (readers).
//
// Concurrency. Every function is pure. A Transaction is immutable once made and may be shared. A View must not change
// during Apply.
//
// # What events do
//
// Custody is tracked for items (anything named in an EPC list) one by one, and for lots and classes (anything named in
// a quantity list) as balances per custodian, unit and [Status]. A party on the ledger is an account address; organisations give
// it a name, prefixes and party identifiers.
//
//   - An item has one custodian or is in transit. Packing is inherited, not copied: custody, place and ownership
//     changes of a container are those of its contents from the moment they were packed until they are unpacked, so
//     that shipping a pallet touches the pallet only. [ReadItem] resolves this.
//   - Loose quantities are in [Balance], available or held; packed ones are in the [Contents] of their container; shipped
//     ones are in their [Shipment]; those that did not arrive are in the [DisputeRecord] until it is resolved. What was
//     produced minus what was consumed, lost and written off is always the sum of these.
//   - bizStep holding sets available stock apart, stocking and storing take it back; held stock is not shipped, packed or
//     used up, only destroyed, or sent off with a disposition that says it is not for sale (returned, recalled, damaged,
//     expired, disposed, non_sellable_other). cycle_counting and stock_taking by who holds stock set what is available to
//     what was counted: a loss is written off and flagged, a gain breaks R10 unless the author may commission the lot.
//   - bizStep shipping, or departing that names a receiving party, locks goods for the receiver: the possessing_party of the
//     destinations, else the owning_party, else the location's organisation. receiving or accepting by that receiver closes
//     it. In strict networks a shipment must name a receiver that is on the ledger. In adopt networks one that does
//     not is flagged: a named party that is not on the ledger is stood in for by the shipper until it joins, and a
//     shipment that names nobody goes to the first organisation that receives or disputes it, as a bearer document would.
//   - A receiving of a lot takes from shipments of those whom it names among its sources, then from the oldest. A shipper has so
//     many shipments of a lot under way to one receiver, and to so many receivers; nobody fills these lists for another. Where
//     more ship to one receiver than are listed, those beyond are received by naming them: see transit.go.
//   - A receiver receives what it accepts, and a [Dispute] accounts for the rest, so that accepted, rejected and short are
//     what was shipped ([Shipment.Accepted]). What is short is nobody's to act on; what is rejected is not
//     the receiver's to use: a thing is its to hold, to destroy or to send back, and a quantity stays in the dispute until it is
//     said to have come back, to be kept or to be destroyed; ownership passes only with what is accepted in the end. What arrived and
//     was not shipped is a claim until the shipper agrees. Each line ends by a [Resolve] of the side that gives something up
//     by it, or after Params.SettleMs of a regulator. What was received is not disputed, apart from missing data and what
//     came besides: it is shipped back. What is lost or destroyed as the end of a dispute is so with all that is in it. A
//     dispute is no event: it stands in the shipment's record, not on the chains of the goods.
//   - Flagged means recorded, without the effect that the rule guards: an unknown item shipped in a network that flags
//     R6 is on the record and nobody's custody changes. Exceptions, because real goods move that way: acting on a
//     packed item unpacks it (R8); a device is attached where it was last said to be (R9); goods under a notice and expired
//     goods move (R12, R13); late and ill-named events count (R14, R15, R3); adopt networks create unknown goods when they
//     are first seen, marked [FlagUnverified] (R5).
//   - A company prefix held by somebody else is refused in every mode. So is making more of a lot under nobody's prefix that
//     somebody else brought onto the ledger; in adopt networks only that one may have more of it than is known. A class without
//     lots is everybody's, and once more than one made some, nobody's to recall.
//   - The ownership of items is tracked; that of quantities is not.
//   - An error declaration by the author of an event, within Params.CorrectionWindow blocks, undoes it where nothing stands on
//     it: the state is as if it had not been, but for the chains, on which it stays. Else what it named is marked as tainted,
//     the mark says which event stands on it, and a corrective event is wanted; what was made from it is not tainted by that.
//     What was born by an undone event is not on the ledger and may be born again; its record keeps the chain ([FlagUndone]).
//     A lot that has been moved since keeps its name, expiry and origin. Notices stay with outputs that remain, and with what
//     was in a recalled container or lot.
//   - It is no way around another rule: a shipment is not undone before its shipper could void it (R7), and nothing is by which
//     goods under a notice would be under way again, or loose (R12), or expired goods under way again (R13).
//   - What an event is about without naming it, as what is packed in a container, the notices over it or what it undoes, is bounded
//     per block and author. Beyond, the event is refused and has to wait for a later block. What small events do is free, and nobody uses up what
//     others have: see work.go.
//   - Quantities are counted in one unit of each dimension, converted exactly: see [Amount].
//   - What comes out of a transformation is held against what went in (R11, yield.go), and what leaves with a claim against
//     what came in with it (R16, claims.go). Plots of land are in plot.go.
//
// # Recalls
//
// A [Notice] of the holder of the company prefix, of a regulator, or of who brought goods of nobody's prefix onto the ledger
// stops goods (R12): an open recall, withdrawal or quarantine lets nobody ship its subjects, or say that they are sold or
// dispensed; an alert stops nothing. A lot is every serial of it, a class every lot and serial.
//
//   - It covers what was made from its subjects, at any number of removes and in all events of a transformationID, whichever
//     came first: see follow.go. The work for what was made before is bounded per block; until [ReadFollowing] says that it
//     is done, something farther down may still leave. For most notices that is the block of the notice itself.
//   - It covers what is packed in a container that it names, while it is there and when it is taken out; quantities are not
//     taken out, because loose they would be told from nothing. A returnable asset carries goods and is none. A container
//     is stopped by anything that is packed in it, at any depth. What is associated is not packed.
//   - Goods may go to the issuer and to whom the notice names, if nobody else is to own them. They may be received, unpacked,
//     repacked, used up and destroyed; what is made of them is under the notice.
//   - Only the authority of a notice releases it: the office of a regulator, not the person; else the issuer, or who holds
//     the prefixes of all subjects by then. A delegate gives notices in its scope; it releases none but its own. A regulator
//     releases those of issuers that were expelled, and those about goods under nobody's prefix.
//   - Where R12 is flagged, goods go on being shipped and sold and every event about them is marked; where it is off, nothing
//     is looked for. Notices, answers and what is under a notice are on record all the same.
//   - Whether contents have expired (R13) is asked of what is shipped or sold, and of contents whose date was known when they
//     were packed.
//   - Nobody can be kept from destroying goods on record and bringing out the same under another name; that is fraud, and
//     mass balance shows it.
//
// # Stake
//
// The state knows the current epoch, its validators, and what each of them did as leader; [NextSet] says whom it elects
// for the next one, and [Closes] when that begins. The closing block of an epoch pays rewards, jails who was down, and
// hands over.
//
//   - What a validator did is read from headers: the proposer of a block delivered, the leaders of the views between it and
//     its parent missed. Certificates say less: they hold no more signers than they need.
//   - Evidence counts until Params.UnbondingEpochs further epochs and Params.UnbondingMs have passed since the epoch of the
//     offence ended. Unbonded money is free at the same moment, counted from the last epoch in which it gave power. So as long
//     as an offence can be reported, all power that stood behind it is covered by money that can be taken.
//   - An operator is punished once, with all its validators, whatever keys they have by then, and is never elected again.
//     The money of everybody who bonded with them loses the same share: a fixed one, and three times the power that others
//     punished inside the window had; all of it, if with theirs the operator had a third. It is burned.
//   - Operators of validators change the parameters, offices, admissions and the protocol by proposals. Votes are counted when
//     an epoch closes, with the powers of that epoch; more than two thirds of all power pass. What passed holds from the next
//     block on, which is the first of the next epoch: an epoch has one set of parameters. Onboarding never changes, and the
//     evidence window is never shorter than that of genesis.
//   - Money is moved between Balances, Bonded, Unbonding, FeePool, Reserve and Burned of [Supply], and never made or lost.
//     All divisions round down, in favour of who is to pay.
//
// # Records
//
// A state record is the canonical CBOR (RFC 8949, section 4.2.1) of its struct: an array of its fields in their order, addresses
// and hashes as byte strings. These bytes are what the state root commits to and what a proof shows. Four records of which an
// event writes several have a shorter form, the only one in which they are read. What such a record leaves out because its key
// tells it, a reader takes from the key that was proved. The forms are arrays of
//
//   - Item: State, Flags, names, events, which, Parent, Place, Lot, Disposition, ExpiryMs, BornHeight, LastHeight, OwnerSince,
//     PackedSince, Levels, InsideExpiryMs, Made, Used, Moves, Chain.Count, Chain.Head, Chain.LastMs. Its ID is in the key. names
//     are those of Owner, Custodian and BornBy that differ, events those of Shipment, BornEvent and LastEvent: one byte string,
//     one after the other in the order of first use, zero left out. which is a number of two bits for each of the six, Owner in
//     the lowest: 0 for zero, or which of the names or events it is, from 1.
//   - Shipment: Tx, names, which, Party, Height, TimeMs, OpenItems, Quantities, State, Shipped, Rejected, Short, Void, Disputes,
//     OpenLines. Event is in the key. names are of From, To and Owner.
//   - Contents: stem, Items, Quantities. stem is what the short forms of the items begin with, if there are two or more, and no
//     more of it than 22 bytes; Items are byte strings, what follows it in each.
//   - EventMark: Tx, Height, DeclaredBy, Undone.
//
// In them a zero Chain.Head or DeclaredBy is an empty byte string, and Parent, Place, Lot, Disposition, Party and items are short
// texts: one that begins with "https://id.gs1.org/" is written from that slash on, and one that begins with "/" or "~" has a "~"
// before it.
package ledger
