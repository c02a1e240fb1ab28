package api

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// AccountInfo is an account as /v1 shows it. Amounts are in the smallest unit.
type AccountInfo struct {
	Address      crypto.Address    `json:"address"`
	Height       quorum.Height     `json:"height"` // block after which this holds
	Exists       bool              `json:"exists"` // false: nobody ever sent it anything
	Balance      uint64            `json:"balance"`
	Bonded       uint64            `json:"bonded"`
	Unbonding    []ReleaseInfo     `json:"unbonding,omitempty"`
	Keys         []KeyInfo         `json:"keys,omitempty"`      // added or revoked; the key of the address is active unless it is here
	Threshold    int               `json:"threshold,omitempty"` // how many active keys must sign; left out: one
	Organisation *OrganisationInfo `json:"organisation,omitempty"`
	Proof        *ProofInfo        `json:"proof,omitempty"` // with prove=true, of the account's record
}

// ReleaseInfo is unbonded money that becomes free when evidence about an epoch no longer counts.
type ReleaseInfo struct {
	Validator crypto.PublicKey `json:"validator"` // as it was registered
	Epoch     quorum.Epoch     `json:"epoch"`
	Amount    uint64           `json:"amount"`
}

// KeyInfo is a key that was added to an account.
type KeyInfo struct {
	Key   crypto.PublicKey `json:"key"`
	From  quorum.Height    `json:"from"`
	Until quorum.Height    `json:"until,omitempty"` // 0: no end
}

// OrganisationInfo is an organisation as /v1 shows it.
type OrganisationInfo struct {
	Address  crypto.Address `json:"address"`
	Name     string         `json:"name"`
	Roles    []string       `json:"roles"`
	Parties  []string       `json:"parties"`  // identifiers under which documents name it
	Prefixes []string       `json:"prefixes"` // GS1 company prefixes it holds
	Admitted bool           `json:"admitted"`
	Since    quorum.Height  `json:"since"`
	Height   quorum.Height  `json:"height,omitempty"` // block after which this holds, where no list or account says it
	Proof    *ProofInfo     `json:"proof,omitempty"`  // with prove=true, of the stored record
}

// OrganisationList is a page of organisations by address.
type OrganisationList struct {
	Organisations []OrganisationInfo `json:"organisations"`
	Next          *crypto.Address    `json:"next,omitempty"` // pass as after
	Height        quorum.Height      `json:"height"`
}

// PrefixInfo is a GS1 company prefix and who held it when.
type PrefixInfo struct {
	Prefix  string        `json:"prefix"`
	Holder  *Holder       `json:"holder,omitempty"` // now; absent if nobody
	Tenures []TenureInfo  `json:"tenures"`          // oldest first
	Height  quorum.Height `json:"height"`
	Proof   *ProofInfo    `json:"proof,omitempty"` // with prove=true, of the stored record
}

// TenureInfo is the time for which somebody held a prefix.
type TenureInfo struct {
	Holder     Holder         `json:"holder"`
	From       quorum.Height  `json:"from"`
	Until      quorum.Height  `json:"until,omitempty"` // 0: no end
	ApprovedBy crypto.Address `json:"approvedBy,omitzero"`
}

// ValidatorInfo is a registered validator.
type ValidatorInfo struct {
	Key      crypto.PublicKey `json:"key"` // signs votes
	PeerKey  crypto.PublicKey `json:"peerKey,omitzero"`
	Name     string           `json:"name"`
	Operator crypto.Address   `json:"operator"`
	Stake    uint64           `json:"stake"` // bonded with it now; its power follows when an epoch begins
	Power    uint64           `json:"power"` // votes in this epoch; 0: it is not of the set
	Since    quorum.Height    `json:"since"`

	Jailed        bool  `json:"jailed,omitempty"` // for being down, until its operator says unjail
	JailedUntilMs int64 `json:"jailedUntilMs,omitempty"`
	Tombstoned    bool  `json:"tombstoned,omitempty"` // punished; never elected again
}

// ValidatorList is the set of this epoch and all registered validators with stake.
type ValidatorList struct {
	Validators   []ValidatorInfo `json:"validators"` // the set in the order of its indexes, then the others
	Total        uint64          `json:"total"`      // stake
	Power        uint64          `json:"power"`      // of the set
	Epoch        uint64          `json:"epoch"`
	AnchorHeight quorum.Height   `json:"anchorHeight"` // the block that the epoch begins after
	Height       quorum.Height   `json:"height"`
}

func organisationInfo(o *ledger.Organisation) OrganisationInfo {
	// Lists are never null: a client may range over them without asking.
	return OrganisationInfo{Address: o.Address, Name: o.Name, Roles: append([]string{}, o.Roles...), Parties: append([]string{}, o.Parties...),
		Prefixes: append([]string{}, o.Prefixes...), Admitted: o.Admitted, Since: o.Since}
}

func pathAddress(r *request, name string) (crypto.Address, error) {
	text := r.PathValue(name)
	a, err := crypto.ParseAddress(text)
	if err != nil {
		return a, problem(ErrBadRequest, "this is not an address").want("wb1… with 41 characters in lower case", text).
			help("Copy the whole address; its last characters are a checksum.")
	}
	return a, nil
}

func (s *Server) getAccount(r *request) (*reply, error) {
	address, err := pathAddress(r, "address")
	if err != nil {
		return nil, err
	}
	view, err := s.reading(r)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	account, err := ledger.ReadAccount(view, address)
	if err != nil {
		return nil, err
	}
	out := AccountInfo{Address: address, Height: view.Height(), Exists: account != nil}
	if account != nil {
		out.Balance, out.Bonded = account.Balance, account.Bonded
		if account.Needed() > 1 {
			out.Threshold = account.Needed()
		}
		for _, u := range account.Unbonding {
			out.Unbonding = append(out.Unbonding, ReleaseInfo{Validator: u.Validator, Epoch: u.Epoch, Amount: u.Amount})
		}
		for _, k := range account.Keys {
			out.Keys = append(out.Keys, KeyInfo{Key: k.Key, From: k.From, Until: k.Until})
		}
	}
	org, err := ledger.ReadOrganisation(view, address)
	if err != nil {
		return nil, err
	}
	if org != nil {
		info := organisationInfo(org)
		out.Organisation = &info
	}
	if out.Proof, err = s.prove(r, ledger.AccountKey(address)); err != nil {
		return nil, err
	}
	return &reply{json: out}, nil
}

func (s *Server) listOrganisations(r *request) (*reply, error) {
	limit, err := r.limitParam(usualPage, largePage)
	if err != nil {
		return nil, err
	}
	var after crypto.Address
	if text := r.param("after"); text != "" {
		if after, err = crypto.ParseAddress(text); err != nil {
			return nil, problem(ErrBadRequest, "after is not an address").want("the next of the page before", text)
		}
	}
	view, err := s.reading(r)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	var past []byte
	if !after.IsZero() {
		past = ledger.OrganisationKey(after)
	}
	keys, err := view.Keys(r.Context(), ledger.Organisations(), past, limit+1)
	if err != nil {
		return nil, err
	}
	addresses := make([]crypto.Address, len(keys))
	for i, key := range keys {
		copy(addresses[i][:], key[len(ledger.Organisations()):])
	}
	out := OrganisationList{Organisations: []OrganisationInfo{}, Height: view.Height()}
	if len(addresses) > limit {
		addresses = addresses[:limit]
		out.Next = &addresses[limit-1]
	}
	for _, a := range addresses {
		org, err := ledger.ReadOrganisation(view, a)
		if err != nil {
			return nil, err
		}
		if org != nil { // it came later than the height that was asked about, otherwise
			out.Organisations = append(out.Organisations, organisationInfo(org))
		}
	}
	return &reply{json: out}, nil
}

// getOrganisation finds an organisation by its address or by its name.
func (s *Server) getOrganisation(r *request) (*reply, error) {
	id := r.PathValue("id")
	view, err := s.reading(r)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	var org *ledger.Organisation
	if address, parseErr := crypto.ParseAddress(id); parseErr == nil {
		org, err = ledger.ReadOrganisation(view, address)
	} else {
		org, err = ledger.ReadOrganisationNamed(view, id)
	}
	if err != nil {
		return nil, err
	}
	if org == nil {
		return nil, problem(ErrNotFound, "there is no organisation %q", show(id)).want("an address or a registered name", id)
	}
	out := organisationInfo(org)
	out.Height = view.Height()
	if out.Proof, err = s.prove(r, ledger.OrganisationKey(org.Address)); err != nil {
		return nil, err
	}
	return &reply{json: out}, nil
}

func (s *Server) getPrefix(r *request) (*reply, error) {
	digits := r.PathValue("prefix")
	if !isPrefix(digits) {
		return nil, problem(ErrBadRequest, "this is not a GS1 company prefix").want("4 to 12 digits", digits)
	}
	view, err := s.reading(r)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	prefix, err := ledger.ReadPrefix(view, digits)
	if err != nil {
		return nil, err
	}
	if prefix == nil {
		return nil, problem(ErrNotFound, "nobody ever held the company prefix %s", digits)
	}
	read := &itemReader{view: view}
	out := PrefixInfo{Prefix: digits, Height: view.Height(), Tenures: []TenureInfo{}}
	for _, t := range prefix.Holders {
		if h := read.holder(t.Holder); h != nil {
			out.Tenures = append(out.Tenures, TenureInfo{Holder: *h, From: t.From, Until: t.Until, ApprovedBy: t.ApprovedBy})
		}
	}
	if now, ok := prefix.Holder(); ok {
		out.Holder = read.holder(now.Holder)
	}
	if read.err != nil {
		return nil, read.err
	}
	out.Proof, err = s.prove(r, ledger.PrefixKey(digits))
	return &reply{json: out}, err
}

func isPrefix(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) >= 4 && len(s) <= 12
}

func (s *Server) listValidators(r *request) (*reply, error) {
	view, err := s.reading(r)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	epoch, err := ledger.CurrentEpoch(view)
	if err != nil {
		return nil, err
	}
	registered, err := ledger.ReadValidators(view)
	if err != nil {
		return nil, err
	}
	out := ValidatorList{
		Validators: []ValidatorInfo{}, Height: view.Height(),
		Epoch: uint64(epoch.Number), AnchorHeight: epoch.AnchorHeight, Power: uint64(epoch.Set.Total()),
	}
	seen := map[crypto.PublicKey]bool{}
	add := func(v *ledger.Validator, power quorum.Power) {
		seen[v.ID] = true
		out.Validators = append(out.Validators, ValidatorInfo{
			Key: v.Key, PeerKey: v.PeerKey, Name: v.Name, Operator: v.Operator, Stake: v.Stake, Power: uint64(power), Since: v.Since,
			Jailed: v.Jailed, JailedUntilMs: v.JailedUntilMs, Tombstoned: v.Tombstoned,
		})
		out.Total += v.Stake
	}
	for _, member := range epoch.Set.Validators() {
		v, err := ledger.ReadValidator(view, member.Key)
		if err != nil {
			return nil, err
		}
		if v != nil {
			add(v, member.Power)
		}
	}
	for i := range registered {
		if !seen[registered[i].ID] {
			add(&registered[i], 0)
		}
	}
	return &reply{json: out}, nil
}
