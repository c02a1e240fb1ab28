package ledger

import (
	"errors"
	"reflect"
	"testing"

	"waybill/crypto"
)

// Texts around the ones that are written shorter.
func TestShortTexts(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "x": "x", "é": "é",
		webStem:                         webStem,
		webStem + "/":                   "/",
		webStem + "//":                  "//",
		webStem + "/01/09521321000012":  "/01/09521321000012",
		webStem + "x/":                  webStem + "x/",
		"https://id.gs1.or":             "https://id.gs1.or",
		"http://id.gs1.org/01/1":        "http://id.gs1.org/01/1",
		"/":                             "~/",
		"/01/09521321000012":            "~/01/09521321000012",
		"~":                             "~~",
		"~/":                            "~~/",
		"~~":                            "~~~",
		"~" + webStem + "/":             "~~" + webStem + "/",
		"https://other.example/01/0952": "https://other.example/01/0952",
	} {
		got := short(text)
		stem, rest, ok := long([]byte(got))
		if got != want || !ok || stem+string(rest) != text {
			t.Errorf("%q is written %q, not %q, and read %q, %t", text, got, want, stem+string(rest), ok)
		}
	}
	for _, bad := range []string{"~", "~x", "~\xff", "\xff", "/\xff", webStem + "/", webStem + "/x"} {
		if stem, rest, ok := long([]byte(bad)); ok {
			t.Errorf("%q is read as %q", bad, stem+string(rest))
		}
	}
}

// A record has one spelling: each of these differs from one that is read.
func TestOwnRecordsHaveOneSpelling(t *testing.T) {
	a, b := crypto.Address{1}, crypto.Address{2}
	h := crypto.Hash{3}
	mark := func(declared []byte) []byte {
		d := crypto.AppendUint(crypto.AppendBytes(crypto.AppendArray(nil, 4), h[:]), 5)
		return crypto.AppendBool(crypto.AppendBytes(d, declared), false)
	}
	contents := func(stem string, rests ...string) []byte {
		d := crypto.AppendArray(crypto.AppendBytes(crypto.AppendArray(nil, 3), []byte(stem)), len(rests))
		for _, r := range rests {
			d = crypto.AppendBytes(d, []byte(r))
		}
		return crypto.AppendArray(d, 0)
	}
	item := func(names []byte, which uint64, place string) []byte {
		d := crypto.AppendUint(crypto.AppendUint(crypto.AppendArray(nil, 22), 1), 0)
		d = crypto.AppendBytes(crypto.AppendBytes(d, names), nil)
		d = crypto.AppendText(crypto.AppendText(crypto.AppendUint(d, which), ""), place)
		d = crypto.AppendText(crypto.AppendText(d, ""), "")
		for range 10 {
			d = crypto.AppendUint(d, 0)
		}
		return crypto.AppendUint(crypto.AppendBytes(crypto.AppendUint(d, 1), nil), 0)
	}
	ab, zero := append(a[:], b[:]...), crypto.Address{}
	for name, c := range map[string]struct {
		rec  any
		data []byte
		good bool
	}{
		"undeclared":                 {new(EventMark), mark(nil), true},
		"declared by a zero hash":    {new(EventMark), mark(make([]byte, 32)), false},
		"declared by half a hash":    {new(EventMark), mark(h[:16]), false},
		"declared":                   {new(EventMark), mark(h[:]), true},
		"two share a stem":           {new(Contents), contents("/00/", "1", "2"), true},
		"two share more":             {new(Contents), contents("/00", "/1", "/2"), false},
		"one is the stem":            {new(Contents), contents("/00/1", "", "2"), true},
		"one is the stem, both more": {new(Contents), contents("/00/", "1", "12"), false},
		"one with a stem":            {new(Contents), contents("/00/", "1"), false},
		"none":                       {new(Contents), contents(""), true},
		"none with a stem":           {new(Contents), contents("/00/"), false},
		"a long stem":                {new(Contents), contents("/01/09521321000012/21/", "A1", "A2"), true},
		"a stem too long":            {new(Contents), contents("/01/09521321000012/21/A", "1", "2"), false},
		"long in the list":           {new(Contents), contents(webStem, "/1", "/2"), false},
		"a letter apart":             {new(Contents), contents("urn:\xc3", "\xa9", "\xa8"), true},
		"half a letter":              {new(Contents), contents("urn:\xc3", "\xa9", ""), false},
		"a needless escape":          {new(Contents), contents("~", "/", "x"), false},
		"two names":                  {new(Item), item(ab, 1|2<<2|1<<4, "/414/9521321000010"), true},
		"names in another order":     {new(Item), item(ab, 2|1<<2|1<<4, ""), false},
		"a name too many":            {new(Item), item(ab, 1|1<<2|1<<4, ""), false},
		"a name too few":             {new(Item), item(a[:], 1|2<<2|1<<4, ""), false},
		"the same name twice":        {new(Item), item(append(a[:], a[:]...), 1|2<<2, ""), false},
		"a zero name":                {new(Item), item(zero[:], 1, ""), false},
		"part of a name":             {new(Item), item(a[:19], 0, ""), false},
		"no names":                   {new(Item), item(nil, 0, ""), true},
		"an event that is not there": {new(Item), item(nil, 1<<6, ""), false},
		"more than three of each":    {new(Item), item(nil, 1<<12, ""), false},
		"a place in full":            {new(Item), item(nil, 0, webStem+"/414/9521321000010"), false},
		"a place too short":          {new(Item), item(nil, 0, "~"), false},
	} {
		err := crypto.Unmarshal(c.data, c.rec)
		if (err == nil) != c.good {
			t.Errorf("%s: %x: %v", name, c.data, err)
		}
		if err == nil && string(mustMarshal(c.rec)) != string(c.data) {
			t.Errorf("%s: %x is written %x", name, c.data, mustMarshal(c.rec))
		}
	}
}

// A container as full as it may be, with the shortest serials of one product, is read again.
func TestFullContentsAreRead(t *testing.T) {
	for _, stem := range []string{webStem + "/01/09521321000012/21/", webStem + "/", "/", "urn:"} {
		var c Contents
		for n := range maxContents {
			c.Items = append(c.Items, stem+string([]byte{byte('0' + n/64), byte('0' + n%64)}))
		}
		c.Quantities = []PackedAmount{}
		var read Contents
		if err := crypto.Unmarshal(mustMarshal(&c), &read); err != nil || !reflect.DeepEqual(c, read) {
			t.Errorf("%q: %v", stem, err)
		}
	}
}

// What a record leaves out comes from its key, whatever key that is.
func TestKeyedRecords(t *testing.T) {
	item := Item{ID: "urn:a", State: StateActive, Place: webStem + "/414/9521321000010"}
	s := Shipment{Event: crypto.Hash{1}, From: crypto.Address{2}}
	if got, err := decodeRecord[Item](ItemKey("urn:b"), mustMarshal(&item)); err != nil || got.ID != "urn:b" || got.Place != item.Place {
		t.Errorf("%+v, %v", got, err)
	}
	other := crypto.Hash{9}
	if got, err := decodeRecord[Shipment](ShipmentKey(other), mustMarshal(&s)); err != nil || got.Event != other || got.From != s.From {
		t.Errorf("%+v, %v", got, err)
	}
	for _, k := range []string{"lot/urn:a", "obj", ""} {
		if _, err := decodeRecord[Item](k, mustMarshal(&item)); !errors.Is(err, ErrState) {
			t.Errorf("an item at %q: %v", k, err)
		}
	}
	for _, k := range []string{"transfer/", "transfer/short", "obj/" + string(other[:]), string(ShipmentKey(other)) + "x"} {
		if _, err := decodeRecord[Shipment](k, mustMarshal(&s)); !errors.Is(err, ErrState) {
			t.Errorf("a shipment at %q: %v", k, err)
		}
	}
}

// By value a record would be written in the form of its struct, which nobody reads.
func TestOwnRecordsByPointerOnly(t *testing.T) {
	for _, v := range []any{Item{}, Contents{}, Shipment{}, EventMark{}} {
		if data, err := crypto.Marshal(v); err == nil {
			t.Errorf("%T is written %x", v, data)
		}
	}
}

// What is written of a box on its way, that nearly all events leave behind.
func TestItemsAreShort(t *testing.T) {
	a, e := crypto.Address{1}, crypto.Hash{2}
	i := Item{
		ID: webStem + "/00/095213210000000019", State: StateInTransit, Owner: a, Custodian: a, BornBy: a, Shipment: e, LastEvent: e,
		BornEvent: crypto.Hash{3}, Place: webStem + "/414/9521321000010", Disposition: "in_transit", BornHeight: 1000, LastHeight: 1001,
		Chain: Chain{Count: 3, Head: crypto.Hash{4}, LastMs: 1_790_000_000_000},
	}
	key, data := string(ItemKey(i.ID)), mustMarshal(&i)
	if len(data) > 190 {
		t.Errorf("%d bytes", len(data))
	}
	// The record, its texts, and two of the decoder.
	if n := testing.AllocsPerRun(100, func() { _, _ = decodeRecord[Item](key, data) }); n > 4 {
		t.Errorf("%.0f allocations", n)
	}
}
