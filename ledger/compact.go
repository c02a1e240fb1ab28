package ledger

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"waybill/crypto"
)

// How the records that nearly every event writes say in few bytes what they say: see "Records" in the package doc. What one
// function writes the other reads, and refuses all else, so that a record has one spelling.

// Short texts. Most are canonical identifiers, which begin with the same bytes.
const (
	webStem    = "https://id.gs1.org" // and then a slash
	textEscape = "~"
)

// short is what is written of a text.
func short(s string) string {
	switch {
	case len(s) > len(webStem) && s[len(webStem)] == '/' && s[:len(webStem)] == webStem:
		return s[len(webStem):]
	case s != "" && (s[0] == '/' || s[0] == textEscape[0]):
		return textEscape + s
	}
	return s
}

// long returns the text that a short one stands for, in two parts; false if nothing is written so.
func long(short []byte) (stem string, rest []byte, ok bool) {
	switch {
	case !utf8.Valid(short):
		return "", nil, false
	case len(short) == 0:
		return "", short, true
	case short[0] == '/':
		return webStem, short, true
	case short[0] == textEscape[0]:
		return "", short[1:], len(short) > 1 && (short[1] == '/' || short[1] == textEscape[0])
	}
	return "", short, len(short) <= len(webStem) || short[len(webStem)] != '/' || string(short[:len(webStem)]) != webStem
}

// readText reads a short text and appends the one that it stands for to those before it.
func readText(p *crypto.PlainCBOR, all []byte) (with []byte, end int) {
	stem, rest, ok := long(p.SharedText())
	if !ok {
		p.Fail()
	}
	all = append(append(all, stem...), rest...)
	return all, len(all)
}

// ownText makes one string of texts that were read, of which the texts are parts.
func ownText(p *crypto.PlainCBOR, all []byte) string {
	p.Take(2, len(all)+len(all)/8) // texts are never much longer than what they are read from
	return string(all)
}

// textRoom is for the texts of most records.
const textRoom = 192

// maxSharedStem bounds the beginning that the texts of a list share: that of the serials of one product is so long. Nor does
// a text take much more memory than the bytes that stand for it, or a list as long as maxContents could be written and not
// read again.
const maxSharedStem = len("/01/09521321000012/21/")

// shortTexts appends a list of texts: the beginning that all of them share, if there are two, and what follows it in each.
func shortTexts(b []byte, list []string) []byte {
	stem := ""
	if len(list) > 1 {
		stem = short(list[0])
		stem = stem[:min(len(stem), maxSharedStem)]
		for _, s := range list[1:] {
			stem = stem[:sharedStem(stem, short(s))]
		}
	}
	b = crypto.AppendArray(crypto.AppendBytes(b, []byte(stem)), len(list))
	for _, s := range list {
		s = short(s)[len(stem):]
		b = crypto.AppendBytes(b, []byte(s))
	}
	return b
}

// sharedStem is how many bytes two texts begin with alike.
func sharedStem[A, B string | []byte](a A, b B) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func parseShortTexts(p *crypto.PlainCBOR) []string {
	stem := p.Shared()
	list := make([]string, p.Array(16))
	size, again := 0, *p
	for range list {
		size += len(webStem) + len(stem) + len(again.Shared())
	}
	if again.Bad() || len(stem) > maxSharedStem || len(stem) > 0 && len(list) < 2 || !p.Take(1, size) {
		p.Fail()
		return list
	}
	var all strings.Builder // never grows, so that what was read from it stays
	all.Grow(size)
	var first []byte
	alike := len(list) > 1 && len(stem) < maxSharedStem // the next byte too: it would be in the stem
	var room [128]byte
	joined := room[:0]
	for i := range list {
		rest := p.Shared()
		if i == 0 {
			first = rest
		}
		alike = alike && sharedStem(first, rest) > 0
		joined = append(append(joined[:0], stem...), rest...)
		begin, end, ok := long(joined)
		if !ok {
			p.Fail()
		}
		from := all.Len()
		all.WriteString(begin)
		all.Write(end)
		list[i] = all.String()[from:]
	}
	if alike {
		p.Fail()
	}
	return list
}

// Distinct names. What brought a thing about often did so in several respects: three hashes or addresses are written as those
// that differ, without zero, in the order of their first use, and two bits for each of the three: 0 for zero, else which.

// distinct finds the ones that differ.
func distinct(three *[3][]byte) (kept [3][]byte, n int, which uint64) {
	var zero crypto.Hash
	for i, v := range three {
		if bytes.Equal(v, zero[:len(v)]) {
			continue
		}
		at := 0
		for at < n && !bytes.Equal(kept[at], v) {
			at++
		}
		if at == n {
			kept[n], n = v, n+1
		}
		which |= uint64(at+1) << (2 * i)
	}
	return kept, n, which
}

// appendDistinct appends the ones that differ, and returns which each of the three is.
func appendDistinct(b []byte, three [3][]byte) ([]byte, uint64) {
	kept, n, which := distinct(&three)
	b = crypto.AppendBytesHead(b, n*len(three[0]))
	for _, v := range kept[:n] {
		b = append(b, v...)
	}
	return b, which
}

// parseDistinct reads three from the ones that differ and which each of them is.
func parseDistinct(p *crypto.PlainCBOR, list []byte, which uint64, three [3][]byte) {
	size := len(three[0])
	for i, out := range three {
		if at := int(which>>(2*i)&3) * size; at > len(list) {
			p.Fail()
		} else if at > 0 {
			copy(out, list[at-size:at])
		}
	}
	kept, n, used := distinct(&three)
	if used != which || n*size != len(list) {
		p.Fail()
		return
	}
	for i, v := range kept[:n] {
		if !bytes.Equal(v, list[i*size:(i+1)*size]) {
			p.Fail()
		}
	}
}

// orNothing appends a hash; that of nothing as no bytes.
func orNothing(b []byte, h *crypto.Hash) []byte {
	if h.IsZero() {
		return crypto.AppendBytes(b, nil)
	}
	return crypto.AppendBytes(b, h[:])
}

func parseOrNothing(p *crypto.PlainCBOR, h *crypto.Hash) {
	raw := p.Shared()
	if copy(h[:], raw); len(raw) != 0 && (len(raw) != len(h) || h.IsZero()) {
		p.Fail()
	}
}
