package gs1

import "strconv"

// aiRule is the shape of the data field of a range of application identifiers: lead digits, then characters of set.
type aiRule struct {
	from, to int // of the AI, read as a number
	width    int // digits of the AI itself
	lead     int // digits at the start of the field
	set      charset
	min, max int // of the whole field
}

// aiRules lists every assigned application identifier by the shape of its field, in order of width and number. Finer rules
// (dates, countries, currencies) are left out: they never identify anything.
//
// Source: GS1 General Specifications, section 3.
var aiRules = [...]aiRule{
	{0, 0, 2, 0, digits, 18, 18},
	{1, 3, 2, 0, digits, 14, 14},
	{10, 10, 2, 0, set82, 1, 20},
	{11, 13, 2, 0, digits, 6, 6},
	{15, 17, 2, 0, digits, 6, 6},
	{20, 20, 2, 0, digits, 2, 2},
	{21, 22, 2, 0, set82, 1, 20},
	{30, 30, 2, 0, digits, 1, 8},
	{37, 37, 2, 0, digits, 1, 8},
	{90, 90, 2, 0, set82, 1, 30},
	{91, 99, 2, 0, set82, 1, 90},

	{235, 235, 3, 0, set82, 1, 28},
	{240, 241, 3, 0, set82, 1, 30},
	{242, 242, 3, 0, digits, 1, 6},
	{243, 243, 3, 0, set82, 1, 20},
	{250, 251, 3, 0, set82, 1, 30},
	{253, 253, 3, 13, set82, 13, 30},
	{254, 254, 3, 0, set82, 1, 20},
	{255, 255, 3, 0, digits, 13, 25},
	{400, 401, 3, 0, set82, 1, 30},
	{402, 402, 3, 0, digits, 17, 17},
	{403, 403, 3, 0, set82, 1, 30},
	{410, 417, 3, 0, digits, 13, 13},
	{420, 420, 3, 0, set82, 1, 20},
	{421, 421, 3, 3, set82, 4, 12},
	{422, 422, 3, 0, digits, 3, 3},
	{423, 423, 3, 0, digits, 3, 15},
	{424, 424, 3, 0, digits, 3, 3},
	{425, 425, 3, 0, digits, 3, 15},
	{426, 426, 3, 0, digits, 3, 3},
	{427, 427, 3, 0, set82, 1, 3},
	{710, 717, 3, 0, set82, 1, 20},

	{3100, 3699, 4, 0, digits, 6, 6}, // see tradeMeasure
	{3900, 3909, 4, 0, digits, 1, 15},
	{3910, 3919, 4, 0, digits, 4, 18},
	{3920, 3929, 4, 0, digits, 1, 15},
	{3930, 3939, 4, 0, digits, 4, 18},
	{3940, 3943, 4, 0, digits, 4, 4},
	{3950, 3955, 4, 0, digits, 6, 6},
	{4300, 4301, 4, 0, set82, 1, 35},
	{4302, 4306, 4, 0, set82, 1, 70},
	{4307, 4307, 4, 0, set82, 2, 2},
	{4308, 4308, 4, 0, set82, 1, 30},
	{4309, 4309, 4, 0, digits, 20, 20},
	{4310, 4311, 4, 0, set82, 1, 35},
	{4312, 4316, 4, 0, set82, 1, 70},
	{4317, 4317, 4, 0, set82, 2, 2},
	{4318, 4318, 4, 0, set82, 1, 20},
	{4319, 4319, 4, 0, set82, 1, 30},
	{4320, 4320, 4, 0, set82, 1, 35},
	{4321, 4323, 4, 0, digits, 1, 1},
	{4324, 4325, 4, 0, digits, 10, 10},
	{4326, 4326, 4, 0, digits, 6, 6},
	{4330, 4333, 4, 6, set82, 6, 7},
	{7001, 7001, 4, 0, digits, 13, 13},
	{7002, 7002, 4, 0, set82, 1, 30},
	{7003, 7003, 4, 0, digits, 10, 10},
	{7004, 7004, 4, 0, digits, 1, 4},
	{7005, 7005, 4, 0, set82, 1, 12},
	{7006, 7006, 4, 0, digits, 6, 6},
	{7007, 7007, 4, 0, digits, 6, 12},
	{7008, 7008, 4, 0, set82, 1, 3},
	{7009, 7009, 4, 0, set82, 1, 10},
	{7010, 7010, 4, 0, set82, 1, 2},
	{7011, 7011, 4, 0, digits, 6, 10},
	{7020, 7022, 4, 0, set82, 1, 20},
	{7023, 7023, 4, 0, set82, 1, 30},
	{7030, 7039, 4, 3, set82, 4, 30},
	{7040, 7040, 4, 1, set82, 4, 4},
	{7041, 7041, 4, 0, set82, 1, 4},
	{7230, 7239, 4, 0, set82, 3, 30},
	{7240, 7240, 4, 0, set82, 1, 20},
	{7241, 7241, 4, 0, digits, 2, 2},
	{7242, 7242, 4, 0, set82, 1, 25},
	{7250, 7250, 4, 0, digits, 8, 8},
	{7251, 7251, 4, 0, digits, 12, 12},
	{7252, 7252, 4, 0, digits, 1, 1},
	{7253, 7254, 4, 0, set82, 1, 40},
	{7255, 7255, 4, 0, set82, 1, 10},
	{7256, 7256, 4, 0, set82, 1, 90},
	{7257, 7257, 4, 0, set82, 1, 70},
	{7258, 7258, 4, 0, set82, 3, 3},
	{7259, 7259, 4, 0, set82, 1, 40},
	{8001, 8001, 4, 0, digits, 14, 14},
	{8002, 8002, 4, 0, set82, 1, 20},
	{8003, 8003, 4, 14, set82, 14, 30},
	{8004, 8004, 4, 0, set82, 1, 30},
	{8005, 8005, 4, 0, digits, 6, 6},
	{8006, 8006, 4, 0, digits, 18, 18},
	{8007, 8007, 4, 0, set82, 1, 34},
	{8008, 8008, 4, 0, digits, 8, 12},
	{8009, 8009, 4, 0, set82, 1, 50},
	{8010, 8010, 4, 0, set39, 1, 30},
	{8011, 8011, 4, 0, digits, 1, 12},
	{8012, 8012, 4, 0, set82, 1, 20},
	{8013, 8014, 4, 0, set82, 1, 25},
	{8017, 8018, 4, 0, digits, 18, 18},
	{8019, 8019, 4, 0, digits, 1, 10},
	{8020, 8020, 4, 0, set82, 1, 25},
	{8026, 8026, 4, 0, digits, 18, 18},
	{8030, 8030, 4, 0, setBase64, 1, 90},
	{8040, 8041, 4, 0, digits, 15, 15},
	{8042, 8042, 4, 0, digits, 32, 32},
	{8043, 8043, 4, 0, digits, 18, 20},
	{8110, 8110, 4, 0, set82, 1, 70},
	{8111, 8111, 4, 0, digits, 4, 4},
	{8112, 8112, 4, 0, set82, 1, 70},
	{8200, 8200, 4, 0, set82, 1, 70},
}

// ruleOf returns the shape of an AI's field, nil if no such AI is assigned.
func ruleOf(ai string) *aiRule {
	if len(ai) < 2 || len(ai) > 4 || firstNonDigit(ai) >= 0 {
		return nil
	}
	n, err := strconv.Atoi(ai)
	if err != nil {
		return nil
	}
	for i := range aiRules {
		r := &aiRules[i]
		if r.width == len(ai) && r.from <= n && n <= r.to {
			if r.from == 3100 && !tradeMeasure(n) {
				return nil
			}
			return r
		}
	}
	return nil
}

// tradeMeasure tells the assigned AIs of the range 3100 to 3699: measures, whose last digit counts decimals up to five.
func tradeMeasure(n int) bool {
	if n%10 > 5 {
		return false
	}
	switch n /= 10; {
	case n <= 316, 320 <= n && n <= 337, 340 <= n && n <= 357, 360 <= n:
		return n <= 369
	}
	return false
}

// predefinedLength returns the length of AI and field together where the first two digits of the AI fix it, so that no FNC1 is
// needed after the field; 0 for all others.
//
// Source: GS1 General Specifications, figure 7.8.5-2.
func predefinedLength(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[:2] {
	case "00":
		return 20
	case "01", "02", "03":
		return 16
	case "04":
		return 18
	case "11", "12", "13", "14", "15", "16", "17", "18", "19":
		return 8
	case "20":
		return 4
	case "31", "32", "33", "34", "35", "36":
		return 10
	case "41":
		return 16
	}
	return 0
}

// aiWidth returns how many digits the AI at the start of s has, by its first two digits; 0 if none starts so.
func aiWidth(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[:2] {
	case "00", "01", "02", "03", "10", "11", "12", "13", "15", "16", "17", "20", "21", "22", "30", "37",
		"90", "91", "92", "93", "94", "95", "96", "97", "98", "99":
		return 2
	case "23", "24", "25", "40", "41", "42", "71":
		return 3
	case "31", "32", "33", "34", "35", "36", "39", "43", "70", "72", "80", "81", "82":
		return 4
	}
	return 0
}

// title names an AI for error messages. Anything else is taken for words and returned.
func title(ai string) string {
	if ai == "" || ai[0]-'0' > 9 {
		return ai
	}
	switch ai {
	case "01":
		return "GTIN (AI 01)"
	case "10":
		return "lot (AI 10)"
	case "21":
		return "serial number (AI 21)"
	case "22":
		return "consumer product variant (AI 22)"
	case "235":
		return "third-party serial (AI 235)"
	case "254":
		return "GLN extension (AI 254)"
	case "8011":
		return "component serial (AI 8011)"
	}
	if p := primaryByAI(ai); p != nil {
		return p.key.String() + " (AI " + ai + ")"
	}
	return "AI " + ai
}
