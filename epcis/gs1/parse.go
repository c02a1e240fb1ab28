package gs1

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxInput is the longest identifier that Parse accepts, in bytes.
const MaxInput = 2048

// Parse reads an identifier in any spelling: an EPC URN, a Digital Link URI on any host, an element string (bracketed, or plain
// with FNC1 as byte 0x1D), or any other absolute URI, which passes through as [KeyOpaque]. Something that starts like a GS1
// identifier and is not a valid one is an error, never an opaque URI; see parseDigitalLink for where an https URI starts to be
// one. Errors are *[ParseError]. Parse of an ID's Canonical gives an ID with that Canonical.
func Parse(s string) (ID, error) {
	if len(s) > MaxInput {
		return ID{}, fail(ErrLength, s, -1, "an identifier has at most %d bytes, this has %d", MaxInput, len(s))
	}
	if s == "" {
		return ID{}, fail(ErrLength, s, -1, "an identifier is not empty")
	}
	switch c := s[0]; {
	case c|0x20 == 'u' && hasPrefixFold(s, urnStem):
		return parseURN(s)
	case c|0x20 == 'h' && (hasPrefixFold(s, "https://") || hasPrefixFold(s, "http://")):
		return parseDigitalLink(s)
	case c == '(':
		return parseBracketed(s)
	case c-'0' <= 9, c == fnc1, c == ']':
		return parsePlain(s)
	}
	return parseOpaque(s)
}

// ParseLenient is Parse for those who must keep what others have published. A URI that starts like a GS1 identifier and is not a
// valid one comes back as a [KeyOpaque] ID whose Canonical is the URI itself, together with the error that Parse gives. Such an ID
// never equals a valid one. Input that is not even an absolute URI gives the zero ID and the error.
func ParseLenient(s string) (ID, error) {
	id, err := Parse(s)
	if err == nil || len(s) > MaxInput {
		return id, err
	}
	if kept, keepErr := parseOpaque(s); keepErr == nil {
		return kept, err
	}
	return ID{}, err
}

// parseOpaque checks that s is an absolute URI (RFC 3986 section 3, or an IRI) that can be printed.
func parseOpaque(s string) (ID, error) {
	for i := range len(s) {
		c := s[i]
		if c == ':' && i > 0 && i+1 < len(s) {
			return opaque(s)
		}
		letter := (c|0x20)-'a' < 26
		if !letter && (i == 0 || c-'0' > 9 && c != '+' && c != '-' && c != '.') {
			break
		}
	}
	return ID{}, fail(ErrSyntax, s, 0, "expected an EPC URN (urn:epc:id:…), a Digital Link (https://…), an element string ((01)…) or another absolute URI")
}

// opaque returns s as it is, if nothing in it is unprintable.
func opaque(s string) (ID, error) {
	for i := 0; i < len(s); {
		c := s[i]
		if c > ' ' && c < 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return ID{}, fail(ErrCharset, s, i, "%s is not UTF-8", showByte(c))
		}
		if r == ' ' || !unicode.IsPrint(r) {
			return ID{}, fail(ErrCharset, s, i, "U+%04X must be percent-encoded in a URI", r)
		}
		i += size
	}
	return ID{canonical: s, key: KeyOpaque}, nil
}

// hasPrefixFold is strings.HasPrefix without regard to ASCII case; prefix is in lower case.
func hasPrefixFold(s, prefix string) bool {
	if strings.HasPrefix(s, prefix) {
		return true
	}
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// escaping says how characters may be escaped in the spelling a value comes from.
type escaping uint8

const (
	escNone    escaping = iota // plain element string
	escBracket                 // \( in a bracketed element string
	escLink                    // %28 in a Digital Link, where characters may also stand for themselves
	escURN                     // %28 in an EPC URN, where those outside urnLiteral must be escaped
)

// value is a part of the input that has not been checked.
type value struct {
	text string
	at   int // offset in the input
	esc  escaping
}

// parser writes the canonical form while it checks the parts of one input. The output is an array in place, not a slice, so that
// a parser stays on the stack although errors keep its input.
type parser struct {
	in  string
	n   int // bytes of out in use
	out [outSize]byte
	// qualifiers by slot of the primary key; those absent have no text.
	qualifiers [slotCount]value
}

// outSize holds any canonical form with its extra part: an ITIP with variant, lot and serial, every character of them escaped, has
// 234 bytes. Nothing is written before its length is known to be within the limits of its key.
const outSize = 256

func (p *parser) put(c byte) {
	p.n += copy(p.out[p.n:], []byte{c})
}

func (p *parser) puts(s string) {
	p.n += copy(p.out[p.n:], s)
}

// putEscaped writes c as it stands in a Digital Link path segment.
func (p *parser) putEscaped(c byte) {
	if charClass[c]&unreserved != 0 {
		p.put(c)
		return
	}
	p.put('%')
	p.put(hexDigits[c>>4])
	p.put(hexDigits[c&15])
}

// text checks the characters and the length of v and appends it as a Digital Link path segment. name is for error messages: an
// AI, or words.
func (p *parser) text(v value, set charset, minLen, maxLen int, name string) error {
	n := 0
	for i := 0; i < len(v.text); i++ {
		c, at := v.text[i], v.at+i
		switch {
		case c == '%' && v.esc >= escLink:
			if i+2 >= len(v.text) || fromHex(v.text[i+1]) > 15 || fromHex(v.text[i+2]) > 15 {
				return fail(ErrSyntax, p.in, at, "%% must be followed by two hexadecimal digits")
			}
			c = fromHex(v.text[i+1])<<4 | fromHex(v.text[i+2])
			i += 2
		case c == '\\' && v.esc == escBracket && i+1 < len(v.text) && v.text[i+1] == '(':
			c = '('
			i++
		case v.esc == escURN && charClass[c]&urnLiteral == 0 && charClass[c]&set != 0:
			return fail(ErrSyntax, p.in, at, "%s must be written %%%02X in a URN", showByte(c), c)
		}
		if charClass[c]&set == 0 {
			return fail(ErrCharset, p.in, at, "%s in the %s is not in %s", showByte(c), title(name), set)
		}
		if n++; n <= maxLen {
			p.putEscaped(c)
		}
	}
	if n < minLen || n > maxLen {
		return p.lengthError(v.at, name, n, minLen, maxLen)
	}
	return nil
}

func (p *parser) lengthError(at int, name string, n, minLen, maxLen int) error {
	if minLen == maxLen {
		return fail(ErrLength, p.in, at, "the %s has %d characters, should have %d", title(name), n, minLen)
	}
	return fail(ErrLength, p.in, at, "the %s has %d characters, should have %d to %d", title(name), n, minLen, maxLen)
}

// appendEscaped appends c, percent-encoded unless it is in plain.
func appendEscaped(out []byte, c byte, plain charset) []byte {
	if charClass[c]&plain != 0 {
		return append(out, c)
	}
	return append(out, '%', hexDigits[c>>4], hexDigits[c&15])
}

const hexDigits = "0123456789ABCDEF"

// begin writes the stem and AI of the primary key.
func (p *parser) begin(pr *primary) {
	p.puts(canonicalStem)
	p.puts(pr.ai)
	p.put('/')
}

// primaryValue checks the complete value of a primary key, check digit included, as Digital Links and element strings have it.
func (p *parser) primaryValue(pr *primary, v value, shortGTIN bool) error {
	if pr.digits == 0 {
		return p.prefixedValue(pr, v)
	}
	if v.esc == escLink && strings.IndexByte(v.text, '%') >= 0 {
		if unescaped := unescape(v.text); firstNonDigit(unescaped) < 0 {
			v.text = unescaped
		}
	}
	text, missing := v.text, 0
	if pr.key == KeyGTIN && shortGTIN && (len(text) == 8 || len(text) == 12 || len(text) == 13) {
		missing = gtinLen - len(text)
		p.puts("000000"[:missing])
	}
	fixed := pr.digits + pr.pieces - missing
	if i := firstNonDigit(text[:min(fixed, len(text))]); i >= 0 {
		return fail(ErrCharset, p.in, v.at+i, "%s in the %s should be a digit", showByte(text[i]), title(pr.ai))
	}
	if len(text) < fixed || len(text) > fixed && pr.serial == 0 {
		return p.lengthError(v.at, pr.ai, len(text), fixed, fixed)
	}
	if pr.key == KeyGRAI && text[0] != '0' {
		return fail(ErrValue, p.in, v.at, "the first digit of a GRAI in AI 8003 is %c, should be the filler 0", text[0])
	}
	check := pr.checkAt() - missing
	if err := p.verifyCheckDigit(pr, text, check, v.at); err != nil {
		return err
	}
	p.puts(text[:fixed])
	if pr.pieces > 0 {
		return p.verifyPieces(text[check+1:fixed], v.at+check+1)
	}
	serial := value{text: text[fixed:], at: v.at + fixed, esc: v.esc}
	return p.text(serial, pr.serial, 0, pr.serialMax, "serial part")
}

func (p *parser) verifyCheckDigit(pr *primary, text string, at, offset int) error {
	if want := checkDigit(text[:at]); want != text[at] {
		return fail(ErrCheckDigit, p.in, offset+at, "the check digit of the %s is %c, should be %c", title(pr.ai), text[at], want)
	}
	return nil
}

// verifyPieces checks piece and total of an ITIP, two digits each: piece counts from 01 and is at most total.
func (p *parser) verifyPieces(s string, at int) error {
	if piece, total := s[:2], s[2:]; piece == "00" || piece > total {
		return fail(ErrValue, p.in, at, "piece %s of %s: pieces count from 01 to the total", piece, total)
	}
	return nil
}

// prefixedValue checks a key that starts with a company prefix and goes on with characters of its set.
func (p *parser) prefixedValue(pr *primary, v value) error {
	start := p.n
	if err := p.text(v, pr.set, MinGCP+1, pr.max, pr.ai); err != nil {
		return err
	}
	written := p.out[start:p.n]
	for i := range MinGCP {
		if written[i]-'0' > 9 {
			return fail(ErrGCP, p.in, v.at, "a %s starts with a GS1 company prefix of at least %d digits", pr.key, MinGCP)
		}
	}
	if pr.key == KeyGMN {
		return p.verifyCheckPair(unescape(string(written)), v.at)
	}
	return nil
}

func (p *parser) verifyCheckPair(gmn string, at int) error {
	body, pair := gmn[:len(gmn)-2], gmn[len(gmn)-2:]
	want, err := CheckPair(body)
	if err != nil {
		return err
	}
	if pair != want {
		return fail(ErrCheckDigit, p.in, at+len(body), "the check characters of the GMN are %s, should be %s", pair, want)
	}
	return nil
}

// finish appends the qualifiers and returns the ID. Only the last qualifier identifies: a serial number is unique within its
// GTIN and a lot within its GTIN, so a variant or lot beside a serial, or a variant beside a lot, goes to the extra part.
//
// Source: GS1 General Specifications, sections 3.4.1 and 3.5.2; TDS 2.x section 6.3 (the SGTIN carries neither lot nor variant).
func (p *parser) finish(pr *primary, gcpLen int) (ID, error) {
	last, err := p.lastQualifier(pr)
	if err != nil {
		return ID{}, err
	}
	id := ID{key: pr.kind(last), gcpLen: uint8(gcpLen)}
	start := p.n
	for slot := range last {
		if err := p.qualifier(pr, slot); err != nil {
			return ID{}, err
		}
	}
	if p.n > start {
		id.extra = string(p.out[start:p.n])
		p.n = start
	}
	if last >= 0 {
		if err := p.qualifier(pr, last); err != nil {
			return ID{}, err
		}
	}
	if string(p.out[:p.n]) == p.in {
		id.canonical = p.in
	} else {
		id.canonical = string(p.out[:p.n])
	}
	return id, nil
}

// lastQualifier finds the last slot in use, -1 for none, and refuses combinations that the standard does not know.
func (p *parser) lastQualifier(pr *primary) (int, error) {
	if pr.key == KeySGLN && unescape(p.qualifiers[0].text) == "0" {
		p.qualifiers[0] = value{} // TDS 2.x section 6.3.3: extension 0 stands for no extension
	}
	last := -1
	for slot := range slotCount {
		if p.qualifiers[slot].text != "" {
			if slot == alternateSlot && last >= 0 {
				return 0, fail(ErrSyntax, p.in, p.qualifiers[slot].at, "a %s has AI %s or AI %s, not both", pr.key, pr.aiIn(last), pr.alternate)
			}
			last = slot
		}
	}
	if pr.required && last < 0 {
		return 0, fail(ErrSyntax, p.in, -1, "a %s (AI %s) needs AI %s", pr.key, pr.ai, pr.qualifiers[0])
	}
	return last, nil
}

// qualifier checks one qualifier and appends it; absent ones are skipped.
func (p *parser) qualifier(pr *primary, slot int) error {
	v := p.qualifiers[slot]
	if v.text == "" {
		return nil
	}
	ai := pr.aiIn(slot)
	p.put('/')
	p.puts(ai)
	p.put('/')
	start := p.n
	set, minLen, maxLen := qualifierRule(ai)
	if err := p.text(v, set, minLen, maxLen, ai); err != nil {
		return err
	}
	switch written := p.out[start:p.n]; {
	case ai == "8011" && len(written) > 1 && written[0] == '0':
		return fail(ErrValue, p.in, v.at, "the component serial (AI 8011) must not start with 0")
	case ai == "7040" && written[0]-'0' > 9:
		return fail(ErrCharset, p.in, v.at, "AI 7040 starts with a digit, not with %s", showByte(written[0]))
	}
	return nil
}

// qualifierRule returns the character set and lengths of a qualifier. It repeats rows of aiRules, which are slow to search.
func qualifierRule(ai string) (set charset, minLen, maxLen int) {
	switch ai {
	case "10", "21", "22", "254":
		return set82, 1, 20
	case "235":
		return set82, 1, 28
	case "8011":
		return digits, 1, 12
	case "8019":
		return digits, 1, 10
	case "8020":
		return set82, 1, 25
	}
	return set82, 4, 4 // 7040
}
