package p2p

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/crypto/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// PeerID is a peer's name: the libp2p text form of its public key, for example
// "16Uiu2HAm6JqgEJZ5dJcTd9tHXsVtWH8qXDdTiZAzHrLsMfHrJnqE". Equal ids mean equal
// keys. The zero value names nobody.
type PeerID string

// PeerIDFromPublicKey returns the id of the holder of a secp256k1 public key in
// its 33-byte compressed form.
func PeerIDFromPublicKey(compressed33 []byte) (PeerID, error) {
	if len(compressed33) != 33 {
		return "", kindError(ErrConfig, fmt.Sprintf("a public key has 33 bytes, this one has %d", len(compressed33)), nil)
	}
	pub, err := crypto.UnmarshalSecp256k1PublicKey(compressed33)
	if err != nil {
		return "", kindError(ErrConfig, "public key is not a point of secp256k1", err)
	}
	return idOfKey(pub)
}

// PeerIDFromPrivateKey returns the id that a node with this raw secp256k1
// private key has. The zero key is refused.
func PeerIDFromPrivateKey(key [32]byte) (PeerID, error) {
	priv, err := privateKey(key)
	if err != nil {
		return "", err
	}
	return idOfKey(priv.GetPublic())
}

// ParsePeerID checks the text form of a peer id and that it holds a secp256k1
// key.
func ParsePeerID(s string) (PeerID, error) {
	id, err := peer.Decode(s)
	if err != nil {
		return "", kindError(ErrConfig, fmt.Sprintf("%q is not a peer id", s), err)
	}
	if !isSecp256k1(id) {
		return "", kindError(ErrConfig, fmt.Sprintf("peer id %q is not that of a secp256k1 key", s), nil)
	}
	return PeerID(id.String()), nil
}

func (p PeerID) decode() (peer.ID, error) {
	id, err := peer.Decode(string(p))
	if err != nil {
		return "", kindError(ErrConfig, fmt.Sprintf("%q is not a peer id", string(p)), err)
	}
	return id, nil
}

func privateKey(key [32]byte) (crypto.PrivKey, error) {
	if key == [32]byte{} {
		return nil, kindError(ErrConfig, "the private key is all zero; load the node key first", nil)
	}
	priv, err := crypto.UnmarshalSecp256k1PrivateKey(key[:])
	if err != nil {
		return nil, kindError(ErrConfig, "private key is not a secp256k1 key", err)
	}
	return priv, nil
}

func idOfKey(pub crypto.PubKey) (PeerID, error) {
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return "", kindError(ErrConfig, "peer id of public key", err)
	}
	return PeerID(id.String()), nil
}

// isSecp256k1 reports whether id embeds a secp256k1 key. Only these are peers:
// every other key type is attack surface without a use (giant RSA keys in the
// handshake, CVE-2023-39533).
func isSecp256k1(id peer.ID) bool {
	pub, err := id.ExtractPublicKey()
	return err == nil && pub.Type() == pb.KeyType_Secp256k1
}
