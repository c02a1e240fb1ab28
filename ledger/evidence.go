package ledger

import (
	"math"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// SubmitEvidence proves an offence of a validator by two votes that it signed. Nobody authors, signs or pays for it, so
// that whoever saw the votes can report them; everything but the votes is fixed or follows from them, so that everybody
// makes the same bytes of the same two votes. Make one with [NewEvidenceTransaction].
//
// The key and the hash of the validator set are stated beside the votes because they are all that checking the
// signatures needs besides them: [VerifyTransactions] does it without the state, like any other signature, and Apply asks
// what only the state knows, whether the key was a member of that set in that epoch.
type SubmitEvidence struct {
	_            struct{}         `cbor:",toarray"`
	Validator    crypto.PublicKey // who signed both votes
	ValidatorSet crypto.Hash      // of the epoch of the votes
	Evidence     []byte           // quorum.Evidence.Encode
}

func (p *SubmitEvidence) check() error {
	if err := checkKey("validator key", p.Validator); err != nil {
		return err
	}
	if _, err := quorum.DecodeEvidence(p.Evidence); err != nil {
		return malformedBy(ErrPayload, err, "evidence")
	}
	return nil
}

// decoded returns the evidence, which check accepted.
func (p *SubmitEvidence) decoded() quorum.Evidence {
	e, err := quorum.DecodeEvidence(p.Evidence)
	if err != nil {
		panic("ledger: evidence that was checked: " + err.Error())
	}
	return e
}

// noExpiry is the expiry height of evidence. Its age is counted in epochs.
const noExpiry quorum.Height = math.MaxUint64

// NewEvidenceTransaction makes the transaction that reports evidence of an epoch; the domain is the network and the set
// of that epoch. It is the same whoever makes it, and ready to be sent. The error is a [FormError]: a signer outside the
// set, or what is no evidence.
func NewEvidenceTransaction(d quorum.Domain, e quorum.Evidence) (*Transaction, error) {
	if int(e.Signer()) >= d.Set.Len() {
		return nil, malformed(ErrPayload, "evidence against validator %d of a set of %d", e.Signer(), d.Set.Len())
	}
	p := &SubmitEvidence{Validator: d.Set.At(int(e.Signer())).Key, ValidatorSet: d.Set.Hash(), Evidence: e.Encode()}
	body, err := NewBody(d.Genesis, crypto.Address{}, noExpiry, p)
	if err != nil {
		return nil, err
	}
	return NewTransaction(body, nil)
}

// IsEvidence reports whether the transaction is a SubmitEvidence: it has no author, signature, fee or expiry.
func (tx *Transaction) IsEvidence() bool { return tx.Body.Kind == KindSubmitEvidence }

// checkEvidenceForm allows nothing but what NewEvidenceTransaction writes, so that one offence shown by the same two
// votes is one transaction.
func (tx *Transaction) checkEvidenceForm() error {
	b := &tx.Body
	fixed := b.Author.IsZero() && b.Sponsor == nil && b.ExpiryHeight == noExpiry && len(b.DependsOn) == 0 && b.Tip == 0 && b.Salt == [8]byte{}
	if !fixed || len(tx.Signatures) != 0 {
		return malformed(ErrEncoding, "evidence has no author, sponsor, dependencies, tip, salt or signature, and expires at %d", noExpiry)
	}
	return nil
}

// evidenceChecks are the questions to crypto about the two votes.
func (tx *Transaction) evidenceChecks(p *SubmitEvidence) []crypto.Check {
	e := p.decoded()
	out := make([]crypto.Check, 2)
	for i, v := range []quorum.Vote{e.First, e.Second} {
		out[i] = crypto.Check{Key: p.Validator, Digest: quorum.VoteDigest(tx.Body.Genesis, p.ValidatorSet, v), Signature: v.Signature}
	}
	return out
}

// checkEvidence asks everything about evidence but its signatures: the epoch, the set, the member, and whether it was
// punished before. It reads at most four records.
func (b *blockRun) checkEvidence(tx *Transaction) *Finding {
	p := tx.payload.(*SubmitEvidence)
	e := p.decoded()
	if tx.Body.Genesis != b.genesis {
		return refuse(CodeForeignNetwork, "/genesis", tx.Body.Genesis.String(), b.genesis.String())
	}
	epoch := e.First.Epoch
	if epoch > b.epoch.Number {
		return refuse(CodeEvidenceFuture, "/evidence", decimal(uint64(epoch)), decimal(uint64(b.epoch.Number)))
	}
	if b.outOfWindow(epoch) {
		return refuse(CodeEvidenceOld, "/evidence", decimal(uint64(epoch)), decimal(uint64(b.epoch.Number)))
	}
	if hash := b.setHash(epoch); hash != p.ValidatorSet {
		return refuse(CodeEvidenceSet, "/validatorSet", decimal(uint64(epoch)), hash.String(), p.ValidatorSet.String())
	}
	set := b.setOf(epoch)
	i := int(e.Signer())
	if i >= len(set.Members) || set.Members[i].Key != p.Validator {
		return refuse(CodeEvidenceStranger, "/validator", p.Validator.String(), decimal(i), decimal(uint64(epoch)))
	}
	if stone, done := get[Tombstone](b.o, TombstoneKey(set.Members[i].Operator)); done {
		f := refuse(CodeEvidencePunished, "/validator", set.Members[i].Operator.String(), decimal(stone.Height))
		f.Conflict = Conflict{Height: stone.Height}
		return f
	}
	return nil
}

// setHash names the set of an epoch inside the window.
func (b *blockRun) setHash(n quorum.Epoch) crypto.Hash {
	if n == b.epoch.Number {
		return b.epoch.ValidatorSet
	}
	past, _ := get[pastEpoch](b.o, pastEpochKey(n))
	return past.ValidatorSet
}

// setOf returns the set of an epoch inside the window.
func (b *blockRun) setOf(n quorum.Epoch) setRecord {
	set, _ := need[setRecord](b.o, setKey(b.setHash(n)))
	return set
}

// punish takes from everything that stood behind the offender in the epoch of its offence: what is bonded with any
// validator of the operator now, whoever bonded it, and what was unbonded from them so late that it counted then. Each
// amount loses the same share, rounded down. Then the operator is finished: none of its validators is elected again.
func (t *txRun) punish(p *SubmitEvidence) *Finding {
	e := p.decoded()
	epoch := e.First.Epoch
	set := t.setOf(epoch)
	operator := set.Members[e.Signer()].Operator
	share := mulDiv(powerOf(&set, operator), million, set.total())
	ppm := t.fraction(share, t.logSlash(share))
	own, _ := get[operatorRecord](t.o, operatorKey(operator))
	bonded, unbonding := uint64(0), uint64(0)
	for _, id := range own.IDs {
		s, u := t.cutValidator(id, epoch, ppm)
		bonded, unbonding = mustAdd(bonded, s), mustAdd(unbonding, u)
	}
	taken := mustAdd(bonded, unbonding)
	t.supply(func(s *Supply) {
		s.Bonded, s.Unbonding = mustSub(s.Bonded, bonded), mustSub(s.Unbonding, unbonding)
		s.Burned = mustAdd(s.Burned, taken)
	})
	put(t.o, TombstoneKey(operator), Tombstone{
		Validator: p.Validator, Offence: e.Offence, Epoch: epoch, View: e.First.View, Evidence: e.ID(),
		Height: t.height, TimeMs: t.timeMs, Ppm: ppm, Taken: taken,
	})
	f := refuse(CodeSlashed, "/validator", operator.String(), e.Offence.String(), decimal(uint64(epoch)), decimal(uint64(e.First.View)),
		decimal(taken), decimal(ppm))
	t.receipt.Flags = append(t.receipt.Flags, *f)
	return nil
}

// fraction is what an offender loses, in millionths: SlashPpm, and three times the power that others punished inside the
// window had. Whoever completes a third of the power, which is what it takes to split the ledger, loses everything.
func (b *blockRun) fraction(share, others uint64) uint64 {
	if 3*(share+others) >= million {
		return million
	}
	return min(million, b.params.SlashPpm+3*others)
}

func powerOf(set *setRecord, operator crypto.Address) uint64 {
	sum := uint64(0)
	for i := range set.Members {
		if set.Members[i].Operator == operator {
			sum = mustAdd(sum, uint64(set.Members[i].Power))
		}
	}
	return sum
}

// maxSlashLog bounds the log. Beyond it the newest two punishments become one, which ages as the later of them: dropping
// any would let an offender flush out the first half of what he did by having tiny operators of his own punished.
const maxSlashLog = 256

// logSlash records a punishment and returns the shares of power that the others inside the window had, in millionths; at
// most a million.
func (b *blockRun) logSlash(share uint64) uint64 {
	log, _ := get[slashLog](b.o, []byte(keySlashes))
	others, kept := uint64(0), make([]slashEntry, 0, len(log.Entries)+1)
	for _, e := range log.Entries {
		if e.Epoch < b.epoch.Number && b.agedOut(e.Epoch, e.TimeMs) {
			continue
		}
		kept = append(kept, e)
		others = min(million, mustAdd(others, e.SharePpm))
	}
	kept = append(kept, slashEntry{Epoch: b.epoch.Number, TimeMs: b.timeMs, SharePpm: share})
	if last := len(kept) - 1; last >= maxSlashLog {
		kept[last].SharePpm = min(million, mustAdd(kept[last].SharePpm, kept[last-1].SharePpm))
		kept = slices.Delete(kept, last-1, last)
	}
	log.Entries = kept
	put(b.o, []byte(keySlashes), log)
	return others
}

// cutValidator takes ppm millionths of all money with a validator that stood behind it in epoch, and retires it.
func (b *blockRun) cutValidator(id crypto.PublicKey, epoch quorum.Epoch, ppm uint64) (bonded, unbonding uint64) {
	v, _ := get[Validator](b.o, ValidatorKey(id))
	list, _ := get[holders](b.o, holdersKey(id))
	for _, a := range list.Accounts {
		acct, _ := get[Account](b.o, AccountKey(a))
		stake, _ := get[uint64](b.o, StakeKey(id, a))
		cut := mulDiv(stake, ppm, million)
		b.setStake(id, a, mustSub(stake, cut))
		acct.Bonded = mustSub(acct.Bonded, cut)
		v.Stake = mustSub(v.Stake, cut)
		bonded = mustAdd(bonded, cut)
		unbonding = mustAdd(unbonding, cutReleases(&acct, id, epoch, ppm))
		put(b.o, AccountKey(a), acct)
		b.dropHolder(id, a, &acct)
	}
	v.Tombstoned = true
	b.putValidator(v)
	b.unlistValidator(id)
	return bonded, unbonding
}

// cutReleases cuts the releases of an account from a validator that counted in epoch or later.
func cutReleases(acct *Account, id crypto.PublicKey, epoch quorum.Epoch, ppm uint64) uint64 {
	total, kept := uint64(0), make([]Release, 0, len(acct.Unbonding))
	for _, r := range acct.Unbonding {
		if r.Validator == id && r.Epoch >= epoch {
			cut := mulDiv(r.Amount, ppm, million)
			r.Amount = mustSub(r.Amount, cut)
			total = mustAdd(total, cut)
		}
		if r.Amount > 0 {
			kept = append(kept, r)
		}
	}
	acct.Unbonding = kept
	return total
}
