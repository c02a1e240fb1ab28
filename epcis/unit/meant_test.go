package unit

import "testing"

// TestMeant: what people write for a unit leads to its code, and what could be several leads nowhere.
func TestMeant(t *testing.T) {
	for text, want := range map[string]string{
		"KG": "KGM", "kg": "KGM", "Kg": "KGM", "kgs": "KGM", "kgm": "KGM", "kilogram": "KGM", "Kilograms": "KGM", "kilo": "KGM", "G": "GRM", "g": "GRM",
		"LB": "LBR", "lbs": "LBR", "lb.": "LBR", "T": "TNE", "tons": "TNE", "L": "LTR", "ml": "MLT", "ML": "MLT", "Ml": "MAL", "liters": "LTR", "M": "MTR", "m³": "MTQ", "ha": "HAR",
		"pcs": "H87", "each": "EA", "dozen": "DZN", " oz ": "ONZ", "acres": "ACR",
		"": "", "CS": "", "BOX": "", "x": "", "furlongs per fortnight": "", "\x00": "",
	} {
		u, ok := Meant(text)
		if u.Code != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, u.Code, ok, want)
		}
	}
}

// TestSpokenUnitsExist: each word leads to a unit of goods, and none hides a code.
func TestSpokenUnitsExist(t *testing.T) {
	for word, code := range spoken {
		if _, ok := goodsUnits[code]; !ok {
			t.Errorf("%s is said to be %s, which is none", word, code)
		}
	}
}
