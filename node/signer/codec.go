package signer

import (
	"encoding/binary"
	"hash/crc32"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// A slot is: magic "wbsigner", version:2, length of the rest:2, then sequence:8, genesis:32, key:33, mark:17, proposed:16,
// ceiling:17, proposed ceiling:16, since:17, raised:17, number of recent votes:1, and of each set hash:32 and vote:123;
// then CRC32C:4 over all before it, then zeros. Everything big-endian.
const (
	magic        = "wbsigner"
	slotVersion  = 1
	slotHead     = len(magic) + 2 + 2
	stateFixed   = 8 + crypto.HashSize + crypto.PublicKeySize + 4*17 + 2*16 + 1
	signedSize   = crypto.HashSize + quorum.VoteSize
	maxStateSize = stateFixed + MaxRecent*signedSize
)

// A state that does not fit a slot does not compile.
const _ = uint(SlotSize - slotHead - maxStateSize - 4)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeSlot writes a slot of SlotSize bytes.
func encodeSlot(sequence uint64, s *State) []byte {
	b := make([]byte, 0, SlotSize)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, slotVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(stateFixed+len(s.Recent)*signedSize))
	b = appendState(b, sequence, s)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b[:SlotSize]
}

func appendState(b []byte, sequence uint64, s *State) []byte {
	b = binary.BigEndian.AppendUint64(b, sequence)
	b = append(b, s.Genesis[:]...)
	b = append(b, s.Key[:]...)
	b = appendMark(b, s.Mark)
	b = appendPlace(b, s.Proposed)
	b = appendMark(b, s.Ceiling)
	b = appendPlace(b, s.ProposedCeiling)
	b = appendMark(b, s.Since)
	b = appendMark(b, s.Raised)
	b = append(b, byte(len(s.Recent)))
	for i := range s.Recent {
		b = append(b, s.Recent[i].ValidatorSet[:]...)
		b = append(b, s.Recent[i].Vote.Encode()...)
	}
	return b
}

func appendMark(b []byte, m Mark) []byte {
	return append(appendPlace(b, Slot{m.Epoch, m.View}), m.Step)
}

func appendPlace(b []byte, p Slot) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(p.Epoch))
	return binary.BigEndian.AppendUint64(b, uint64(p.View))
}

// decodeSlot accepts exactly what encodeSlot writes; the error is of kind ErrDamaged.
func decodeSlot(b []byte) (sequence uint64, s State, err error) {
	if len(b) != SlotSize {
		return 0, s, refuse(ErrDamaged, "a copy has %d bytes, not %d", len(b), SlotSize)
	}
	if string(b[:len(magic)]) != magic {
		return 0, s, refuse(ErrDamaged, "a copy does not begin as one")
	}
	if v := binary.BigEndian.Uint16(b[len(magic):]); v != slotVersion {
		return 0, s, refuse(ErrDamaged, "a copy is of version %d, this program knows %d", v, slotVersion)
	}
	end := slotHead + int(binary.BigEndian.Uint16(b[len(magic)+2:]))
	if end > SlotSize-4 || crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return 0, s, refuse(ErrDamaged, "the checksum of a copy is wrong")
	}
	for _, pad := range b[end+4:] {
		if pad != 0 {
			return 0, s, refuse(ErrDamaged, "a copy is followed by something")
		}
	}
	return decodeState(b[slotHead:end])
}

// decodeState accepts exactly what appendState writes.
func decodeState(b []byte) (sequence uint64, s State, err error) {
	if len(b) < stateFixed || len(b) > maxStateSize || (len(b)-stateFixed)%signedSize != 0 {
		return 0, s, refuse(ErrDamaged, "a state has %d bytes", len(b))
	}
	r := reader{b}
	sequence = r.u64()
	copy(s.Genesis[:], r.take(crypto.HashSize))
	copy(s.Key[:], r.take(crypto.PublicKeySize))
	s.Mark, s.Proposed = r.mark(), r.place()
	s.Ceiling, s.ProposedCeiling = r.mark(), r.place()
	s.Since, s.Raised = r.mark(), r.mark()
	if count := int(r.take(1)[0]); count*signedSize != len(r.rest) {
		return 0, s, refuse(ErrDamaged, "a state says %d votes and has %d bytes of them", count, len(r.rest))
	}
	for len(r.rest) > 0 {
		var v SignedVote
		copy(v.ValidatorSet[:], r.take(crypto.HashSize))
		if v.Vote, err = quorum.DecodeVote(r.take(quorum.VoteSize)); err != nil {
			return 0, s, &Error{Kind: ErrDamaged, Detail: "a remembered vote", Cause: err}
		}
		s.Recent = append(s.Recent, v)
	}
	if s.Mark.Step > stepExit || s.Ceiling.Less(s.Mark) || s.ProposedCeiling.Less(s.Proposed) {
		return 0, s, refuse(ErrDamaged, "a state ends at %s with the ceiling %s", s.Mark, s.Ceiling)
	}
	return sequence, s, nil
}

// reader takes a value apart whose length was checked.
type reader struct{ rest []byte }

func (r *reader) take(n int) []byte {
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) place() Slot {
	return Slot{Epoch: quorum.Epoch(r.u64()), View: quorum.View(r.u64())}
}

func (r *reader) mark() Mark {
	p := r.place()
	return Mark{p.Epoch, p.View, r.take(1)[0]}
}
