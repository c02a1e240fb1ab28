package quorum

import (
	"encoding/binary"

	"waybill/crypto"
)

// MaxSkip is the most nullifications that one justification carries.
const MaxSkip = 1024

// Justification travels inside a proposal and shows that it may be made: that its parent is notarized or final, and
// that every view between the parent's and its own was given up. There is no other rule of locking.
type Justification struct {
	Parent *Certificate  // notarization or finalization; nil exactly when the parent is the epoch's anchor
	Skip   []Certificate // nullifications, in ascending order of views
}

// Hash is Sum(TagJustification, Encode()); the header binds it.
func (j Justification) Hash() crypto.Hash { return crypto.Sum(crypto.TagJustification, j.Encode()) }

// Encode writes whether there is a parent (one byte), the parent, the number of nullifications (2 bytes) and those.
func (j Justification) Encode() []byte {
	var b []byte
	if j.Parent == nil {
		b = append(b, 0)
	} else {
		b = j.Parent.append(append(b, 1))
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(j.Skip)))
	for _, c := range j.Skip {
		b = c.append(b)
	}
	return b
}

// DecodeJustification accepts exactly what Encode writes for a well-formed justification.
func DecodeJustification(b []byte) (Justification, error) {
	r := reader{crypto.ReadFields(b)}
	j, err := r.justification()
	if err != nil {
		return Justification{}, err
	}
	if err := r.done("justification"); err != nil {
		return Justification{}, err
	}
	return j, nil
}

func (r *reader) justification() (j Justification, err error) {
	switch has := r.U8(); {
	case has == 1:
		parent, err := r.certificate()
		if err != nil {
			return Justification{}, err
		}
		j.Parent = &parent
	case has > 1:
		return Justification{}, refuse(ErrEncoding, "a justification begins with %d", has)
	}
	n := int(r.U16())
	if n > MaxSkip {
		return Justification{}, refuse(ErrEncoding, "a justification has at most %d nullifications, got %d", MaxSkip, n)
	}
	for range n {
		c, err := r.certificate()
		if err != nil {
			return Justification{}, err
		}
		j.Skip = append(j.Skip, c)
	}
	return j, j.checkForm()
}

func (j *Justification) checkForm() error {
	if j.Parent != nil && j.Parent.Kind == KindNullify {
		return refuse(ErrForm, "a parent is shown by a notarization or finalization, not by a nullification")
	}
	if j.Parent != nil && j.Parent.Tail != nil {
		return refuse(ErrForm, "a parent's certificate carries the header of a tail, which nobody needs there")
	}
	if len(j.Skip) > MaxSkip {
		return refuse(ErrForm, "a justification has at most %d nullifications, got %d", MaxSkip, len(j.Skip))
	}
	for i, c := range j.Skip {
		if c.Kind != KindNullify {
			return refuse(ErrForm, "a skipped view is shown by a nullification, not by a %s", c.Kind)
		}
		if i > 0 && c.View <= j.Skip[i-1].View {
			return refuse(ErrForm, "the nullifications of views %d and %d are out of order", j.Skip[i-1].View, c.View)
		}
	}
	return nil
}
