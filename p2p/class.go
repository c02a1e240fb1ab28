package p2p

import "strconv"

// Class is the priority of a direct message. Each class of each peer has its
// own stream and queue, so that votes never wait behind a bulk transfer; a
// writer also lets higher classes of the same peer go first.
type Class uint8

// The classes, most urgent first.
const (
	ClassConsensus   Class = iota // votes, proposals, timeouts
	ClassCertificate              // certificates and requests for them
	ClassBatch                    // transaction batches
	ClassSync                     // catching up
	NumClasses       = 4
)

var classNames = [NumClasses]string{"consensus", "certificate", "batch", "sync"}

// String returns the class's name, for example "consensus"; it is also the last
// part of the stream's protocol id and a metric label.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class" + strconv.Itoa(int(c))
}

func (c Class) valid() bool { return c < NumClasses }
