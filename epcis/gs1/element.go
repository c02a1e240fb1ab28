package gs1

import "strings"

// fnc1 separates fields of variable length in a plain element string, as scanners transmit it (GS, ISO/IEC 646).
const fnc1 = 0x1d

// maxElements bounds the AIs in one element string; GS1 symbols hold far fewer.
const maxElements = 32

// ElementString prints the identifier as a bracketed element string, (01)09506000134376(21)ABC, with everything that was
// spelled. A literal "(" in a value is written "\(" so that it cannot be taken for an AI. It fails with ErrNoForm for opaque
// URIs.
func (id ID) ElementString() (string, error) {
	if id.key == KeyNone || id.key == KeyOpaque {
		return "", fail(ErrNoForm, id.canonical, -1, "only GS1 keys can be written as element strings, not an %s", id.key)
	}
	var buf [outSize]byte
	out := buf[:0]
	path := id.DigitalLink()[len(canonicalStem)-1:]
	for path != "" {
		code, rest, _ := strings.Cut(path[1:], "/")
		end := strings.IndexByte(rest, '/')
		if end < 0 {
			end = len(rest)
		}
		out = append(append(append(out, '('), code...), ')')
		out = append(out, strings.ReplaceAll(unescape(rest[:end]), "(", `\(`)...)
		path = rest[end:]
	}
	return string(out), nil
}

// elements collects the AIs of one element string.
type elements struct {
	in         string
	primary    *primary
	value      value
	qualifiers [maxElements]pair
	n          int
}

// parseBracketed reads (AI)value(AI)value… in any order of AIs.
func parseBracketed(s string) (ID, error) {
	e := elements{in: s}
	for at := 0; at < len(s); {
		closing := strings.IndexByte(s[at:], ')')
		if closing < 0 {
			return ID{}, fail(ErrSyntax, s, at, "an AI in brackets needs its closing bracket")
		}
		start := at + closing + 1
		end := start
		for end < len(s) && s[end] != '(' {
			if s[end] == '\\' && end+1 < len(s) {
				end++
			}
			end++
		}
		if err := e.add(s[at+1:at+closing], at+1, value{text: s[start:end], at: start, esc: escBracket}); err != nil {
			return ID{}, err
		}
		at = end
	}
	return e.assemble()
}

// parsePlain reads an element string without brackets. Fields of predefined length follow each other directly, all others end at
// FNC1 (0x1D) or the end. A leading symbology identifier (]C1, ]d2, ]Q3, ]e0) or FNC1 is skipped.
//
// Source: GS1 General Specifications, section 7.8.
func parsePlain(s string) (ID, error) {
	if bareNumber(s) {
		return ID{}, fail(ErrSyntax, s, 0, "a bare number of %d digits could be a key without its AI; write it with the AI, as in (01)09506000134352", len(s))
	}
	e := elements{in: s}
	at := 0
	if s[0] == ']' {
		if !(strings.HasPrefix(s, "]C1") || strings.HasPrefix(s, "]d2") || strings.HasPrefix(s, "]Q3") || strings.HasPrefix(s, "]e0")) {
			return ID{}, fail(ErrSyntax, s, 0, "the symbology identifier is none of ]C1, ]d2, ]Q3, ]e0")
		}
		at = 3
	}
	if at < len(s) && s[at] == fnc1 {
		at++
	}
	for at < len(s) {
		width := aiWidth(s[at:])
		if width == 0 || at+width > len(s) {
			return ID{}, fail(ErrUnknownKey, s, at, "no application identifier starts here; GTINs and other keys need their AI, as in (01)09506000134376")
		}
		start := at + width
		end := at + predefinedLength(s[at:])
		if end == at {
			end = len(s)
			if i := strings.IndexByte(s[start:], fnc1); i >= 0 {
				end = start + i
			}
		} else if end > len(s) {
			return ID{}, fail(ErrLength, s, at, "the %s has %d characters, should have %d", title(s[at:start]), len(s)-start, end-start)
		}
		if err := e.add(s[at:start], at, value{text: s[start:end], at: start}); err != nil {
			return ID{}, err
		}
		at = end
		if at < len(s) && s[at] == fnc1 {
			at++
		}
	}
	return e.assemble()
}

// bareNumber reports whether s is as long as a numeric key and nothing but digits, so that its first digits may be an AI or not.
func bareNumber(s string) bool {
	switch len(s) {
	case 8, 12, 13, 14, 17, 18:
		return firstNonDigit(s) < 0
	}
	return false
}

// add checks the shape of one field and keeps what may identify.
func (e *elements) add(ai string, at int, v value) error {
	rule := ruleOf(ai)
	if rule == nil {
		return fail(ErrUnknownKey, e.in, at, "%q is not a GS1 application identifier", ai)
	}
	if e.n == maxElements {
		return fail(ErrLength, e.in, at, "an element string has at most %d elements", maxElements)
	}
	pr := primaryByAI(ai)
	if pr == nil {
		// AIs that turn out not to qualify the key are attributes: checked for shape, then forgotten.
		e.qualifiers[e.n] = pair{ai: ai, at: at, val: v}
		e.n++
		return rule.check(e.in, ai, v)
	}
	if e.primary != nil {
		return fail(ErrSyntax, e.in, at, "one identifier has one key, this has AI %s and AI %s", e.primary.ai, ai)
	}
	e.primary, e.value = pr, v
	return nil
}

// check verifies characters and length of a field.
func (r *aiRule) check(in, ai string, v value) error {
	n := 0
	for i := 0; i < len(v.text); i++ {
		c := v.text[i]
		if c == '\\' && v.esc == escBracket && i+1 < len(v.text) && v.text[i+1] == '(' {
			c = '('
			i++
		}
		set := r.set
		if n < r.lead {
			set = digits
		}
		if charClass[c]&set == 0 {
			return fail(ErrCharset, in, v.at+i, "%s in the %s is not in %s", showByte(c), title(ai), set)
		}
		n++
	}
	if n < r.min || n > r.max {
		return fail(ErrLength, in, v.at, "the %s has %d characters, should have %d to %d", title(ai), n, r.min, r.max)
	}
	return nil
}

// assemble builds the ID from the key and those AIs that qualify it.
func (e *elements) assemble() (ID, error) {
	pr := e.primary
	if pr == nil {
		return ID{}, fail(ErrUnknownKey, e.in, 0, "the element string has no identification key (AI 00, 01, 253, 255, 401, 402, 414, 415, 417, 8003, 8004, 8006, 8010, 8013, 8017 or 8018)")
	}
	p := parser{in: e.in}
	p.begin(pr)
	if err := p.primaryValue(pr, e.value, false); err != nil {
		return ID{}, err
	}
	for _, q := range e.qualifiers[:e.n] {
		slot := pr.slotOf(q.ai)
		if slot < 0 {
			continue
		}
		if p.qualifiers[slot].text != "" {
			return ID{}, fail(ErrSyntax, e.in, q.at, "the %s is given twice", title(q.ai))
		}
		p.qualifiers[slot] = q.val
	}
	return p.finish(pr, 0)
}
