package gs1

// canonicalStem starts every canonical GS1 key.
const canonicalStem = "https://id.gs1.org/"

const gtinLen = 14

// primary describes a primary identification key: the first AI of a Digital Link.
//
// Numeric keys are digits, the last of which is the check digit, perhaps followed by a serial part that shares the AI. Keys that
// start with the company prefix and go on with other characters have digits 0, set and max instead.
type primary struct {
	ai, alpha string // application identifier, and its name in early versions of the Digital Link standard
	key       Key    // when no qualifier makes it another

	digits int // fixed digits, check digit included
	gcpAt  int // where the company prefix starts in them
	pieces int // digits of piece and total that follow (ITIP), else 0

	serial    charset // of the serial part glued to the digits; 0 if the key has none
	serialMax int

	set charset // of a key without fixed digits
	max int

	qualifiers [3]string // AIs that may follow, in this order; "" for none
	alternate  string    // AI that may follow instead of those
	required   bool      // qualifiers[0] must be there
}

// checkAt is the offset of the check digit.
func (p *primary) checkAt() int {
	return p.digits - 1
}

// index into primaries
const (
	atGTIN = iota
	atITIP
	atSSCC
	atSGLN
	atPGLN
	atPayTo
	atGRAI
	atGIAI
	atGSRN
	atGSRNP
	atGDTI
	atGCN
	atCPI
	atGMN
	atGINC
	atGSIN
	primaryCount
)

// primaries is the table of keys that may start a Digital Link.
//
// Sources: GS1 General Specifications, section 3; GS1 Digital Link Standard, URI Syntax, section 4.
var primaries = [primaryCount]primary{
	atGTIN: {ai: "01", alpha: "gtin", key: KeyGTIN, digits: gtinLen, gcpAt: 1,
		qualifiers: [3]string{"22", "10", "21"}, alternate: "235"},
	atITIP: {ai: "8006", alpha: "itip", key: KeyITIP, digits: gtinLen, gcpAt: 1, pieces: 4,
		qualifiers: [3]string{"22", "10", "21"}},
	atSSCC: {ai: "00", alpha: "sscc", key: KeySSCC, digits: 18, gcpAt: 1},
	atSGLN: {ai: "414", alpha: "gln", key: KeySGLN, digits: 13, qualifiers: [3]string{"254"}, alternate: "7040"},
	atPGLN: {ai: "417", alpha: "party", key: KeyPGLN, digits: 13, qualifiers: [3]string{"7040"}},
	atPayTo: {ai: "415", alpha: "payTo", key: KeyPayTo, digits: 13, qualifiers: [3]string{"8020"},
		required: true},
	atGRAI:  {ai: "8003", alpha: "grai", key: KeyGRAI, digits: 14, gcpAt: 1, serial: set82, serialMax: 16},
	atGIAI:  {ai: "8004", alpha: "giai", key: KeyGIAI, set: set82, max: 30, qualifiers: [3]string{"7040"}},
	atGSRN:  {ai: "8018", alpha: "gsrn", key: KeyGSRN, digits: 18, qualifiers: [3]string{"8019"}},
	atGSRNP: {ai: "8017", alpha: "gsrnp", key: KeyGSRNP, digits: 18, qualifiers: [3]string{"8019"}},
	atGDTI:  {ai: "253", alpha: "gdti", key: KeyGDTI, digits: 13, serial: set82, serialMax: 17},
	atGCN:   {ai: "255", alpha: "gcn", key: KeyGCN, digits: 13, serial: digits, serialMax: 12},
	atCPI:   {ai: "8010", alpha: "cpid", key: KeyCPI, set: set39, max: 30, qualifiers: [3]string{"8011"}},
	atGMN:   {ai: "8013", alpha: "gmn", key: KeyGMN, set: set82, max: 25},
	atGINC:  {ai: "401", alpha: "ginc", key: KeyGINC, set: set82, max: 30},
	atGSIN:  {ai: "402", alpha: "gsin", key: KeyGSIN, digits: 17},
}

// primaryOf finds the primary key of each kind of GS1 identifier. KeyNone and KeyOpaque have none; do not ask for theirs.
var primaryOf = [keyCount]uint8{
	KeyGTIN: atGTIN, KeyLGTIN: atGTIN, KeySGTIN: atGTIN, KeyUPUI: atGTIN, KeyITIP: atITIP, KeySSCC: atSSCC, KeySGLN: atSGLN,
	KeyPGLN: atPGLN, KeyPayTo: atPayTo, KeyGRAI: atGRAI, KeyGIAI: atGIAI, KeyGSRN: atGSRN, KeyGSRNP: atGSRNP, KeyGDTI: atGDTI,
	KeyGCN: atGCN, KeyCPI: atCPI, KeyGMN: atGMN, KeyGINC: atGINC, KeyGSIN: atGSIN,
}

// primaryByAI finds the primary key with that application identifier, nil if it is none.
func primaryByAI(ai string) *primary {
	for i := range primaries {
		if primaries[i].ai == ai {
			return &primaries[i]
		}
	}
	return nil
}

// aiByAlpha translates the convenience names of early Digital Links; "" if s is none.
func aiByAlpha(s string) string {
	switch s {
	case "cpv":
		return "22"
	case "lot":
		return "10"
	case "ser":
		return "21"
	case "tpx":
		return "235"
	case "glnx":
		return "254"
	case "refno":
		return "8020"
	case "srin":
		return "8019"
	case "cpsn":
		return "8011"
	case "partyGln":
		return "417"
	}
	for i := range primaries {
		if primaries[i].alpha == s {
			return primaries[i].ai
		}
	}
	return ""
}

// slotOf returns the place of qualifier ai among those of p: 0 to 2 in order, alternateSlot, or -1 if ai does not qualify p.
func (p *primary) slotOf(ai string) int {
	for i, q := range p.qualifiers {
		if q != "" && q == ai {
			return i
		}
	}
	if p.alternate != "" && p.alternate == ai {
		return alternateSlot
	}
	return -1
}

const (
	alternateSlot = 3
	slotCount     = 4
)

// aiIn returns the AI of a slot.
func (p *primary) aiIn(slot int) string {
	if slot == alternateSlot {
		return p.alternate
	}
	return p.qualifiers[slot]
}

// kind returns what p becomes when slot is the last qualifier present; slot is -1 for none.
func (p *primary) kind(slot int) Key {
	if p.key != KeyGTIN || slot < 0 {
		return p.key
	}
	return [slotCount]Key{KeyGTIN, KeyLGTIN, KeySGTIN, KeyUPUI}[slot]
}
