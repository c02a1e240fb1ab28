package ledger

import "waybill/crypto"

// Records of which notes hold all bytes as they were, and a digest of them as the event left them.

// exactDigest is the first half of a hash of a record's bytes.
func exactDigest(raw []byte) string {
	// Under the tag of chains, whose messages are two hashes: this one is longer, so it is none of them.
	var pad [2*crypto.HashSize + 1]byte
	sum := crypto.Sum(crypto.TagItemChain, pad[:], raw)
	return string(sum[:crypto.HashSize/2])
}

func (w *undoWriter) exact(space string, s *slot) {
	w.text(s.key)
	w.text(string(encoded(w.e.o, space, s, true)))
	w.text(exactDigest(encoded(w.e.o, space, s, false)))
}

// encoded is the bytes of a record of which exact notes are taken, as it is or as it is below the top layer; nil if there is
// none.
func encoded(o *overlay, space string, s *slot, below bool) []byte {
	switch space {
	case "transfer":
		return encodedAs[Shipment](o, s, below)
	case "link":
		return encodedAs[Link](o, s, below)
	case "assoc":
		return encodedAs[Associations](o, s, below)
	case "carries":
		return encodedAs[Carried](o, s, below)
	case "claimed":
		return encodedAs[ClaimAccount](o, s, below)
	case "uses":
		return encodedAs[uses](o, s, below)
	case "hold", "linkhold":
		return encodedAs[Hold](o, s, below)
	}
	panic("ledger: no exact notes of " + s.key)
}

func encodedAs[T any](o *overlay, s *slot, below bool) []byte {
	look := current[T]
	if below {
		look = peekUnder[T]
	}
	rec := look(o, s)
	if rec == nil {
		return nil
	}
	return mustMarshal(rec)
}

// restore puts back a record from its bytes; nil deletes it.
func restore(o *overlay, space, k string, raw []byte) {
	switch space {
	case "transfer":
		restoreAs[Shipment](o, k, raw)
	case "link":
		restoreAs[Link](o, k, raw)
	case "assoc":
		restoreAs[Associations](o, k, raw)
	case "carries":
		restoreAs[Carried](o, k, raw)
	case "claimed":
		restoreAs[ClaimAccount](o, k, raw)
	case "uses":
		restoreAs[uses](o, k, raw)
	case "hold", "linkhold":
		restoreAs[Hold](o, k, raw)
	}
}

func restoreAs[T any](o *overlay, k string, raw []byte) {
	if len(raw) == 0 {
		o.del([]byte(k))
		return
	}
	rec, err := decodeRecord[T](k, raw)
	if err != nil {
		panic("ledger: notes of " + k + " do not decode")
	}
	put(o, []byte(k), *rec)
}
