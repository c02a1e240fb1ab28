package quorum

import "fmt"

// Link is a block of a chain, as far as judging it goes: its header, and the certificates inside its proposal.
type Link struct {
	Header        Header
	Justification Justification
}

// Branch is a certified chain: a finalization, and the blocks from the one it finalizes downwards, each the parent of
// the one before it.
type Branch struct {
	Final Certificate
	Links []Link
}

// Accuse names who made two chains of one epoch final that contradict each other: one piece of evidence for each
// validator that signed twice, by ascending index. It needs no knowledge of who saw what: let a be the finalization of
// the lower view. The other chain has another block at view a, whose certificate shares signers with a; or none, and
// then a nullification of view a inside its first block above, which does, too. Any two quorums share more than a third
// of the power, and no honest validator signs both.
//
// The links of the branch with the higher finalization must reach down to the first block above the view of the other
// finalization; those of the other branch may be missing. A certificate that a justification left out (see [MaxSkip])
// may be given in extra.
//
// Errors: ErrNoOffence when the two do not contradict each other; ErrForm or ErrUnjust when the links are no chain, or
// end too early; ErrDomain when the finalizations are of different epochs; and those of VerifyCertificates.
func Accuse(d Domain, one, other Branch, extra ...Certificate) ([]Evidence, error) {
	low, high := &one.Final, &other
	if one.Final.View > other.Final.View {
		low, high = &other.Final, &one
	}
	if low.Kind != KindFinalize || high.Final.Kind != KindFinalize {
		return nil, refuse(ErrForm, "a %s and a %s, not two finalizations", low.Kind, high.Final.Kind)
	}
	if low.Epoch != high.Final.Epoch {
		return nil, refuse(ErrDomain, "finalizations of epochs %d and %d", low.Epoch, high.Final.Epoch)
	}
	against, err := high.against(low.View, extra)
	if err != nil {
		return nil, err
	}
	if against.Kind != KindNullify && against.Block == low.Block {
		return nil, refuse(ErrNoOffence, "the block of view %d is part of the other chain", low.View)
	}
	for i, r := range VerifyCertificates(d, []Certificate{*low, high.Final, against}) {
		if r.Err != nil {
			return nil, fmt.Errorf("certificate %d of a fork at view %d: %w", i, low.View, r.Err)
		}
	}
	return signedBoth(*low, against), nil
}

// against walks down the chain to view v, and returns what it holds there: the certificate of its block of view v, or
// the nullification with which it passed v by.
func (b *Branch) against(v View, extra []Certificate) (Certificate, error) {
	above := b.Final
	for _, l := range b.Links {
		if above.View == v {
			return above, nil
		}
		h, j := &l.Header, &l.Justification
		if h.Epoch != above.Epoch || h.View != above.View || h.Hash() != above.Block || j.Hash() != h.Justification || h.ParentView >= h.View {
			return Certificate{}, refuse(ErrForm, "the link of view %d is not the block that is certified in view %d", h.View, above.View)
		}
		if h.ParentView < v {
			return nullificationOf(h.Epoch, v, j.Skip, extra)
		}
		if j.Parent == nil || j.Parent.Epoch != h.Epoch || j.Parent.View != h.ParentView || j.Parent.Block != h.Parent {
			return Certificate{}, refuse(ErrUnjust, "the link of view %d does not carry the certificate of its parent", h.View)
		}
		above = *j.Parent
	}
	if above.View == v {
		return above, nil
	}
	return Certificate{}, refuse(ErrForm, "the links end at view %d, above view %d", above.View, v)
}

func nullificationOf(e Epoch, v View, lists ...[]Certificate) (Certificate, error) {
	for _, list := range lists {
		for _, c := range list {
			if c.Kind == KindNullify && c.Epoch == e && c.View == v {
				return c, nil
			}
		}
	}
	return Certificate{}, refuse(ErrUnjust, "nothing shows that view %d was given up", v)
}

// signedBoth pairs the votes of those who signed two contradicting certificates of one view.
func signedBoth(a, b Certificate) []Evidence {
	var out []Evidence
	second := b.Votes()
	for _, va := range a.Votes() {
		for _, vb := range second {
			if e, err := pairEvidence(va, vb); va.Signer == vb.Signer && err == nil {
				out = append(out, e)
			}
		}
	}
	return out
}
