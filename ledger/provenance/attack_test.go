package provenance

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"waybill/consensus/quorum"
	"waybill/ledger"
)

// mutations is how many mutated certificates TestMutations tries: WAYBILL_MUTATIONS or the flag, else what fits in a minute.
var mutations = flag.Int("mutations", envInt("WAYBILL_MUTATIONS", 60_000), "mutated certificates to try")

func envInt(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

// corpus is what mutations begin from, and what they splice in.
type corpus struct {
	trust  Trust
	raw    [][]byte
	certs  []*Certificate
	said   []string          // what each certificate states
	truth  map[string]string // statement → why it is true
	donors []*Certificate
}

// statement is what a certificate says of the world: the report but for who signed, of which there are several true ones, and
// the count of proofs. The depth is not part of it: one that was not reached says nothing, and where it was, Cuts say so.
func statement(r *Report) string {
	c := *r
	c.Signed, c.Proofs, c.Depth = Signed{}, Proofs{}, 0
	out, err := json.Marshal(&c)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func newCorpus(t testing.TB) *corpus {
	t.Helper()
	w := newWorld(t, "salad", 6)
	w.tell()
	w.notice(1, 1, lotA, 0)
	early := w.freeze()
	w.notice(1, 1, lotA, 17)
	late := w.freeze()
	w.idle(4)
	twin := newWorld(t, "salad twin", 6)
	twin.tell()
	at := twin.freeze()
	twin.idle(4)
	c := &corpus{trust: Trust{Genesis: w.genesis, checker: newMemo()}, truth: map[string]string{}}
	for _, of := range []struct {
		h quorum.Height
		r Request
	}{
		{late, Request{ID: box1, Depth: 5}}, {early, Request{ID: box1, Depth: 5}}, {late, Request{ID: box1}},
		{late, Request{ID: box2, Depth: 5}}, {late, Request{ID: salad, Depth: 5}}, {late, Request{ID: other, Depth: 1}},
	} {
		c.add(t, w.make(of.h, of.r))
	}
	foreign, err := Decode(twin.make(at, Request{ID: box1, Depth: 5}))
	if err != nil {
		t.Fatal(err)
	}
	c.donors = append(slices.Clone(c.certs), foreign)
	return c
}

func (c *corpus) add(t testing.TB, raw []byte) {
	t.Helper()
	cert, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	r, err := cert.verify(c.trust)
	if err != nil {
		t.Fatal(err)
	}
	said := statement(r)
	if other, twice := c.truth[said]; twice {
		t.Fatalf("%s depth %d says the same as %s", cert.head.Subject, cert.head.Depth, other)
	}
	c.truth[said] = fmt.Sprint(len(c.certs))
	c.raw, c.certs, c.said = append(c.raw, raw), append(c.certs, cert), append(c.said, said)
}

// TestMutations: whatever is changed in a certificate, by bits or by parts, and whatever of other true certificates is put
// into it, it is refused, or it says what it said before.
func TestMutations(t *testing.T) {
	c := newCorpus(t)
	count := *mutations
	if testing.Short() {
		count = 3000
	}
	rng := rand.New(rand.NewPCG(13, uint64(count)))
	kinds, same, idle := map[Kind]int{}, 0, 0
	for i, tried := 0, 0; tried < count; i++ {
		base := rng.IntN(len(c.certs))
		how, raw, r, err := c.mutate(rng, i, base)
		if err != nil {
			k, ok := kindOf(err)
			if !ok {
				t.Fatalf("mutation %d (%s): an error without a kind: %v", i, how, err)
			}
			kinds[k]++
			tried++
			continue
		}
		if said := statement(r); said != c.said[base] {
			t.Fatalf("mutation %d of certificate %d (%s) was accepted as\n%s\ninstead of\n%s", i, base, how, said, c.said[base])
		}
		if bytes.Equal(raw(), c.raw[base]) {
			idle++ // an element swapped with itself: no mutation
			continue
		}
		same++
		tried++
	}
	t.Logf("%d mutations (and %d that changed nothing), none accepted as another statement, %d accepted as the same; refused: %v", count, idle, same, kinds)
	if same > count/20 {
		t.Errorf("%d of %d were accepted: limits that were not reached are all that may be changed", same, count)
	}
	for _, k := range []Kind{ErrFormat, ErrForeign, ErrTrust, ErrHeader, ErrState, ErrEvent, ErrIncomplete, ErrGenealogy, ErrNotice, ErrDuplicate, ErrExtra} {
		if kinds[k] == 0 {
			t.Errorf("nothing was refused as: %s", k)
		}
	}
}

func kindOf(err error) (Kind, bool) {
	e, ok := err.(*Error)
	if !ok {
		return "", false
	}
	return e.Kind, true
}

// mutate makes one mutation and verifies it; raw gives the bytes of what was accepted.
func (c *corpus) mutate(rng *rand.Rand, i, base int) (how string, raw func() []byte, r *Report, err error) {
	if i%3 == 0 {
		changed, how := mutateBytes(rng, c.raw[base])
		r, err = Verify(changed, c.trust)
		return how, func() []byte { return changed }, r, err
	}
	cert := c.certs[base].clone()
	how = cert.mutate(rng, c.donors[rng.IntN(len(c.donors))])
	raw = func() []byte {
		out, _ := cert.Encode() // of what was accepted
		return out
	}
	if i%97 != 0 {
		r, err = cert.verify(c.trust)
		return how, raw, r, err
	}
	changed, err := cert.Encode() // the form must hold too
	if err == nil {
		r, err = Verify(changed, c.trust)
	}
	return how, raw, r, err
}

// mutateBytes changes bytes. Every tenth time those of a length.
func mutateBytes(rng *rand.Rand, raw []byte) ([]byte, string) {
	out := bytes.Clone(raw)
	at := rng.IntN(len(out))
	switch rng.IntN(10) {
	case 0:
		return out[:at], fmt.Sprintf("cut at %d", at)
	case 1:
		return slices.Insert(out, at, byte(rng.Uint32())), fmt.Sprintf("a byte inserted at %d", at)
	case 2:
		return slices.Delete(out, at, at+1), fmt.Sprintf("byte %d removed", at)
	case 3:
		return append(out, byte(rng.Uint32())), "a byte at the end"
	case 4:
		n := min(1+rng.IntN(200), len(out)-at)
		return slices.Insert(out, at, bytes.Clone(out[at:at+n])...), fmt.Sprintf("bytes %d to %d twice", at, at+n)
	case 5:
		frame := len(Magic)
		for range rng.IntN(40) {
			if size := int(binary.BigEndian.Uint32(out[frame:])); frame+frameHead+size+frameHead < len(out) {
				frame += frameHead + size
			}
		}
		out[frame+rng.IntN(frameHead)] ^= 1 << rng.IntN(8)
		return out, fmt.Sprintf("the length of the frame at %d", frame)
	}
	out[at] ^= 1 << rng.IntN(8)
	return out, fmt.Sprintf("bit of byte %d", at)
}

// clone copies as much as mutate changes in place.
func (c *Certificate) clone() *Certificate {
	out := *c
	out.handovers, out.paths, out.states = slices.Clone(c.handovers), slices.Clone(c.paths), slices.Clone(c.states)
	out.blocks, out.transactions, out.things = slices.Clone(c.blocks), slices.Clone(c.transactions), slices.Clone(c.things)
	return &out
}

// parts are the parts that can be changed by reflection.
func (c *Certificate) parts() []reflect.Value {
	var out []reflect.Value
	for _, p := range []any{&c.head, &c.handovers, &c.paths, &c.states, &c.blocks, &c.transactions, &c.things} {
		out = append(out, reflect.ValueOf(p).Elem())
	}
	return out
}

// mutate changes one part, with parts of another certificate at hand.
func (c *Certificate) mutate(rng *rand.Rand, donor *Certificate) string {
	own, theirs := c.parts(), donor.parts()
	i := rng.IntN(len(own))
	switch rng.IntN(8) {
	case 0: // a whole section of the other
		own[i].Set(theirs[i])
		return fmt.Sprintf("section %d of another", i)
	case 1, 2, 3:
		if list := own[i]; list.Kind() == reflect.Slice && list.Len() > 0 {
			return fmt.Sprintf("section %d: ", i) + mutateList(rng, list, theirs[i])
		}
	}
	return fmt.Sprintf("section %d: ", i) + mutateDeep(rng, own[i], theirs[i])
}

// mutateList drops, doubles, swaps, moves or replaces elements.
func mutateList(rng *rand.Rand, list, theirs reflect.Value) string {
	n := list.Len()
	at, other := rng.IntN(n), rng.IntN(n)
	fresh := func(elements ...reflect.Value) {
		list.Set(reflect.Append(reflect.MakeSlice(list.Type(), 0, len(elements)), elements...))
	}
	all := make([]reflect.Value, n)
	for i := range all {
		all[i] = list.Index(i)
	}
	take := func() reflect.Value { return theirs.Index(rng.IntN(theirs.Len())) }
	switch k := rng.IntN(6); {
	case k == 0:
		fresh(slices.Delete(all, at, at+1)...)
		return fmt.Sprintf("element %d dropped", at)
	case k == 1:
		fresh(slices.Insert(all, other, all[at])...)
		return fmt.Sprintf("element %d again at %d", at, other)
	case k == 2:
		all[at], all[other] = all[other], all[at]
		fresh(all...)
		return fmt.Sprintf("elements %d and %d swapped", at, other)
	case k == 3 && theirs.Len() > 0:
		all[at] = take()
		fresh(all...)
		return fmt.Sprintf("element %d of another", at)
	case k == 4 && theirs.Len() > 0:
		fresh(slices.Insert(all, at, take())...)
		return fmt.Sprintf("one of another at %d", at)
	}
	fresh(all[:at]...)
	return fmt.Sprintf("cut at %d", at)
}

// mutateDeep goes down to a random scalar, hash or byte string and changes it, or mutates a list on the way.
func mutateDeep(rng *rand.Rand, v, theirs reflect.Value) string {
	switch v.Kind() {
	case reflect.Struct:
		i := 1 + rng.IntN(v.NumField()-1) // field 0 is the marker of the encoding
		return v.Type().Field(i).Name + " " + mutateDeep(rng, v.Field(i), theirs.Field(i))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return mutateText(rng, v, theirs)
		}
		if v.Len() == 0 || v.Type().Elem().Kind() != reflect.Struct && rng.IntN(3) == 0 {
			if v.Len() > 0 {
				return mutateList(rng, v, theirs)
			}
			if theirs.Len() > 0 {
				v.Set(theirs)
				return "of another"
			}
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			return "an empty element"
		}
		return mutateElement(rng, v, theirs)
	case reflect.Array:
		if theirs.IsValid() && rng.IntN(3) == 0 {
			v.Set(theirs)
			return "of another"
		}
		at := rng.IntN(v.Len())
		if e := v.Index(at); v.Type().Elem().Kind() == reflect.Uint8 {
			e.SetUint(e.Uint() ^ 1<<rng.IntN(8))
			return "a bit"
		}
		return mutateDeep(rng, v.Index(at), theirs.Index(at))
	case reflect.Bool:
		v.SetBool(!v.Bool())
		return "turned"
	case reflect.String:
		v.SetString([]string{theirs.String(), v.String() + "1", "", ledger.CanonicalID(box2), ledger.CanonicalID(lotB)}[rng.IntN(5)])
		return "text"
	}
	was := v.Uint()
	v.SetUint([]uint64{was + 1, was - 1, 0, theirs.Uint(), was ^ 1<<rng.IntN(20), 1 << 62}[rng.IntN(6)] & (1<<(8*v.Type().Size()-1) - 1))
	return "number"
}

func mutateElement(rng *rand.Rand, v, theirs reflect.Value) string {
	at := rng.IntN(v.Len())
	list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(list, v)
	v.Set(list)
	from := reflect.Zero(v.Type().Elem())
	if theirs.Len() > 0 {
		from = theirs.Index(rng.IntN(theirs.Len()))
	}
	return fmt.Sprintf("%d ", at) + mutateDeep(rng, v.Index(at), from)
}

func mutateText(rng *rand.Rand, v, theirs reflect.Value) string {
	b := bytes.Clone(v.Bytes())
	switch k := rng.IntN(8); {
	case k == 0 || len(b) == 0:
		v.SetBytes(bytes.Clone(theirs.Bytes()))
		return "bytes of another"
	case k == 1:
		v.SetBytes(b[:rng.IntN(len(b))])
		return "bytes cut"
	case k == 2:
		v.SetBytes(append(b, byte(rng.Uint32())))
		return "a byte more"
	}
	at := rng.IntN(len(b))
	b[at] ^= 1 << rng.IntN(8)
	v.SetBytes(b)
	return fmt.Sprintf("bit of byte %d", at)
}
