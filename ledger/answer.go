package ledger

import "waybill/crypto"

// Answers to notices. Anybody may answer, and the last answer of an organisation counts. The ledger takes its word, and says so
// where its own records say something else.

// acknowledge keeps what the author did about a notice.
func (t *txRun) acknowledge(p *AcknowledgeNotice) *Finding {
	if f := t.mayAct(); f != nil {
		return f
	}
	rec, ok := get[NoticeRecord](t.o, NoticeKey(p.Notice))
	if !ok {
		return refuse(CodeNoNotice, "/notice", p.Notice.String())
	}
	if p.Status == AckNothing {
		if f := t.checkNothing(&rec); f != nil {
			return f
		}
	}
	put(t.o, AckKey(p.Notice, t.author), Ack{Organisation: t.author, Status: p.Status, Note: p.Note, Height: t.height, TimeMs: t.timeMs})
	return nil
}

// checkNothing marks the answer of an author who has a subject of the notice itself, or loose stock of it. What was made of the
// subjects, or is packed somewhere, is on no list of the state: the scope of the notice finds that and says the same. A
// subject is looked for under its name, which is work.
func (t *txRun) checkNothing(rec *NoticeRecord) *Finding {
	const at = "/status"
	for _, id := range rec.Subjects {
		lot := peek[Lot](t.o, LotKey(id))
		cost := 1
		if lot != nil {
			cost += len(lot.Units)
		}
		if !t.mayWork(cost) {
			return refuse(CodeTooMuchWork, at, decimal(maxWorkAuthor))
		}
		if had := t.hasOf(id, lot); had != "" {
			t.flag(refuse(CodeHasSome, at, t.orgName(t.author), had, rec.Type.String()).against(crypto.Hash{}, rec.ID, rec.Height))
			return nil
		}
	}
	return nil
}

// hasOf says what the author has of a thing, or of a lot in one unit; "" if the state knows of nothing.
func (t *txRun) hasOf(id string, lot *Lot) string {
	if s, ok := t.standing(id); ok {
		root := s.root()
		if root.Custodian == t.author && (root.State == StateActive || root.State == StateRejected) && !s.item().State.ended() {
			return id
		}
	}
	if lot == nil {
		return ""
	}
	for _, unit := range lot.Units {
		var sum Balance
		for _, status := range Statuses() {
			bal, _ := get[Balance](t.o, BalanceKey(id, t.author, unit, status))
			if total, ok := sum.Amount.plus(bal.Amount); ok { // both may be as much as is counted
				sum.Amount = total
			}
			sum.Unmeasured = sum.Unmeasured || bal.Unmeasured
		}
		switch {
		case !sum.Amount.IsZero():
			return textOf(sum.Amount, unit) + " of " + id
		case sum.Unmeasured:
			return "some of " + id
		}
	}
	return ""
}
