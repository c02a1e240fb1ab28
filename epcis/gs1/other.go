package gs1

// EPC schemes that are not GS1 keys. They stay URNs and are opaque, but their fixed parts are brought to one spelling and the
// container code, which has a check digit, is checked.

// parseOtherEPC reads urn:epc:id: and urn:epc:idpat: of the schemes adi, bic, gid, imovn and usdod.
func parseOtherEPC(s, kind, name, body string, schemeAt int) (ID, error) {
	switch name {
	case "bic", "adi", "gid", "usdod", "imovn":
	default:
		return ID{}, fail(ErrUnknownKey, s, schemeAt, "%q is not an EPC scheme", name)
	}
	if kind == "class" {
		return ID{}, fail(ErrSyntax, s, len(urnStem), "%s is written urn:epc:id:%s:…", name, name)
	}
	bodyAt := len(s) - len(body)
	if body == "" {
		return ID{}, fail(ErrLength, s, bodyAt, "nothing follows the scheme")
	}
	if name == "bic" && kind == "id" {
		if err := checkBIC(s, body, bodyAt); err != nil {
			return ID{}, err
		}
	}
	canonical := s
	if prefix := urnStem + kind + ":" + name + ":"; s[:bodyAt] != prefix {
		canonical = prefix + body
	}
	return opaque(canonical)
}

const bicLen = 11

// checkBIC checks a freight container code: four letters, the fourth U, J or Z, six digits and a check digit.
//
// Source: ISO 6346, annex A.
func checkBIC(in, code string, at int) error {
	if len(code) != bicLen {
		return fail(ErrLength, in, at, "a container code has %d characters, this has %d", bicLen, len(code))
	}
	sum := 0
	for i := range bicLen - 1 {
		c := code[i]
		switch {
		case i < 4 && c-'A' < 26:
			// Letters count from 10 and leave out the multiples of 11.
			n := int(c-'A') + 10
			sum += (n + (n-1)/10) << i
		case i >= 4 && c-'0' <= 9:
			sum += int(c-'0') << i
		default:
			return fail(ErrCharset, in, at+i, "%s: a container code is four capital letters and seven digits", showByte(c))
		}
	}
	if c := code[3]; c != 'U' && c != 'J' && c != 'Z' {
		return fail(ErrValue, in, at+3, "the equipment category is %c, should be U, J or Z", c)
	}
	if want := byte('0' + sum%11%10); code[bicLen-1] != want {
		return fail(ErrCheckDigit, in, at+bicLen-1, "the check digit of the container code is %c, should be %c", code[bicLen-1], want)
	}
	return nil
}
