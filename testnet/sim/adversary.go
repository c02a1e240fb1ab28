package sim

// Kind names a way to break the rules.
type Kind int

// The kinds of adversaries, one file each.
const (
	Equivocator  Kind = iota // as leader, shows different blocks to different halves, and votes for both
	Withholder               // as leader, shows its block to some only; certifies what it does not hand out
	Twins                    // runs twice with one key, each copy talking to its own half
	Nullifier                // gives every view up
	Replayer                 // repeats old votes, certificates, proposals and statuses
	Spammer                  // votes far ahead, in views and epochs, and claims impossible heights
	Unjust                   // proposes what nothing justifies
	SyncLiar                 // lies about its height and answers block requests with rubbish, late, or not at all
	Reconfigurer             // attacks the blocks that end an epoch
	Mutator                  // flips bits of its messages
	Framer                   // makes up evidence and votes of honest validators
	Silent                   // says nothing at all
	Leaver                   // votes on in epochs it is no member of
	Double                   // finalizes and nullifies, and notarizes twice
	kinds
)

var kindNames = [kinds]string{
	"equivocating leader", "withholding leader", "twins", "nullify only", "replayer", "future spam", "unjustified proposals",
	"lying sync peer", "reconfiguration", "mutator", "framer", "silent", "votes after leaving", "double voter",
}

// String is the name in the table.
func (k Kind) String() string {
	if k < 0 || k >= kinds {
		return "none"
	}
	return kindNames[k]
}

// adversary makes a node misbehave. Each has its own file. The node's body is a shipped replica; an adversary sees what
// it wants to send before it leaves, what arrives before it gets it, and can say what it likes with the node's own key.
type adversary interface {
	// send is given a message on its way to a node and returns what goes there in its place.
	send(a *actor, to *member, msg []byte) [][]byte
	// hear is told every message that arrives; false keeps it from the replica.
	hear(a *actor, from *member, msg []byte) bool
	// tick is called every tickMs.
	tick(a *actor)
}

// tickMs is how often adversaries act of their own accord.
const tickMs = 60

// bystander does nothing of its own; adversaries embed it.
type bystander struct{}

func (bystander) send(_ *actor, _ *member, msg []byte) [][]byte { return [][]byte{msg} }
func (bystander) hear(*actor, *member, []byte) bool             { return true }
func (bystander) tick(*actor)                                   {}

// newAdversary makes one of a kind.
func newAdversary(k Kind) adversary {
	switch k {
	case Equivocator:
		return &equivocator{}
	case Withholder:
		return &withholder{}
	case Twins:
		return &twins{}
	case Nullifier:
		return &nullifier{}
	case Replayer:
		return &replayer{}
	case Spammer:
		return &spammer{}
	case Unjust:
		return &unjust{}
	case SyncLiar:
		return &syncLiar{}
	case Reconfigurer:
		return &reconfigurer{}
	case Mutator:
		return &mutator{}
	case Framer:
		return &framer{}
	case Leaver:
		return &leaver{}
	case Double:
		return &double{}
	}
	return &silent{}
}
