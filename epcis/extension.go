package epcis

// ValueKind is the JSON type of a [Value]. The numbers are part of the CBOR form.
type ValueKind uint8

// The JSON types. None means that the value is absent, which null is not.
const (
	None   ValueKind = 0
	Null   ValueKind = 1
	False  ValueKind = 2
	True   ValueKind = 3
	Number ValueKind = 4
	Text   ValueKind = 5
	List   ValueKind = 6
	Object ValueKind = 7
)

// Value is any JSON value, kept exactly: text decoded, numbers as their literal, members in the order they were written.
// The zero Value is absent. A Value is immutable once made.
type Value struct {
	kind ValueKind
	text string // Text: the text; Number: the literal
	node *node  // List and Object, nil when empty
}

type node struct {
	list    []Value
	members []Member
}

// Member is one name and value of an object; names of user extensions are namespaced, for example "ext:grade".
type Member struct {
	Name  string
	Value Value
}

// Extensions are the members of an object that the standard leaves to its user, in the order they were written. Nil is
// absent; for ILMD an empty one was written as an empty object.
type Extensions []Member

// Kind returns the JSON type.
func (v Value) Kind() ValueKind { return v.kind }

// IsZero reports whether the value is absent.
func (v Value) IsZero() bool { return v.kind == None }

// Text returns the text of a Text, the literal of a Number, "true" or "false" of a boolean; "" otherwise.
func (v Value) Text() string {
	switch v.kind {
	case True:
		return "true"
	case False:
		return "false"
	}
	return v.text
}

// List returns the elements of a List, nil otherwise. Do not change it.
func (v Value) List() []Value {
	if v.kind != List || v.node == nil {
		return nil
	}
	return v.node.list
}

// Members returns the members of an Object, nil otherwise. Do not change it.
func (v Value) Members() []Member {
	if v.kind != Object || v.node == nil {
		return nil
	}
	return v.node.members
}

// Member returns the member of an Object with exactly this name; absent if there is none.
func (v Value) Member(name string) Value { return Extensions(v.Members()).Find(name) }

// Find returns the value with exactly this name; absent if there is none.
func (x Extensions) Find(name string) Value {
	for _, m := range x {
		if m.Name == name {
			return m.Value
		}
	}
	return Value{}
}

// NewText makes a text.
func NewText(s string) Value { return Value{kind: Text, text: s} }

// NewNumber makes an exact number.
func NewNumber(d Decimal) Value { return Value{kind: Number, text: d.String()} }

// NewBool makes a boolean.
func NewBool(b bool) Value {
	if b {
		return Value{kind: True}
	}
	return Value{kind: False}
}

// NewNull makes the JSON null.
func NewNull() Value { return Value{kind: Null} }

// NewList makes a list of values.
func NewList(list ...Value) Value {
	if len(list) == 0 {
		return Value{kind: List}
	}
	return Value{kind: List, node: &node{list: list}}
}

// NewObject makes an object; the names must differ.
func NewObject(members ...Member) Value {
	if len(members) == 0 {
		return Value{kind: Object}
	}
	return Value{kind: Object, node: &node{members: members}}
}
