package quorum

import (
	"encoding/binary"

	"waybill/crypto"
)

// Height counts the blocks of the ledger; the genesis block has height 0.
type Height uint64

// View counts the attempts to make a block within an epoch, from 1; view 0 stands for the epoch's anchor.
type View uint64

// Epoch counts validator sets, from 0.
type Epoch uint64

// HeaderVersion is the only version of headers so far.
const HeaderVersion = 1

// Flags of a header.
const (
	FlagClosing uint16 = 1 << iota // the last block of its epoch
	FlagTail                       // no block of the ledger: exists so that a closing block can become final
	knownFlags  = FlagClosing | FlagTail
)

// Header is everything that is voted on; its hash names a block. All of it is under the hash.
type Header struct {
	Version uint16
	Genesis crypto.Hash // identity of the network
	Epoch   Epoch
	View    View
	Height  Height

	Parent     crypto.Hash
	ParentView View // 0 when the parent is the epoch's anchor

	TimeMs   int64  // milliseconds since the Unix epoch
	Proposer uint16 // index of the leader

	PayloadRoot   crypto.Hash // PayloadRoot of the transactions
	PayloadBytes  uint32      // sum of their lengths
	TxCount       uint32
	Justification crypto.Hash // Justification.Hash
	Closing       crypto.Hash // tails: the closing block that becomes final with them; else zero

	ValidatorSet     crypto.Hash // Set.Hash of this epoch
	NextValidatorSet crypto.Hash // closing blocks: Set.Hash of the next epoch; else zero
	Params           crypto.Hash

	ExecHeight       Height      // the block whose result the next two fields are
	ExecStateRoot    crypto.Hash // state tree root after ExecHeight
	ExecReceiptsRoot crypto.Hash // chain of the receipts roots of all blocks up to ExecHeight

	Flags uint16
}

// HeaderSize is the length of an encoded header in bytes.
const HeaderSize = 2 + 32 + 8 + 8 + 8 + 32 + 8 + 8 + 2 + 32 + 4 + 4 + 32 + 32 + 32 + 32 + 32 + 8 + 32 + 32 + 2

// Encode writes the fields in order, integers big-endian, fixed width.
func (h Header) Encode() []byte {
	b := make([]byte, 0, HeaderSize)
	b = binary.BigEndian.AppendUint16(b, h.Version)
	b = append(b, h.Genesis[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(h.View))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Height))
	b = append(b, h.Parent[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.ParentView))
	b = binary.BigEndian.AppendUint64(b, uint64(h.TimeMs))
	b = binary.BigEndian.AppendUint16(b, h.Proposer)
	b = append(b, h.PayloadRoot[:]...)
	b = binary.BigEndian.AppendUint32(b, h.PayloadBytes)
	b = binary.BigEndian.AppendUint32(b, h.TxCount)
	b = append(b, h.Justification[:]...)
	b = append(b, h.Closing[:]...)
	b = append(b, h.ValidatorSet[:]...)
	b = append(b, h.NextValidatorSet[:]...)
	b = append(b, h.Params[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.ExecHeight))
	b = append(b, h.ExecStateRoot[:]...)
	b = append(b, h.ExecReceiptsRoot[:]...)
	return binary.BigEndian.AppendUint16(b, h.Flags)
}

// DecodeHeader accepts exactly what Encode writes for version 1 with known flags and a time that is not negative; the
// error is of kind ErrEncoding.
func DecodeHeader(b []byte) (Header, error) {
	r := reader{crypto.ReadFields(b)}
	h := r.header()
	if err := r.done("header"); err != nil {
		return Header{}, err
	}
	if err := h.checkForm(); err != nil {
		return Header{}, err
	}
	return h, nil
}

func (r *reader) header() Header {
	return Header{
		Version: r.U16(), Genesis: r.Hash(), Epoch: Epoch(r.U64()), View: View(r.U64()), Height: Height(r.U64()),
		Parent: r.Hash(), ParentView: View(r.U64()),
		TimeMs: int64(r.U64()), Proposer: r.U16(),
		PayloadRoot: r.Hash(), PayloadBytes: r.U32(), TxCount: r.U32(), Justification: r.Hash(), Closing: r.Hash(),
		ValidatorSet: r.Hash(), NextValidatorSet: r.Hash(), Params: r.Hash(),
		ExecHeight: Height(r.U64()), ExecStateRoot: r.Hash(), ExecReceiptsRoot: r.Hash(),
		Flags: r.U16(),
	}
}

func (h *Header) checkForm() error {
	if h.Version != HeaderVersion {
		return refuse(ErrEncoding, "header version %d is not known; this program knows %d", h.Version, HeaderVersion)
	}
	if h.Flags&^knownFlags != 0 {
		return refuse(ErrEncoding, "header flags %#x are not known", h.Flags)
	}
	if h.TimeMs < 0 {
		return refuse(ErrEncoding, "header time %d ms is before 1970", h.TimeMs)
	}
	return nil
}

// IsClosing reports whether the block is the last of its epoch.
func (h Header) IsClosing() bool { return h.Flags == FlagClosing }

// IsTail reports whether the header is of a tail: it has the height of the closing block it names, carries nothing, and
// never enters the ledger.
func (h Header) IsTail() bool { return h.Flags == FlagTail }

// checkKind checks that the fields are those of an ordinary block, of a closing block, or of a tail. Whether the parent
// allows that kind is the machine's question, who knows the parent.
func (h *Header) checkKind() error {
	switch h.Flags {
	case 0:
		if !h.NextValidatorSet.IsZero() || !h.Closing.IsZero() {
			return refuse(ErrForm, "an ordinary block names a next validator set or a closing block")
		}
	case FlagClosing:
		if h.NextValidatorSet.IsZero() || !h.Closing.IsZero() {
			return refuse(ErrForm, "a closing block names the next validator set and no closing block")
		}
	case FlagTail:
		if !h.NextValidatorSet.IsZero() || h.Closing.IsZero() || h.TxCount != 0 || h.PayloadBytes != 0 {
			return refuse(ErrForm, "a tail names the closing block, no next validator set, and has no payload")
		}
		if !h.Params.IsZero() || h.ExecHeight != 0 || !h.ExecStateRoot.IsZero() || !h.ExecReceiptsRoot.IsZero() {
			return refuse(ErrForm, "a tail says something about the ledger: parameters or executed results")
		}
	default:
		return refuse(ErrForm, "a header with flags %#x: closing block and tail at once", h.Flags)
	}
	return nil
}

// Hash is Sum(TagHeader, Encode()): the name of the block.
func (h Header) Hash() crypto.Hash { return crypto.Sum(crypto.TagHeader, h.Encode()) }
