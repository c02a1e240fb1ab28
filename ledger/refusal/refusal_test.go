package refusal

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

type colour string

func (c colour) Error() string { return "the colour is " + string(c) }

type shape string

func (s shape) Error() string { return string(s) }

// TestRefusal: kind and cause are found through wrapping, those of other packages are not, and the sentence has all parts.
func TestRefusal(t *testing.T) {
	below := New(shape("round"), io.EOF, "part %d", 3)
	err := fmt.Errorf("reading: %w", New(colour("red"), below, "apple %q", "a"))
	for _, is := range []error{colour("red"), shape("round"), io.EOF} {
		if !errors.Is(err, is) {
			t.Errorf("it is not %v", is)
		}
	}
	for _, no := range []error{colour("round"), shape("red"), io.ErrUnexpectedEOF} {
		if errors.Is(err, no) {
			t.Errorf("it is %v", no)
		}
	}
	var red *Of[colour]
	var round *Of[shape]
	if !errors.As(err, &red) || red.Detail != `apple "a"` || !errors.As(err, &round) || round.Kind != "round" {
		t.Errorf("%+v, %+v", red, round)
	}
	if got, want := err.Error(), `reading: the colour is red: apple "a": round: part 3: EOF`; got != want {
		t.Errorf("%s", got)
	}
	alone := New(shape("flat"), nil, "it is")
	if alone.Error() != "flat: it is" || !errors.Is(alone, shape("flat")) || errors.As(alone, &red) {
		t.Errorf("%v", alone)
	}
}
