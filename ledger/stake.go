package ledger

import (
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Bounds of stake. Together they bound what a punishment has to go through. An account occupies its own place with a
// validator as long as it has money there, at least MinBond while bonded. Only the list of candidates is shared: whoever
// bonds maxRegisteredValidators times MinBond fills it.
const (
	maxUnbonds              = 64   // of one account under way
	maxUnbondsPerValidator  = 8    // of one account from one validator under way; those of one epoch are one
	maxHolders              = 128  // accounts with money in one validator
	maxOwnValidators        = 16   // of one operator, genesis aside
	maxRegisteredValidators = 1024 // with stake; of these the quorum.MaxValidators largest are elected
	maxReleasesPerBlock     = 256
)

// validator finds a validator by any key it has had.
func (b *blockRun) validator(key crypto.PublicKey) (Validator, bool) {
	if id, ok := get[crypto.PublicKey](b.o, rotatedKey(key)); ok {
		key = id
	}
	return get[Validator](b.o, ValidatorKey(key))
}

// member is validator for a key that is in a set.
func (b *blockRun) member(key crypto.PublicKey) (Validator, bool) {
	if id, ok := get[crypto.PublicKey](b.o, rotatedKey(key)); ok {
		key = id
	}
	return need[Validator](b.o, ValidatorKey(key))
}

func (b *blockRun) putValidator(v Validator) { put(b.o, ValidatorKey(v.ID), v) }

func (t *txRun) registerValidator(p *RegisterValidator) *Finding {
	if f := t.freshKey(p.Key); f != nil {
		return f
	}
	if p.Stake < t.params.MinBond {
		return refuse(CodeMinBond, "/stake", p.Key.String(), decimal(t.params.MinBond))
	}
	if f := t.notTombstoned(t.author, "/author"); f != nil {
		return f
	}
	own, _ := get[operatorRecord](t.o, operatorKey(t.author))
	if len(own.IDs) >= maxOwnValidators {
		return refuse(CodeTooManyOwn, "/author", t.author.String(), decimal(maxOwnValidators))
	}
	v := Validator{ID: p.Key, Key: p.Key, Name: p.Name, Operator: t.author, Since: t.height}
	if f := t.takePeerKey(&v, p.PeerKey, "/peerKey"); f != nil {
		return f
	}
	own.IDs = append(slices.Clip(own.IDs), v.ID)
	put(t.o, operatorKey(t.author), own)
	t.putValidator(v)
	return t.bond(p.Key, p.Stake)
}

// freshKey asks whether a key may become a validator's: nobody's before, for ever, and shown to be held by whoever asks.
func (t *txRun) freshKey(key crypto.PublicKey) *Finding {
	if v, ok := t.validator(key); ok {
		return refuse(CodeValidatorExists, "/key", key.String(), v.Operator.String())
	}
	if !slices.ContainsFunc(t.tx.Signatures, func(s SignedBy) bool { return s.Key == key }) {
		return refuse(CodeKeyNotSigned, "/key", key.String())
	}
	return nil
}

func (t *txRun) takePeerKey(v *Validator, key crypto.PublicKey, field string) *Finding {
	if owner, taken := get[crypto.PublicKey](t.o, peerOwnerKey(key)); taken && owner != v.ID {
		return refuse(CodePeerKeyTaken, field, key.String(), owner.String())
	}
	if !v.PeerKey.IsZero() {
		t.o.del(peerOwnerKey(v.PeerKey))
	}
	v.PeerKey = key
	put(t.o, peerOwnerKey(key), v.ID)
	return nil
}

func (b *blockRun) notTombstoned(operator crypto.Address, field string) *Finding {
	stone, ok := get[Tombstone](b.o, TombstoneKey(operator))
	if !ok {
		return nil
	}
	f := refuse(CodeTombstoned, field, operator.String(), decimal(stone.Height), stone.Offence.String(), decimal(uint64(stone.Epoch)))
	f.Conflict = Conflict{Height: stone.Height}
	return f
}

// bond moves money of the author into a validator's stake.
func (t *txRun) bond(key crypto.PublicKey, amount uint64) *Finding {
	v, ok := t.validator(key)
	if !ok {
		return refuse(CodeNoValidator, "/validator", key.String())
	}
	if f := t.notTombstoned(v.Operator, "/validator"); f != nil {
		return f
	}
	if amount == 0 {
		return refuse(CodeZeroAmount, "/amount")
	}
	acct, _ := get[Account](t.o, AccountKey(t.author))
	if acct.Balance < amount {
		return noMoney(t.author, acct.Balance, amount)
	}
	stake, _ := get[uint64](t.o, StakeKey(v.ID, t.author))
	if stake = mustAdd(stake, amount); stake < t.params.MinBond {
		return refuse(CodeMinBond, "/amount", t.author.String(), decimal(t.params.MinBond))
	}
	if f := t.addHolder(v.ID); f != nil {
		return f
	}
	if v.Stake == 0 {
		if f := t.listValidator(v.ID); f != nil {
			return f
		}
	}
	v.Stake = mustAdd(v.Stake, amount)
	acct.Balance = mustSub(acct.Balance, amount)
	acct.Bonded = mustAdd(acct.Bonded, amount)
	put(t.o, AccountKey(t.author), acct)
	put(t.o, StakeKey(v.ID, t.author), stake)
	t.putValidator(v)
	t.supply(func(s *Supply) {
		s.Balances = mustSub(s.Balances, amount)
		s.Bonded = mustAdd(s.Bonded, amount)
	})
	return nil
}

// addHolder keeps the last place for the operator, so that others cannot lock it out of its own validator.
func (t *txRun) addHolder(id crypto.PublicKey) *Finding {
	list, _ := get[holders](t.o, holdersKey(id))
	if slices.Contains(list.Accounts, t.author) {
		return nil
	}
	v, _ := get[Validator](t.o, ValidatorKey(id))
	room := maxHolders
	if t.author != v.Operator && !slices.Contains(list.Accounts, v.Operator) {
		room--
	}
	if len(list.Accounts) >= room {
		return refuse(CodeTooManyHolders, "/validator", id.String(), decimal(maxHolders))
	}
	list.Accounts = append(slices.Clip(list.Accounts), t.author)
	put(t.o, holdersKey(id), list)
	return nil
}

// dropHolder forgets an account that has nothing left with a validator.
func (b *blockRun) dropHolder(id crypto.PublicKey, a crypto.Address, acct *Account) {
	if _, bonded := get[uint64](b.o, StakeKey(id, a)); bonded {
		return
	}
	if slices.ContainsFunc(acct.Unbonding, func(r Release) bool { return r.Validator == id }) {
		return
	}
	list, _ := get[holders](b.o, holdersKey(id))
	list.Accounts = slices.DeleteFunc(slices.Clone(list.Accounts), func(x crypto.Address) bool { return x == a })
	if len(list.Accounts) == 0 {
		b.o.del(holdersKey(id))
		return
	}
	put(b.o, holdersKey(id), list)
}

func (t *txRun) listValidator(id crypto.PublicKey) *Finding {
	list, _ := get[validatorList](t.o, []byte(keyValidators))
	if len(list.Keys) >= maxRegisteredValidators {
		return refuse(CodeTooManyVals, "", decimal(maxRegisteredValidators))
	}
	list.Keys = append(slices.Clip(list.Keys), id)
	put(t.o, []byte(keyValidators), list)
	return nil
}

func (b *blockRun) unlistValidator(id crypto.PublicKey) {
	list, _ := get[validatorList](b.o, []byte(keyValidators))
	list.Keys = slices.DeleteFunc(slices.Clone(list.Keys), func(k crypto.PublicKey) bool { return k == id })
	put(b.o, []byte(keyValidators), list)
}

// unbond takes money of the author out of a validator's stake. What stays is nothing or at least MinBond. The set of this
// epoch counts the money, and so may that of the next, which may be fixed already.
func (t *txRun) unbond(p *Unbond) *Finding {
	v, ok := t.validator(p.Validator)
	if !ok {
		return refuse(CodeNoValidator, "/validator", p.Validator.String())
	}
	stake, _ := get[uint64](t.o, StakeKey(v.ID, t.author))
	if p.Amount == 0 {
		return refuse(CodeZeroAmount, "/amount")
	}
	if stake < p.Amount {
		return refuse(CodeNoStake, "/amount", t.author.String(), decimal(stake), p.Validator.String(), decimal(p.Amount))
	}
	left := mustSub(stake, p.Amount)
	if left != 0 && left < t.params.MinBond && !v.Tombstoned {
		return refuse(CodeMinBond, "/amount", t.author.String(), decimal(t.params.MinBond))
	}
	acct, _ := get[Account](t.o, AccountKey(t.author))
	if f := t.wait(&acct, t.author, Release{Validator: v.ID, Epoch: t.epoch.Number + 1, Amount: p.Amount}); f != nil {
		return f
	}
	acct.Bonded = mustSub(acct.Bonded, p.Amount)
	put(t.o, AccountKey(t.author), acct)
	t.setStake(v.ID, t.author, left)
	if v.Stake = mustSub(v.Stake, p.Amount); v.Stake == 0 {
		t.unlistValidator(v.ID)
	}
	t.putValidator(v)
	t.supply(func(s *Supply) {
		s.Bonded = mustSub(s.Bonded, p.Amount)
		s.Unbonding = mustAdd(s.Unbonding, p.Amount)
	})
	return nil
}

func (b *blockRun) setStake(id crypto.PublicKey, a crypto.Address, amount uint64) {
	if amount == 0 {
		b.o.del(StakeKey(id, a))
		return
	}
	put(b.o, StakeKey(id, a), amount)
}

// wait adds a release to an account that the caller then puts.
func (b *blockRun) wait(acct *Account, a crypto.Address, r Release) *Finding {
	same, ofValidator := -1, 0
	for i, other := range acct.Unbonding {
		if other.Validator != r.Validator {
			continue
		}
		ofValidator++
		if other.Epoch == r.Epoch {
			same = i
		}
	}
	acct.Unbonding = slices.Clone(acct.Unbonding)
	if same >= 0 {
		acct.Unbonding[same].Amount = mustAdd(acct.Unbonding[same].Amount, r.Amount)
		return nil
	}
	if len(acct.Unbonding) >= maxUnbonds {
		return refuse(CodeTooManyUnbonds, "", decimal(maxUnbonds))
	}
	if ofValidator >= maxUnbondsPerValidator {
		return refuse(CodeTooManyUnbonds, "", decimal(maxUnbondsPerValidator))
	}
	acct.Unbonding = append(acct.Unbonding, r)
	b.queueRelease(a, r)
	return nil
}

func (b *blockRun) queueRelease(a crypto.Address, r Release) {
	q, _ := get[releaseQueue](b.o, []byte(keyReleases))
	put(b.o, releaseKey(q.Next), releaseEntry{Account: a, Validator: r.Validator, Epoch: r.Epoch})
	q.Next++
	put(b.o, []byte(keyReleases), q)
}

// releaseUnbonded frees, at the beginning of a block, the money of epochs about which evidence no longer counts. At most
// maxReleasesPerBlock entries are looked at; the rest is for the next blocks.
func (b *blockRun) releaseUnbonded() {
	q, _ := get[releaseQueue](b.o, []byte(keyReleases))
	first := q.First
	for ; q.First < q.Next && q.First-first < maxReleasesPerBlock; q.First++ {
		e, ok := need[releaseEntry](b.o, releaseKey(q.First))
		if !ok || !b.outOfWindow(e.Epoch) {
			break
		}
		b.o.del(releaseKey(q.First))
		b.free(&e)
	}
	if q.First != first {
		put(b.o, []byte(keyReleases), q)
	}
}

// free releases the money of an entry. There is none when the entry was overtaken: see holdBack.
func (b *blockRun) free(e *releaseEntry) {
	acct, _ := get[Account](b.o, AccountKey(e.Account))
	i := slices.IndexFunc(acct.Unbonding, func(r Release) bool { return r.Validator == e.Validator && r.Epoch == e.Epoch })
	if i < 0 {
		return
	}
	amount := acct.Unbonding[i].Amount
	acct.Unbonding = slices.Delete(slices.Clone(acct.Unbonding), i, i+1)
	acct.Balance = mustAdd(acct.Balance, amount)
	put(b.o, AccountKey(e.Account), acct)
	b.dropHolder(e.Validator, e.Account, &acct)
	b.supply(func(s *Supply) {
		s.Unbonding = mustSub(s.Unbonding, amount)
		s.Balances = mustAdd(s.Balances, amount)
	})
}

// ownValidator finds a validator that the author operates and that is not tombstoned.
func (t *txRun) ownValidator(key crypto.PublicKey, field string) (Validator, *Finding) {
	v, ok := t.validator(key)
	switch {
	case !ok:
		return v, refuse(CodeNoValidator, field, key.String())
	case v.Operator != t.author:
		return v, refuse(CodeNotOperator, "/author", t.author.String(), key.String(), v.Operator.String())
	}
	return v, t.notTombstoned(v.Operator, "/author")
}

func (t *txRun) unjail(p *Unjail) *Finding {
	v, f := t.ownValidator(p.Validator, "/validator")
	switch {
	case f != nil:
		return f
	case !v.Jailed:
		return refuse(CodeNotJailed, "/validator", p.Validator.String())
	case t.timeMs < v.JailedUntilMs:
		return refuse(CodeJailed, "/validator", p.Validator.String(), decimal(v.JailedUntilMs), decimal(t.timeMs))
	}
	v.Jailed, v.JailedUntilMs = false, 0
	t.putValidator(v)
	return nil
}

func (t *txRun) rotateValidatorKey(p *RotateValidatorKey) *Finding {
	v, f := t.ownValidator(p.Old, "/old")
	if f != nil {
		return f
	}
	if v.Key != p.Old {
		return refuse(CodeOldKey, "/old", p.Old.String(), v.Key.String())
	}
	if f := t.freshKey(p.New); f != nil {
		f.Field = "/new"
		return f
	}
	v.Key = p.New
	if !p.NewPeerKey.IsZero() {
		if f := t.takePeerKey(&v, p.NewPeerKey, "/newPeerKey"); f != nil {
			return f
		}
	}
	put(t.o, rotatedKey(p.New), v.ID)
	t.putValidator(v)
	return nil
}

// outOfWindow reports whether evidence about an epoch no longer counts: UnbondingEpochs further epochs and UnbondingMs
// have passed since it ended. It is the one clock for evidence, for unbonded money and for what is forgotten.
func (b *blockRun) outOfWindow(n quorum.Epoch) bool {
	if n >= b.epoch.Number {
		return false
	}
	past, kept := get[pastEpoch](b.o, pastEpochKey(n))
	return !kept || b.agedOut(n, past.EndTimeMs)
}

func (b *blockRun) agedOut(n quorum.Epoch, sinceMs int64) bool {
	return uint64(b.epoch.Number-n) > b.params.UnbondingEpochs && b.timeMs-sinceMs > b.params.UnbondingMs()
}
