package trace

import "fmt"

// Limits bound one trace. Zero fields mean the defaults.
type Limits struct {
	Nodes  int // items in the graph, default 10,000
	Depth  int // edges from the root, default 64
	Events int // distinct events that are looked at, default 50,000
	Edges  int // default 200,000
	Visits int // events in the histories of all items, default 1,000,000
	Bytes  int // of distinct events as they are stored, beyond which no other is looked at, default 32 MiB
}

const (
	defaultNodes  = 10_000
	defaultDepth  = 64
	defaultEvents = 50_000
	defaultEdges  = 200_000
	defaultVisits = 1_000_000
	defaultBytes  = 32 << 20
)

func (l Limits) withDefaults() Limits {
	if l.Nodes <= 0 {
		l.Nodes = defaultNodes
	}
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	if l.Events <= 0 {
		l.Events = defaultEvents
	}
	if l.Edges <= 0 {
		l.Edges = defaultEdges
	}
	if l.Visits <= 0 {
		l.Visits = defaultVisits
	}
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	return l
}

// Kind classifies a refusal, for [errors.Is].
type Kind string

// The refusals of a trace.
const (
	ErrItem    Kind = "bad item identifier" // empty or a malformed GS1 identifier
	ErrNoEvent Kind = "no events"           // nothing recorded names the item
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is a refusal: Kind for machines, Detail for people.
type Error struct {
	Kind   Kind
	Item   string
	Detail string
}

// Error says what was refused and what to do.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Kind, e.Detail) }

// Unwrap lets errors.Is(err, kind) hold.
func (e *Error) Unwrap() error { return e.Kind }
