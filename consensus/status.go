package consensus

import (
	"encoding/binary"
	"fmt"

	"waybill/consensus/quorum"
)

// Status is what a validator says about itself. It travels with every vote and is repeated when the chain is idle. It is
// not signed: a false one makes others offer a useless certificate, at most one per T_r.
type Status struct {
	Epoch       quorum.Epoch
	View        quorum.View   // the view it is in
	FinalHeight quorum.Height // the height of its ledger
	FinalView   quorum.View   // the highest view whose finalization it holds, with or without the block
	// Missing is a view below View whose certificate it needs to judge a proposal or to make one; 0 means none.
	Missing quorum.View
	HasWork bool // it holds transactions that wait to be ordered
}

// StatusSize is the length of an encoded [Status] in bytes.
const StatusSize = 5*8 + 1

// StatusError says why bytes are no status.
type StatusError struct{ Detail string }

// Error returns a sentence.
func (e *StatusError) Error() string { return "status message is malformed: " + e.Detail }

// Encode returns the fields in declared order, big-endian, HasWork as 0 or 1: always [StatusSize] bytes.
func (s Status) Encode() []byte {
	b := make([]byte, 0, StatusSize)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(s.View))
	b = binary.BigEndian.AppendUint64(b, uint64(s.FinalHeight))
	b = binary.BigEndian.AppendUint64(b, uint64(s.FinalView))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Missing))
	if s.HasWork {
		return append(b, 1)
	}
	return append(b, 0)
}

// DecodeStatus reads what [Status.Encode] wrote and nothing else; the error is a *[StatusError].
func DecodeStatus(b []byte) (Status, error) {
	if len(b) != StatusSize {
		return Status{}, &StatusError{fmt.Sprintf("%d bytes, want %d", len(b), StatusSize)}
	}
	if b[40] > 1 {
		return Status{}, &StatusError{fmt.Sprintf("work flag is %d, want 0 or 1", b[40])}
	}
	return Status{
		Epoch:       quorum.Epoch(binary.BigEndian.Uint64(b[0:])),
		View:        quorum.View(binary.BigEndian.Uint64(b[8:])),
		FinalHeight: quorum.Height(binary.BigEndian.Uint64(b[16:])),
		FinalView:   quorum.View(binary.BigEndian.Uint64(b[24:])),
		Missing:     quorum.View(binary.BigEndian.Uint64(b[32:])),
		HasWork:     b[40] == 1,
	}, nil
}
