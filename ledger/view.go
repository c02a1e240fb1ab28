package ledger

import "waybill/crypto"

// View reads one version of the state.
type View interface {
	// Read returns the value of a key, nil if there is none. Nobody changes the slice, which may be kept.
	Read(key []byte) ([]byte, error)
}

// read returns the record at key, nil if there is none. A record that does not decode is of kind ErrState.
func read[T any](v View, key []byte) (*T, error) {
	data, err := v.Read(key)
	if err != nil || data == nil {
		return nil, err
	}
	return decodeRecord[T](key, data)
}

// decodeRecord reads the record at key. What the key tells is taken from there: it is what a proof is about.
func decodeRecord[T any, K string | []byte](key K, data []byte) (*T, error) {
	rec := new(T)
	if err := crypto.Unmarshal(data, rec); err != nil {
		return nil, malformedBy(ErrState, err, "state key %q", key)
	}
	if r, ok := any(rec).(keyed); ok && !r.setKey(string(key)) {
		return nil, malformed(ErrState, "there is no %T at state key %q", rec, key)
	}
	return rec, nil
}

// ReadAccount returns an account; nil if it is not on the ledger.
func ReadAccount(v View, a crypto.Address) (*Account, error) { return read[Account](v, AccountKey(a)) }

// ReadOrganisation returns the organisation of an account; nil if it has none.
func ReadOrganisation(v View, a crypto.Address) (*Organisation, error) {
	return read[Organisation](v, OrganisationKey(a))
}

// ReadOrganisationNamed finds an organisation by its name, letter case and spacing aside; nil if there is none.
func ReadOrganisationNamed(v View, name string) (*Organisation, error) {
	rec, err := read[partyRecord](v, nameStateKey(name))
	if err != nil || rec == nil {
		return nil, err
	}
	return ReadOrganisation(v, rec.Organisation)
}

// ReadPrefix returns a company prefix; nil if nobody ever held it.
func ReadPrefix(v View, digits string) (*Prefix, error) { return read[Prefix](v, PrefixKey(digits)) }

// ReadMasterData returns what was recorded about a "product", "location" or "party"; nil if nothing was.
func ReadMasterData(v View, typ, id string) (*MasterData, error) {
	return read[MasterData](v, MasterDataKey(typ, canonical(id)))
}

// ReadItem returns an item with custodian, owner, place, state and shipment as inherited from what it is packed in; nil
// if it is not on the ledger. The identifier may be spelled in any form. For the record that a proof shows see
// [ReadItemRecord].
func ReadItem(v View, id string) (*Item, error) {
	item, err := ReadItemRecord(v, id)
	if err != nil || item == nil || item.Parent == "" {
		return item, err
	}
	chain := []*Item{item}
	for parent := item.Parent; parent != "" && len(chain) <= maxPackingDepth; {
		p, err := ReadItemRecord(v, parent)
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, malformed(ErrState, "%s is packed in %s, which is not there", id, parent)
		}
		chain = append(chain, p)
		parent = p.Parent
	}
	inherit(chain)
	return item, nil
}

// ReadItemRecord returns the record of an item as stored; nil if there is none.
func ReadItemRecord(v View, id string) (*Item, error) { return read[Item](v, ItemKey(canonical(id))) }

// ReadContents returns what is packed directly in an item; nil if nothing is.
func ReadContents(v View, id string) (*Contents, error) {
	return read[Contents](v, ContentsKey(canonical(id)))
}

// ReadLot returns a lot, or a class that was used without a lot; nil if it is not on the ledger.
func ReadLot(v View, id string) (*Lot, error) { return read[Lot](v, LotKey(canonical(id))) }

// ReadBalance returns what a custodian holds loose of a lot in a unit and with a status; nil if it never held any so. Of a
// mass, volume, length, area or count any unit names the one balance, which is in the base unit (see [Amount]).
func ReadBalance(v View, lot string, custodian crypto.Address, unit string, status Status) (*Balance, error) {
	return read[Balance](v, BalanceKey(canonical(lot), custodian, canonicalUnit(unit), status))
}

// ReadTransit returns the open shipments of a lot in a unit from one party to another; nil if there are none. To is the
// zero Address for shipments to nobody on the ledger.
func ReadTransit(v View, lot, unit string, from, to crypto.Address) (*Transit, error) {
	return read[Transit](v, TransitKey(canonical(lot), canonicalUnit(unit), from, to))
}

// ReadShipment returns the shipment that an event began; nil if there is none.
func ReadShipment(v View, event crypto.Hash) (*Shipment, error) {
	return read[Shipment](v, ShipmentKey(event))
}

// ReadMade returns the n-th act (from 0) that made an item or lot; nil beyond its Made.
func ReadMade(v View, id string, n uint64) (*Edge, error) {
	return read[Edge](v, MadeKey(canonical(id), n))
}

// ReadUsed returns the n-th act (from 0) that used an item or lot up; nil beyond its Used.
func ReadUsed(v View, id string, n uint64) (*Edge, error) {
	return read[Edge](v, UsedKey(canonical(id), n))
}

// ReadLink returns the inputs and outputs of a transformation; nil if there is none.
func ReadLink(v View, link crypto.Hash) (*Link, error) { return read[Link](v, LinkKey(link)) }

// ReadEventMark returns what the ledger keeps of an event of an author; nil if it was never accepted.
func ReadEventMark(v View, author crypto.Address, event crypto.Hash) (*EventMark, error) {
	return read[EventMark](v, EventKey(author, event))
}

// ReadSeen returns what became of a transaction that has not left the expiry window; nil if it was not executed.
func ReadSeen(v View, tx crypto.Hash) (*Seen, error) { return read[Seen](v, SeenKey(tx)) }

// ReadParams returns the parameters of the network; never nil without an error.
func ReadParams(v View) (*Params, error) { return must[Params](v, []byte(keyParams)) }

// ReadSupply returns the totals of money; never nil without an error.
func ReadSupply(v View) (*Supply, error) { return must[Supply](v, []byte(keySupply)) }

func must[T any](v View, key []byte) (*T, error) {
	rec, err := read[T](v, key)
	if err == nil && rec == nil {
		err = malformed(ErrState, "state key %q is missing", key)
	}
	return rec, err
}

// ReadGenesisHash returns the identity of the network.
func ReadGenesisHash(v View) (crypto.Hash, error) {
	rec, err := must[crypto.Hash](v, []byte(keyGenesis))
	if err != nil {
		return crypto.Hash{}, err
	}
	return *rec, nil
}

// ReadRegistrar reports whether an account is a registrar.
func ReadRegistrar(v View, a crypto.Address) (bool, error) {
	data, err := v.Read(RegistrarKey(a))
	return data != nil, err
}

// ReadValidator returns a validator by any consensus key that it has had; nil if it is not registered.
func ReadValidator(v View, key crypto.PublicKey) (*Validator, error) {
	id, err := validatorID(v, key)
	if err != nil {
		return nil, err
	}
	return read[Validator](v, ValidatorKey(id))
}

// validatorID is the key itself unless the key came by rotation.
func validatorID(v View, key crypto.PublicKey) (crypto.PublicKey, error) {
	rec, err := read[crypto.PublicKey](v, rotatedKey(key))
	if err != nil || rec == nil {
		return key, err
	}
	return *rec, nil
}

// ReadValidators returns every validator with stake that is not tombstoned, in order of registration. [NextSet] elects
// from them; the set in force is that of [CurrentEpoch].
func ReadValidators(v View) ([]Validator, error) {
	list, err := must[validatorList](v, []byte(keyValidators))
	if err != nil {
		return nil, err
	}
	out := make([]Validator, 0, len(list.Keys))
	for _, id := range list.Keys {
		rec, err := must[Validator](v, ValidatorKey(id))
		if err != nil {
			return nil, err
		}
		out = append(out, *rec)
	}
	return out, nil
}

// ReadStake returns what an account has bonded with a validator, in the smallest unit.
func ReadStake(v View, key crypto.PublicKey, owner crypto.Address) (uint64, error) {
	id, err := validatorID(v, key)
	if err != nil {
		return 0, err
	}
	rec, err := read[uint64](v, StakeKey(id, owner))
	if err != nil || rec == nil {
		return 0, err
	}
	return *rec, nil
}

// ReadTombstone returns the punishment of an operator; nil if there was none.
func ReadTombstone(v View, operator crypto.Address) (*Tombstone, error) {
	return read[Tombstone](v, TombstoneKey(operator))
}
