package main

// claims: accounts of claims.
var claims = []mutant{
	{name: "a product of mass balance is not paid for", mistake: "claims", file: "ledger/claim_account.go", tests: claimsBooks,
		old: "if free := acct.Free(); free.cmp(need) < 0 {", new: "if free := acct.Free(); free.cmp(need) < 0 && acct.In.IsZero() {"},
	{name: "what paid for a product stays in the account", mistake: "claims", file: "ledger/claim_account.go", tests: claimsBooks,
		old: "\te.debitClaim(e.author, give.Claim, b.unit, need, true)\n", new: ""},
	{name: "a yield counts backwards", mistake: "claims", file: "ledger/claim_account.go", tests: claimsBooks,
		old: "b.amount.needed(e.yieldOf(classOf(b.id)))", new: "b.amount.needed(million)"},
	{name: "goods leave and their claim stays", mistake: "claims", file: "ledger/claim_account.go", tests: claimsBooks,
		old: "if e.debitClaim(e.author, x.Claim, u, less, false) || e.e.act != actShip || acct.Made.IsZero() {",
		new: "if e.e.act != actShip || e.debitClaim(e.author, x.Claim, u, less, false) || acct.Made.IsZero() {"},
	{name: "goods sold twice with one claim", mistake: "claims", file: "ledger/claim_account.go", tests: claimsBooks,
		old: "|| e.e.act != actShip || acct.Made.IsZero() {", new: "|| e.e.act != actShip || !acct.Made.IsZero() {"},
	{name: "what was paid for when it was made is booked again", mistake: "claims", file: "ledger/claim_account.go", tests: claimsBooks,
		old: "\t\tif x.Maker == e.author {\n\t\t\tcontinue // paid", new: "\t\tif x.Maker.IsZero() {\n\t\t\tcontinue // paid"},
	{name: "a mixture carries the claim", mistake: "claims", file: "ledger/claims.go", tests: claimsBooks,
		old: "if !ok || x.Model > give.Model {", new: "if ok && x.Model > give.Model {"},
	{name: "more of a lot takes its claim", mistake: "claims", file: "ledger/claims.go", tests: claimsBooks,
		old: "\tcase !b.fresh && !carries:\n", new: "\tcase b.item && !b.fresh && !carries:\n"},
}

// disputes: disputes: accepted, rejected and short are what was shipped.
var disputes = []mutant{
	{name: "a short thing stays under way", mistake: "disputes", file: "ledger/disputing.go", tests: goodsBooks, flags: fewCases,
		old: "\t} else {\n\t\td.sh.OpenItems--\n\t}", new: "\t}"},
	{name: "a short quantity stays under way", mistake: "disputes", file: "ledger/disputing.go", tests: goodsBooks, flags: fewCases,
		old: "\td.sh.Quantities = rest\n\treturn taken, nil", new: "\treturn taken, nil"},
	{name: "what is short counts as accepted", mistake: "disputes", file: "ledger/disputing.go", tests: goodsBooks, flags: fewCases,
		old: "if !d.sh.Short.plus(*taken) {", new: "if sum := d.sh.Short; !sum.plus(*taken) {"},
	{name: "what is rejected counts as short", mistake: "disputes", file: "ledger/disputing.go", tests: goodsBooks, flags: fewCases,
		old: "if !d.sh.Rejected.plus(*taken) {", new: "if !d.sh.Short.plus(*taken) {"},
	{name: "closed while a line is open", mistake: "disputes", file: "ledger/shipment.go", tests: goodsBooks, flags: fewCases,
		old: "\tcase s.OpenLines > 0:\n", new: "\tcase s.OpenLines > 1:\n"},
	{name: "either side states any outcome", mistake: "disputes", file: "ledger/resolve.go", tests: goodsBooks, flags: fewCases,
		old: "if r.regulator || o.receivers() && r.receiver || !o.receivers() && r.shipper {", new: "if r.regulator || r.receiver || r.shipper {"},
	{name: "a line ends twice", mistake: "disputes", file: "ledger/resolve.go", tests: goodsBooks, flags: fewCases,
		old: "if !open && !(was == Declined && r.regulator) {", new: "if !open && was == Declined && !r.regulator {"},
	{name: "a regulator need not wait", mistake: "disputes", file: "ledger/resolve.go", tests: goodsBooks, flags: fewCases,
		old: "r.regulator = office && r.timeMs >= from", new: "r.regulator = office"},
}
