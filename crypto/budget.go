package crypto

// A byte of input can stand for hundreds in memory: an empty map for a whole record, a length for a list of that many. So
// what decoding takes is counted before it is taken, in weights that are fixed numbers, not sizes of this processor:
// everybody must refuse the same bytes.

// What a decoder may allocate: so much for each byte of input, and something in any case.
const (
	BudgetPerByte = 16
	BudgetFree    = 64 << 10
)

// Budget is the memory, in bytes, that the decoding of one input may still take. The zero Budget is used up. Not for
// concurrent use.
type Budget struct{ left int64 }

// NewBudget returns what the decoding of so many bytes may take. A sixteenth of the free part is left to what is not
// counted: errors, and the value decoded into.
func NewBudget(size int) Budget {
	return Budget{left: int64(size)*BudgetPerByte + BudgetFree - BudgetFree/16}
}

// Take counts n things of so many bytes each; false if that is more than is left, now and from then on.
func (b *Budget) Take(n, each int) bool {
	b.left -= int64(n) * int64(each)
	return b.left >= 0
}

// TakeJSON counts a JSON text that a general decoder reads, so much for each value in it; what is no JSON is miscounted and
// refused later.
func (b *Budget) TakeJSON(text []byte, each int) bool {
	values, quoted := 1, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '[' || c == '{'):
			values++
		}
	}
	return b.Take(values, each)
}

// Left is how much is left, in bytes; negative if more was asked for than there was.
func (b *Budget) Left() int64 { return b.left }

func denseError(size int) error {
	return refuse(ErrTooLarge, "%d bytes hold too many parts for their length: they would take more than %d times that in memory", size, BudgetPerByte)
}
