package ledger

import "fmt"

// Code is one way in which a rule speaks. The numbers are part of the receipts: append, never renumber. A Code is an
// error, for errors.Is.
type Code uint16

// The codes, grouped by rule; the first digits are the rule's number. CodeOK means that nothing is wrong.
const (
	CodeOK       Code = 0
	CodeInternal Code = 1 // a fault of this program; the transaction was rolled back

	// R1: who signed, when, and was it before.
	CodeForeignNetwork    Code = 101
	CodeUnknownAuthor     Code = 102
	CodeKeyNotActive      Code = 103
	CodeUnknownSponsor    Code = 104
	CodeSponsorNotSigned  Code = 105
	CodeExpired           Code = 106
	CodeExpiryTooFar      Code = 107
	CodeSeen              Code = 108
	CodeTooLarge          Code = 109
	CodeFee               Code = 110
	CodeDependencyMissing Code = 111
	CodeDependencyFailed  Code = 112
	CodeNoOrganisation    Code = 113
	CodeNotAdmitted       Code = 114
	CodeTooFewSigned      Code = 115
	CodeTooFewSponsors    Code = 116
	CodeNotJudged         Code = 117 // a fault of this program

	// R2: company prefixes.
	CodeForeignPrefix     Code = 201
	CodeNoPrefix          Code = 202
	CodeNoNamespace       Code = 203
	CodeDelegationExpired Code = 204
	CodeForeignLot        Code = 205

	// R3: identifiers and the event itself.
	CodeBadIdentifier Code = 301
	CodeBadEvent      Code = 302
	CodeInexactUnit   Code = 303

	// R4: one commissioning.
	CodeSerialTaken Code = 401

	// R5: unknown and ended objects.
	CodeUnknownObject Code = 501
	CodeEndedObject   Code = 502
	CodeUnverified    Code = 503

	// R6: custodian and owner.
	CodeNotCustodian Code = 601
	CodeNotOwner     Code = 602
	CodeNotHolder    Code = 603

	// R7: hand-off.
	CodeInTransit       Code = 701
	CodeNoReceiver      Code = 702
	CodeUnknownReceiver Code = 703
	CodeNotReceiver     Code = 704
	CodeNotShipped      Code = 705
	CodeOverage         Code = 706
	CodeVoidTooEarly    Code = 707
	CodeNotShipper      Code = 708
	CodeTooManyOpen     Code = 709
	CodeBearer          Code = 710
	CodeOnBehalf        Code = 711
	CodeAlreadyHeld     Code = 712
	CodeNothingShipped  Code = 713
	CodeTooManyLots     Code = 714
	CodeInDispute       Code = 715
	CodeRejected        Code = 716

	// R8: packing.
	CodePackingCycle   Code = 801
	CodePackingDepth   Code = 802
	CodePackedElse     Code = 803
	CodePackedChild    Code = 804
	CodeNotInContainer Code = 805
	CodeContainerFull  Code = 806
	CodeStillPacked    Code = 807
	CodeTooMuchWork    Code = 808

	// R9: associations.
	CodeAssociated    Code = 901
	CodeNotAssociated Code = 902
	CodeEndImplied    Code = 903
	CodeTooLongAgo    Code = 904

	// R10: balances.
	CodeOverdrawn    Code = 1001
	CodeUnmeasured   Code = 1002
	CodeBadQuantity  Code = 1003
	CodeGrown        Code = 1004
	CodeTooManyUnits Code = 1005
	CodeCountLoss    Code = 1006
	CodeCountGain    Code = 1007
	CodeCountMore    Code = 1008
	CodeCountFirst   Code = 1009
	CodeCountForeign Code = 1010

	// R11: genealogy.
	CodeGenealogyCycle Code = 1101
	CodeGenealogyDepth Code = 1102
	CodeYield          Code = 1103
	CodeTransformFull  Code = 1104

	// R12: recalls.
	CodeUnderNotice   Code = 1201
	CodeHeldInside    Code = 1202
	CodeManyNotices   Code = 1203
	CodeTooMuchInside Code = 1204
	CodeLoosened      Code = 1205

	// R13 to R15: dates and event ids.
	CodePastExpiry     Code = 1301
	CodeExpiredSold    Code = 1302
	CodeExpiredInside  Code = 1303
	CodeFutureEvent    Code = 1401
	CodeLate           Code = 1402
	CodeOutOfOrder     Code = 1403
	CodeEventIDTaken   Code = 1501
	CodeDuplicateEvent Code = 1502
	CodeDeclared       Code = 1503
	CodeDeclaredNone   Code = 1504

	// R15: what became of an error declaration.
	CodeUndone        Code = 1505
	CodeStandsOn      Code = 1506
	CodeChangedSince  Code = 1507
	CodeWindowOver    Code = 1508
	CodeTooMuchToUndo Code = 1509
	CodeUndoneBefore  Code = 1510
	CodeNoReason      Code = 1511
	CodeNoCorrective  Code = 1512
	CodeUndoneTooSoon Code = 1513
	CodeUndoneHeld    Code = 1514

	// R16: certificates and claims; plots of land.
	CodeNoCertificate Code = 1601
	CodeNotInForce    Code = 1602
	CodeRevoked       Code = 1603
	CodeOtherSubject  Code = 1604
	CodeOutOfScope    Code = 1605
	CodeClaimMixed    Code = 1606
	CodeClaimShort    Code = 1607
	CodeTooManyClaims Code = 1608
	CodeBookAndClaim  Code = 1609
	CodeClaimSources  Code = 1610
	CodePlotNoPolygon Code = 1611
	CodePlotUnclear   Code = 1612

	// Identity, master data and money have no numbered rule.
	CodeNameTaken       Code = 2001
	CodePartyTaken      Code = 2002
	CodeNotRegistrar    Code = 2003
	CodePrefixHeld      Code = 2004
	CodeNoClaim         Code = 2005
	CodeKeyKnown        Code = 2006
	CodeNoSuchKey       Code = 2007
	CodeLastKey         Code = 2008
	CodeTooManyKeys     Code = 2009
	CodeHeightPast      Code = 2010
	CodeNotYours        Code = 2011
	CodeNoDelegation    Code = 2012
	CodeDelegationPast  Code = 2013
	CodeNotAnOrg        Code = 2014
	CodeTooManyParties  Code = 2015
	CodeRenamed         Code = 2016
	CodeTooManyPrefixes Code = 2017
	CodeNoMoney         Code = 2101
	CodeNoValidator     Code = 2102
	CodeValidatorExists Code = 2103
	CodeNoStake         Code = 2104
	CodeMinBond         Code = 2105
	CodeKeyNotSigned    Code = 2106
	CodeTooManyVals     Code = 2107
	CodeTooManyUnbonds  Code = 2108
	CodeZeroAmount      Code = 2109
	CodeTooManyHolders  Code = 2110
	CodeTooManyOwn      Code = 2111
	CodePeerKeyTaken    Code = 2112
	CodeTombstoned      Code = 2113
	CodeNotOperator     Code = 2114
	CodeNotJailed       Code = 2115
	CodeJailed          Code = 2116
	CodeOldKey          Code = 2117
	CodeBadThreshold    Code = 2118
	CodeBelowThreshold  Code = 2119

	// Evidence. The first five leave nothing in the state, like those of R1.
	CodeEvidenceFuture   Code = 2201
	CodeEvidenceOld      Code = 2202
	CodeEvidenceSet      Code = 2203
	CodeEvidenceStranger Code = 2204
	CodeEvidencePunished Code = 2205
	CodeSlashed          Code = 2206 // a flag: what accepted evidence did

	// Governance.
	CodeNotVoter         Code = 2301
	CodeTooManyOwnOpen   Code = 2302
	CodeTooManyProposals Code = 2303
	CodeNoProposal       Code = 2304
	CodeDecided          Code = 2305
	CodeParamBounds      Code = 2306
	CodeParamWindow      Code = 2307
	CodeUnbondingFloor   Code = 2308
	CodeNothingChanges   Code = 2309
	CodeNeedsRegistrar   Code = 2310
	CodeTooManyOfficers  Code = 2311
	CodeUpgradeSoon      Code = 2312
	CodeUpgradeOld       Code = 2313

	// Notices.
	CodeNoNoticeRight  Code = 2401
	CodeNotOrigin      Code = 2402
	CodeTooManyNotices Code = 2403
	CodeSubjectFull    Code = 2404
	CodeNoNotice       Code = 2405
	CodeReleased       Code = 2406
	CodeNotReleaser    Code = 2407

	// Disputes and their resolution.
	CodeNoShipment      Code = 2501
	CodeNotDisputant    Code = 2502
	CodeShipmentVoid    Code = 2503
	CodeTooManyDisputes Code = 2504
	CodeNotOpen         Code = 2505
	CodeNotInside       Code = 2506
	CodeDisputeMore     Code = 2507
	CodeNoDispute       Code = 2508
	CodeNotParty        Code = 2509
	CodeSettleEarly     Code = 2510
	CodeNoLine          Code = 2511
	CodeLineResolved    Code = 2512
	CodeWrongOutcome    Code = 2513
	CodeNotYourOutcome  Code = 2514
	CodeAgreedMissing   Code = 2515
	CodeGoodsMoved      Code = 2516 // a flag

	// Certificates, documents and yields.
	CodeSelfAttested     Code = 2601
	CodeAttestationTaken Code = 2602
	CodeNoAttestation    Code = 2603
	CodeNotIssuer        Code = 2604
	CodeAlreadyRevoked   Code = 2605
	CodeAnchored         Code = 2606
	CodeNoYield          Code = 2607
)

// codeInfo is the name of a code and its sentences; {0}, {1}… stand for the finding's arguments.
type codeInfo struct {
	name, detail, remedy string
}

// codes is the table; it is never changed.
var codes = map[Code]codeInfo{
	CodeOK:       {"ok", "", ""},
	CodeInternal: {"internal", "the ledger failed on this transaction and rolled it back ({0})", "Report this: it is a fault of the program"},

	CodeForeignNetwork:    {"foreign-network", "the transaction was made for network {0}, this is {1}", "Sign it again with this network's genesis hash"},
	CodeUnknownAuthor:     {"unknown-author", "account {0} is not on the ledger", "Have somebody transfer to it, or register it with a sponsor"},
	CodeKeyNotActive:      {"key-not-active", "none of the keys that signed may sign for {0} at height {1}", "Sign with a key that is registered for the account and not revoked"},
	CodeUnknownSponsor:    {"unknown-sponsor", "sponsor {0} is not on the ledger", "Name a sponsor that has an account"},
	CodeSponsorNotSigned:  {"sponsor-not-signed", "sponsor {0} did not sign with a key that may sign for it at height {1}", "Have the sponsor sign too"},
	CodeExpired:           {"expired", "the transaction expired at height {0}, this is height {1}", "Sign it again with a later expiry height"},
	CodeExpiryTooFar:      {"expiry-too-far", "expiry height {0} is more than {1} blocks after height {2}", "Sign it again with an expiry height at most {1} blocks ahead"},
	CodeSeen:              {"seen", "the transaction was executed before", "Nothing to do: look up its receipt"},
	CodeTooLarge:          {"too-large", "the transaction has {0} bytes, the network takes {1}", "Split it"},
	CodeFee:               {"fee", "account {0} has {1} and the fee with tip is {2}", "Fund the account or use a sponsor"},
	CodeDependencyMissing: {"dependency-missing", "transaction {0}, which this one depends on, has not been executed", "Send that one first, or this one again without the dependency"},
	CodeDependencyFailed:  {"dependency-failed", "transaction {0}, which this one depends on, was refused", "Correct that one first"},
	CodeNoOrganisation:    {"no-organisation", "account {0} is not an organisation and this network takes events of organisations only", "Register the organisation first"},
	CodeNotAdmitted:       {"not-admitted", "organisation {0} is not admitted", "Ask a registrar of the network to admit it"},
	CodeTooFewSigned:      {"too-few-signed", "account {0} needs the signatures of {1} of its keys, and {2} that may sign at height {3} did", "Have more holders of its keys sign the same transaction"},
	CodeTooFewSponsors:    {"too-few-sponsors", "sponsor {0} needs the signatures of {1} of its keys, and {2} that may sign at height {3} did", "Have more holders of its keys sign the same transaction"},
	CodeNotJudged:         {"not-judged", "the ledger failed on this transaction before it took anything ({0})", "Report this: it is a fault of the program"},

	CodeForeignPrefix:     {"foreign-prefix", "{0} does not hold company prefix {1} ({2} does, since height {3}), so {4} is not its to name", "Ask {2} for a delegation or use your own prefix"},
	CodeNoPrefix:          {"no-prefix", "nobody on this network holds a company prefix of {0}", "Claim the prefix and have a registrar approve it"},
	CodeNoNamespace:       {"no-namespace", "{0} is no GS1 identifier, so nobody can show that it is theirs", "Use a GS1 identifier under your own prefix where you can"},
	CodeDelegationExpired: {"delegation-expired", "the delegation of {0} by {1} to {2} ended at {3t}, the block's time is {4t}", "Ask {1} for a new delegation or use your own prefix"},
	CodeForeignLot:        {"foreign-lot", "{0} was brought onto the ledger by {1} and is under nobody's company prefix, so {2} makes no more of it", "Use a lot number of your own, or claim the prefix and have a registrar approve it"},

	CodeBadIdentifier: {"bad-identifier", "{0} is not a valid identifier: {1}", "Correct the identifier"},
	CodeBadEvent:      {"bad-event", "{0}", "Correct the event"},
	CodeInexactUnit:   {"inexact-unit", "{0} of {1} cannot be counted exactly in {2}: it is too much, or has more than {3} decimals there", "State the quantity in {2}"},

	CodeSerialTaken: {"serial-taken", "{0} was commissioned before, by {1}", "Use a serial number that was never used"},

	CodeUnknownObject: {"unknown-object", "{0} is not on the ledger", "Commission it first"},
	CodeEndedObject:   {"ended-object", "{0} is {1} and nothing happens to it any more", "Check the identifier"},
	CodeUnverified:    {"unverified", "{0} was not born on this ledger; it was taken over with origin unverified", ""},

	CodeNotCustodian: {"not-custodian", "{0} does not hold {1} ({2} does)", "Have {2} ship it to you and receive it first"},
	CodeNotOwner:     {"not-owner", "{0} does not own {1} ({2} does), so it cannot pass ownership to {3}", "Have the owner say so"},
	CodeNotHolder:    {"not-holder", "{0} holds none of {1}", "Have the holder ship it to you and receive it first"},

	CodeInTransit:       {"in-transit", "{0} is in transit from {1} to {2}", "Have {2} receive it, or void the shipment"},
	CodeNoReceiver:      {"no-receiver", "the shipment names no receiver", "Name the receiver as destination of type possessing_party or owning_party"},
	CodeUnknownReceiver: {"unknown-receiver", "receiver {0} is no organisation on this network", "Have the receiver register that identifier or its company prefix"},
	CodeNotReceiver:     {"not-receiver", "{0} is in transit to {1}, not to {2}", "Have {1} receive it, or have the shipper void and ship again"},
	CodeNotShipped:      {"not-shipped", "{0} was not shipped to {1}; {2} holds it", "Have {2} ship it first"},
	CodeNothingShipped:  {"nothing-shipped", "nothing of {0} is in transit to {1}", "Have its holder ship it first; if it did, name it among the sources"},
	CodeOverage:         {"overage", "{0} of {1} is received and only {2} is in transit to {3}", "Have the shipper ship the rest, or dispute the shipment for an overage"},
	CodeVoidTooEarly:    {"void-too-early", "{0} was shipped at {1t} and may be voided from {2t}", "Wait, or have the receiver receive and ship back"},
	CodeNotShipper:      {"not-shipper", "{0} has no shipment of {1} under way", "Only who shipped can void"},
	CodeTooManyLots:     {"too-many-lots", "a shipment names at most {0} lots, this one {1}", "Split the event"},
	CodeTooManyOpen:     {"too-many-open", "{0} has too many shipments of {1} under way: {2} to this receiver, or shipments to {3} receivers, are the limit", "Have some of them received first"},
	CodeBearer:          {"bearer", "{0} was shipped to nobody in particular and {1} received it", ""},
	CodeOnBehalf:        {"on-behalf", "{0} was received by {1} in the name of {2}, which is not on the ledger", ""},
	CodeInDispute:       {"in-dispute", "{0} is in dispute between {1} and {2}: it did not arrive", "Have the dispute resolved: credited or lost by {1}, or delivered by {2}"},
	CodeRejected:        {"rejected", "{1} rejected {0} and it is in dispute with {2}", "Ship it back to {2}, destroy it, or resolve the dispute"},
	CodeAlreadyHeld:     {"already-held", "{0} was not in transit; {1} held it already", ""},

	CodePackingCycle:   {"packing-cycle", "{0} would be packed into itself, by way of {1}", "Unpack {1} first"},
	CodePackingDepth:   {"packing-depth", "{0} would be packed more than {1} levels deep", "Use fewer levels of packaging"},
	CodePackedElse:     {"packed-elsewhere", "{0} was still packed in {1}; it counts as unpacked from there", "Unpack it from {1} first"},
	CodePackedChild:    {"packed-child", "{0} was acted on while packed in {1}; it counts as unpacked", "Unpack it from {1} first, or act on {1}"},
	CodeNotInContainer: {"not-in-container", "{0} is not packed in {1}", "Check the identifiers"},
	CodeContainerFull:  {"container-full", "{0} would hold more than {1} things directly", "Use several containers"},
	CodeStillPacked:    {"still-packed", "{0} ended with things in it; they count as unpacked", "Unpack it first"},
	CodeTooMuchWork:    {"too-much-work", "the event is about more things that it does not name, packed in others or in its transformation, than is left of the {0} that a block handles for one author", "Send it again in a later block, or name the things in several events"},

	CodeAssociated:    {"associated", "{0} was associated with {1} at {2t}", "End that association first"},
	CodeNotAssociated: {"not-associated", "{0} was not associated with {1} at {2t}, as far as is known", "Record when they were associated"},
	CodeEndImplied:    {"end-implied", "{0} was associated with {1} from {2t}; what comes before counts until then", "Record when the earlier association ended"},
	CodeTooLongAgo:    {"too-long-ago", "the associations of {0} before {1t} are not kept any more", "Record associations while they are fresh"},

	CodeOverdrawn:   {"overdrawn", "{0} takes {1} of {2} and has {3}", "Check the quantity and the lot"},
	CodeUnmeasured:  {"unmeasured", "an unspecified amount of {0}; balances cannot be checked", "State the quantity and unit"},
	CodeBadQuantity: {"bad-quantity", "quantity {0} of {1} is negative or beyond what the ledger counts", "Correct the quantity"},
	CodeGrown:       {"grown", "{0} takes {1} of {2}, {3} more than is known; its origin is unverified, so the rest was taken over", "Record where the rest came from"},

	CodeCountLoss:    {"count-loss", "{0} counted {1} of {2} and had {3}; {4} is written off", ""},
	CodeCountGain:    {"count-gain", "{0} counted {1} of {2} and had {3}; {4} was taken over, as it may bring the lot into being", ""},
	CodeCountMore:    {"count-more", "{0} counted {1} of {2} and has {3}", "Have the rest shipped to you and receive it, or have whose lot it is commission it"},
	CodeCountFirst:   {"count-first", "{0} counted {1} of {2}, of which part was never measured", ""},
	CodeCountForeign: {"count-foreign", "{0} counted {1} of {2} and never had any available, so nothing changes", ""},

	CodeTooManyUnits: {"too-many-units", "{0} would be counted in more than {1} units", "Use one of the units it is counted in"},

	CodeGenealogyCycle: {"genealogy-cycle", "{0} would be made of itself", "Give the output a new lot number"},
	CodeGenealogyDepth: {"genealogy-depth", "{0} was used before and its ancestry is too wide to rule out a cycle", "Give the output a new lot number"},

	CodeYield:         {"yield", "{0} made {1} of {2} out of {3}, more than the yield of {4} millionths allows", "Check the quantities, record the inputs first, or declare the yield of the product"},
	CodeTransformFull: {"transformation-full", "the transformation {0} would have more than {1} inputs or outputs", "Use a transformationID for each batch"},

	CodeNoCertificate: {"no-certificate", "{0} is no certificate on this network", "Have its issuer attest it first, or leave it out"},
	CodeNotInForce:    {"not-in-force", "certificate {0} is in force from {1t} until {2t}, and the event is of {3t}", "Name a certificate that was in force, or correct the event time"},
	CodeRevoked:       {"revoked", "certificate {0} was revoked by {1} at {2t}", "Name another certificate"},
	CodeOtherSubject:  {"other-subject", "certificate {0} is about {1}, not about {2}", "Name a certificate of {2}"},
	CodeOutOfScope:    {"out-of-scope", "certificate {0} is about {1}, which is neither what the event names nor where it was", "Name a certificate that covers the goods"},
	CodeClaimMixed:    {"claim-mixed", "{0} cannot carry the claim {1} ({2}), because {3} does not", "Keep what carries the claim apart, or use a certificate of mass balance"},
	CodeClaimShort:    {"claim-short", "{0} takes {1} with the claim {2} out of its account, which has {3}", "Bring in more with the claim, or let the goods go without it"},
	CodeTooManyClaims: {"too-many-claims", "{0} would carry more than {1} claims", "Name fewer certificates"},
	CodeBookAndClaim:  {"book-and-claim", "certificate {0} trades the claim {1} without the goods, which this ledger keeps no accounts of, so no goods carry it", "Name a certificate of another model"},
	CodeClaimSources:  {"claim-sources", "{0} cannot carry the claim {1} with its identity preserved: it would be from {2} and from {3}", "Keep sources apart, or use a certificate of segregation"},
	CodePlotNoPolygon: {"plot-no-polygon", "plot {0} has {1} hectares and no polygon; above 4 hectares Regulation (EU) 2023/1115, Art. 2(28), asks for one", "Put the polygon into the plot's master data"},
	CodePlotUnclear:   {"plot-unclear", "the {1} of plot {0} cannot be read", "Write area as a number and a unit, as in 5.2 HAR, and polygon as at least four points latitude,longitude with six decimals, the last the first; put a document on record before naming it"},

	CodeUnderNotice:   {"under-notice", "{0} is under the {1} that {2} gave, so it is not {3}", "Ship it to {2} or to who the notice says accepts it, or wait for the release"},
	CodeHeldInside:    {"held-inside", "{0} holds {1}, which is under the {2} that {3} gave, so it is not {4}", "Take {1} out, or ship {0} to {3} or to who the notice says accepts it, or wait for the release"},
	CodeManyNotices:   {"many-notices", "{0} is under more than {1} notices, so it is not {2} while any notice is open", "Wait until no notice is open"},
	CodeTooMuchInside: {"too-much-inside", "{0} has more in it than the rest of the {1} things that a block looks at for one author while notices are open or something inside may have expired", "Ship it in a later block, or unpack it and ship its parts"},
	CodeLoosened:      {"loosened", "{0} is under the {1} that {2} gave; taken out of it, {3} could not be told from the rest of the lot", "Leave it packed, ship it to {2}, or wait for the release"},

	CodeExpiredSold:    {"expired-sold", "{0} expired at {1t} and was sold or dispensed at {2t}", "Do not sell expired goods"},
	CodeExpiredInside:  {"expired-inside", "{0} holds {1}, which expired at {2t}, and left at {3t}", "Take {1} out first"},
	CodePastExpiry:     {"past-expiry", "{0} expired at {1t} and was shipped at {2t}", "Do not ship expired goods"},
	CodeFutureEvent:    {"future-event", "the event time is {0t}, more than {2d} after the block's {1t}", "Check the clock and the time zone of the event"},
	CodeLate:           {"late", "recorded {0d} after it happened", ""},
	CodeOutOfOrder:     {"out-of-order", "{0} has a later event on record", ""},
	CodeEventIDTaken:   {"event-id-taken", "event id {0} was used before by the same author for another event", "Use a new event id"},
	CodeDuplicateEvent: {"duplicate-event", "the same event was recorded before", ""},
	CodeDeclared:       {"declared", "the event was declared erroneous", ""},
	CodeDeclaredNone:   {"declared-none", "the event that is declared erroneous is not on record under this author", "Repeat the erroneous event exactly, with its event id"},

	CodeUndone:        {"undone", "the event is undone: everything is as if it had not been recorded", ""},
	CodeStandsOn:      {"stands-on", "tainted, because event {0} at height {1} stands on it", "If that event is wrong too, declare it first; else record a corrective event"},
	CodeChangedSince:  {"changed-since", "tainted, because what it changed was changed again since", "Record a corrective event"},
	CodeWindowOver:    {"window-over", "tainted, because it was recorded at height {0} and an event is undone within {1} blocks only", "Record a corrective event"},
	CodeTooMuchToUndo: {"too-much-to-undo", "tainted, because it changed more than is kept for undoing", "Record corrective events, of fewer things each"},
	CodeUndoneBefore:  {"undone-before", "the event was declared erroneous and undone before", ""},
	CodeUndoneTooSoon: {"undone-too-soon", "tainted, because the goods were shipped at {0t} and are their receiver's until {1t}", "Void the shipment from then on, or have the receiver receive and ship back"},
	CodeUndoneHeld:    {"undone-held", "tainted, because undoing it would let goods go that are under an open notice", "Leave it, or wait for the release; record what happens to the goods as it happens"},
	CodeNoReason:      {"no-reason", "the declaration does not say what was wrong", "State a reason: did_not_occur or incorrect_data"},
	CodeNoCorrective:  {"no-corrective", "the corrective event {0} is not on record under this author", "Record it, with that event id"},

	CodeNameTaken:       {"name-taken", "the name {0} belongs to {1}", "Choose another name"},
	CodePartyTaken:      {"party-taken", "the party identifier {0} belongs to {1}", "Use an identifier of your own"},
	CodeNotRegistrar:    {"not-registrar", "{0} is no registrar of this network", "Ask a registrar"},
	CodePrefixHeld:      {"prefix-held", "company prefix {0} is held by {1} since height {2}", "Ask a registrar to settle whose it is"},
	CodeNoClaim:         {"no-claim", "{0} has not claimed company prefix {1}", "Have it claim the prefix first"},
	CodeKeyKnown:        {"key-known", "key {0} is already registered for {1}", ""},
	CodeNoSuchKey:       {"no-such-key", "key {0} is not registered for {1}", "Check the key"},
	CodeLastKey:         {"last-key", "without key {0} nothing could sign for {1} any more", "Add another key first"},
	CodeTooManyKeys:     {"too-many-keys", "an account has at most {0} keys in its time, those revoked included, as none of them comes back", "Open another account"},
	CodeHeightPast:      {"height-past", "height {0} is not after this block's {1}", "Name a later height, or 0 for the next block"},
	CodeNotYours:        {"not-yours", "{0} is not under a company prefix of {1}", "Name your own prefix, or a class under it"},
	CodeNoDelegation:    {"no-delegation", "{0} has not delegated {1} to {2}", "Check scope and account"},
	CodeDelegationPast:  {"delegation-past", "the delegation would end at {0t}, which is not after the block's {1t}", "Name a later time"},
	CodeNotAnOrg:        {"not-an-organisation", "account {0} is not a registered organisation", "Have it register first"},
	CodeTooManyParties:  {"too-many-parties", "an organisation has at most {0} party identifiers and {1} roles", "Register fewer"},
	CodeRenamed:         {"renamed", "the organisation is registered as {0}", "Repeat the registered name"},
	CodeTooManyPrefixes: {"too-many-prefixes", "{0} holds {1} company prefixes, which is the limit", "Register another organisation"},
	CodeNoMoney:         {"no-money", "account {0} has {1} and needs {2}", "Fund the account"},
	CodeNoValidator:     {"no-validator", "{0} is not a registered validator", "Check the key"},
	CodeValidatorExists: {"validator-exists", "validator key {0} is registered by {1}", "Use another key"},
	CodeNoStake:         {"no-stake", "{0} has {1} bonded with {2} and asks for {3}", "Ask for less"},
	CodeMinBond:         {"min-bond", "{0} would be below the smallest stake of {1}", "Bond more, or unbond everything"},
	CodeTooManyHolders:  {"too-many-holders", "validator {0} has money of {1} accounts, which is the limit", "Bond with another validator"},
	CodeTooManyOwn:      {"too-many-own", "{0} operates {1} validators, which is the limit", "Rotate the key of one, or use another account"},
	CodePeerKeyTaken:    {"peer-key-taken", "peer key {0} is that of validator {1}", "Use the key of the new node"},
	CodeTombstoned:      {"tombstoned", "{0} was punished at height {1} ({2} in epoch {3}) and is finished as an operator", "Nothing undoes this; unbond what is left"},
	CodeNotOperator:     {"not-operator", "{0} does not operate validator {1} ({2} does)", "Have the operator do it"},
	CodeNotJailed:       {"not-jailed", "validator {0} is not jailed", ""},
	CodeJailed:          {"jailed", "validator {0} is jailed until {1t}, the block's time is {2t}", "Try again later"},
	CodeOldKey:          {"old-key", "{0} is not the present key of the validator; {1} is", "Name the present key"},
	CodeKeyNotSigned:    {"key-not-signed", "validator key {0} did not sign", "Sign with the validator key too"},
	CodeTooManyVals:     {"too-many-validators", "the network takes at most {0} validators", "Wait until one leaves"},
	CodeTooManyUnbonds:  {"too-many-unbonds", "at most {0} unbonds may be under way for one account", "Wait for one to be released"},
	CodeZeroAmount:      {"zero-amount", "the amount is zero", "Name an amount"},
	CodeBadThreshold:    {"bad-threshold", "account {0} has {1} keys that stay active, so {2} cannot have to sign", "Ask for fewer, or add keys first and wait until they are active"},
	CodeBelowThreshold:  {"below-threshold", "without key {0}, account {1} would have {2} active keys at some height, and {3} must sign", "Lower the threshold or add another key first, and wait until it is active"},

	CodeEvidenceFuture:   {"evidence-future", "the evidence is about epoch {0}, this is epoch {1}", "Wait for that epoch"},
	CodeEvidenceOld:      {"evidence-old", "the evidence is about epoch {0}, this is epoch {1}, and the time for it is over", ""},
	CodeEvidenceSet:      {"evidence-set", "epoch {0} had the validator set {1}, not {2}", "Check which network and epoch the votes are of"},
	CodeEvidenceStranger: {"evidence-stranger", "{0} was not validator {1} of epoch {2}", "Check the evidence"},
	CodeEvidencePunished: {"evidence-punished", "operator {0} was punished at height {1} already, and nobody is twice", ""},
	CodeSlashed:          {"slashed", "operator {0} signed a contradiction ({1} in epoch {2}, view {3}) and lost {4}, {5} millionths of what stood behind it", ""},

	CodeNotVoter:         {"not-voter", "{0} operates no validator of epoch {1}", "Have an operator of a validator of this epoch do it, or be elected first"},
	CodeTooManyOwnOpen:   {"too-many-own-open", "{0} has {1} open proposals, which is the limit", "Wait until one is decided"},
	CodeTooManyProposals: {"too-many-proposals", "{0} proposals are open, which is the limit", "Wait until one is decided"},
	CodeNoProposal:       {"no-proposal", "there is no proposal {0}", "Check the id: it is that of the transaction that proposed"},
	CodeDecided:          {"decided", "proposal {0} was decided at height {1}: {2}", "Make a new proposal"},
	CodeParamBounds:      {"param-bounds", "parameter {0} would be {1}, and with the others as they would be it must be from {2} to {3}", "Propose a value from {2} to {3}, or change the others too"},
	CodeParamWindow:      {"param-window", "evidence would count for {0} ms in which up to {1} epochs can end; at most {2} ms and {3} epochs", "Propose longer epochs or a shorter window"},
	CodeUnbondingFloor:   {"unbonding-floor", "unbondingEpochs times epochMs would be {0} ms, less than the {1} ms of genesis, on which light clients rely", "Keep the product at {1} ms or above"},
	CodeNothingChanges:   {"nothing-changes", "it is so already", "Propose what would change something"},
	CodeNeedsRegistrar:   {"needs-registrar", "the network would need a registrar and have none", "Have another account made registrar first"},
	CodeTooManyOfficers:  {"too-many-officers", "there are {0} accounts with the office {1}, which is the limit", "Take the office from one of them first"},
	CodeUpgradeSoon:      {"upgrade-soon", "block {0} is too near for an upgrade: operators must have until block {1} at least to install the program", "Propose a later height"},
	CodeUpgradeOld:       {"upgrade-old", "the network runs protocol {0} and the proposal is for {1}", "Propose a later protocol"},

	CodeNoNoticeRight:  {"no-notice-right", "{0} is not {1}'s to give notices about: {3} holds company prefix {2}", "Ask {3} or a regulator of the network to give the notice"},
	CodeNotOrigin:      {"not-origin", "{0} is under nobody's company prefix, and it was not {1} that brought it onto the ledger", "Ask who brought it, or a regulator of the network, to give the notice"},
	CodeTooManyNotices: {"too-many-notices", "{0} has {1} open notices, which is the limit", "Release one, or name several subjects in one notice"},
	CodeSubjectFull:    {"subject-full", "{0} is under {1} open notices, which is the limit for an alert", "Have some of them released"},
	CodeNoNotice:       {"no-notice", "there is no notice {0}", "Check the id: it is that of the transaction that gave the notice"},
	CodeReleased:       {"released", "notice {0} was released at height {1}", ""},
	CodeNotReleaser:    {"not-releaser", "{0} has not the authority of the {1} that {2} gave", "Ask {2} to release it"},

	CodeNoShipment:       {"no-shipment", "{0} is no shipping event on record", "Name the hash of the shipping event"},
	CodeNotDisputant:     {"not-disputant", "{0} is not the receiver of this shipment ({1} is)", "Have {1} dispute it"},
	CodeShipmentVoid:     {"shipment-void", "{0} took back what was open of this shipment", "Have {0} ship again"},
	CodeTooManyDisputes:  {"too-many-disputes", "a shipment is disputed at most {0} times", "State several lines in one dispute"},
	CodeNotOpen:          {"not-open", "{0} is not under way in this shipment: it was received, disputed or voided, or never shipped in it", "Dispute what has not been received, with its unit; ship back what has"},
	CodeNotInside:        {"not-inside", "nothing of {0} in that unit is packed in {1}", "Check the container and the unit"},
	CodeDisputeMore:      {"dispute-more", "{0} of {1} is disputed and only {2} is open in this shipment", "Dispute at most what was shipped and not received"},
	CodeNoDispute:        {"no-dispute", "{0} is no dispute on record", "Name the transaction that stated the dispute"},
	CodeNotParty:         {"not-party", "{0} is neither the shipper ({1}) nor the receiver ({2})", "Have one of them state the outcome, or a regulator when its time has come"},
	CodeSettleEarly:      {"settle-early", "the dispute is of {0t}, and {1t} is the first time at which a regulator may decide it", "Wait, or have shipper and receiver agree"},
	CodeNoLine:           {"no-line", "the dispute has {0} lines, counted from 0, and {1} is none of them", "Name a line of the dispute"},
	CodeLineResolved:     {"line-resolved", "line {0} ended before: {1}, by transaction {2}", "Nothing to do"},
	CodeWrongOutcome:     {"wrong-outcome", "{0} is no outcome for this line of kind {1}", "State an outcome for this kind, and not the same again"},
	CodeNotYourOutcome:   {"not-your-outcome", "that goods were {0} is for the {1} to say", "Have {2} state it"},
	CodeAgreedMissing:    {"agreed-missing", "{0} cannot hand over {1} of {2}: it has {3} available", "Have it commission or receive the goods first, or decline"},
	CodeSelfAttested:     {"self-attested", "{0} would certify itself", "Have another organisation attest it"},
	CodeAttestationTaken: {"attestation-taken", "certificate {0} was put on record by {1} at height {2}", "Use another id; to end it, {1} revokes it"},
	CodeNoAttestation:    {"no-attestation", "there is no certificate {0}", "Check the id"},
	CodeNotIssuer:        {"not-issuer", "{0} did not issue certificate {1} ({2} did)", "Have {2} or a regulator of the network revoke it"},
	CodeAlreadyRevoked:   {"already-revoked", "certificate {0} was revoked at {1t}", ""},
	CodeAnchored:         {"anchored", "document {0} was put on record by {1} at {2t}", "Nothing to do: the first record stands"},
	CodeNoYield:          {"no-yield", "{0} has declared no yield for {1}", "Nothing to do"},

	CodeGoodsMoved: {"goods-moved", "{1} does not hold {2} as rejected any more, so the outcome moves nothing of that: {0}", ""},
}

func (c Code) info() codeInfo {
	if info, ok := codes[c]; ok {
		return info
	}
	return codeInfo{name: fmt.Sprintf("code-%d", uint16(c)), detail: "unknown code", remedy: "Upgrade this program"}
}

// Rule returns the number of the rule, for example "R6"; "" for codes without one.
func (c Code) Rule() string {
	if c >= 100 && c < 2000 {
		return fmt.Sprintf("R%d", uint16(c)/100)
	}
	return ""
}

// rule returns the number of the rule, 0 for codes without one.
func (c Code) rule() int {
	if c >= 100 && c < 2000 {
		return int(c) / 100
	}
	return 0
}

// always reports whether the code refuses whatever the severity of its rule: it protects what the state means.
func (c Code) always() bool {
	switch c {
	case CodeForeignPrefix, CodeForeignLot, CodeDelegationExpired, CodeBadEvent, CodeInexactUnit, CodeTooManyOpen, CodeTooManyLots, CodePackingCycle, CodePackingDepth,
		CodeContainerFull, CodeTooMuchWork, CodeBadQuantity, CodeTooManyUnits, CodeGenealogyCycle, CodeGenealogyDepth, CodeTransformFull:
		return true
	}
	return c.rule() == 1
}

// String returns the name of the code, for example "not-custodian".
func (c Code) String() string { return c.info().name }

// Error makes a Code usable as the target of errors.Is.
func (c Code) Error() string { return c.info().name }

// MarshalText returns the text of String.
func (c Code) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
