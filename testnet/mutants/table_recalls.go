package main

// notices: recalls.
var notices = []mutant{
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
	{name: "nothing is no answer to hold against anybody", mistake: "recalls", file: "ledger/answer.go", tests: answersAndWork,
		old: "if p.Status == AckNothing {", new: "if p.Status == AckReceived {"},
	{name: "long lists of notices are looked at for nothing", mistake: "recalls", file: "ledger/blocked.go", tests: answersAndWork,
		old: "} else if !e.mayWork(e.listed(holds) / noticesPerWork) {", new: "} else if !e.mayWork(0) {"},
}

// undoing: undoing: only where nothing stands on the event.
var undoing = []mutant{
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
	{name: "expired goods go on their way again", mistake: "undoing", file: "ledger/undo_guard.go", tests: undos,
		old: "\tf := u.e.namedNotExpired(&g)\n", new: "\tvar f *Finding\n"},
}
