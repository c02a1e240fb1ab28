package gs1

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestTablesAgreeWithSyntaxDictionary compares our tables with GS1's machine-readable one, both ways: every AI there is known here
// with the same shape, no other AI is known, and the keys and qualifiers of Digital Links are the same.
func TestTablesAgreeWithSyntaxDictionary(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(dataFolder(t), "gs1", "gs1-syntax-dictionary.txt"))
	if err != nil {
		t.Skip(err)
	}
	known := map[string]bool{}
	keys := 0
	for line := range strings.Lines(string(raw)) {
		line, _, _ = strings.Cut(line, " # ")
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(line, "#") {
			continue
		}
		flags := ""
		if strings.Trim(fields[1], "*?") == "" {
			flags = fields[1]
			fields = append(fields[:1], fields[2:]...)
		}
		from, to, ranged := strings.Cut(fields[0], "-")
		if !ranged {
			to = from
		}
		for ai := from; ; ai = next(ai) {
			known[ai] = true
			compareRule(t, ai, strings.Contains(flags, "*"), fields[1:])
			if ai == to {
				break
			}
		}
		for _, attribute := range fields[1:] {
			if attribute == "dlpkey" || strings.HasPrefix(attribute, "dlpkey=") {
				keys++
				comparePrimary(t, from, strings.TrimPrefix(strings.TrimPrefix(attribute, "dlpkey"), "="))
			}
		}
	}
	if len(known) < 400 || keys != len(primaries) {
		t.Fatalf("the dictionary has %d AIs and %d keys, we have %d keys", len(known), keys, len(primaries))
	}
	for width := 2; width <= 4; width++ {
		for n := range []int{2: 100, 3: 1000, 4: 10000}[width] {
			if ai := fmt.Sprintf("%0*d", width, n); (ruleOf(ai) != nil) != known[ai] {
				t.Errorf("AI %s: known here %v, there %v", ai, !known[ai], known[ai])
			}
		}
	}
}

func next(ai string) string {
	n, err := strconv.Atoi(ai)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%0*d", len(ai), n+1)
}

// compareRule checks the shape of one AI against components such as "N13,csum,gcppos1 [X..17]".
func compareRule(t *testing.T, ai string, predefined bool, fields []string) {
	t.Helper()
	want := aiRule{set: digits}
	for _, component := range fields {
		optional := strings.HasPrefix(component, "[")
		component = strings.NewReplacer("[", "", "]", "").Replace(component)
		component, _, _ = strings.Cut(component, ",")
		if len(component) < 2 || strings.IndexByte("NXYZ", component[0]) < 0 || strings.Contains(component, "=") {
			break
		}
		set := map[byte]charset{'N': digits, 'X': set82, 'Y': set39, 'Z': setBase64}[component[0]]
		least, most := component[1:], component[1:]
		if upTo, found := strings.CutPrefix(component[1:], ".."); found {
			least, most = "1", upTo
		}
		minLen, _ := strconv.Atoi(least)
		maxLen, err := strconv.Atoi(most)
		if err != nil {
			t.Fatalf("AI %s: component %q", ai, component)
		}
		if set != digits && want.set == digits {
			want.set, want.lead = set, want.max
		}
		if !optional {
			want.min += minLen
		}
		want.max += maxLen
	}
	r := ruleOf(ai)
	if r == nil {
		t.Errorf("AI %s is not known", ai)
		return
	}
	if r.set != want.set || r.min != want.min || r.max != want.max || r.lead != want.lead {
		t.Errorf("AI %s: set %v, %d to %d, lead %d; want %v, %d to %d, lead %d", ai, r.set, r.min, r.max, r.lead, want.set, want.min, want.max, want.lead)
	}
	if aiWidth(ai) != len(ai) {
		t.Errorf("AI %s: width %d", ai, aiWidth(ai))
	}
	if n := predefinedLength(ai); predefined != (n > 0) || predefined && n != len(ai)+r.max {
		t.Errorf("AI %s: predefined length %d", ai, n)
	}
}

// comparePrimary checks the qualifiers of a key against "22,10,21|235".
func comparePrimary(t *testing.T, ai, qualifiers string) {
	t.Helper()
	pr := primaryByAI(ai)
	if pr == nil {
		t.Errorf("AI %s is no key here", ai)
		return
	}
	ordered, alternate, _ := strings.Cut(qualifiers, "|")
	if got := strings.TrimRight(strings.Join(pr.qualifiers[:], ","), ","); got != ordered || pr.alternate != alternate {
		t.Errorf("AI %s: qualifiers %s or %s, want %s or %s", ai, got, pr.alternate, ordered, alternate)
	}
	for _, q := range strings.FieldsFunc(qualifiers, func(r rune) bool { return r == ',' || r == '|' }) {
		set, least, most := qualifierRule(q)
		if r := ruleOf(q); r == nil || r.set != set || r.min != least || r.max != most {
			t.Errorf("AI %s: qualifierRule gives %v, %d to %d, the table %+v", q, set, least, most, r)
		}
	}
}

func TestConvenienceNames(t *testing.T) {
	for name, ai := range map[string]string{
		"gtin": "01", "itip": "8006", "cpid": "8010", "gln": "414", "payTo": "415", "party": "417", "partyGln": "417", "gsrnp": "8017",
		"gsrn": "8018", "gcn": "255", "sscc": "00", "gdti": "253", "ginc": "401", "gsin": "402", "grai": "8003", "giai": "8004", "gmn": "8013",
		"cpv": "22", "lot": "10", "ser": "21", "tpx": "235", "glnx": "254", "refno": "8020", "srin": "8019", "cpsn": "8011", "GTIN": "", "": "",
	} {
		if got := aiByAlpha(name); got != ai {
			t.Errorf("%q: AI %q, want %q", name, got, ai)
		}
	}
}
