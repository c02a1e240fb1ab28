package signer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"

	"waybill/crypto"
)

// address is where a signer listens: "unix:/path", or "tcp:host:port", with "KEY@" before the host for whoever dials.
type address struct {
	network, place string
	key            crypto.PublicKey // of the listener's transport, tcp only
}

// parseAddress reads an address; dialing says that it must name the listener's key.
func parseAddress(text string, dialing bool) (a address, err error) {
	network, place, _ := strings.Cut(text, ":")
	a = address{network: network, place: place}
	bad := func(format string, args ...any) (address, error) {
		return a, refuse(ErrOptions, "the address %q "+format+": it is unix:/PATH, or tcp:HOST:PORT (and for a node tcp:KEY@HOST:PORT)", append([]any{text}, args...)...)
	}
	switch {
	case network == "unix" && place != "":
		return a, nil
	case network != "tcp":
		return bad("has an unknown kind")
	}
	name, rest, named := strings.Cut(place, "@")
	if named != dialing {
		return bad("must name a key exactly when it is dialed")
	}
	if dialing {
		raw, err := hex.DecodeString(name)
		if err == nil {
			a.key, err = crypto.ParsePublicKey(raw)
		}
		if err != nil {
			return bad("names a bad key (%v)", err)
		}
		a.place = rest
	}
	if _, _, err := net.SplitHostPort(a.place); err != nil {
		return bad("has no host and port")
	}
	return a, nil
}

// identity is the transport key of one end.
func identity(key crypto.PrivateKey) (*noise.Transport, error) {
	raw := key.Bytes()
	own, err := libcrypto.UnmarshalSecp256k1PrivateKey(raw[:])
	if err != nil {
		return nil, fmt.Errorf("signer: the transport key: %w", err)
	}
	t, err := noise.New(noise.ID, own, nil)
	if err != nil {
		return nil, fmt.Errorf("signer: noise: %w", err)
	}
	return t, nil
}

func peerOf(key crypto.PublicKey) (peer.ID, error) {
	public, err := libcrypto.UnmarshalSecp256k1PublicKey(key[:])
	if err != nil {
		return "", fmt.Errorf("signer: the key %s of the other end: %w", key, err)
	}
	return peer.IDFromPublicKey(public)
}

// Listen opens the socket of a signer: a unix socket that only its owner may use (an old one that nobody listens on is
// replaced), or TCP, which [Server] protects with Noise.
func Listen(ctx context.Context, listen string) (net.Listener, error) {
	a, err := parseAddress(listen, false)
	if err != nil {
		return nil, err
	}
	if a.network == "unix" {
		if err := clearSocket(ctx, a.place); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, a.network, a.place)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", listen, err)
	}
	if a.network == "unix" {
		// The folder decides until this is done; the peer's user is looked at besides.
		if err := os.Chmod(a.place, 0o600); err != nil {
			return nil, errors.Join(fmt.Errorf("protecting the socket: %w", err), l.Close())
		}
	}
	return l, nil
}

// clearSocket removes a socket that a killed process left.
func clearSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return refuse(ErrOptions, "%s is there and is no socket; name another path", path)
	}
	var d net.Dialer
	if c, err := d.DialContext(ctx, "unix", path); err == nil {
		return errors.Join(refuse(ErrLocked, "somebody listens on %s already: stop that one first", path), c.Close())
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing an old socket: %w", err)
	}
	return nil
}
