package gs1

import "strings"

const urnStem = "urn:epc:"

// scheme describes an EPC URN scheme: urn:epc:id:<name>:<company prefix>.<reference>[.<tail>].
type scheme struct {
	name    string
	primary int  // index into primaries
	digits  int  // of prefix and reference together; 0 if the reference has other characters
	moved   bool // the reference starts with the digit that stands before the prefix in the key
	tail    tail
}

// tail says what follows the reference.
type tail uint8

const (
	tailNone   tail = iota
	tailGlued       // a serial that follows the digits of the key within one AI
	tailSerial      // AI 21
	tailLot         // AI 10
	tailTPX         // AI 235
	tailCPI         // AI 8011
	tailGLN         // AI 254; "0" stands for none
	tailPieces      // piece and total, then AI 21
)

// slot returns the qualifier slot that the tail fills, -1 if none.
func (t tail) slot() int {
	switch t {
	case tailSerial, tailPieces:
		return 2
	case tailLot:
		return 1
	case tailTPX:
		return alternateSlot
	case tailCPI, tailGLN:
		return 0
	}
	return -1
}

// schemes is the table of EPC URN schemes that are GS1 keys, the common ones first.
//
// Source: TDS 2.x, section 6.3.
var schemes = [...]scheme{
	{"sgtin", atGTIN, 13, true, tailSerial},
	{"lgtin", atGTIN, 13, true, tailLot},
	{"sscc", atSSCC, 17, true, tailNone},
	{"sgln", atSGLN, 12, false, tailGLN},
	{"pgln", atPGLN, 12, false, tailNone},
	{"grai", atGRAI, 12, false, tailGlued},
	{"giai", atGIAI, 0, false, tailNone},
	{"gsrn", atGSRN, 17, false, tailNone},
	{"gsrnp", atGSRNP, 17, false, tailNone},
	{"gdti", atGDTI, 12, false, tailGlued},
	{"sgcn", atGCN, 12, false, tailGlued},
	{"cpi", atCPI, 0, false, tailCPI},
	{"itip", atITIP, 13, true, tailPieces},
	{"upui", atGTIN, 13, true, tailTPX},
	{"ginc", atGINC, 0, false, tailNone},
	{"gsin", atGSIN, 16, false, tailNone},
}

// parseURN reads s, which starts with urn:epc: in any case. RFC 8141 makes that part case-insensitive; the kind and the scheme are
// read so too, because an identifier must not gain a second identity by capitals.
func parseURN(s string) (ID, error) {
	kindAt := len(urnStem)
	kind, rest, found := strings.Cut(s[kindAt:], ":")
	name, body, _ := strings.Cut(rest, ":")
	schemeAt := kindAt + len(kind) + 1
	bodyAt := schemeAt + len(name) + 1
	switch kind = strings.ToLower(kind); kind {
	case "id", "class", "idpat":
	case "tag", "raw", "pat":
		return ID{}, fail(ErrUnknownKey, s, kindAt, "urn:epc:%s: is how a tag stores an EPC; use the pure identity, urn:epc:id:…", kind)
	default:
		return parseOpaque(s)
	}
	name = strings.ToLower(name)
	if !found || bodyAt > len(s) {
		return ID{}, fail(ErrSyntax, s, len(s), "expected a scheme and a body, as in urn:epc:id:sgtin:0614141.107346.2017")
	}
	sc := schemeByName(name)
	if sc == nil {
		return parseOtherEPC(s, kind, name, body, schemeAt)
	}
	if (sc.tail == tailLot) != (kind == "class") {
		return ID{}, fail(ErrSyntax, s, kindAt, "%s is written urn:epc:%s:%s:…", name, sc.kind(), name)
	}
	p := parser{in: s}
	return p.urn(sc, value{text: body, at: bodyAt, esc: escURN}, kind == "idpat")
}

func schemeByName(name string) *scheme {
	for i := range schemes {
		if schemes[i].name == name {
			return &schemes[i]
		}
	}
	return nil
}

// kind is the part of the URN before the scheme.
func (sc *scheme) kind() string {
	if sc.tail == tailLot {
		return "class"
	}
	return "id"
}

// urn reads the body of a URN: prefix, reference and tail between dots.
func (p *parser) urn(sc *scheme, body value, pattern bool) (ID, error) {
	pr := &primaries[sc.primary]
	prefix, rest, ok := body.cut()
	if !ok {
		return ID{}, fail(ErrSyntax, p.in, body.at, "expected %s", sc.grammar())
	}
	if err := p.urnPrefix(prefix); err != nil {
		return ID{}, err
	}
	reference, tail := rest, value{}
	if sc.tail != tailNone {
		if reference, tail, ok = rest.cut(); !ok {
			return ID{}, fail(ErrSyntax, p.in, rest.at, "expected %s", sc.grammar())
		}
	}
	p.begin(pr)
	if sc.digits == 0 {
		if err := p.urnReference(pr, prefix, reference); err != nil {
			return ID{}, err
		}
	} else if err := p.urnDigits(sc, pr, prefix, reference); err != nil {
		return ID{}, err
	}
	if err := p.urnTail(sc, pr, tail, pattern); err != nil {
		return ID{}, err
	}
	return p.finish(pr, len(prefix.text))
}

// cut splits v at its first dot.
func (v value) cut() (before, after value, found bool) {
	i := strings.IndexByte(v.text, '.')
	if i < 0 {
		return v, value{}, false
	}
	before, after = v, v
	before.text, after.text = v.text[:i], v.text[i+1:]
	after.at += i + 1
	return before, after, true
}

// grammar is the form of the scheme's URNs, for error messages.
func (sc *scheme) grammar() string {
	form := "urn:epc:" + sc.kind() + ":" + sc.name + ":PREFIX.REFERENCE"
	switch sc.tail {
	case tailNone:
		return form
	case tailLot:
		return form + ".LOT"
	case tailGLN:
		return form + ".EXTENSION (0 for none)"
	case tailPieces:
		return form + ".PIECE.TOTAL.SERIAL"
	}
	return form + ".SERIAL"
}

func (p *parser) urnPrefix(v value) error {
	if v.text == "*" {
		return fail(ErrSyntax, p.in, v.at, "this is a pattern for queries, not an identifier: only the last part may be *")
	}
	if i := firstNonDigit(v.text); i >= 0 {
		return fail(ErrCharset, p.in, v.at+i, "%s in the GS1 company prefix should be a digit", showByte(v.text[i]))
	}
	if len(v.text) < MinGCP || len(v.text) > MaxGCP {
		return fail(ErrGCP, p.in, v.at, "the GS1 company prefix has %d digits, should have %d to %d", len(v.text), MinGCP, MaxGCP)
	}
	return nil
}

// urnDigits writes the digits of a key from prefix and reference, with the check digit that URNs leave out.
func (p *parser) urnDigits(sc *scheme, pr *primary, prefix, reference value) error {
	ref := reference.text
	if ref == "*" {
		return fail(ErrSyntax, p.in, reference.at, "this is a pattern for queries, not an identifier: only the last part may be *")
	}
	if i := firstNonDigit(ref); i >= 0 {
		return fail(ErrCharset, p.in, reference.at+i, "%s in the reference should be a digit", showByte(ref[i]))
	}
	if n := len(prefix.text) + len(ref); n != sc.digits {
		return fail(ErrLength, p.in, reference.at, "prefix and reference of a %s have %d digits together, these have %d", sc.name, sc.digits, n)
	}
	start := p.n
	switch {
	case sc.moved:
		p.put(ref[0])
		ref = ref[1:]
	case pr.key == KeyGRAI:
		p.put('0')
	}
	p.puts(prefix.text)
	p.puts(ref)
	p.put(checkDigit(p.out[start:p.n]))
	return nil
}

// urnReference writes a key that is a prefix followed by characters.
func (p *parser) urnReference(pr *primary, prefix, reference value) error {
	if reference.text == "*" && pr.set != set82 {
		return fail(ErrSyntax, p.in, reference.at, "this is a pattern for queries, not an identifier: only the last part may be *")
	}
	p.puts(prefix.text)
	return p.text(reference, pr.set, 1, pr.max-len(prefix.text), "reference")
}

// urnTail reads what follows the reference. In a pattern that must be *, for all things of the class.
func (p *parser) urnTail(sc *scheme, pr *primary, tail value, pattern bool) error {
	if sc.tail == tailPieces {
		var err error
		if tail, err = p.urnPieces(sc, tail); err != nil {
			return err
		}
	}
	if pattern {
		if sc.tail == tailNone || sc.tail == tailGLN || sc.tail == tailLot {
			return fail(ErrSyntax, p.in, len(urnStem), "a %s has no class; write %s", sc.name, sc.grammar())
		}
		if tail.text != "*" {
			return fail(ErrSyntax, p.in, tail.at, "the last part of a class pattern is *; write one thing as urn:epc:id:%s:…", sc.name)
		}
		return nil
	}
	if sc.tail == tailNone {
		return nil
	}
	if tail.text == "" {
		return fail(ErrLength, p.in, tail.at, "the last part is empty; expected %s", sc.grammar())
	}
	if sc.tail == tailGlued {
		return p.text(tail, pr.serial, 1, pr.serialMax, "serial")
	}
	p.qualifiers[sc.tail.slot()] = tail
	return nil
}

// urnPieces reads piece and total of an ITIP and returns what follows them.
func (p *parser) urnPieces(sc *scheme, v value) (value, error) {
	piece, rest, ok1 := v.cut()
	total, serial, ok2 := rest.cut()
	if !ok1 || !ok2 {
		return value{}, fail(ErrSyntax, p.in, v.at, "expected %s", sc.grammar())
	}
	for _, part := range [2]value{piece, total} {
		if len(part.text) != 2 || firstNonDigit(part.text) >= 0 {
			return value{}, fail(ErrSyntax, p.in, part.at, "piece and total of an itip are two digits each")
		}
	}
	start := p.n
	p.puts(piece.text)
	p.puts(total.text)
	return serial, p.verifyPieces(string(p.out[start:p.n]), piece.at)
}

// URN prints the identifier as an EPC URN. gcpLength is the number of digits of its GS1 company prefix; 0 takes the length that a
// URN it was parsed from showed. It fails with ErrGCP if the length is unknown or impossible, and with ErrNoForm for what URNs
// cannot say (GMN, payment references, a lot of an ITIP and other qualifiers without a scheme). An opaque URI that is a URN is
// returned as it is.
func (id ID) URN(gcpLength int) (string, error) {
	if id.key == KeyOpaque && hasPrefixFold(id.canonical, "urn:") {
		return id.canonical, nil
	}
	sc, err := id.scheme()
	if err != nil {
		return "", err
	}
	if gcpLength == 0 {
		gcpLength = int(id.gcpLen)
	}
	if gcpLength == 0 {
		return "", fail(ErrGCP, id.canonical, -1, "a URN shows where the GS1 company prefix ends, and its length is not known")
	}
	if gcpLength < MinGCP || gcpLength > MaxGCP || gcpLength > len(id.PrefixDigits()) {
		return "", fail(ErrGCP, id.canonical, -1, "a GS1 company prefix of %d digits does not fit a %s", gcpLength, id.key)
	}
	return id.appendURN(sc, gcpLength)
}

// scheme finds the URN scheme of id, if its qualifiers fit it.
func (id ID) scheme() (*scheme, error) {
	name := ""
	allowed := ""
	switch id.key {
	case KeyGTIN, KeySGTIN:
		name, allowed = "sgtin", "21"
	case KeyLGTIN:
		name, allowed = "lgtin", "10"
	case KeyUPUI:
		name, allowed = "upui", "235"
	case KeyITIP:
		name, allowed = "itip", "21"
	case KeySGLN:
		name, allowed = "sgln", "254"
	case KeyCPI:
		name, allowed = "cpi", "8011"
	case KeyGCN:
		name = "sgcn"
	case KeySSCC, KeyPGLN, KeyGRAI, KeyGIAI, KeyGSRN, KeyGSRNP, KeyGDTI, KeyGINC, KeyGSIN:
		name = strings.ToLower(id.key.String())
	default:
		return nil, fail(ErrNoForm, id.canonical, -1, "there is no EPC URN for a %s", id.key)
	}
	if q := id.rawQualifiers(); q != "" && (allowed == "" || qualifierIn(q, allowed) == "") {
		return nil, fail(ErrNoForm, id.canonical, -1, "an EPC URN cannot carry the qualifier %s of a %s", q[1:], id.key)
	}
	return schemeByName(name), nil
}

func (id ID) appendURN(sc *scheme, gcpLength int) (string, error) {
	var buf [outSize]byte
	out := append(buf[:0], urnStem...)
	serial := id.rawSerial()
	if id.key == KeyLGTIN {
		serial = qualifierIn(id.rawQualifiers(), "10")
	}
	switch {
	case sc.tail == tailLot:
		out = append(out, "class:"...)
	case serial == "" && sc.tail != tailNone && sc.tail != tailGLN:
		out = append(out, "idpat:"...)
		serial = "*"
	default:
		out = append(out, "id:"...)
	}
	out = append(append(out, sc.name...), ':')
	v, pr := id.rawValue(), &primaries[sc.primary]
	out = append(append(out, id.PrefixDigits()[:gcpLength]...), '.')
	switch {
	case sc.digits == 0 && len(v) == gcpLength:
		return "", fail(ErrGCP, id.canonical, -1, "a GS1 company prefix of %d digits leaves no reference", gcpLength)
	case sc.digits == 0:
		out = appendURNText(out, v[gcpLength:])
	default:
		if sc.moved {
			out = append(out, v[0])
		}
		out = append(out, v[pr.gcpAt+gcpLength:pr.checkAt()]...)
	}
	if sc.tail == tailPieces {
		out = append(append(out, '.'), v[gtinLen:gtinLen+2]...)
		out = append(append(out, '.'), v[gtinLen+2:]...)
	}
	if sc.tail == tailGLN && serial == "" {
		serial = "0"
	}
	if sc.tail != tailNone {
		out = append(out, '.')
		out = appendURNText(out, serial)
	}
	return string(out), nil
}

// appendURNText rewrites the escapes of a Digital Link path segment as those of an EPC URN.
func appendURNText(out []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			c = fromHex(s[i+1])<<4 | fromHex(s[i+2])
			i += 2
		}
		out = appendEscaped(out, c, urnLiteral)
	}
	return out
}
