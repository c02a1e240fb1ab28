package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// maxFrameBytes bounds every limit that may be configured for a frame.
	maxFrameBytes = 64 << 20
	frameHeader   = 4
	// readStep is how much is allocated ahead of the bytes that have arrived: a
	// peer that announces a large frame costs memory only as it sends it.
	readStep = 64 << 10
	// writeStep is how much must go out within one WriteTimeout.
	writeStep = 256 << 10
)

// A frame on the wire is a 4-byte big-endian length followed by that many
// bytes. Zero length is a valid, empty message.

// readFrame reads one frame of at most max bytes. started, if not nil, is called
// once after the header, before the body. At a clean end between frames it
// returns io.EOF; a frame cut short is io.ErrUnexpectedEOF; a length above max
// is ErrTooLarge, found before anything is allocated for it.
func readFrame(r io.Reader, max int, started func(size int) error) ([]byte, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(header[:])
	if uint64(length) > uint64(max) {
		return nil, kindError(ErrTooLarge, fmt.Sprintf("peer announced a frame of %d bytes, the limit is %d", length, max), nil)
	}
	size := int(length)
	if started != nil {
		if err := started(size); err != nil {
			return nil, err
		}
	}
	return readBody(r, size)
}

func readBody(r io.Reader, size int) ([]byte, error) {
	body := make([]byte, 0, min(size, readStep))
	for len(body) < size {
		step := min(size-len(body), max(readStep, len(body)))
		from := len(body)
		body = append(body, make([]byte, step)...)
		if _, err := io.ReadFull(r, body[from:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return body, nil
}

// appendFrame appends the frame of body to dst.
func appendFrame(dst, body []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	return append(dst, body...)
}

// deadlineWriter is the part of a stream that writeAll needs.
type deadlineWriter interface {
	io.Writer
	SetWriteDeadline(time.Time) error
}

// writeFrame writes prefix and then body as one frame. Each writeStep must go out
// within timeout, so a slow reader is served and one that stands still is not.
func writeFrame(w deadlineWriter, timeout time.Duration, prefix, body []byte) error {
	first := min(len(body), writeStep)
	buf := make([]byte, 0, len(prefix)+frameHeader+first)
	buf = append(buf, prefix...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(body)))
	buf = append(buf, body[:first]...)
	if err := writeStepTo(w, timeout, buf); err != nil {
		return err
	}
	for rest := body[first:]; len(rest) > 0; {
		step := min(len(rest), writeStep)
		if err := writeStepTo(w, timeout, rest[:step]); err != nil {
			return err
		}
		rest = rest[step:]
	}
	return nil
}

func writeStepTo(w deadlineWriter, timeout time.Duration, b []byte) error {
	if err := w.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

// isTimeout reports whether err is a stream's deadline having passed.
func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
