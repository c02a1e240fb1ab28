package epcis

import (
	"math"
	"slices"
)

// wireToken is one value of a JSON tree in the CBOR form. A tree is the list of its values, each container before what it
// contains: however deeply a tree nests, its form does not.
type wireToken struct {
	_    struct{} `cbor:",toarray"`
	Kind uint8
	Name string // of a member; "" otherwise
	Text string // of a text or number
	Size uint32 // elements or members of a container
}

// toTokens writes extensions; none at all are left out.
func toTokens(x Extensions) []wireToken {
	if len(x) == 0 {
		return nil
	}
	return tokensOf(x)
}

func tokensOf(x Extensions) []wireToken {
	tokens := []wireToken{{Kind: uint8(Object), Size: uint32(len(x))}}
	for _, m := range x {
		tokens = appendTokens(tokens, m.Name, m.Value)
	}
	return tokens
}

func appendTokens(tokens []wireToken, name string, v Value) []wireToken {
	t := wireToken{Kind: uint8(v.kind), Name: name, Text: v.text}
	list, members := v.List(), v.Members()
	t.Size = uint32(len(list) + len(members))
	tokens = append(tokens, t)
	for _, x := range list {
		tokens = appendTokens(tokens, "", x)
	}
	for _, m := range members {
		tokens = appendTokens(tokens, m.Name, m.Value)
	}
	return tokens
}

// extensions reads what [toTokens] wrote, which is never nothing.
func (r *reader) extensions() Extensions {
	members := r.value(Object).Members()
	if len(members) == 0 {
		r.fail("no extensions are written by leaving them out")
	}
	return members
}

// value reads a whole tree; want is the kind of its root, None for any.
func (r *reader) value(want ValueKind) Value {
	t := tree{reader: r, left: r.Array(0)}
	v, _ := t.read(false, maxExtensionDepth+1)
	if t.left > 0 {
		r.fail("%d values follow the end of an extension", t.left)
	}
	if !r.Bad() && want != None && v.kind != want {
		r.fail("the root of an extension is an object")
	}
	if r.Bad() {
		return Value{}
	}
	return v
}

// tree reads the tokens of one tree.
type tree struct {
	*reader
	left int // tokens not yet read
}

// read takes one value with all that it contains, and its name; depth bounds how much deeper it may nest.
func (t *tree) read(named bool, depth int) (Value, string) {
	if t.left--; t.left < 0 {
		t.fail("an extension ends in the middle of a container")
		return Value{}, ""
	}
	if !t.Struct(4) {
		return Value{}, ""
	}
	kind, name, text, size := ValueKind(t.Uint(math.MaxUint8)), t.Text(), t.Text(), t.Uint(math.MaxUint32)
	container := kind == List || kind == Object
	switch {
	case t.Bad():
	case kind < Null || kind > Object:
		t.fail("there is no kind of value %d", kind)
	case !named && name != "", !container && size != 0, kind != Text && kind != Number && text != "":
		t.fail("a value of kind %d has a part that it cannot have", kind)
	case container && depth == 0:
		t.fail("an extension nests deeper than %d", maxExtensionDepth)
	case kind == Object && size > maxMembers:
		t.fail("an object has more than %d members", maxMembers)
	case size > uint64(t.left): // each needs a token of its own
		t.fail("a container of %d values has only %d", size, t.left)
	case kind == Number && !isNumber(text):
		t.fail("%q is no number", shorten(text))
	}
	if t.Bad() || size == 0 {
		return Value{kind: kind, text: text}, name
	}
	if kind == List {
		return t.list(int(size), depth-1), name
	}
	return t.object(int(size), depth-1), name
}

func isNumber(text string) bool {
	_, ok := splitNumber(text)
	return ok && len(text) <= maxNumberBytes
}

func (t *tree) list(size, depth int) Value {
	if !t.Take(1, nodeRoom) || !t.Take(size, valueRoom) {
		return Value{}
	}
	n := &node{list: make([]Value, size)}
	for i := range n.list {
		if n.list[i], _ = t.read(false, depth); t.Bad() {
			return Value{}
		}
	}
	return Value{kind: List, node: n}
}

func (t *tree) object(size, depth int) Value {
	if !t.Take(1, nodeRoom) || !t.Take(size, memberRoom) {
		return Value{}
	}
	n := &node{members: make([]Member, size)}
	for i := range n.members {
		m := &n.members[i]
		if m.Value, m.Name = t.read(true, depth); t.Bad() {
			return Value{}
		}
	}
	if !t.Take(namesRoom(size), 1) {
		return Value{}
	}
	if at := twice(n.members); at >= 0 {
		t.fail("the name %q occurs twice in its object", shorten(n.members[at].Name))
		return Value{}
	}
	return Value{kind: Object, node: n}
}

// namesRoom is what looking for a name that occurs twice takes.
func namesRoom(members int) int {
	if members <= maxBareNames {
		return 0
	}
	return members * textRoom
}

// twice returns a member whose name another has, -1 if there is none.
func twice(members []Member) int {
	if len(members) <= maxBareNames {
		for i := range members {
			for j := range i {
				if members[i].Name == members[j].Name {
					return i
				}
			}
		}
		return -1
	}
	names := make([]string, len(members))
	for i := range members {
		names[i] = members[i].Name
	}
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return slices.IndexFunc(members, func(m Member) bool { return m.Name == names[i] })
		}
	}
	return -1
}
