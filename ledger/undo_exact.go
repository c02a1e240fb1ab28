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

func (w *undoWriter) exact(space, k string) {
	w.text(k)
	is := encoded(w.e.o, space, k)
	o := w.e.o
	top := o.layers[len(o.layers)-1]
	o.layers = o.layers[:len(o.layers)-1]
	was := encoded(o, space, k)
	o.layers = append(o.layers, top)
	w.text(string(was))
	w.text(exactDigest(is))
}

// encoded is the bytes of a record of which exact notes are taken; nil if there is none.
func encoded(o *overlay, space, k string) []byte {
	switch space {
	case "transfer":
		return encodedAs[Shipment](o, k)
	case "link":
		return encodedAs[Link](o, k)
	case "assoc":
		return encodedAs[Associations](o, k)
	case "carries":
		return encodedAs[Carried](o, k)
	case "claimed":
		return encodedAs[ClaimAccount](o, k)
	case "uses":
		return encodedAs[uses](o, k)
	case "hold", "linkhold":
		return encodedAs[Hold](o, k)
	}
	panic("ledger: no exact notes of " + k)
}

func encodedAs[T any](o *overlay, k string) []byte {
	rec, ok := get[T](o, []byte(k))
	if !ok {
		return nil
	}
	return mustMarshal(&rec)
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
	rec, err := decodeRecord[T]([]byte(k), raw)
	if err != nil {
		panic("ledger: notes of " + k + " do not decode")
	}
	put(o, []byte(k), *rec)
}
