package ledger

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
)

// Genesis is the document a network begins with. Its hash is the identity of the network and is in every header,
// vote and transaction. The JSON tags are for whoever reads and writes genesis files; the hash is over CBOR.
type Genesis struct {
	_             struct{}              `cbor:",toarray"`
	Version       uint16                `json:"version"` // GenesisVersion
	Chain         string                `json:"chain"`   // name for people, for example "lettuce-demo"
	TimeMs        int64                 `json:"timeMs"`  // ms since the Unix epoch
	Params        Params                `json:"params"`
	Validators    []GenesisValidator    `json:"validators"`
	Accounts      []GenesisAccount      `json:"accounts"`
	Registrars    []crypto.Address      `json:"registrars"`
	Organisations []GenesisOrganisation `json:"organisations,omitempty"`
	Reserve       uint64                `json:"reserve,omitempty"`    // money that Params.EpochReward is paid from, smallest unit
	Regulators    []crypto.Address      `json:"regulators,omitempty"` // authorities that may give notices about anybody's goods
}

// GenesisVersion is the only version of genesis documents that this program reads.
const GenesisVersion = 2

// GenesisValidator is a member of the first validator set. Its stake is bonded money of its operator's account.
type GenesisValidator struct {
	_        struct{}         `cbor:",toarray"`
	Name     string           `json:"name"`
	Key      crypto.PublicKey `json:"key"`              // signs votes
	PeerKey  crypto.PublicKey `json:"peerKey,omitzero"` // identity of its node towards peers; never signs votes; zero: none
	Stake    uint64           `json:"stake"`            // smallest unit; the voting power
	Operator crypto.Address   `json:"operator"`         // account that owns the stake
}

// GenesisAccount is an account with money from the start.
type GenesisAccount struct {
	_       struct{}       `cbor:",toarray"`
	Address crypto.Address `json:"address"`
	Balance uint64         `json:"balance"` // smallest unit
}

// GenesisOrganisation is an organisation that is registered, admitted and holds its prefixes from the start.
type GenesisOrganisation struct {
	_        struct{}       `cbor:",toarray"`
	Address  crypto.Address `json:"address"`
	Name     string         `json:"name"`
	Roles    []string       `json:"roles,omitempty"`
	Parties  []string       `json:"parties,omitempty"`  // identifiers under which documents name it
	Prefixes []string       `json:"prefixes,omitempty"` // GS1 company prefixes, 4 to 12 digits
}

// Bounds of a genesis document.
const (
	maxGenesisAccounts = 10_000
	maxRegistrars      = 100
	maxGenesisOrgs     = 1_000
	maxNameBytes       = 100
	maxSupply          = 1 << 60 // so that sums of two amounts stay inside 64 bits
	maxFee             = 1 << 40
)

// Encode returns the canonical CBOR of the document.
func (g *Genesis) Encode() []byte { return mustMarshal(g) }

// DecodeGenesis reads the bytes of Encode and validates; errors are of kind ErrEncoding or ErrGenesis.
func DecodeGenesis(data []byte) (*Genesis, error) {
	g := new(Genesis)
	if err := crypto.Unmarshal(data, g); err != nil {
		return nil, malformedBy(ErrEncoding, err, "genesis")
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	return g, nil
}

// Hash is the identity of the network.
func (g *Genesis) Hash() crypto.Hash { return crypto.Sum(crypto.TagGenesis, g.Encode()) }

// ValidatorSet returns the set of epoch 0: power is stake.
func (g *Genesis) ValidatorSet() (*quorum.Set, error) {
	list := make([]quorum.Validator, len(g.Validators))
	for i, v := range g.Validators {
		list[i] = quorum.Validator{Key: v.Key, Power: quorum.Power(v.Stake), Operator: v.Operator}
	}
	set, err := quorum.NewSet(list)
	if err != nil {
		return nil, malformedBy(ErrGenesis, err, "validators")
	}
	return set, nil
}

// Block returns the header of height 0, which commits to the initial state. The document must be valid.
func (g *Genesis) Block() quorum.Header {
	set, err := g.ValidatorSet()
	if err != nil {
		panic("ledger: Block of an invalid genesis: " + err.Error())
	}
	root, _, err := crypto.UpdateTree(emptyTree{}, treeWrites(g.State()))
	if err != nil {
		panic("ledger: state tree of genesis: " + err.Error())
	}
	return quorum.Header{
		Version: quorum.HeaderVersion, Genesis: g.Hash(), TimeMs: g.TimeMs,
		PayloadRoot: quorum.PayloadRoot(nil), ValidatorSet: set.Hash(), Params: g.Params.Hash(),
		ExecStateRoot: root, ExecReceiptsRoot: ChainReceipts(crypto.Hash{}, ReceiptsRoot(nil)),
	}
}

// emptyTree is the state tree before genesis.
type emptyTree struct{}

func (emptyTree) ReadPage(crypto.PagePath) ([]byte, error) { return nil, nil }

func treeWrites(writes []Write) []crypto.TreeWrite {
	out := make([]crypto.TreeWrite, len(writes))
	for i, w := range writes {
		out[i] = crypto.TreeWrite{Key: w.Key, Value: w.Value}
	}
	return out
}

// Validate says what is wrong with the document, with the path of the field; errors are of kind ErrGenesis.
func (g *Genesis) Validate() error {
	if g.Version != GenesisVersion {
		return malformed(ErrGenesis, "version is %d; this program knows %d", g.Version, GenesisVersion)
	}
	if err := checkName(g.Chain); err != nil {
		return malformedBy(ErrGenesis, err, "chain")
	}
	if g.TimeMs < 0 {
		return malformed(ErrGenesis, "timeMs %d is before 1970", g.TimeMs)
	}
	if err := g.Params.Validate(); err != nil {
		return err
	}
	if err := g.checkMoney(); err != nil {
		return err
	}
	if err := g.checkRegistrars(); err != nil {
		return err
	}
	return g.checkOrganisations()
}

func (g *Genesis) checkMoney() error {
	if len(g.Accounts) > maxGenesisAccounts {
		return malformed(ErrGenesis, "%d accounts; at most %d", len(g.Accounts), maxGenesisAccounts)
	}
	if g.Reserve > maxSupply {
		return malformed(ErrGenesis, "reserve %d is more than %d", g.Reserve, uint64(maxSupply))
	}
	total, seen := g.Reserve, map[crypto.Address]bool{}
	for i, a := range g.Accounts {
		if a.Address.IsZero() || seen[a.Address] {
			return malformed(ErrGenesis, "accounts/%d: address %s is zero or stands twice", i, a.Address)
		}
		seen[a.Address] = true
		if a.Balance > maxSupply-total {
			return malformed(ErrGenesis, "accounts/%d: balances and stake exceed %d in all", i, uint64(maxSupply))
		}
		total += a.Balance
	}
	for i, v := range g.Validators {
		if err := checkName(v.Name); err != nil {
			return malformedBy(ErrGenesis, err, "validators/%d/name", i)
		}
		if v.Operator.IsZero() {
			return malformed(ErrGenesis, "validators/%d: no operator", i)
		}
		if v.Stake < g.Params.MinBond || v.Stake > maxSupply-total {
			return malformed(ErrGenesis, "validators/%d: stake %d must be at least %d and the sum of all money at most %d", i, v.Stake, g.Params.MinBond, uint64(maxSupply))
		}
		total += v.Stake
	}
	if _, err := g.ValidatorSet(); err != nil {
		return err
	}
	return g.checkPeerKeys()
}

func (g *Genesis) checkPeerKeys() error {
	seen := map[crypto.PublicKey]bool{}
	for _, v := range g.Validators {
		seen[v.Key] = true
	}
	for i, v := range g.Validators {
		if v.PeerKey.IsZero() {
			continue
		}
		if seen[v.PeerKey] || !v.PeerKey.Valid() {
			return malformed(ErrGenesis, "validators/%d: peer key %s is no point on the curve, that of another validator or a key that votes", i, v.PeerKey)
		}
		seen[v.PeerKey] = true
	}
	return nil
}

func (g *Genesis) checkRegistrars() error {
	for _, office := range []struct {
		name    string
		members []crypto.Address
	}{{"registrars", g.Registrars}, {"regulators", g.Regulators}} {
		if len(office.members) > maxRegistrars {
			return malformed(ErrGenesis, "%d %s; at most %d", len(office.members), office.name, maxRegistrars)
		}
		seen := map[crypto.Address]bool{}
		for i, a := range office.members {
			if a.IsZero() || seen[a] {
				return malformed(ErrGenesis, "%s/%d: address %s is zero or stands twice", office.name, i, a)
			}
			seen[a] = true
		}
	}
	if len(g.Registrars) == 0 && needsRegistrar(&g.Params) {
		return malformed(ErrGenesis, "registrars is empty; strict onboarding and admission by registrar need at least one, for company prefixes")
	}
	return nil
}

func (g *Genesis) checkOrganisations() error {
	addresses, names, prefixes, parties := map[crypto.Address]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	if len(g.Organisations) > maxGenesisOrgs {
		return malformed(ErrGenesis, "%d organisations; at most %d", len(g.Organisations), maxGenesisOrgs)
	}
	for i, o := range g.Organisations {
		if len(o.Prefixes) > maxPrefixes {
			return malformed(ErrGenesis, "organisations/%d: %d prefixes; at most %d", i, len(o.Prefixes), maxPrefixes)
		}
		if o.Address.IsZero() || addresses[o.Address] {
			return malformed(ErrGenesis, "organisations/%d: address %s is zero or stands twice", i, o.Address)
		}
		addresses[o.Address] = true
		r := RegisterOrganisation{Name: o.Name, Roles: o.Roles, Parties: o.Parties}
		if err := r.check(); err != nil {
			return malformedBy(ErrGenesis, err, "organisations/%d", i)
		}
		if names[nameKey(o.Name)] {
			return malformed(ErrGenesis, "organisations/%d: name %q stands twice", i, o.Name)
		}
		names[nameKey(o.Name)] = true
		for _, p := range o.Parties {
			id := canonical(p)
			if parties[id] {
				return malformed(ErrGenesis, "organisations/%d: party %s stands twice", i, p)
			}
			parties[id] = true
		}
		for _, p := range o.Prefixes {
			if err := gs1.ValidGCP(p); err != nil {
				return malformedBy(ErrGenesis, err, "organisations/%d: prefix %q", i, p)
			}
			if prefixes[p] {
				return malformed(ErrGenesis, "organisations/%d: prefix %s stands twice", i, p)
			}
			prefixes[p] = true
		}
	}
	return nil
}
