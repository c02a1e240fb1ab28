package epcis

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

func (d *decoder) extensions(tokens []wireToken) Extensions {
	if tokens == nil {
		return nil
	}
	members := d.value(tokens, Object).Members()
	if len(members) == 0 {
		d.fail("no extensions are written by leaving them out")
	}
	return members
}

// value reads a whole tree; want is the kind of its root, None for any.
func (d *decoder) value(tokens []wireToken, want ValueKind) Value {
	t := tree{decoder: d, tokens: tokens}
	v := t.read(false, maxExtensionDepth+1)
	if len(t.tokens) > 0 {
		d.fail("%d values follow the end of an extension", len(t.tokens))
	}
	if d.err == nil && want != None && v.kind != want {
		d.fail("the root of an extension is an object")
	}
	if d.err != nil {
		return Value{}
	}
	return v
}

type tree struct {
	*decoder
	tokens []wireToken // not yet read
}

// read takes one value with all that it contains; left bounds how much deeper it may nest.
func (t *tree) read(named bool, left int) Value {
	if len(t.tokens) == 0 {
		t.fail("an extension ends in the middle of a container")
		return Value{}
	}
	w := t.tokens[0]
	t.tokens = t.tokens[1:]
	kind := ValueKind(w.Kind)
	container := kind == List || kind == Object
	switch {
	case kind < Null || kind > Object:
		t.fail("there is no kind of value %d", w.Kind)
	case !named && w.Name != "", !container && w.Size != 0, kind != Text && kind != Number && w.Text != "":
		t.fail("a value of kind %d has a part that it cannot have", w.Kind)
	case container && left == 0:
		t.fail("an extension nests deeper than %d", maxExtensionDepth)
	case kind == Object && w.Size > maxMembers:
		t.fail("an object has more than %d members", maxMembers)
	case uint64(w.Size) > uint64(len(t.tokens)): // each needs a token of its own: bounds what is allocated
		t.fail("a container of %d values has only %d", w.Size, len(t.tokens))
	}
	if kind == Number {
		if _, ok := splitNumber(w.Text); !ok || len(w.Text) > maxNumberBytes {
			t.fail("%q is no number", shorten(w.Text))
		}
	}
	if t.err != nil || w.Size == 0 {
		return Value{kind: kind, text: w.Text}
	}
	if kind == List {
		return t.list(int(w.Size), left-1)
	}
	return t.object(int(w.Size), left-1)
}

func (t *tree) list(size, left int) Value {
	n := &node{list: make([]Value, size)}
	for i := range n.list {
		if n.list[i] = t.read(false, left); t.err != nil {
			return Value{}
		}
	}
	return Value{kind: List, node: n}
}

func (t *tree) object(size, left int) Value {
	n := &node{members: make([]Member, size)}
	seen := make(map[string]struct{}, size)
	for i := range n.members {
		if len(t.tokens) > 0 {
			n.members[i].Name = t.tokens[0].Name
		}
		if n.members[i].Value = t.read(true, left); t.err != nil {
			return Value{}
		}
		if _, twice := seen[n.members[i].Name]; twice {
			t.fail("the name %q occurs twice in its object", shorten(n.members[i].Name))
			return Value{}
		}
		seen[n.members[i].Name] = struct{}{}
	}
	return Value{kind: Object, node: n}
}
