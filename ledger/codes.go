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
	CodeUndoneExpired Code = 1515

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
	CodeHasSome        Code = 2408 // a flag

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
