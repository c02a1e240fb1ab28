package main

import "slices"

// table is all mistakes. A row names the row of the list of classical mistakes; A and C numbers are attacks that hit others.
func table() []mutant {
	return slices.Concat(tallies, proposals, engine, memory, catchUp, replica, stake, claims, disputes, notices, undoing, certificates, lightClients)
}

// The tests that notice. Patterns name tests of the ordinary suite; flags shrink what is random, never what is fixed.
const (
	machine   = "./consensus Test(Scenarios|World|Network|VoteWindow|Delay|Timely|Patience|Recovery.*|GarbageCertificates.*|VoteFlood.*)$"
	storm     = "./testnet/explore Test(Twins|Storm)$"
	schedules = "./testnet/sim TestSchedules$"
	rules     = "./consensus/quorum Test"
	books     = "./ledger Test(Stake|Ev|NoEscape|MoneyThat|Unbonding|Election|Rotation|Correlation|HandOver|HeldBack|Closes|Blocks)"
	journal   = "./node/journal Test"
	keeper    = "./node/signer TestSigner(Rule|Reserve|Boundaries|Backups|Conflict|Recover|FailedWrite|Corruption|CreateCrash)"

	// The engine's own copy of the signer's rule: taken away beside the rule that it backs up.
	signGuard = "|| !m.signed.Less(mark) {"

	fewStorms    = "-runs 800"
	fewSchedules = "-runs 400"
	fewPoints    = "-points 5000"
)

// The tests that notice mistakes in the rules about goods, and in what shows them to others.
const (
	claimsBooks    = "./ledger Test(Claims.*|Scenarios|SeverityTable)$"
	goodsBooks     = "./ledger Test(Dispute.*|Scenarios|CustodyAgainstPaper|MillionActsAgainstPaper|SeverityTable)$"
	recalls        = "./ledger Test(Notice.*|Following.*|Scenarios)$"
	answersAndWork = "./ledger Test(Answers.*|ManyNotices.*|ReadsOf.*)$"
	undos          = "./ledger Test(Undo.*|Correction.*|WindowMade.*|Scenarios)$"
	histories      = "./ledger/provenance Test"
	lightClient    = "./ledger/light Test"

	fewCases = "-rapid.checks=40"
)
