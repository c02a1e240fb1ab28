package ledger

import (
	"slices"

	"waybill/crypto"
)

// emptyView is the state before genesis.
type emptyView struct{}

func (emptyView) Read([]byte) ([]byte, error) { return nil, nil }

// State returns the state of height 0, ascending by key. The document must be valid.
func (g *Genesis) State() []Write {
	b := &blockRun{o: newOverlay(emptyView{}), params: g.Params, holders: map[string]holding{}}
	put(b.o, []byte(keyGenesis), g.Hash())
	put(b.o, []byte(keyParams), g.Params)
	put(b.o, []byte(keyGuards), guards{UnbondingMs: g.Params.UnbondingMs(), ExpiryWindow: g.Params.ExpiryWindow})
	put(b.o, []byte(keyRegistrars), uint64(len(g.Registrars)))
	put(b.o, []byte(keyRegulators), uint64(len(g.Regulators)))
	for _, a := range g.Registrars {
		put(b.o, RegistrarKey(a), true)
	}
	for _, a := range g.Regulators {
		put(b.o, RegulatorKey(a), true)
	}
	g.fund(b)
	g.stake(b)
	for _, o := range g.Organisations {
		b.foundOrganisation(&o)
	}
	writes, err := b.o.writes()
	if err != nil {
		panic("ledger: state of genesis: " + err.Error())
	}
	return writes
}

func (g *Genesis) fund(b *blockRun) {
	var supply Supply
	for _, a := range g.Accounts {
		put(b.o, AccountKey(a.Address), Account{Balance: a.Balance})
		supply.Balances = mustAdd(supply.Balances, a.Balance)
	}
	for _, a := range slices.Concat(g.Registrars, g.Regulators) {
		b.openAccount(a)
	}
	supply.Reserve = g.Reserve
	supply.Total = mustAdd(supply.Balances, g.Reserve)
	put(b.o, []byte(keySupply), supply)
}

// openAccount makes an account without money, if there is none.
func (b *blockRun) openAccount(a crypto.Address) {
	acct, _ := get[Account](b.o, AccountKey(a))
	put(b.o, AccountKey(a), acct)
}

func (g *Genesis) stake(b *blockRun) {
	var list validatorList
	for _, v := range g.Validators {
		list.Keys = append(list.Keys, v.Key)
		b.putValidator(Validator{ID: v.Key, Key: v.Key, PeerKey: v.PeerKey, Name: v.Name, Operator: v.Operator, Stake: v.Stake})
		put(b.o, StakeKey(v.Key, v.Operator), v.Stake)
		put(b.o, holdersKey(v.Key), holders{Accounts: []crypto.Address{v.Operator}})
		own, _ := get[operatorRecord](b.o, operatorKey(v.Operator))
		own.IDs = append(slices.Clip(own.IDs), v.Key)
		put(b.o, operatorKey(v.Operator), own)
		if !v.PeerKey.IsZero() {
			put(b.o, peerOwnerKey(v.PeerKey), v.Key)
		}
		acct, _ := get[Account](b.o, AccountKey(v.Operator))
		acct.Bonded = mustAdd(acct.Bonded, v.Stake)
		put(b.o, AccountKey(v.Operator), acct)
		b.supply(func(s *Supply) {
			s.Bonded = mustAdd(s.Bonded, v.Stake)
			s.Total = mustAdd(s.Total, v.Stake)
		})
	}
	put(b.o, []byte(keyValidators), list)
	g.beginEpoch(b)
}

func (g *Genesis) beginEpoch(b *blockRun) {
	set, err := g.ValidatorSet()
	if err != nil {
		panic("ledger: state of an invalid genesis: " + err.Error())
	}
	put(b.o, setKey(set.Hash()), recordOf(set, 0))
	put(b.o, []byte(keyEpoch), epochRecord{ValidatorSet: set.Hash(), AnchorTimeMs: g.TimeMs})
}

func (b *blockRun) foundOrganisation(o *GenesisOrganisation) {
	b.openAccount(o.Address)
	org := Organisation{Address: o.Address, Name: o.Name, Roles: o.Roles, Admitted: true}
	for _, p := range o.Parties {
		org.Parties = append(org.Parties, canonical(p))
		put(b.o, PartyKey(canonical(p)), partyRecord{Organisation: o.Address})
	}
	slices.Sort(org.Parties)
	put(b.o, nameStateKey(o.Name), partyRecord{Organisation: o.Address})
	put(b.o, OrganisationKey(o.Address), org)
	for _, p := range o.Prefixes {
		b.givePrefix(p, o.Address, crypto.Address{})
	}
}
