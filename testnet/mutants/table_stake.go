package main

// stake: epochs and stake.
var stake = []mutant{
	{name: "all power may change at once", mistake: "A20", file: "consensus/quorum/limit.go", tests: rules,
		old: "if m.cuts+m.growth <= m.limit {", new: "if m.cuts+m.growth <= 6*m.limit {"},
	{name: "slashed twice", mistake: "24", file: "ledger/evidence.go", tests: books,
		old: "done := get[Tombstone](b.o, TombstoneKey(set.Members[i].Operator)); done {",
		new: "done := get[Tombstone](b.o, TombstoneKey(set.Members[i].Operator)); done && stone.View == e.First.View {"},
	{name: "tombstone forgotten", mistake: "24", file: "ledger/evidence.go", tests: books,
		old: "\tv.Tombstoned = true\n", new: ""},
	{name: "unbonding escapes", mistake: "23", file: "ledger/evidence.go", tests: books,
		old: "if r.Validator == id && r.Epoch >= epoch {", new: "if r.Validator == id && r.Epoch > epoch+1000 {"},
	{name: "old evidence counts", mistake: "23", file: "ledger/evidence.go", tests: books,
		old: "\tif b.outOfWindow(epoch) {\n\t\treturn refuse(CodeEvidenceOld",
		new: "\tif b.outOfWindow(epoch) && epoch > b.epoch.Number {\n\t\treturn refuse(CodeEvidenceOld"},
	{name: "evidence against a stranger", mistake: "26", file: "ledger/evidence.go", tests: books,
		old: "if i >= len(set.Members) || set.Members[i].Key != p.Validator {", new: "if i >= len(set.Members) {"},
	{name: "evidence names another set", mistake: "20, 26", file: "ledger/evidence.go", tests: books,
		old: "hash != p.ValidatorSet {", new: "hash.IsZero() {"},
	{name: "money is free before its time", mistake: "23", file: "ledger/stake.go", tests: books,
		old: "if !ok || !b.outOfWindow(e.Epoch) {", new: "if !ok || e.Epoch > b.epoch.Number {"},
	{name: "next set of the ledger unchecked", mistake: "20", file: "ledger/light/handover.go", tests: "./ledger/light Test",
		old: "case next == nil || next.Hash() != closing.NextValidatorSet:", new: "case next == nil:"},
}
