package gs1

import "strings"

// Pattern matches identifiers: one exactly, or a set of EPCs by a pattern URI as EPCIS queries write them
// (urn:epc:idpat:sgtin:0614141.*.*). Its zero value matches nothing. Get one from [ParsePattern].
type Pattern struct {
	exact string // canonical form, if the pattern is one identifier

	scheme *scheme // else the EPC scheme
	prefix string  // and the company prefix; "" for any
	value  string  // and how the value of the key starts; "" for any
}

// ParsePattern reads a pattern: an EPC URN with * in place of its last parts, or any identifier that [Parse] accepts. A class
// pattern such as urn:epc:idpat:sgtin:0614141.107346.* matches the class itself and all its serials.
//
// Source: TDS 2.x section 9 (pure identity pattern URIs), EPCIS 2.0 section 8.2.7.1 (MATCH_epc).
func ParsePattern(s string) (Pattern, error) {
	if !hasPrefixFold(s, urnStem+"idpat:") || len(s) > MaxInput {
		id, err := Parse(s)
		return Pattern{exact: id.canonical}, err
	}
	bodyAt := len(urnStem + "idpat:")
	name, body, _ := strings.Cut(s[bodyAt:], ":")
	bodyAt += len(name) + 1
	sc := schemeByName(strings.ToLower(name))
	if sc == nil {
		return Pattern{}, fail(ErrUnknownKey, s, bodyAt-len(name)-1, "%q is not an EPC scheme with patterns", name)
	}
	parts := strings.Split(body, ".")
	wild := len(parts)
	for wild > 0 && parts[wild-1] == "*" {
		wild--
	}
	if wild == len(parts) || len(parts) != sc.parts() {
		return Pattern{}, fail(ErrSyntax, s, min(bodyAt, len(s)), "expected %s with * in place of the last parts", sc.grammar())
	}
	return parsePatternParts(s, bodyAt, sc, parts[:wild])
}

// parts counts the parts of the scheme's URNs.
func (sc *scheme) parts() int {
	switch sc.tail {
	case tailNone:
		return 2
	case tailPieces:
		return 5
	}
	return 3
}

// parsePatternParts checks the parts before the first *.
func parsePatternParts(s string, at int, sc *scheme, fixed []string) (Pattern, error) {
	p := Pattern{scheme: sc}
	if len(fixed) == 0 {
		return p, nil
	}
	prefix := value{text: fixed[0], at: at, esc: escURN}
	check := parser{in: s}
	if err := check.urnPrefix(prefix); err != nil {
		return Pattern{}, err
	}
	p.prefix = prefix.text
	if len(fixed) == 1 {
		return p, nil
	}
	pr := &primaries[sc.primary]
	reference := value{text: fixed[1], at: at + len(fixed[0]) + 1, esc: escURN}
	var err error
	if sc.digits == 0 {
		err = check.urnReference(pr, prefix, reference)
	} else {
		err = check.urnDigits(sc, pr, prefix, reference)
	}
	if err != nil {
		return Pattern{}, err
	}
	for _, part := range fixed[2:] {
		if len(part) != 2 || firstNonDigit(part) >= 0 {
			return Pattern{}, fail(ErrSyntax, s, at, "piece and total of an itip are two digits each")
		}
		check.puts(part)
	}
	p.value = string(check.out[:check.n])
	return p, nil
}

// Match reports whether id is one of those the pattern stands for.
func (p Pattern) Match(id ID) bool {
	if p.scheme == nil {
		return p.exact != "" && p.exact == id.canonical
	}
	if sc, err := id.scheme(); err != nil || sc != p.scheme {
		return false
	}
	switch {
	case p.value == "":
		return strings.HasPrefix(id.PrefixDigits(), p.prefix)
	case p.scheme.digits == 0:
		return id.rawValue() == p.value
	}
	return strings.HasPrefix(id.rawValue(), p.value)
}
