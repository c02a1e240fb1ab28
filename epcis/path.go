package epcis

import (
	"strconv"
	"strings"
)

// Where in a text something stands, for the faults that are found there.

// path is the way to the value being read, innermost first; it is rendered only when there is a fault.
type path struct {
	up    *path
	name  string
	index int // used if name is ""; -1 for a member named ""
}

func (p *path) field(name string) *path {
	if name == "" {
		return &path{up: p, index: -1}
	}
	return &path{up: p, name: name}
}

func (p *path) at(i int) *path { return &path{up: p, index: i} }

// pointer renders the path as RFC 6901.
func (p *path) pointer() string {
	var steps [MaxDepth + 8]*path // no text nests deeper, and what stands around an event is shallow
	n := 0
	for ; p != nil && n < len(steps); p = p.up {
		steps[n] = p
		n++
	}
	var room [160]byte
	b := room[:0]
	for n--; n >= 0; n-- {
		b = append(b, '/')
		switch step := steps[n]; {
		case step.name != "":
			b = append(b, escapePointer(step.name)...)
		case step.index >= 0:
			b = strconv.AppendInt(b, int64(step.index), 10)
		}
	}
	return string(b)
}

// ways makes the paths to what is being read, and makes them again: a path is good until it is gone back from.
type ways struct{ steps []path }

const waysAtOnce = 16

func (w *ways) field(up *path, name string) *path {
	if name == "" {
		return w.step(path{up: up, index: -1})
	}
	return w.step(path{up: up, name: name})
}

func (w *ways) at(up *path, i int) *path { return w.step(path{up: up, index: i}) }

func (w *ways) step(to path) *path {
	if len(w.steps) == cap(w.steps) {
		w.steps = make([]path, 0, waysAtOnce) // what was made stays where it is
	}
	w.steps = append(w.steps, to)
	return &w.steps[len(w.steps)-1]
}

// back forgets the last step.
func (w *ways) back() { w.steps = w.steps[:max(len(w.steps)-1, 0)] }

func escapePointer(name string) string {
	if strings.ContainsAny(name, "~/") {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
	}
	return name
}
