// Package dense searches for inputs that take much memory for their length, for the tests of decoders. A decoder may
// allocate [PerByte] bytes for each byte of input and [Free] in any case; [Check] asserts it for one input, [CBOR] and [JSON]
// try inputs in which every part of a valid one in turn gives way to lists and objects of small things.
//
// Only tests import it. Nothing is safe for concurrent use: what others allocate meanwhile would be counted.
package dense

import (
	"runtime"
	"testing"
)

// What a decoder may allocate, in bytes.
const (
	PerByte = 16
	Free    = 64 << 10
)

// Allocated measures what f allocates, in bytes: the least of up to four times, since others may allocate meanwhile. It
// stops at the first time that is at most enough.
func Allocated(f func(), enough uint64) uint64 {
	least := ^uint64(0)
	for range 4 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= enough {
			break
		}
	}
	return least
}

// Bound is what the decoding of so many bytes may allocate.
func Bound(size int) uint64 { return PerByte*uint64(size) + Free }

// Check fails the test if decoding the input allocates more than the bound, and returns how many times the input's length
// it allocated beyond the free part.
func Check(t testing.TB, what string, data []byte, decode func([]byte)) float64 {
	t.Helper()
	used := Allocated(func() { decode(data) }, Bound(len(data)))
	if used > Bound(len(data)) {
		t.Errorf("%s: %d bytes made it allocate %d, that is %d times and 64 KiB: %.90q", what, len(data), used, (used-Free)/uint64(max(len(data), 1)), data)
	}
	return (float64(used) - Free) / float64(max(len(data), 1))
}

// Search remembers the worst input of each decoder.
type Search struct {
	Wrap func([]byte) []byte // makes the input of a variant, if not nil

	t     testing.TB
	limit int // longest input tried, bytes
	tried int
	worst float64
	what  string
}

// NewSearch makes a search among inputs of at most limit bytes.
func NewSearch(t testing.TB, limit int) *Search { return &Search{t: t, limit: limit} }

// Try checks one input.
func (s *Search) Try(what string, data []byte, decode func([]byte)) {
	s.t.Helper()
	if len(data) > s.limit {
		return
	}
	if s.Wrap != nil {
		data = s.Wrap(data)
	}
	s.tried++
	if times := Check(s.t, what, data, decode); times > s.worst {
		s.worst, s.what = times, what
	}
}

// Tried is how many inputs were tried.
func (s *Search) Tried() int { return s.tried }

// Report logs the worst input and fails the test if nothing was tried.
func (s *Search) Report(name string) {
	s.t.Helper()
	if s.tried == 0 {
		s.t.Errorf("%s: nothing was tried", name)
	}
	s.t.Logf("%s: of %d inputs the worst takes %.1f times its length beside 64 KiB: %s", name, s.tried, s.worst, s.what)
}

// sizes are lengths of the lists that are put in.
func sizes(t testing.TB) []int {
	if testing.Short() {
		return []int{3000}
	}
	return []int{130, 300, 4000, 16384}
}
