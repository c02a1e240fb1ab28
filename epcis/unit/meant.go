package unit

import "strings"

// spoken are words that people write for units and that are neither code, symbol nor name of one.
var spoken = map[string]string{
	"kilo": "KGM", "gramme": "GRM", "kilogramme": "KGM", "ton": "TNE", "tonne": "TNE", "mt": "TNE", "lbs": "LBR", "pound": "LBR",
	"liter": "LTR", "milliliter": "MLT", "meter": "MTR", "gal": "GLL", "gallon": "GLL", "bbl": "BLL", "pcs": "H87", "pce": "H87", "dozen": "DZN",
	"sqm": "MTK", "m2": "MTK", "m3": "MTQ", "cbm": "MTQ", "ha": "HAR", "st": "STI", "ml": "MLT", "gr": "GRM", "pt": "PTI", "qt": "QTI",
}

// Meant guesses which unit of goods somebody means who wrote text instead of its code: its symbol, its name in singular or
// plural, or the code in lower case. False where nothing or more than one unit is like it. It is for hints to people:
// nothing is ever converted by a guess.
func Meant(text string) (Unit, bool) {
	word := strings.ToLower(strings.TrimSpace(text))
	if word == "" {
		return Unit{}, false
	}
	for _, w := range []string{word, strings.TrimSuffix(word, "."), strings.TrimSuffix(word, "s")} {
		if u, ok := meant(text, w); ok {
			return u, true
		}
	}
	return Unit{}, false
}

// meant looks a word in lower case up; text is as it was written, which tells "Ml" from "ml".
func meant(text, word string) (Unit, bool) {
	if u, ok := goodsUnits[strings.ToUpper(word)]; ok {
		return u, true
	}
	if u, ok := only(func(u Unit) bool { return u.Symbol == text }); ok {
		return u, true
	}
	if u, ok := goodsUnits[spoken[word]]; ok {
		return u, true
	}
	return only(func(u Unit) bool { return strings.ToLower(u.Symbol) == word || strings.ToLower(u.Name) == word })
}

// only returns the one unit of goods that fits; false if none or several do.
func only(fits func(Unit) bool) (found Unit, ok bool) {
	for _, u := range goodsUnits {
		if !fits(u) {
			continue
		}
		if ok {
			return Unit{}, false
		}
		found, ok = u, true
	}
	return found, ok
}
