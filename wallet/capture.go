package wallet

import (
	"fmt"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// Capture makes the transactions that record events, in order. What fits makes one transaction. What does not is refused
// in rollback mode, which promises all or nothing, and split in proceed mode: as few transactions as possible, each of
// which depends on the one before it, because later events of a supply chain stand on earlier ones (nothing is shipped
// before it is packed).
//
// The price of that order: if the network refuses every event of one part, the parts after it are refused as well, for a
// failed dependency. Capturing the same events again is harmless then: those that were recorded are not recorded twice.
func (b *Builder) Capture(events []*epcis.Event, mode ledger.CaptureMode) ([]ledger.Body, error) {
	if len(events) == 0 {
		return nil, refuse(ErrContent, "there are no events to capture")
	}
	encoded, err := encodeEvents(events)
	if err != nil {
		return nil, err
	}
	parts, err := b.split(encoded, mode)
	if err != nil {
		return nil, err
	}
	bodies := make([]ledger.Body, 0, len(parts))
	dependsOn := b.DependsOn
	for _, part := range parts {
		body, err := b.body(&ledger.Capture{Mode: mode, Events: part}, dependsOn)
		if err != nil {
			return nil, err
		}
		id, err := body.Digest()
		if err != nil {
			return nil, err
		}
		bodies, dependsOn = append(bodies, body), []crypto.Hash{id}
	}
	return bodies, nil
}

func encodeEvents(events []*epcis.Event) ([][]byte, error) {
	encoded := make([][]byte, len(events))
	for i, e := range events {
		if e == nil {
			return nil, refuse(ErrContent, "event %d is missing", i+1)
		}
		data, err := epcis.EncodeEvent(e)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i+1, err)
		}
		encoded[i] = data
	}
	return encoded, nil
}

// split cuts the events into parts that fit into one transaction each.
func (b *Builder) split(encoded [][]byte, mode ledger.CaptureMode) ([][][]byte, error) {
	first, err := b.room(b.DependsOn, mode)
	if err != nil {
		return nil, err
	}
	later, err := b.room(make([]crypto.Hash, 1), mode)
	if err != nil {
		return nil, err
	}
	var parts [][][]byte
	room := first
	for rest := encoded; len(rest) > 0; room = later {
		n := room.take(rest)
		if n == 0 {
			at := len(encoded) - len(rest)
			return nil, refuse(ErrTooLarge, "event %d alone has %d bytes; a transaction of this network has at most %d. Spread its goods over several events", at+1, len(rest[0]), room.limit)
		}
		parts, rest = append(parts, rest[:n:n]), rest[n:]
		if mode == ledger.Rollback && len(rest) > 0 {
			return nil, refuse(ErrTooLarge, "only the first %d of %d events fit into one transaction of this network (%d bytes, %d events), and in rollback mode all of them must. Split the document after event %d and capture the parts in order, or capture it in proceed mode, which splits it for you and records each event that is right", n, len(encoded), room.limit, ledger.MaxEvents, n)
		}
	}
	return parts, nil
}

// room is the space for events in a transaction, in bytes.
type room struct {
	limit      int // of the transaction
	body       int // its body with an empty payload
	signatures int // the list of them
}

// room measures a capture without events.
func (b *Builder) room(dependsOn []crypto.Hash, mode ledger.CaptureMode) (room, error) {
	measure := *b
	measure.Random = zeros{} // a salt for measuring only
	body, err := measure.body(&ledger.Capture{Mode: mode}, dependsOn)
	if err != nil {
		return room{}, err
	}
	body.Payload = nil
	data, err := body.Encode()
	if err != nil {
		return room{}, err
	}
	signatures, err := signaturesSize(b.signatures(&body, nil))
	if err != nil {
		return room{}, err
	}
	return room{limit: b.sizeLimit(), body: len(data), signatures: signatures}, nil
}

// take says how many of the events, from the first, fit.
func (r room) take(events [][]byte) int {
	bytes := 0
	for n, e := range events {
		bytes += headSize(len(e)) + len(e)
		if n == ledger.MaxEvents || r.size(n+1, bytes) > r.limit {
			return n
		}
	}
	return len(events)
}

// size is that of the signed transaction with n events that take so many bytes together.
func (r room) size(n, bytes int) int {
	payload := 1 + 1 + headSize(n) + bytes                     // list of two, mode, list of events
	body := r.body - headSize(0) + headSize(payload) + payload // the payload comes in place of an empty one
	return envelopeSize(body, r.signatures)
}

// zeros is a source of salts that are never signed.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
