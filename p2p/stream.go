package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"
)

// outStream is a stream whose protocol is negotiated together with its first
// bytes, which saves a round trip.
type outStream struct {
	network.Stream
	lazy io.ReadWriteCloser
}

func (s *outStream) Read(b []byte) (int, error)  { return s.lazy.Read(b) }
func (s *outStream) Write(b []byte) (int, error) { return s.lazy.Write(b) }

// openStream opens a stream on this very connection. The host's NewStream picks
// one by itself, which may be the dead one of a peer that restarted, and first
// waits for identify, which a greeting must not depend on.
func openStream(ctx context.Context, conn network.Conn, id protocol.ID) (*outStream, error) {
	s, err := conn.NewStream(network.WithNoDial(ctx, "greeted connections only"))
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", id, err)
	}
	if err := s.SetProtocol(id); err != nil {
		return nil, fmt.Errorf("open stream %s: %w", id, errors.Join(err, s.Reset()))
	}
	return &outStream{Stream: s, lazy: multistream.NewMSSelect(s, id)}, nil
}
