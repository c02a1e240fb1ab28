package provenance

import (
	"bytes"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"

	"waybill/ledger"
)

// TestEveryField changes every field of every frame of a certificate, in every way that fits it, and removes, doubles and swaps
// every element of every list. What each is refused as stands in fieldKinds.
func TestEveryField(t *testing.T) {
	c := newCorpus(t)
	foreign := c.donors[len(c.donors)-1] // of the same history in another network
	a := &alter{t: t, c: c, kinds: map[string]map[Kind]int{}, every: 1}
	if testing.Short() {
		a.every = 23
	}
	base, theirs := c.certs[0].parts(), foreign.parts()
	for i, section := range []string{"head", "handovers", "paths", "states", "blocks", "transactions", "things"} {
		a.value(section, base[i], theirs[i], func(parts []reflect.Value) reflect.Value { return parts[i] })
	}
	t.Logf("%d alterations of %d fields and lists", a.count, len(a.kinds))
	for _, path := range slices.Sorted(maps.Keys(a.kinds)) {
		for k, n := range a.kinds[path] {
			if !slices.Contains(fieldKinds[path], k) {
				t.Errorf("%s is refused as %q (%d times), want one of %q", path, k, n, fieldKinds[path])
			}
		}
	}
	for path, kinds := range fieldKinds {
		for _, k := range kinds {
			if a.every == 1 && a.kinds[path][k] == 0 {
				t.Errorf("%s is never refused as %q, but as %v", path, k, a.kinds[path])
			}
		}
	}
}

// notRefused is the Kind of an alteration that changes nothing of what the certificate says.
const notRefused Kind = "accepted, and it says the same"

// alter makes alterations of the first certificate of a corpus.
type alter struct {
	t     *testing.T
	c     *corpus
	kinds map[string]map[Kind]int
	every int // alterations of which one is tried
	count int
}

// place returns a part of a certificate, by its parts.
type within func(parts []reflect.Value) reflect.Value

// try alters a fresh copy of the certificate and notes what becomes of it.
func (a *alter) try(path, how string, at within, change func(v reflect.Value)) {
	if a.count++; a.count%a.every != 0 {
		return
	}
	cert, err := Decode(a.c.raw[0])
	if err != nil {
		a.t.Fatal(err)
	}
	change(at(cert.parts()))
	raw, err := cert.Encode()
	if err != nil {
		a.t.Fatalf("%s, %s: %v", path, how, err)
	}
	if bytes.Equal(raw, a.c.raw[0]) {
		return
	}
	r, err := Verify(raw, a.c.trust)
	kind, named := kindOf(err)
	switch {
	case err == nil && statement(r) == a.c.said[0]:
		kind = notRefused
	case err == nil:
		a.t.Errorf("%s, %s: accepted as another statement: %s", path, how, statement(r))
	case !named || r != nil:
		a.t.Errorf("%s, %s: %v without a kind, or a report beside it", path, how, err)
	}
	if a.kinds[path] == nil {
		a.kinds[path] = map[Kind]int{}
	}
	a.kinds[path][kind]++
}

// value alters a value and everything in it; theirs is the same part of another certificate, where it has one.
func (a *alter) value(path string, v, theirs reflect.Value, at within) {
	if theirs.IsValid() {
		a.try(path, "that of another network", at, func(v reflect.Value) { v.Set(theirs) })
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := 1; i < v.NumField(); i++ { // field 0 is the marker of the encoding
			if f := v.Type().Field(i); f.Name != "Sections" { // the encoder counts them
				a.value(path+"."+f.Name, v.Field(i), field(theirs, i), func(p []reflect.Value) reflect.Value { return at(p).Field(i) })
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			a.bytes(path, v, at)
			return
		}
		a.list(path, v, at)
		for i := range v.Len() {
			a.value(path+"[]", v.Index(i), index(theirs, i), func(p []reflect.Value) reflect.Value { return at(p).Index(i) })
		}
	case reflect.Bool:
		a.try(path, "turned", at, func(v reflect.Value) { v.SetBool(!v.Bool()) })
	case reflect.String:
		for _, s := range []string{"", v.String() + "1", ledger.CanonicalID(box2), ledger.CanonicalID(lotB), ledger.CanonicalID(pallet)} {
			a.try(path, "text "+s, at, func(v reflect.Value) { v.SetString(s) })
		}
	default:
		for _, n := range []uint64{0, 1, v.Uint() - 1, v.Uint() + 1, math.MaxInt64} {
			a.try(path, "a number", at, func(v reflect.Value) { v.SetUint(n & (1<<(8*v.Type().Size()-1) - 1)) })
		}
	}
}

func field(v reflect.Value, i int) reflect.Value {
	if !v.IsValid() {
		return v
	}
	return v.Field(i)
}

func index(v reflect.Value, i int) reflect.Value {
	if !v.IsValid() || i >= v.Len() {
		return reflect.Value{}
	}
	return v.Index(i)
}

func (a *alter) bytes(path string, v reflect.Value, at within) {
	n := v.Len()
	for _, i := range []int{0, n / 3, n / 2, n - 1} {
		if i >= 0 && i < n {
			a.try(path, "a bit", at, func(v reflect.Value) { v.Index(i).SetUint(v.Index(i).Uint() ^ 1) })
			a.try(path, "a high bit", at, func(v reflect.Value) { v.Index(i).SetUint(v.Index(i).Uint() ^ 0x40) })
		}
	}
	if v.Kind() == reflect.Array {
		a.try(path, "zero", at, func(v reflect.Value) { v.SetZero() })
		return
	}
	a.try(path, "empty", at, func(v reflect.Value) { v.SetBytes([]byte{}) })
	a.try(path, "a byte more", at, func(v reflect.Value) { v.SetBytes(append(bytes.Clone(v.Bytes()), 0)) })
	a.try(path, "twice", at, func(v reflect.Value) { v.SetBytes(bytes.Repeat(v.Bytes(), 2)) })
	if n > 0 {
		a.try(path, "a byte less", at, func(v reflect.Value) { v.SetBytes(v.Bytes()[:n-1]) })
	}
}

func (a *alter) list(path string, v reflect.Value, at within) {
	elements := func(v reflect.Value) []reflect.Value {
		all := make([]reflect.Value, v.Len())
		for i := range all {
			all[i] = v.Index(i)
		}
		return all
	}
	set := func(v reflect.Value, all []reflect.Value) {
		v.Set(reflect.Append(reflect.MakeSlice(v.Type(), 0, len(all)), all...))
	}
	n := v.Len()
	a.try(path, "empty", at, func(v reflect.Value) { set(v, nil) })
	for i := range n {
		a.try(path, "one removed", at, func(v reflect.Value) { set(v, slices.Delete(elements(v), i, i+1)) })
		a.try(path, "one doubled", at, func(v reflect.Value) { set(v, slices.Insert(elements(v), i, v.Index(i))) })
		a.try(path, "one again at the end", at, func(v reflect.Value) { set(v, append(elements(v), v.Index(i))) })
		if i > 0 {
			a.try(path, "two swapped", at, func(v reflect.Value) {
				all := elements(v)
				all[i-1], all[i] = all[i], all[i-1]
				set(v, all)
			})
			a.try(path, "cut before", at, func(v reflect.Value) { set(v, elements(v)[i:]) })
			a.try(path, "cut behind", at, func(v reflect.Value) { set(v, elements(v)[:i]) })
		}
	}
}

// fieldKinds is as what an altered field, or list, is refused. Only limits that were not reached may be altered.
var fieldKinds = map[string][]Kind{
	"blocks":                     {ErrFormat, ErrEvent, ErrDuplicate},
	"blocks[]":                   {ErrEvent},
	"blocks[].After":             {ErrFormat},
	"blocks[].Before":            {ErrEvent},
	"blocks[].Height":            {ErrHeader, ErrEvent, ErrDuplicate},
	"blocks[].Result":            {ErrHeader, ErrEvent, ErrExtra},
	"blocks[].Root":              {ErrEvent},
	"handovers":                  {ErrTrust},
	"handovers[]":                {ErrTrust},
	"handovers[].Certificate":    {ErrFormat, ErrTrust},
	"handovers[].Closing":        {ErrFormat, ErrTrust},
	"handovers[].Next":           {ErrFormat},
	"head":                       {ErrForeign},
	"head.Base":                  {ErrTrust},
	"head.Committing":            {ErrHeader, ErrState},
	"head.Depth":                 {ErrTooLarge, ErrExtra, notRefused},
	"head.Events":                {ErrTooLarge, ErrExtra, notRefused},
	"head.Genesis":               {ErrForeign},
	"head.Height":                {ErrHeader, ErrState},
	"head.Subject":               {ErrGenealogy, ErrExtra},
	"paths":                      {ErrForeign, ErrHeader, ErrDuplicate, ErrExtra},
	"paths[]":                    {ErrForeign},
	"paths[].Certificate":        {ErrFormat, ErrHeader},
	"paths[].Headers":            {ErrFormat, ErrForeign, ErrHeader},
	"states":                     {ErrState, ErrIncomplete, ErrGenealogy, ErrNotice, ErrDuplicate, ErrExtra},
	"states[]":                   {ErrState},
	"states[].Key":               {ErrState, ErrNotice},
	"states[].Present":           {ErrFormat, ErrState},
	"states[].Proof":             {ErrFormat, ErrState},
	"states[].Value":             {ErrFormat, ErrState},
	"things":                     {ErrGenealogy, ErrExtra},
	"things[].Events":            {ErrIncomplete},
	"things[].Events[].Event":    {ErrEvent, ErrIncomplete},
	"things[].Events[].Tx":       {ErrEvent, ErrIncomplete},
	"things[].ID":                {ErrGenealogy},
	"things[].Lot":               {ErrGenealogy},
	"transactions":               {ErrEvent, ErrDuplicate, ErrExtra},
	"transactions[]":             {ErrEvent},
	"transactions[].Block":       {ErrFormat, ErrDuplicate, ErrExtra},
	"transactions[].Index":       {ErrEvent},
	"transactions[].Path":        {ErrFormat, ErrEvent},
	"transactions[].Raw":         {ErrEvent},
	"transactions[].Receipt":     {ErrEvent},
	"transactions[].ReceiptPath": {ErrFormat, ErrEvent},
	"transactions[].Size":        {ErrEvent},
}
