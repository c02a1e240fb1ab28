package main

// catchUp: sync.
var catchUp = []mutant{
	{name: "sync run not certified", mistake: "15", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "\tif result.Err != nil {\n\t\treturn none, refuse(ErrCertificate, \"height",
		new: "\tif result.Err != nil && len(blocks) == 0 {\n\t\treturn none, refuse(ErrCertificate, \"height"},
	{name: "sync takes blocks of another epoch", mistake: "15, 21", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "if h.Epoch != f.epoch || h.ValidatorSet != f.domain.Set.Hash() || h.IsTail() {",
		new: "if h.ValidatorSet != f.domain.Set.Hash() || h.IsTail() {"},
	{name: "next set not held against its hash", mistake: "15, 20", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "|| b.Next != nil && b.Next.Hash() != h.NextValidatorSet {", new: "{"},
	{name: "unasked answers are decoded", mistake: "A6", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "if f.pending == nil || f.pending.Peer != from {", new: "if f.pending == nil {"},
	{name: "a silent peer is waited for", mistake: "A3, A4", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "if nowMs-f.asked < AnswerTimeoutMs {", new: "if nowMs-f.asked < 1<<40 {"},
	{name: "peers are trusted about the height", mistake: "15, A3", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "if p.claimed > tip.Height && nowMs >= p.until {", new: "if p.claimed > tip.Height {"},
	{name: "lying peers are asked again at once", mistake: "A4, A5", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "p.until = nowMs + min(", new: "p.until = nowMs - min("},
	{name: "payload of synced blocks unchecked", mistake: "15", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "|| quorum.PayloadRoot(b.Payload) != h.PayloadRoot {", new: "{"},
}

// replica: the replica.
var replica = []mutant{
	{name: "result of execution unchecked", mistake: "28", file: "node/blocks.go", tests: schedules, flags: fewSchedules,
		old: "if h.ExecStateRoot != result.StateRoot || h.ExecReceiptsRoot != result.ReceiptsChain {", new: "if h.ExecStateRoot.IsZero() {"},
	{name: "who closes an epoch unchecked", mistake: "21", file: "node/blocks.go", tests: "./node TestClosingRuleIsChecked$",
		old: "case next == nil && h.IsClosing():\n", new: "case next == nil && h.IsClosing() && h.Height == 0:\n"},
	{name: "elected set unchecked", mistake: "20", file: "node/blocks.go", tests: "./node TestClosingRuleIsChecked$",
		old: "case next.Hash() != h.NextValidatorSet:", new: "case h.NextValidatorSet.IsZero():"},
}
