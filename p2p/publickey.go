package p2p

import "fmt"

// PublicKey returns the compressed secp256k1 key that a peer id of this network is made of. The error is of
// kind ErrConfig for an id of any other kind of key.
func (p PeerID) PublicKey() ([33]byte, error) {
	id, err := p.decode()
	if err != nil {
		return [33]byte{}, err
	}
	key, err := id.ExtractPublicKey()
	if err != nil {
		return [33]byte{}, kindError(ErrConfig, fmt.Sprintf("peer id %s does not hold its key", p), err)
	}
	raw, err := key.Raw()
	if err != nil || len(raw) != 33 || !isSecp256k1(id) {
		return [33]byte{}, kindError(ErrConfig, fmt.Sprintf("the key of peer id %s is not secp256k1", p), nil)
	}
	return [33]byte(raw), nil
}
