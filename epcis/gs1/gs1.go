// Package gs1 parses, checks and prints GS1 identifiers.
//
// One thing has three spellings: an EPC URN (urn:epc:id:sgtin:0614141.107346.2017), a GS1 Digital Link URI
// (https://id.gs1.org/01/10614141073464/21/2017) and an element string ((01)10614141073464(21)2017). [Parse] reads any of
// them and checks lengths, character sets and check digits; [ID.Canonical] prints the one spelling that the ledger uses as a
// key, so that two spellings of one thing are one key. The canonical spelling is the Digital Link URI on https://id.gs1.org
// with the primary key and the qualifiers that identify, in the order of the standard, GTINs as 14 digits, everything except
// RFC 3986 unreserved characters percent-encoded in upper case.
//
// What the spellings do not share is made explicit. A URN shows where the GS1 company prefix (GCP) ends, the other two do not:
// [ID.CompanyPrefix] answers only for URNs, [ID.PrefixDigits] gives the digits in which a registered prefix must be looked up,
// and [ID.URN] takes the length of the prefix.
//
// Any other absolute URI passes through unchanged as [KeyOpaque]: other naming schemes are legal in EPCIS. A URI that starts like a
// GS1 identifier and breaks its rules is an error; [ParseLenient] keeps it as an opaque one beside the error, for networks that
// record what the world has published.
//
// The package does not resolve Digital Links, does not know which prefixes GS1 has allocated, does not decompress compressed
// Digital Links, does not read data attributes (weights, dates) beyond checking their shape, and has no opinion on who may use
// an identifier. It imports none of our packages. Called by epcis (identifiers of events), ledger (keys and prefix rules), the
// indexes and the wallet. All functions are pure and may be called concurrently.
//
// Sources: GS1 General Specifications (sections 3 and 7.9), EPC Tag Data Standard 2.x (sections 6 and 7), GS1 Digital Link
// Standard: URI Syntax, GS1 Barcode Syntax Dictionary.
package gs1

import "strings"

// Key says what kind of identifier an [ID] is. The zero value, KeyNone, belongs to the zero ID only.
type Key uint8

// The kinds of identifiers. A comment shows an example in canonical form, without https://id.gs1.org.
const (
	KeyNone   Key = iota
	KeyGTIN       // a product, or with AI 22 a variant of it: /01/10614141073464
	KeyLGTIN      // a batch or lot of a product: /01/10614141073464/10/ABC
	KeySGTIN      // one serialised item: /01/10614141073464/21/2017
	KeyUPUI       // an item with a third-party unique identifier (tobacco): /01/01234567890128/235/51qIgY
	KeyITIP       // a piece of a trade item, serialised or not: /8006/040123451234560102/21/999
	KeySSCC       // a logistic unit: /00/106141412345678908
	KeySGLN       // a physical location, with or without extension: /414/0614141007775/254/1234
	KeyPGLN       // a party: /417/0614141007775
	KeyPayTo      // an invoicing party with its payment reference: /415/0614141007775/8020/INV1
	KeyGRAI       // a returnable asset, with serial, or its type, without: /8003/04012345555554987
	KeyGIAI       // an individual asset: /8004/4000001111
	KeyGSRN       // a service relation, recipient: /8018/061414100000102534
	KeyGSRNP      // a service relation, provider: /8017/401234500000987656
	KeyGDTI       // a document, with serial, or its type, without: /253/06141410000121618034
	KeyGCN        // a coupon, with serial, or its class, without (EPC scheme sgcn): /255/401234599999544
	KeyCPI        // a component or part, with serial, or its class, without: /8010/4012345ABC/8011/123
	KeyGMN        // a product model: /8013/1987654Ad4X4bL5ttr2310c2K
	KeyGINC       // a consignment: /401/4012345333
	KeyGSIN       // a shipment: /402/40123452223334443
	KeyOpaque     // any other absolute URI, the EPC schemes that are not GS1 keys included: urn:epc:id:bic:CSQU3054383
	keyCount
)

var keyNames = [keyCount]string{
	KeyNone: "none", KeyGTIN: "GTIN", KeyLGTIN: "LGTIN", KeySGTIN: "SGTIN", KeyUPUI: "UPUI", KeyITIP: "ITIP", KeySSCC: "SSCC",
	KeySGLN: "SGLN", KeyPGLN: "PGLN", KeyPayTo: "GLN pay-to", KeyGRAI: "GRAI", KeyGIAI: "GIAI", KeyGSRN: "GSRN",
	KeyGSRNP: "GSRNP", KeyGDTI: "GDTI", KeyGCN: "GCN", KeyCPI: "CPI", KeyGMN: "GMN", KeyGINC: "GINC", KeyGSIN: "GSIN",
	KeyOpaque: "opaque URI",
}

// String returns the name of the kind as GS1 writes it, for example "SGTIN".
func (k Key) String() string {
	if k < keyCount {
		return keyNames[k]
	}
	return "invalid"
}

// ID is one checked identifier. Its zero value is no identifier; every other value comes from [Parse].
//
// An ID is comparable, but == also compares what only some spellings carry (the prefix length of a URN, the lot beside a
// serial). To ask whether two IDs name the same thing compare [ID.Canonical], or call [ID.Equal].
type ID struct {
	canonical string
	extra     string // "/22/…/10/…" that was spelled beside a serial number and does not identify
	key       Key
	gcpLen    uint8 // known from a URN, else 0
}

// Key returns the kind of the identifier.
func (id ID) Key() Key { return id.key }

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id.key == KeyNone }

// Canonical returns the one spelling under which the thing is known on the ledger: the Digital Link URI on https://id.gs1.org
// for GS1 keys, the URI itself for opaque ones. [Parse] of it gives an ID with the same Canonical.
func (id ID) Canonical() string { return id.canonical }

// String is [ID.Canonical].
func (id ID) String() string { return id.canonical }

// Equal reports whether both name the same thing, however they were spelled.
func (id ID) Equal(other ID) bool { return id.key == other.key && id.canonical == other.canonical }

// IsClass reports whether id names a kind of thing of which there may be many (GTIN, LGTIN, GMN, or GRAI, GDTI, GCN, CPI, ITIP
// without serial), which is what EPCIS quantity lists hold. False for opaque URIs, of which nobody knows.
func (id ID) IsClass() bool {
	switch id.key {
	case KeyGTIN, KeyLGTIN, KeyGMN:
		return true
	case KeyGRAI, KeyGDTI, KeyGCN, KeyCPI, KeyITIP:
		return id.rawSerial() == ""
	}
	return false
}

// IsInstance reports whether id names exactly one thing (an item, a unit, a place, a party, a document), which is what EPCIS
// epcLists hold. False for opaque URIs, of which nobody knows.
func (id ID) IsInstance() bool {
	return id.key != KeyNone && id.key != KeyOpaque && !id.IsClass()
}

// Value returns the primary key as digits (or characters, for GIAI, CPI, GMN and GINC), check digit included and percent-escapes
// undone: 14 digits for everything that starts with a GTIN. Empty for opaque URIs.
func (id ID) Value() string { return unescape(id.rawValue()) }

// GTIN returns the 14 digits of the trade item an item, lot or piece belongs to; false for keys that have none.
func (id ID) GTIN() (string, bool) {
	switch id.key {
	case KeyGTIN, KeyLGTIN, KeySGTIN, KeyUPUI, KeyITIP:
		return id.rawValue()[:gtinLen], true
	}
	return "", false
}

// Serial returns what tells one instance of the class from another: AI 21, 235 or 8011, the serial part of GRAI, GDTI and GCN,
// the extension (AI 254) of a GLN. Empty where there is none.
func (id ID) Serial() string { return unescape(id.rawSerial()) }

// Lot returns the batch or lot (AI 10): of an LGTIN, or of an item whose Digital Link or element string names its lot beside
// its serial. The lot of a serialised item is information, not identity: it is not in [ID.Canonical].
func (id ID) Lot() string {
	if id.key == KeyOpaque {
		return ""
	}
	return id.Qualifier("10")
}

// Qualifier returns the value of a key qualifier by its AI, for example "22" for the consumer product variant, "8019" for the
// service relation instance, "8020" for a payment reference. Empty where id has none.
func (id ID) Qualifier(ai string) string {
	if v := qualifierIn(id.extra, ai); v != "" {
		return unescape(v)
	}
	return unescape(qualifierIn(id.rawQualifiers(), ai))
}

// Class returns the class an instance or lot belongs to: the GTIN of an SGTIN, LGTIN, UPUI or variant, the GRAI, GDTI, GCN, CPI
// or ITIP without serial. A class without a wider class returns itself. The zero ID where there is no class, as for an SSCC or a GLN.
func (id ID) Class() ID {
	start := id.valueStart()
	end := start + len(id.rawValue())
	switch id.key {
	case KeyGMN:
		return id
	case KeyGTIN, KeyLGTIN, KeySGTIN, KeyUPUI:
		return ID{canonical: id.canonical[:end], key: KeyGTIN, gcpLen: id.gcpLen}
	case KeyGRAI, KeyGDTI, KeyGCN:
		return ID{canonical: id.canonical[:start+primaries[primaryOf[id.key]].digits], key: id.key, gcpLen: id.gcpLen}
	case KeyCPI, KeyITIP:
		return ID{canonical: id.canonical[:end], key: id.key, gcpLen: id.gcpLen}
	}
	return ID{}
}

// CompanyPrefix returns the GS1 company prefix as the author's URN delimits it. False if id was not spelled as a URN: the other
// spellings do not say where the prefix ends. It is the author's word; compare with registered prefixes by [ID.HasPrefix].
func (id ID) CompanyPrefix() (string, bool) {
	if id.gcpLen == 0 {
		return "", false
	}
	return id.PrefixDigits()[:id.gcpLen], true
}

// PrefixDigits returns the digits of the key from the position where its GS1 company prefix starts, without the check digit.
// That position is after the indicator digit of a GTIN, the extension digit of an SSCC and the filler zero of a GRAI, and at the
// start of all others. Keys with letters (GIAI, CPI, GMN, GINC) end at the first character that is not a digit. Empty for
// opaque URIs. A GTIN-8 has no company prefix; its digits start with five zeros.
//
// Source: GS1 General Specifications, section 1.4.
func (id ID) PrefixDigits() string {
	if id.key == KeyNone || id.key == KeyOpaque {
		return ""
	}
	p := &primaries[primaryOf[id.key]]
	v := id.rawValue()
	if p.digits > 0 {
		return v[p.gcpAt:p.checkAt()]
	}
	if n := firstNonDigit(v); n >= 0 {
		return v[:n]
	}
	return v
}

// HasPrefix reports whether the identifier lies under the company prefix gcp, by digit position. False for opaque URIs and for
// a gcp that [ValidGCP] refuses.
func (id ID) HasPrefix(gcp string) bool {
	return ValidGCP(gcp) == nil && strings.HasPrefix(id.PrefixDigits(), gcp)
}

// The parts of the canonical form. All are sub-strings of it and still percent-encoded.

// valueStart is the offset of the primary key's value in the canonical form of a GS1 key.
func (id ID) valueStart() int {
	return len(canonicalStem) + len(primaries[primaryOf[id.key]].ai) + 1
}

func (id ID) rawValue() string {
	if id.key == KeyNone || id.key == KeyOpaque {
		return ""
	}
	v := id.canonical[id.valueStart():]
	if i := strings.IndexByte(v, '/'); i >= 0 {
		return v[:i]
	}
	return v
}

func (id ID) rawQualifiers() string {
	if id.key == KeyNone || id.key == KeyOpaque {
		return ""
	}
	return id.canonical[id.valueStart()+len(id.rawValue()):]
}

func (id ID) rawSerial() string {
	switch id.key {
	case KeyGRAI, KeyGDTI, KeyGCN:
		return id.rawValue()[primaries[primaryOf[id.key]].digits:]
	case KeySGTIN, KeyITIP:
		return qualifierIn(id.rawQualifiers(), "21")
	case KeyUPUI:
		return qualifierIn(id.rawQualifiers(), "235")
	case KeySGLN:
		return qualifierIn(id.rawQualifiers(), "254")
	case KeyCPI:
		return qualifierIn(id.rawQualifiers(), "8011")
	}
	return ""
}

// qualifierIn finds the value of ai in a path of pairs such as "/22/2A/10/ABC".
func qualifierIn(path, ai string) string {
	for path != "" {
		code, rest, _ := strings.Cut(path[1:], "/")
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		if code == ai {
			return rest[:end]
		}
		path = rest[end:]
	}
	return ""
}
