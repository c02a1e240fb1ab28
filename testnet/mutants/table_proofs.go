package main

// certificates: certificates of provenance.
var certificates = []mutant{
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
}

// lightClients: the light client.
var lightClients = []mutant{
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
