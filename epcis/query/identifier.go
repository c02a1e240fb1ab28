package query

import (
	"strings"

	"waybill/epcis/gs1"
)

// Key returns the one spelling under which an identifier is compared: the canonical form of a GS1 identifier, anything
// else as it is.
func Key(id string) string {
	parsed, err := gs1.ParseLenient(id)
	if err != nil || parsed.IsZero() {
		return id
	}
	return parsed.Canonical()
}

// Pattern asks for identifiers: one exactly, all of a class, or all that a pattern URI stands for (EPCIS 2.0, section
// 8.2.7.1.1). A class (a GTIN, say, as a Digital Link URI or as urn:epc:idpat:sgtin:0614141.107346.*) stands for
// itself, its lots and its instances, since the two spellings are one thing; a lot stands for itself and for instances
// whose own identifier names it.
type Pattern struct {
	text string // as given
	gs1  gs1.Pattern
	id   gs1.ID // zero for a pattern with wildcards
}

// ParsePattern reads an identifier or a pattern; the error says what is wrong with it.
func ParsePattern(s string) (Pattern, error) {
	p, err := gs1.ParsePattern(s)
	if err != nil {
		return Pattern{}, err
	}
	// A pattern URI that ends in one wildcard may also be a class, which Parse reads.
	id, err := gs1.Parse(s)
	if err != nil {
		id = gs1.ID{}
	}
	return Pattern{text: s, gs1: p, id: id}, nil
}

// parseItem is ParsePattern for networks that keep identifiers which break a rule of their key: such a URI stands for
// itself, letter by letter.
func parseItem(s string) (Pattern, error) {
	p, err := ParsePattern(s)
	if err == nil {
		return p, nil
	}
	kept, _ := gs1.ParseLenient(s)
	if kept.IsZero() {
		return Pattern{}, err
	}
	return Pattern{text: s, id: kept}, nil
}

// Exact returns the key of the one identifier or class that the pattern names; false for a wider pattern.
func (p Pattern) Exact() (string, bool) { return p.id.Canonical(), !p.id.IsZero() }

// IsClass reports whether the pattern names one class, which also stands for its lots and instances.
func (p Pattern) IsClass() bool { return p.id.IsClass() }

// String returns the pattern as it was given.
func (p Pattern) String() string { return p.text }

// Match reports whether the pattern stands for the identifier, in whatever spelling.
func (p Pattern) Match(id string) bool {
	parsed, err := gs1.Parse(id)
	if err != nil {
		return id == p.text
	}
	return p.matchID(parsed)
}

func (p Pattern) matchID(id gs1.ID) bool {
	if p.gs1.Match(id) {
		return true
	}
	if class := id.Class(); !class.IsZero() && p.gs1.Match(class) {
		return true
	}
	return p.id.Key() == gs1.KeyLGTIN && id.Key() == gs1.KeySGTIN && id.Lot() == p.id.Lot() && id.Class().Equal(p.id.Class())
}

// Within reports whether a location is another, or lies within it as far as identifiers tell: a place with a GLN
// extension lies within the GLN. Both are keys.
func Within(location, ancestor string) bool {
	if location == ancestor {
		return true
	}
	rest, found := strings.CutPrefix(location, ancestor)
	return found && strings.HasPrefix(rest, "/254/")
}

// matchAny reports whether one of the patterns stands for one of the identifiers.
func matchAny(patterns []Pattern, lists ...[]string) bool {
	for _, list := range lists {
		for _, id := range list {
			for _, p := range patterns {
				if p.Match(id) {
					return true
				}
			}
		}
	}
	return false
}
