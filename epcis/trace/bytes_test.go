package trace

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// long is a source of events that are stored as so many bytes.
type long struct {
	Source
	bytes       int
	calls, most int // of events, after the first time
}

func (l *long) Events(ctx context.Context, refs []Ref) ([]Recorded, error) {
	if l.calls++; l.calls > 1 {
		l.most = max(l.most, len(refs))
	}
	list, err := l.Source.Events(ctx, refs)
	for i := range list {
		list[i].Bytes = l.bytes
	}
	return list, err
}

// A trace takes in events until they are as many bytes as it may look at.
func TestLimitOnBytes(t *testing.T) {
	const things, each = 30, 1000
	world := wide(t, things, func(i int) int { return i % 3 })
	whole, err := Forward(t.Context(), world, salad, Limits{})
	if err != nil || whole.Truncated {
		t.Fatal(err, whole.Reasons)
	}
	all := len(whole.Events) * each
	for limit, cut := range map[int]bool{all + each: false, all: false, all - each + 1: false, all - each: true, each: true, 1: true} {
		g, err := Forward(t.Context(), &long{Source: world, bytes: each}, salad, Limits{Bytes: limit})
		if err != nil {
			t.Fatal(err)
		}
		if g.Truncated != cut || cut != strings.Contains(strings.Join(g.Reasons, "\n"), "bytes of events") {
			t.Errorf("%d of %d bytes: truncated %t, %v", limit, all, g.Truncated, g.Reasons)
		}
		if most := (limit + each - 1) / each; len(g.Events) > most {
			t.Errorf("%d of %d bytes: %d events", limit, all, len(g.Events))
		}
	}
}

// Long events are read ahead as far as they may be held, and change no answer.
func TestLongEventsAhead(t *testing.T) {
	const things = 300
	world := wide(t, things, func(i int) int { return i % 7 })
	want, err := Forward(t.Context(), world, salad, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range []int{1, bytesAhead / 100, bytesAhead, 2 * bytesAhead} {
		src := &long{Source: world, bytes: each}
		got, err := Forward(t.Context(), src, salad, Limits{Bytes: math.MaxInt})
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		if string(a) != string(b) {
			t.Errorf("events of %d bytes: another answer", each)
		}
		if most := 1 + bytesAhead/each; src.calls > 1 && src.most > most {
			t.Errorf("events of %d bytes: %d read at once, not %d", each, src.most, most)
		}
	}
}
