package ledger

import (
	"waybill/consensus/quorum"
)

// Precheck answers, without any cryptography, whether a transaction may be worth checking the signatures of: its
// network, and that the keys which claim to have signed may sign for its author and sponsor at height. Of evidence it asks
// whether it is about a member of the set of an epoch that still counts, and not punished yet. The error is a [RuleError] of
// rule R1 or about evidence; any other error is the view's.
func Precheck(v View, height quorum.Height, tx *Transaction) error {
	return ask(v, height, func(b *blockRun) *Finding { return b.checkSigners(tx) })
}

// Admit answers whether a transaction would be executed in a block at height, as far as can be told before: what
// Precheck asks, expiry window, not executed before, size, fee, dependencies. Rules about its effects are not asked.
// The error is a [RuleError] of rule R1; errors.Is tells CodeDependencyMissing, which may pass later, from the others.
// Any other error is the view's.
func Admit(v View, height quorum.Height, tx *Transaction) error {
	return ask(v, height, func(b *blockRun) *Finding {
		_, f := admit(b, tx)
		return f
	})
}

func ask(v View, height quorum.Height, question func(*blockRun) *Finding) error {
	params, err := ReadParams(v)
	if err != nil {
		return err
	}
	genesis, err := ReadGenesisHash(v)
	if err != nil {
		return err
	}
	epoch, err := must[epochRecord](v, []byte(keyEpoch))
	if err != nil {
		return err
	}
	// The time of the block to come is not known; that of the last hand-over is early enough to refuse nothing that counts.
	b := &blockRun{o: newOverlay(v), params: *params, genesis: genesis, height: height, timeMs: epoch.AnchorTimeMs, epoch: *epoch}
	f := guarded(func() *Finding { return question(b) })
	if b.o.err != nil {
		return b.o.err
	}
	if f != nil {
		return &RuleError{*f}
	}
	return nil
}

// guarded asks what is asked before anything is taken. A panic in it refuses the transaction: nobody stops a node by one.
func guarded(question func() *Finding) (f *Finding) {
	defer func() {
		if p := recover(); p != nil {
			f = refuse(CodeNotJudged, "", describePanic(p))
		}
	}()
	return question()
}

// admit asks everything of rule R1 and returns the fee.
func admit(b *blockRun, tx *Transaction) (fee uint64, f *Finding) {
	if tx.IsEvidence() {
		return 0, b.checkEvidence(tx)
	}
	if f := b.checkSigners(tx); f != nil {
		return 0, f
	}
	if f := b.checkWindow(tx); f != nil {
		return 0, f
	}
	if tx.Size() > int(b.params.MaxTxBytes) {
		return 0, refuse(CodeTooLarge, "", decimal(tx.Size()), decimal(int(b.params.MaxTxBytes)))
	}
	fee, ok := FeeOf(&b.params, tx.charged, tx.Body.Tip)
	payer, _ := get[Account](b.o, AccountKey(tx.payer()))
	if !ok || payer.Balance < fee {
		if !b.governs(tx) {
			return 0, refuse(CodeFee, "/tip", tx.payer().String(), decimal(payer.Balance), decimal(fee))
		}
		fee = payer.Balance
	}
	return fee, b.checkDependencies(tx)
}

// checkSigners asks whether the keys may sign. An account that is not on the ledger may do one thing: register as an
// organisation with somebody else paying.
func (b *blockRun) checkSigners(tx *Transaction) *Finding {
	if tx.IsEvidence() {
		return b.checkEvidence(tx)
	}
	if tx.Body.Genesis != b.genesis {
		return refuse(CodeForeignNetwork, "/genesis", tx.Body.Genesis.String(), b.genesis.String())
	}
	author, known := get[Account](b.o, AccountKey(tx.Body.Author))
	if !known && (tx.Body.Kind != KindRegisterOrganisation || tx.Body.Sponsor == nil) {
		return refuse(CodeUnknownAuthor, "/author", tx.Body.Author.String())
	}
	if f := b.checkSigned(tx, &author, tx.Body.Author, CodeKeyNotActive, CodeTooFewSigned); f != nil || tx.Body.Sponsor == nil {
		return f
	}
	sponsor, known := get[Account](b.o, AccountKey(*tx.Body.Sponsor))
	if !known {
		return refuse(CodeUnknownSponsor, "/sponsor", tx.Body.Sponsor.String())
	}
	return b.checkSigned(tx, &sponsor, *tx.Body.Sponsor, CodeSponsorNotSigned, CodeTooFewSponsors)
}

func (b *blockRun) checkWindow(tx *Transaction) *Finding {
	expiry, window := tx.Body.ExpiryHeight, quorum.Height(b.params.ExpiryWindow)
	if expiry < b.height {
		return refuse(CodeExpired, "/expiryHeight", decimal(expiry), decimal(b.height))
	}
	if expiry-b.height > window {
		return refuse(CodeExpiryTooFar, "/expiryHeight", decimal(expiry), decimal(window), decimal(b.height))
	}
	if seen, ok := get[Seen](b.o, SeenKey(tx.id)); ok {
		f := refuse(CodeSeen, "")
		f.Conflict = Conflict{Tx: tx.id, Height: seen.Height}
		return f
	}
	return nil
}

func (b *blockRun) checkDependencies(tx *Transaction) *Finding {
	for i, id := range tx.Body.DependsOn {
		field := "/dependsOn/" + decimal(i)
		seen, ok := get[Seen](b.o, SeenKey(id))
		if !ok {
			return refuse(CodeDependencyMissing, field, id.String())
		}
		if !seen.OK {
			f := refuse(CodeDependencyFailed, field, id.String())
			f.Conflict = Conflict{Tx: id, Height: seen.Height}
			return f
		}
	}
	return nil
}
