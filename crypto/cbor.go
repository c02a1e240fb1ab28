package crypto

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// Limits of every CBOR document. The caller's own bounds (a transaction is at most 256 KiB, say) come first.
const (
	MaxCBORBytes    = 8 << 20 // whole document
	MaxCBORDepth    = 64      // nested arrays and maps
	MaxCBORElements = 16384   // elements of one array, pairs of one map
)

// Built once, never changed.
var (
	cborEncoder = mustEncoder(cbor.EncOptions.EncMode)
	cborChecker = mustEncoder(cbor.EncOptions.UserBufferEncMode)
	cborDecoder = mustDecoder()

	ownCBOR = reflect.TypeFor[OwnCBOR]()
)

func mustEncoder[M any](make func(cbor.EncOptions) (M, error)) M {
	opts := cbor.CoreDetEncOptions()
	opts.TagsMd = cbor.TagsForbidden
	// A nil and an empty slice are the same fact, so they get the same bytes.
	opts.NilContainers = cbor.NilContainerAsEmpty
	mode, err := make(opts)
	if err != nil {
		panic(fmt.Sprintf("crypto: CBOR encoder options: %v", err))
	}
	return mode
}

func mustDecoder() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxNestedLevels:   MaxCBORDepth,
		MaxArrayElements:  MaxCBORElements,
		MaxMapPairs:       MaxCBORElements,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}.DecMode()
	if err != nil {
		panic(fmt.Sprintf("crypto: CBOR decoder options: %v", err))
	}
	return mode
}

// Marshal encodes v as deterministic CBOR (RFC 8949, section 4.2.1) within the limits above. Nil slices and maps are
// written as empty ones. Floats, tags and values that exceed a limit are refused with kind ErrEncoding or ErrTooLarge:
// what Marshal returns, [Unmarshal] accepts.
func Marshal(v any) ([]byte, error) {
	if plain, ok := v.(CBORAppender); ok {
		var buf [1024]byte
		data, err := AppendMarshal(buf[:0], plain)
		return bytes.Clone(data), err
	}
	if t := reflect.TypeOf(v); t != nil && t.Kind() == reflect.Struct && reflect.PointerTo(t).Implements(ownCBOR) {
		return nil, refuse(ErrEncoding, "a %T is written through a pointer only: it has a form of its own", v)
	}
	data, err := cborEncoder.Marshal(v)
	if err != nil {
		return nil, refuse(ErrEncoding, "encoding %T: %v", v, err)
	}
	if err := scanCBOR(data); err != nil {
		return nil, fmt.Errorf("encoding %T: %w", v, err)
	}
	if t := reflect.TypeOf(v); t != nil {
		if err := checkDensity(data, t); err != nil {
			return nil, fmt.Errorf("encoding %T: %w", v, err)
		}
	}
	return data, nil
}

// checkDensity refuses what Unmarshal would refuse as too dense for a type, or a pointer to it.
func checkDensity(data []byte, t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := shapeOf(t)
	if s.fits(len(data)) {
		return nil
	}
	budget := documentBudget(len(data))
	return s.weigh(data, &budget)
}

// documentBudget is what a document that stands alone may take: all but what comparing it with its canonical form takes.
func documentBudget(size int) Budget {
	budget := NewBudget(size)
	budget.Take(1, size+size/8+spareBytes)
	return budget
}

const spareBytes = 512 // kept free in a buffer, so that it need not grow

// AppendMarshal appends what [Marshal] makes of v to b.
func AppendMarshal(b []byte, v any) ([]byte, error) {
	plain, ok := v.(CBORAppender)
	if !ok {
		data, err := Marshal(v)
		return append(b, data...), err
	}
	n := len(b)
	b = plain.AppendCBOR(b)
	if err := scanCBOR(b[n:]); err != nil {
		return nil, fmt.Errorf("encoding %T: %w", v, err)
	}
	return b, nil
}

// Unmarshal decodes data into the zero value that v points to, and only if data is exactly the bytes that [Marshal]
// makes of the result: no other spelling, no unknown or duplicate field, no float, tag or indefinite length, nothing
// after the end, nothing that would take more than a [Budget] of memory. The error is of kind ErrEncoding or ErrTooLarge; v
// is then in an undefined state.
func Unmarshal(data []byte, v any) error {
	budget := NewBudget(len(data))
	return unmarshal(data, v, &budget, true)
}

// UnmarshalWithin is Unmarshal for a part of an input: it takes from the budget of the whole.
func UnmarshalWithin(data []byte, v any, budget *Budget) error {
	return unmarshal(data, v, budget, false)
}

func unmarshal(data []byte, v any, budget *Budget, alone bool) error {
	if plain, ok := v.(CBORParser); ok {
		if parsePlain(data, plain, budget) {
			return nil
		}
		if budget.Left() < 0 {
			return denseError(len(data))
		}
		if own, ok := v.(OwnCBOR); ok {
			if err := scanCBOR(data); err != nil {
				return err
			}
			return refuse(ErrEncoding, "%d bytes are not the canonical form of a %T", len(data), own)
		}
		// What follows says what is wrong. It decodes into what the attempt left, which does not matter: it fails.
	}
	// Neither the scan nor the comparison of shapes allocates, so hostile input is refused before anything is built from it.
	if err := scanCBOR(data); err != nil {
		return err
	}
	if t := reflect.TypeOf(v); t.Kind() == reflect.Pointer {
		if s := shapeOf(t.Elem()); !alone || !s.fits(len(data)) {
			if !budget.Take(1, len(data)+len(data)/8+spareBytes) {
				return denseError(len(data))
			}
			if err := s.weigh(data, budget); err != nil {
				return err
			}
		}
	}
	if err := cborDecoder.Unmarshal(data, v); err != nil {
		return refuse(ErrEncoding, "decoding %T: %v", v, err)
	}
	return checkCanonical(data, v)
}

// checkCanonical catches what is canonical CBOR but not the canonical form of this type: null for a number, a short byte
// string for an array, an explicit zero for an omitted field.
func checkCanonical(data []byte, v any) error {
	again := bytes.NewBuffer(make([]byte, 0, len(data)+spareBytes))
	if err := cborChecker.MarshalToBuffer(v, again); err != nil {
		return refuse(ErrEncoding, "re-encoding %T: %v", v, err)
	}
	if !bytes.Equal(again.Bytes(), data) {
		return refuse(ErrEncoding, "%d bytes are not the canonical form of the %T they decode to", len(data), v)
	}
	return nil
}
