package main

// The tests that notice mistakes in the rules about goods, and in what shows them to others.
const (
	claimsBooks = "./ledger Test(Claims.*|Scenarios|SeverityTable)$"
	goodsBooks  = "./ledger Test(Dispute.*|Scenarios|CustodyAgainstPaper|MillionActsAgainstPaper|SeverityTable)$"
	recalls     = "./ledger Test(Notice.*|Following.*|Scenarios)$"
	undos       = "./ledger Test(Undo.*|Correction.*|WindowMade.*|Scenarios)$"
	histories   = "./ledger/provenance Test"
	lightClient = "./ledger/light Test"

	fewCases = "-rapid.checks=40"
)

// ruleMutants is the part of the table about goods: what a register of goods must not get wrong.
var ruleMutants = []mutant{
	// Accounts of claims.
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

	// Disputes: accepted, rejected and short are what was shipped.
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

	// Recalls.
	{name: "what was made of it before is not recalled", mistake: "recalls", file: "ledger/follow.go", tests: recalls, flags: fewCases,
		old: "\t\tif b.wasMade(s.After, s.Link) {\n\t\t\tb.hold(s.After, []crypto.Hash{notice})\n\t\t}\n", new: ""},
	{name: "what is made of it later is not recalled", mistake: "recalls", file: "ledger/follow.go", tests: recalls, flags: fewCases,
		old: "\t\tunder(e.e.makes.lots[i].id)\n", new: "\t\t_ = i\n"},
	{name: "a recall goes one step", mistake: "recalls", file: "ledger/hold.go", tests: recalls, flags: fewCases,
		old: "\tfor _, n := range b.extendHold(HoldKey(id), notices) {\n\t\tb.followThing(n, id)\n\t}",
		new: "\tb.extendHold(HoldKey(id), notices)"},
	{name: "the last use is not followed", mistake: "recalls", file: "ledger/follow.go", tests: recalls, flags: fewCases,
		old: "case s.Used < b.used(s.Thing):", new: "case s.Used+1 < b.used(s.Thing):"},
	{name: "a lot's recall leaves out its serials", mistake: "recalls", file: "ledger/follow.go", tests: recalls, flags: fewCases,
		old: "\t\tfor _, h := range in.holds[1:] {\n\t\t\te.listUse(h.ID, link)\n\t\t}\n", new: ""},
	{name: "inputs of an earlier event are forgotten", mistake: "recalls", file: "ledger/follow.go", tests: recalls, flags: fewCases,
		old: "\t\t\tif earlier {\n", new: "\t\t\tif !earlier {\n"},
	{name: "an out of turn notice is dropped", mistake: "recalls", file: "ledger/follow.go", tests: "./ledger Test(Notices?|Following).*",
		old: "\t} else {\n\t\tb.queue(notice)\n\t}", new: "\t}"},
	{name: "released notices go on stopping", mistake: "recalls", file: "ledger/hold.go", tests: recalls, flags: fewCases,
		old: "ok && rec.Released.IsZero() && holds[i].Reaches(&rec) {", new: "ok && holds[i].Reaches(&rec) {"},

	// Undoing: only where nothing stands on the event.
	{name: "a thing that was moved since does not matter", mistake: "undoing", file: "ledger/undo_revert.go", tests: undos,
		old: "case !ok || item.Moves != n.moves:", new: "case !ok:"},
	{name: "what was taken since does not matter", mistake: "undoing", file: "ledger/undo_revert.go", tests: undos,
		old: "if !lowered && bal.Takes != n.is.Takes {", new: "if !lowered && bal.Takes < n.is.Takes {"},
	{name: "a count since does not matter", mistake: "undoing", file: "ledger/undo_revert.go", tests: undos,
		old: "if bal.Sets != n.is.Sets {", new: "if bal.Sets < n.is.Sets {"},
	{name: "a record that changed since does not matter", mistake: "undoing", file: "ledger/undo_revert.go", tests: undos,
		old: "if exactDigest(encoded(o, space, o.slot([]byte(n.key)), false)) == n.after {", new: "if len(n.after) > 0 {"},
	{name: "undone for ever", mistake: "undoing", file: "ledger/undo.go", tests: undos,
		old: "return uint64(b.height-h) <= b.params.CorrectionWindow &&", new: "return uint64(b.height-h) <= b.params.CorrectionWindow+1000 &&"},
	{name: "shipping undone in the receiver's time", mistake: "undoing", file: "ledger/undo_guard.go", tests: undos,
		old: "if !ok || u.e.timeMs >= from {", new: "if !ok || u.e.timeMs >= sh.TimeMs {"},
	{name: "recalled goods go on their way again", mistake: "undoing", file: "ledger/undo_guard.go", tests: undos,
		old: "\tif c.act != actVoid {", new: "\tif c.act != actShip {"},

	// Certificates of provenance.
	{name: "holds are not asked for", mistake: "certificates", file: "ledger/provenance/walk.go", tests: histories,
		old: "\tif err := w.readHolds(n); err != nil {\n\t\treturn nil, err\n\t}\n", new: ""},
	{name: "notices of a hold are not shown", mistake: "certificates", file: "ledger/provenance/walk.go", tests: histories,
		old: "\t\tfor _, id := range h.Notices {\n", new: "\t\tfor _, id := range h.Notices[len(h.Notices):] {\n"},
	{name: "the number of events unchecked", mistake: "certificates", file: "ledger/provenance/verify.go", tests: histories,
		old:  "if uint64(len(t.Events)) != c.Count {",
		new:  "if uint64(len(t.Events)) > c.Count {",
		also: "if err := foldsTo(events, c); err != nil {", into: "if err := foldsTo(events, c); err != nil && uint64(len(events)) == c.Count {"},
	{name: "the head of the chain unchecked", mistake: "certificates", file: "ledger/provenance/verify.go", tests: histories,
		old: "if err := foldsTo(events, c); err != nil {", new: "if err := foldsTo(events, c); err != nil && uint64(len(events)) != c.Count {"},
	{name: "the mark of an event unchecked", mistake: "certificates", file: "ledger/provenance/walk.go", tests: histories,
		old: "if m == nil || m.Tx != e.rec.Tx || m.Height != e.rec.Height {", new: "if m == nil {"},
	{name: "twin events in any order", mistake: "certificates", file: "ledger/provenance/verify.go", tests: histories,
		old: "if i > 0 && compareEvents(events[i-1], e) >= 0 {", new: "if i > 0 && compareEvents(events[i-1], e) > 1 {"},
	{name: "records are not proven", mistake: "certificates", file: "ledger/provenance/verify.go", tests: histories,
		old: "if err := light.VerifyState(committing, e.Key, e.Value, proof); err != nil {",
		new: "if err := light.VerifyState(committing, e.Key, e.Value, proof); err != nil && len(e.Key) == 0 {"},
	{name: "what is too much stays", mistake: "certificates", file: "ledger/provenance/verify.go", tests: histories,
		old: "case v.state.read != len(c.states):", new: "case v.state.read > len(c.states):"},
	{name: "a state of any height", mistake: "certificates", file: "ledger/provenance/verify.go", tests: histories,
		old: "if exec := committing.Header().ExecHeight; exec != h.Height {", new: "if exec := committing.Header().ExecHeight; exec < h.Height {"},
	{name: "receipts under a later block than the state", mistake: "certificates", file: "ledger/provenance/verify.go", tests: histories,
		old: "if b.Result > v.cert.head.Committing {", new: "if b.Result > v.cert.head.Committing+1000 {"},

	// The light client.
	{name: "trust never runs out", mistake: "A21", file: "ledger/light/handover.go", tests: lightClient,
		old: "if age := nowMs - c.SeenMs; age > p.TrustingMs() {", new: "if age := nowMs - c.SeenMs; age > p.TrustingMs()*1000 {"},
	{name: "trust runs as long as unbonding", mistake: "A21", file: "ledger/light/handover.go", tests: lightClient,
		old: "if age := nowMs - c.SeenMs; age > p.TrustingMs() {", new: "if age := nowMs - c.SeenMs; age > p.UnbondingMs() {"},
	{name: "any block keeps trust fresh", mistake: "A21", file: "ledger/light/handover.go", tests: lightClient,
		old: "if h.header.Genesis == c.Genesis && h.header.Epoch == c.Epoch && h.header.ValidatorSet == c.Set.Hash() {",
		new: "if h.header.Genesis == c.Genesis {"},
	{name: "all power handed over at once", mistake: "A20, A22", file: "ledger/light/handover.go", tests: lightClient,
		old: "if moved, limit := moved(c.Set, next), c.Set.Total()/3; moved > limit {",
		new: "if moved, limit := moved(c.Set, next), c.Set.Total()*3; moved > limit {"},
	{name: "a block of another epoch", mistake: "A22", file: "ledger/light/handover.go", tests: lightClient,
		old: "case closing.Epoch != c.Epoch:", new: "case closing.Epoch < c.Epoch:",
		also: "if h.header.Epoch != c.Epoch || h.header.Height <= c.Anchor.Height {", into: "if h.header.Height <= c.Anchor.Height {"},
	{name: "a receipt of another transaction", mistake: "A22", file: "ledger/light/light.go", tests: lightClient,
		old: "if receipt.Tx != tx.ID() || p.Receipt.Inclusion.Index != p.Inclusion.Index || p.Receipt.Inclusion.Size", new: "if p.Receipt.Inclusion.Size"},
}
