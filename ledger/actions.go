package ledger

import (
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// guards is what no change of the parameters undoes.
type guards struct {
	_            struct{} `cbor:",toarray"`
	UnbondingMs  int64    // of genesis: light clients trust for two thirds of it
	ExpiryWindow uint64   // the longest that was ever in force: ids of transactions are remembered for so many blocks
}

// inForce are the parameters of the next epoch, as far as proposals that passed in this block have changed them.
func (b *blockRun) inForce() Params {
	p, _ := get[Params](b.o, []byte(keyParams))
	return p
}

// lastEpoch is when a proposal of this block is decided at the latest.
func (b *blockRun) lastEpoch() quorum.Epoch {
	return b.epoch.Number + quorum.Epoch(b.params.VotingEpochs)
}

// canDo asks whether an action can be carried out as things are. It is asked when the action is proposed, and again when
// it has passed, after all that passed before it.
func (b *blockRun) canDo(a *Action) *Finding {
	var f *Finding
	switch a.Kind {
	case ActParams:
		_, f = b.changed(a)
	case ActOffice:
		f = b.canChangeOffice(a)
	case ActAdmission:
		org, ok := get[Organisation](b.o, OrganisationKey(a.Account))
		switch {
		case !ok:
			f = refuse(CodeNotAnOrg, "/action/account", a.Account.String())
		case org.Admitted == a.Grant:
			f = refuse(CodeNothingChanges, "/action/account")
		}
	case ActUpgrade:
		f = b.canUpgrade(a)
	}
	return f
}

// carryOut does what canDo found possible.
func (b *blockRun) carryOut(a *Action) {
	switch a.Kind {
	case ActParams:
		b.changeParams(a)
	case ActOffice:
		b.changeOffice(a)
	case ActAdmission:
		org, _ := get[Organisation](b.o, OrganisationKey(a.Account))
		org.Admitted = a.Grant
		put(b.o, OrganisationKey(a.Account), org)
	case ActUpgrade:
		b.upgrade(a)
	}
}

// changed is the parameters after an action, or what stands in the way. Each must be valid together with all others.
func (b *blockRun) changed(a *Action) (Params, *Finding) {
	now := b.inForce()
	next := now
	for i, c := range a.Params {
		if err := next.Set(c.Name, c.Value); err != nil { // check saw to that
			return now, refuse(CodeParamBounds, "/action/params/"+decimal(i), c.Name, c.Value)
		}
	}
	if next == now {
		return now, refuse(CodeNothingChanges, "/action/params")
	}
	if fault := next.fault(); fault != nil {
		return now, fault.finding(a)
	}
	if g, _ := get[guards](b.o, []byte(keyGuards)); next.UnbondingMs() < g.UnbondingMs {
		return now, refuse(CodeUnbondingFloor, "/action/params", decimal(next.UnbondingMs()), decimal(g.UnbondingMs))
	}
	if needsRegistrar(&next) && !b.hasRegistrars() {
		return now, refuse(CodeNeedsRegistrar, "/action/params")
	}
	return next, nil
}

// changeParams writes the parameters of the next epoch. This block goes on with its own.
func (b *blockRun) changeParams(a *Action) {
	next, _ := b.changed(a)
	put(b.o, []byte(keyParams), next)
	g, _ := get[guards](b.o, []byte(keyGuards))
	g.ExpiryWindow = max(g.ExpiryWindow, next.ExpiryWindow)
	put(b.o, []byte(keyGuards), g)
}

// needsRegistrar reports whether a network with these parameters cannot do without a registrar.
func needsRegistrar(p *Params) bool { return p.Onboarding == Strict || p.Admission == Registrar }

// keysOf are the state keys of an account's being in an office, and of the number of those who are.
func (o Office) keysOf(a crypto.Address) (member, count []byte) {
	if o == OfficeRegistrar {
		return RegistrarKey(a), []byte(keyRegistrars)
	}
	return RegulatorKey(a), []byte(keyRegulators)
}

func (b *blockRun) canChangeOffice(a *Action) *Finding {
	office, count := a.Office.keysOf(a.Account)
	_, holds := get[bool](b.o, office)
	n, _ := get[uint64](b.o, count)
	params := b.inForce()
	switch {
	case holds == a.Grant:
		return refuse(CodeNothingChanges, "/action/account")
	case a.Grant && n >= maxRegistrars:
		return refuse(CodeTooManyOfficers, "/action/account", decimal(maxRegistrars), a.Office.String())
	case !a.Grant && n <= 1 && a.Office == OfficeRegistrar && needsRegistrar(&params):
		return refuse(CodeNeedsRegistrar, "/action/account")
	}
	return nil
}

func (b *blockRun) changeOffice(a *Action) {
	office, count := a.Office.keysOf(a.Account)
	n, _ := get[uint64](b.o, count)
	if a.Grant {
		put(b.o, office, true)
		put(b.o, count, mustAdd(n, 1))
		b.openAccount(a.Account)
		return
	}
	b.o.del(office)
	put(b.o, count, mustSub(n, 1))
}

// finding is what a fault of the parameters that an action leads to says, at the change that it is about.
func (f *paramFault) finding(a *Action) *Finding {
	field := "/action/params"
	if i := slices.IndexFunc(a.Params, func(c ParamChange) bool { return c.Name == f.name }); i >= 0 {
		field += "/" + decimal(i)
	}
	if f.window {
		return refuse(CodeParamWindow, field, f.value, f.epochs, decimal(int64(maxPeriodMs)), decimal(maxKeptEpochs))
	}
	return refuse(CodeParamBounds, field, f.name, f.value, f.low, f.high)
}
