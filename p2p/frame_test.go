package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

func TestFrameGoldenBytes(t *testing.T) {
	for body, want := range map[string]string{
		"":     "00000000",
		"a":    "0000000161",
		"vote": "00000004766f7465",
	} {
		if got := hex.EncodeToString(appendFrame(nil, []byte(body))); got != want {
			t.Errorf("frame of %q: %s, want %s", body, got, want)
		}
	}
	h := hello{version: 1, instance: 0x0102030405060708, namespace: "00ff00ff00ff00ff"}
	want := "0001" + "0102030405060708" + hex.EncodeToString([]byte("00ff00ff00ff00ff"))
	if got := hex.EncodeToString(h.encode()); got != want {
		t.Errorf("hello %s, want %s", got, want)
	}
}

// chunkWriter keeps what is written and can stall.
type chunkWriter struct {
	bytes.Buffer
	deadlines int
	failAfter int
}

func (w *chunkWriter) SetWriteDeadline(time.Time) error { w.deadlines++; return nil }

func (w *chunkWriter) Write(b []byte) (int, error) {
	if w.failAfter > 0 && w.Len()+len(b) > w.failAfter {
		return 0, os.ErrDeadlineExceeded
	}
	return w.Buffer.Write(b)
}

func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(0, 300), rapid.SampledFrom([]int{
			readStep - 1, readStep, readStep + 1, writeStep - 1, writeStep, writeStep + 1, 3*writeStep + 17})).Draw(t, "size")
		body := bytes.Repeat([]byte{byte(size)}, size)
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "prefix")
		var w chunkWriter
		if err := writeFrame(&w, time.Second, prefix, body); err != nil {
			t.Fatal(err)
		}
		if want := appendFrame(bytes.Clone(prefix), body); !bytes.Equal(w.Bytes(), want) {
			t.Fatal("written bytes differ")
		}
		if want := max(1, (size+writeStep-1)/writeStep); w.deadlines != want {
			t.Fatalf("%d deadlines for %d bytes, want %d", w.deadlines, size, want)
		}
		var r io.Reader = bytes.NewReader(w.Bytes()[len(prefix):])
		if rapid.Bool().Draw(t, "in halves") {
			r = iotest.HalfReader(r)
		}
		got, err := readFrame(r, size, nil)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("read %d bytes, %v", len(got), err)
		}
	})
}

func TestReadFrameErrors(t *testing.T) {
	full := appendFrame(nil, []byte("abc"))
	if _, err := readFrame(bytes.NewReader(nil), 10, nil); err != io.EOF {
		t.Errorf("clean end: %v", err)
	}
	for cut := 1; cut < len(full); cut++ {
		if _, err := readFrame(bytes.NewReader(full[:cut]), 10, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	_, err := readFrame(bytes.NewReader(full), 2, func(int) error { t.Error("started an oversized frame"); return nil })
	wantKind(t, err, ErrTooLarge, "3 bytes", "limit is 2")
	refusal := errors.New("no memory")
	if _, err := readFrame(bytes.NewReader(full), 3, func(size int) error { return fmt.Errorf("%d: %w", size, refusal) }); !errors.Is(err, refusal) {
		t.Errorf("refused: %v", err)
	}
	stalled := &chunkWriter{failAfter: writeStep + 100}
	if err := writeFrame(stalled, time.Second, nil, make([]byte, 3*writeStep)); !isTimeout(err) {
		t.Errorf("stalled writer: %v", err)
	}
}

func TestAnnouncedFrameCostsNothingBeforeItArrives(t *testing.T) {
	header := binary.BigEndian.AppendUint32(nil, maxFrameBytes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		if _, err := readFrame(bytes.NewReader(header), maxFrameBytes, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 20*readStep+1<<20 {
		t.Errorf("%d bytes allocated for frames that never came", used)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{}, 10)
	f.Add(appendFrame(nil, []byte("abc")), 3)
	f.Add(appendFrame(nil, []byte("abc")), 2)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, 1<<20)
	f.Add(appendFrame(appendFrame(nil, nil), make([]byte, readStep+1)), 1<<20)
	f.Fuzz(func(t *testing.T, input []byte, limit int) {
		limit = min(max(limit, 0), maxFrameBytes)
		r := bytes.NewReader(input)
		var again []byte
		for {
			body, err := readFrame(r, limit, nil)
			if err != nil {
				if body != nil {
					t.Fatal("bytes together with an error")
				}
				break
			}
			if len(body) > limit {
				t.Fatalf("%d bytes, limit %d", len(body), limit)
			}
			again = appendFrame(again, body)
		}
		if !bytes.HasPrefix(input, again) {
			t.Fatal("frames do not encode to what was read")
		}
	})
}

func FuzzDecodeHello(f *testing.F) {
	f.Add(hello{version: 1, instance: 2, namespace: genesisA}.encode())
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte("0123456789<html>"))
	f.Fuzz(func(t *testing.T, input []byte) {
		h, err := decodeHello(input)
		if err != nil {
			wantKind(t, err, ErrFrame)
			return
		}
		if !bytes.Equal(h.encode(), input) {
			t.Fatalf("%+v does not encode to %x", h, input)
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	f.Add(appendFrame([]byte{statusOK}, []byte("abc")), 3)
	f.Add(appendFrame([]byte{statusRefused}, []byte("no")), 3)
	f.Add(appendFrame([]byte{statusBusy}, nil), 0)
	f.Add([]byte{statusOK, 0xff, 0xff, 0xff, 0xff}, 100)
	f.Fuzz(func(t *testing.T, input []byte, limit int) {
		limit = min(max(limit, 0), maxFrameBytes)
		body, err := readAnswer(bytes.NewReader(input), limit)
		if err == nil && (len(body) > limit || input[0] != statusOK) {
			t.Fatalf("accepted %d bytes of %x", len(body), input)
		}
	})
}

// The queue against a slice that drops from its front.
func TestQueueAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := ClassLimits{MaxBytes: 8, QueueMessages: rapid.IntRange(1, 6).Draw(t, "messages"), QueueBytes: rapid.IntRange(8, 30).Draw(t, "bytes")}
		q := newQueue(limits)
		var model [][]byte
		size := func() (n int) {
			for _, m := range model {
				n += len(m)
			}
			return n
		}
		for i := range rapid.IntRange(0, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "op") > 0 {
				msg := bytes.Repeat([]byte{byte(i)}, rapid.IntRange(0, 8).Draw(t, "len"))
				dropped := 0
				for len(model) > 0 && (len(model)+1 > limits.QueueMessages || size()+len(msg) > limits.QueueBytes) {
					model = model[1:]
					dropped++
				}
				model = append(model, msg)
				if got := q.push(msg); got != dropped {
					t.Fatalf("dropped %d, want %d", got, dropped)
				}
			} else if len(model) > 0 {
				msg, ok := q.pop(context.Background())
				if !ok || !bytes.Equal(msg, model[0]) {
					t.Fatalf("popped %v, want %v", msg, model[0])
				}
				model = model[1:]
				if isClosed(q.idleSignal()) {
					t.Fatal("idle while a message is being written")
				}
				q.done()
			}
			if q.depth() != len(model) || q.bytes != size() || isClosed(q.idleSignal()) != (len(model) == 0) {
				t.Fatalf("depth %d bytes %d idle %v, want %d, %d", q.depth(), q.bytes, isClosed(q.idleSignal()), len(model), size())
			}
		}
	})
}

func TestQueuePopEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := newQueue(ClassLimits{QueueMessages: 1, QueueBytes: 1}).pop(ctx); ok {
		t.Error("popped from an empty queue")
	}
}

// A batch waits while votes are in the queue, but not for ever.
func TestLowerClassYields(t *testing.T) {
	l := DefaultLimits()
	s := (&Network{limits: &l, ctx: t.Context()}).newSession("x", 1)
	defer s.cancel()
	s.queues[ClassConsensus].push([]byte("vote"))
	s.yield(ClassConsensus) // the highest class waits for nobody
	done := make(chan struct{})
	go func() {
		s.yield(ClassBatch)
		close(done)
	}()
	<-done // ends although the vote is never written
	if _, ok := s.queues[ClassConsensus].pop(t.Context()); !ok {
		t.Fatal("vote is gone")
	}
	s.queues[ClassConsensus].done()
	if !isClosed(s.queues[ClassConsensus].idleSignal()) {
		t.Error("not idle")
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
