package gs1

import (
	"fmt"
	"strings"
)

// The shortest and longest GS1 company prefix, in digits.
//
// Source: GS1 General Specifications, section 1.4.4.
const (
	MinGCP = 4
	MaxGCP = 12
)

// ValidGCP reports why s is not a GS1 company prefix, or nil if it could be one: 4 to 12 digits. Whether GS1 has allocated it is
// not checked.
func ValidGCP(s string) error {
	if i := firstNonDigit(s); i >= 0 {
		return fail(ErrGCP, s, i, "a GS1 company prefix has only digits")
	}
	if len(s) < MinGCP || len(s) > MaxGCP {
		return fail(ErrGCP, s, -1, "a GS1 company prefix has %d to %d digits, this has %d", MinGCP, MaxGCP, len(s))
	}
	return nil
}

// CheckDigit returns the check digit, as an ASCII digit, that belongs after digits: weights 3 and 1 alternate from the right, and
// the digit completes the sum to a multiple of ten. For "0950600013437" it is '6'. It refuses anything but 1 to 17 digits.
//
// Source: GS1 General Specifications, section 7.9.1.
func CheckDigit(digits string) (byte, error) {
	if i := firstNonDigit(digits); i >= 0 {
		return 0, fail(ErrCharset, digits, i, "only digits have a check digit")
	}
	if len(digits) == 0 || len(digits) > maxCheckedDigits {
		return 0, fail(ErrLength, digits, -1, "a check digit is computed over 1 to %d digits, not %d", maxCheckedDigits, len(digits))
	}
	return checkDigit(digits), nil
}

// maxCheckedDigits is the length of an SSCC or GSRN without its check digit, the longest there is.
const maxCheckedDigits = 17

// checkDigit is CheckDigit for what is known to be digits.
func checkDigit[T string | []byte](digits T) byte {
	sum, weight := 0, 3
	for i := len(digits) - 1; i >= 0; i-- {
		sum += int(digits[i]-'0') * weight
		weight = 4 - weight
	}
	return byte('0' + (10-sum%10)%10)
}

// CheckPair returns the two check characters that belong after a Global Model Number: each character's place in set 82 times a
// prime that grows leftwards, modulo 1021, written in two characters of 32. It refuses an empty or too long model or a character
// outside set 82.
//
// Source: GS1 General Specifications, section 7.9.5.
func CheckPair(model string) (string, error) {
	if len(model) == 0 || len(model) > len(gmnPrimes) {
		return "", fail(ErrLength, model, -1, "a check pair is computed over 1 to %d characters, not %d", len(gmnPrimes), len(model))
	}
	sum := 0
	for i := range len(model) {
		place := strings.IndexByte(set82Chars, model[i])
		if place < 0 {
			return "", fail(ErrCharset, model, i, "%s is not in %s", showByte(model[i]), set82)
		}
		sum += place * int(gmnPrimes[len(model)-1-i])
	}
	sum %= 1021
	return string([]byte{gmnAlphabet[sum>>5], gmnAlphabet[sum&31]}), nil
}

var gmnPrimes = [...]uint8{2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83}

const gmnAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

// charset is a set of characters, as a bit in charClass.
type charset uint8

const (
	digits     charset = 1 << iota // 0 to 9
	set82                          // GS1 AI encodable character set 82
	set39                          // GS1 AI encodable character set 39 (component/part references)
	unreserved                     // RFC 3986: never percent-encoded in a Digital Link
	urnLiteral                     // may stand unescaped in an EPC URN component
	setBase64                      // file-safe base64 (digital signatures)
)

// String names the set for error messages.
func (c charset) String() string {
	switch c {
	case digits:
		return "the digits 0 to 9"
	case set82:
		return "GS1 character set 82"
	case set39:
		return "GS1 character set 39"
	case setBase64:
		return "file-safe base64"
	}
	return fmt.Sprintf("character set %d", uint8(c))
}

const (
	digitChars = "0123456789"
	upperChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowerChars = "abcdefghijklmnopqrstuvwxyz"

	// set82Chars is set 82 in the order of its ISO/IEC 646 code points, which is the order CheckPair counts in.
	//
	// Source: GS1 General Specifications, figure 7.11-1.
	set82Chars = `!"%&'()*+,-./` + digitChars + `:;<=>?` + upperChars + `_` + lowerChars
)

var charClass = buildCharClass()

func buildCharClass() (table [256]charset) {
	mark := func(chars string, set charset) {
		for i := range len(chars) {
			table[chars[i]] |= set
		}
	}
	mark(digitChars, digits|unreserved)
	mark(upperChars+lowerChars+"-._~", unreserved)
	mark(set82Chars, set82)
	mark("#-/"+digitChars+upperChars, set39)
	// TDS 2.x section 6.3: GS3A3Component and CPRefComponent without escapes.
	mark(digitChars+upperChars+lowerChars+`!'()*+,-.:;=_`, urnLiteral)
	mark(digitChars+upperChars+lowerChars+"-_=", setBase64)
	return table
}

func firstNonDigit(s string) int {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return i
		}
	}
	return -1
}

// showByte prints a character for an error message, whatever it is.
func showByte(c byte) string {
	if c >= 0x20 && c < 0x7f {
		return fmt.Sprintf("%q", rune(c))
	}
	return fmt.Sprintf("byte 0x%02X", c)
}

// fromHex returns the value of a hexadecimal digit, or 16 if it is none.
func fromHex(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c-'A' <= 5:
		return c - 'A' + 10
	case c-'a' <= 5:
		return c - 'a' + 10
	}
	return 16
}

// unescape undoes the percent-escapes of a value that has been checked; it allocates only if there are any.
func unescape(s string) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			out = append(out, fromHex(s[i+1])<<4|fromHex(s[i+2]))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}
