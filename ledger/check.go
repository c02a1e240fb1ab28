package ledger

import (
	"slices"
	"unicode/utf8"

	"waybill/crypto"
	"waybill/epcis/gs1"
)

// Bounds of payloads.
const (
	maxIDBytes     = 512 // one identifier, in payloads and events
	maxRoles       = 16
	maxParties     = 64
	maxKeysAtOnce  = 16
	maxAttributes  = 128
	maxAttrName    = 256
	maxAttrBytes   = 4096
	maxRoleBytes   = 40
	maxAccountKeys = 32
	maxPrefixes    = 256 // of one organisation
	maxTenures     = 64  // of one prefix; older ones are dropped
)

// checkName accepts 1 to 100 bytes of printable UTF-8 without spaces at the ends or twice in a row.
func checkName(s string) error {
	if s == "" || len(s) > maxNameBytes || !utf8.ValidString(s) {
		return malformed(ErrPayload, "a name has 1 to %d bytes of UTF-8, got %d", maxNameBytes, len(s))
	}
	previous := ' '
	for _, r := range s {
		// Control characters, and the code points that print nothing or reverse the text, make two names look alike.
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa1) || (r >= 0x200b && r <= 0x200f) || (r >= 0x2028 && r <= 0x202e) ||
			(r >= 0x2060 && r <= 0x206f) || r == 0xfeff || r == 0xad || r == utf8.RuneError {
			return malformed(ErrPayload, "name %q has a character that does not print", s)
		}
		if r == ' ' && previous == ' ' {
			return malformed(ErrPayload, "name %q begins with a space or has two in a row", s)
		}
		previous = r
	}
	if previous == ' ' {
		return malformed(ErrPayload, "name %q ends with a space", s)
	}
	return nil
}

func checkID(what, id string) error {
	if id == "" || len(id) > maxIDBytes {
		return malformed(ErrPayload, "%s has %d bytes; an identifier has 1 to %d", what, len(id), maxIDBytes)
	}
	if _, err := gs1.Parse(id); err != nil {
		return malformedBy(ErrPayload, err, "%s", what)
	}
	return nil
}

func checkAddress(what string, a crypto.Address) error {
	if a.IsZero() {
		return malformed(ErrPayload, "%s is the zero address", what)
	}
	return nil
}

func checkKey(what string, k crypto.PublicKey) error {
	if _, err := crypto.ParsePublicKey(k[:]); err != nil {
		return malformedBy(ErrPayload, err, "%s", what)
	}
	return nil
}

func checkPrefix(p string) error {
	if err := gs1.ValidGCP(p); err != nil {
		return malformedBy(ErrPayload, err, "company prefix %q", p)
	}
	return nil
}

func (p *Capture) check() error {
	if p.Mode > Proceed {
		return malformed(ErrPayload, "capture mode %d is unknown", p.Mode)
	}
	if n := len(p.Events); n == 0 || n > MaxEvents {
		return malformed(ErrPayload, "a capture has 1 to %d events, got %d", MaxEvents, n)
	}
	return nil
}

func (p *RegisterOrganisation) check() error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if len(p.Roles) > maxRoles || len(p.Parties) > maxParties || len(p.Keys) > maxKeysAtOnce {
		return malformed(ErrPayload, "an organisation registers at most %d roles, %d parties and %d keys", maxRoles, maxParties, maxKeysAtOnce)
	}
	for i, r := range p.Roles {
		if slices.Contains(p.Roles[:i], r) {
			return malformed(ErrPayload, "role %q stands twice", r)
		}
		if len(r) > maxRoleBytes {
			return malformed(ErrPayload, "role %q is longer than %d bytes", r, maxRoleBytes)
		}
		if err := checkName(r); err != nil {
			return err
		}
	}
	for i, id := range p.Parties {
		if err := checkID("party "+id, id); err != nil {
			return err
		}
		if slices.Contains(p.Parties[:i], id) {
			return malformed(ErrPayload, "party %s stands twice", id)
		}
	}
	for i, k := range p.Keys {
		if err := checkKey("key", k); err != nil {
			return err
		}
		if slices.Contains(p.Keys[:i], k) {
			return malformed(ErrPayload, "key %s stands twice", k)
		}
	}
	return nil
}

func (p *AdmitOrganisation) check() error { return checkAddress("organisation", p.Organisation) }

func (p *AddKey) check() error { return checkKey("key", p.Key) }

func (p *RevokeKey) check() error { return checkKey("key", p.Key) }

func (p *ClaimPrefix) check() error { return checkPrefix(p.Prefix) }

func (p *ApprovePrefix) check() error {
	if err := checkPrefix(p.Prefix); err != nil {
		return err
	}
	return checkAddress("organisation", p.Organisation)
}

func (p *Delegate) check() error {
	if p.UntilMs < 0 {
		return malformed(ErrPayload, "a delegation until %d ms ends before 1970", p.UntilMs)
	}
	return checkScope(p.To, p.Scope)
}

func (p *RevokeDelegation) check() error { return checkScope(p.To, p.Scope) }

func checkScope(to crypto.Address, scope string) error {
	if err := checkAddress("delegate", to); err != nil {
		return err
	}
	if gs1.ValidGCP(scope) == nil {
		return nil
	}
	if err := checkID("scope", scope); err != nil {
		return err
	}
	if id, _ := gs1.Parse(scope); !id.IsClass() {
		return malformed(ErrPayload, "scope %q is neither a company prefix of 4 to 12 digits nor a class", scope)
	}
	return nil
}

func (p *PutMasterData) check() error {
	if p.Type != "product" && p.Type != "location" && p.Type != "party" {
		return malformed(ErrPayload, "master data type %q is not product, location or party", p.Type)
	}
	if err := checkID("id", p.ID); err != nil {
		return err
	}
	if err := p.checkType(); err != nil {
		return err
	}
	if n := len(p.Attributes); n == 0 || n > maxAttributes {
		return malformed(ErrPayload, "master data has 1 to %d attributes, got %d", maxAttributes, n)
	}
	for i, a := range p.Attributes {
		if a.Name == "" {
			return malformed(ErrPayload, "attribute %d has no name", i)
		}
		if err := checkRemark("name of attribute "+decimal(i), a.Name, maxAttrName); err != nil {
			return err
		}
		if err := checkProse("attribute "+decimal(i), a.Value, maxAttrBytes); err != nil {
			return err
		}
		if i > 0 && p.Attributes[i-1].Name >= a.Name {
			return malformed(ErrPayload, "attributes are not ascending by name, or %q stands twice", a.Name)
		}
	}
	return nil
}

// checkType refuses a product that is named as a place or party, and the other way round. Identifiers that are not GS1's may
// be any of them.
func (p *PutMasterData) checkType() error {
	id, _ := gs1.Parse(p.ID)
	place := false
	switch id.Key() {
	case gs1.KeySGLN, gs1.KeyPGLN, gs1.KeyPayTo:
		place = true
	case gs1.KeyGTIN, gs1.KeySGTIN, gs1.KeyLGTIN, gs1.KeySSCC:
	default:
		return nil
	}
	if place == (p.Type == "product") {
		return malformed(ErrPayload, "%s is a %s and cannot be a %s", p.ID, id.Key(), p.Type)
	}
	return nil
}

func (p *Transfer) check() error { return checkAddress("receiver", p.To) }

func (p *RegisterValidator) check() error {
	if err := checkKey("validator key", p.Key); err != nil {
		return err
	}
	if err := checkPeerKey(p.PeerKey, p.Key); err != nil {
		return err
	}
	return checkName(p.Name)
}

func checkPeerKey(peer, key crypto.PublicKey) error {
	if peer == key {
		return malformed(ErrPayload, "peer key %s is the validator key; a node needs another key towards its peers", peer)
	}
	return checkKey("peer key", peer)
}

func (p *Bond) check() error { return checkKey("validator key", p.Validator) }

func (p *Unbond) check() error { return checkKey("validator key", p.Validator) }

func (p *Unjail) check() error { return checkKey("validator key", p.Validator) }

func (p *RotateValidatorKey) check() error {
	if err := checkKey("present validator key", p.Old); err != nil {
		return err
	}
	if err := checkKey("new validator key", p.New); err != nil {
		return err
	}
	if p.Old == p.New {
		return malformed(ErrPayload, "the new validator key is the present one, %s", p.New)
	}
	if p.NewPeerKey.IsZero() {
		return nil
	}
	return checkPeerKey(p.NewPeerKey, p.New)
}
