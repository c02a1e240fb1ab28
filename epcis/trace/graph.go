package trace

// Direction says which way a graph was walked.
type Direction string

// The two directions.
const (
	DirectionBack    Direction = "back"
	DirectionForward Direction = "forward"
)

// Role says why a node is in the graph.
type Role string

// The roles of nodes.
const (
	RoleRoot    Role = "root"    // the item that was asked for
	RoleLineage Role = "lineage" // an ancestor (back) or a descendant (forward) of the root
	RoleContent Role = "content" // was inside a container of the lineage
	RoleCarrier Role = "carrier" // carried something of the lineage for a time; not part of what it was made of
)

// NodeKind says what an identifier stands for.
type NodeKind string

// The kinds of nodes.
const (
	KindInstance NodeKind = "instance" // one thing: SGTIN, SSCC, GRAI with serial…
	KindLot      NodeKind = "lot"      // a batch
	KindClass    NodeKind = "class"    // all things of a kind, no lot known: links through it are as vague as the data
	KindOther    NodeKind = "other"    // an identifier that is not a GS1 key
)

// EdgeKind says how two items hang together.
type EdgeKind string

// The kinds of edges. From is always the earlier, smaller or inner one.
const (
	EdgeTransformed EdgeKind = "transformed" // From was an input, To an output
	EdgePacked      EdgeKind = "packed"      // From was inside To between Start and End
	EdgeAssociated  EdgeKind = "associated"  // From was associated with the parent To between Start and End
	EdgeMember      EdgeKind = "member"      // From is a lot, To an instance of it
)

// Status says what became of an item, as far as the events tell.
type Status string

// The statuses, and how they are derived: from bizStep, disposition and action of the last event that moved the goods.
const (
	StatusOnHand    Status = "on_hand"
	StatusInTransit Status = "in_transit" // shipped and not received
	StatusConsumed  Status = "consumed"   // went into a transformation
	StatusSold      Status = "sold"       // sold at retail or dispensed
	StatusDestroyed Status = "destroyed"  // destroyed, disposed of or decommissioned
	StatusUnknown   Status = "unknown"    // no event tells
)

// Holding is a part of an item: how much, where, with whom, and its status.
type Holding struct {
	Status   Status `json:"status"`
	Quantity string `json:"quantity,omitempty"` // exact decimal; empty if no event states it
	UOM      string `json:"uom,omitempty"`      // UN/ECE Rec 20; empty for a count of instances
	Party    string `json:"party,omitempty"`    // who has it (in transit: who sent it)
	To       string `json:"to,omitempty"`       // in transit: who is to receive it
	Place    string `json:"place,omitempty"`    // last known location
	Carrier  string `json:"carrier,omitempty"`  // the container it is in
	TimeMs   int64  `json:"timeMs"`             // eventTime of the event that put it there
	Event    int    `json:"event"`              // that event, index into Graph.Events
}

// Node is one item.
type Node struct {
	ID       string    `json:"id"`       // canonical spelling
	Spelling string    `json:"spelling"` // as an event first wrote it
	Kind     NodeKind  `json:"kind"`
	Role     Role      `json:"role"`
	Class    string    `json:"class,omitempty"` // GTIN class of an instance or lot
	Lot      string    `json:"lot,omitempty"`   // lot or batch number
	Depth    int       `json:"depth"`           // fewest edges from the root
	Status   Status    `json:"status"`          // of the first of Holdings: what is on hand counts before what is gone
	Place    string    `json:"place,omitempty"` // last known location
	Party    string    `json:"party,omitempty"` // last known holder
	FirstMs  int64     `json:"firstMs"`         // eventTime of its first event in this graph
	LastMs   int64     `json:"lastMs"`          // eventTime of its last event in this graph
	Holdings []Holding `json:"holdings,omitempty"`
	Events   []Visit   `json:"events"` // its history, oldest first
	// Unbalanced is set when events take more of a lot than earlier events put there.
	Unbalanced bool `json:"unbalanced,omitempty"`
	// Expanded is false where a limit or the direction ended the walk at this node.
	Expanded bool `json:"expanded"`
}

// Visit is one event in the history of a node.
type Visit struct {
	Event int    `json:"event"`         // index into Graph.Events
	Via   string `json:"via,omitempty"` // the carrier that the event names instead of the item itself
}

// Edge connects two nodes. EndMs 0 means that it has not ended.
type Edge struct {
	From     string   `json:"from"` // node id
	To       string   `json:"to"`
	Kind     EdgeKind `json:"kind"`
	StartMs  int64    `json:"startMs"`
	EndMs    int64    `json:"endMs,omitempty"`
	Quantity string   `json:"quantity,omitempty"` // of From, where the event states it
	UOM      string   `json:"uom,omitempty"`
	Events   []int    `json:"events"` // that establish it, indexes into Graph.Events
}

// Event is what a reader needs to know of an event of the graph; the whole event is found by its hash.
type Event struct {
	Ref         Ref      `json:"ref"`
	Hash        string   `json:"hash"`
	Tx          string   `json:"tx"`
	EventID     string   `json:"eventID,omitempty"`
	Type        string   `json:"type"`
	Action      string   `json:"action,omitempty"`
	TimeMs      int64    `json:"timeMs"` // eventTime
	Time        string   `json:"time"`   // eventTime as written
	RecordedMs  int64    `json:"recordedMs"`
	BizStep     string   `json:"bizStep,omitempty"`
	Disposition string   `json:"disposition,omitempty"`
	ReadPoint   string   `json:"readPoint,omitempty"`
	BizLocation string   `json:"bizLocation,omitempty"`
	From        string   `json:"from,omitempty"` // source party
	To          string   `json:"to,omitempty"`   // destination party
	Author      string   `json:"author,omitempty"`
	Org         string   `json:"org,omitempty"`
	Documents   []string `json:"documents,omitempty"` // business transactions
	Flags       []string `json:"flags,omitempty"`
}

// Graph is the answer of a trace: nodes by depth then id, edges and events in the order of time. Indexes and ids refer
// within the graph.
type Graph struct {
	Direction Direction `json:"direction"`
	Root      string    `json:"root"` // node id
	Nodes     []Node    `json:"nodes"`
	Edges     []Edge    `json:"edges"`
	Events    []Event   `json:"events"`
	// Truncated is true when a limit ended the walk: the graph is then a part of the truth, and Reasons says which
	// limit was met and where.
	Truncated bool     `json:"truncated"`
	Reasons   []string `json:"reasons,omitempty"`
	// Withdrawn counts events that were left out because an error declaration withdrew them.
	Withdrawn int `json:"withdrawn,omitempty"`
}

// Node returns the node with this id, nil if there is none.
func (g *Graph) Node(id string) *Node {
	for i := range g.Nodes {
		if g.Nodes[i].ID == id {
			return &g.Nodes[i]
		}
	}
	return nil
}
