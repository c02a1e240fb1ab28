package quorum

import "bytes"

// justify checks that the justification allows the proposal and collects the verified certificates:
//
//	the parent is the epoch's anchor, or the certificate shows the header's parent at the view before and the height
//	below (of a tail: at the same height); and for every view strictly between there is a nullification.
//
// A finalized view can never get a nullification, so that no justified proposal can leave a final block out.
func (p *VerifiedProposal) justify(d Domain, anchor Anchor, held func(View) (VerifiedCertificate, bool)) error {
	h, j := &p.proposal.Header, &p.proposal.Justification
	if err := checkParent(h, j.Parent, anchor); err != nil {
		return err
	}
	skip, unknown, err := matchSkips(h, j.Skip, held)
	if err != nil {
		return err
	}
	ask := make([]Certificate, 0, len(unknown)+1)
	if j.Parent != nil {
		ask = append(ask, *j.Parent)
	}
	for _, i := range unknown {
		ask = append(ask, skip[i].certificate)
	}
	results := VerifyCertificates(d, ask)
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	if j.Parent != nil {
		p.parent, results = results[0].Verified, results[1:]
	}
	for k, i := range unknown {
		skip[i] = results[k].Verified
	}
	p.skip = skip
	return nil
}

// checkParent compares the parent's certificate with the header; its signatures are checked later.
func checkParent(h *Header, parent *Certificate, anchor Anchor) error {
	if parent == nil {
		if h.IsTail() || h.ParentView != 0 || h.Parent != anchor.Hash || h.Height != anchor.Height+1 {
			return refuse(ErrUnjust, "height %d on %s of view %d without a certificate; only the epoch's anchor needs none", h.Height, h.Parent, h.ParentView)
		}
		return nil
	}
	below := h.Height - 1
	if h.IsTail() {
		below = h.Height
	}
	if parent.Epoch != h.Epoch || parent.View != h.ParentView || parent.Block != h.Parent || parent.Height != below {
		return refuse(ErrUnjust, "the certificate is of height %d, view %d, block %s; the header's parent is of height %d, view %d, block %s",
			parent.Height, parent.View, parent.Block, below, h.ParentView, h.Parent)
	}
	return nil
}

// matchSkips lays out one nullification per view between the parent's and the proposal's. Those at the indices unknown
// are the proposal's own and still to be verified; the others are held, and fill gaps or equal the proposal's own to
// the byte. One that differs from the held is verified like any other: whether a proposal is accepted must not depend
// on who happens to hold what.
func matchSkips(h *Header, own []Certificate, held func(View) (VerifiedCertificate, bool)) (skip []VerifiedCertificate, unknown []int, err error) {
	for v := h.ParentView + 1; v < h.View; v++ {
		known := heldNullification(h.Epoch, v, held)
		if len(own) == 0 || own[0].View != v {
			if known.IsZero() {
				return nil, nil, refuse(ErrUnjust, "nothing shows that view %d, between parent view %d and view %d, was given up", v, h.ParentView, h.View)
			}
			skip = append(skip, known)
			continue
		}
		if own[0].Epoch != h.Epoch {
			return nil, nil, refuse(ErrUnjust, "the nullification of view %d is of epoch %d, not %d", v, own[0].Epoch, h.Epoch)
		}
		if !known.IsZero() && bytes.Equal(known.certificate.Encode(), own[0].Encode()) {
			skip = append(skip, known)
		} else {
			unknown = append(unknown, len(skip))
			skip = append(skip, VerifiedCertificate{certificate: own[0]})
		}
		own = own[1:]
	}
	if len(own) > 0 {
		return nil, nil, refuse(ErrUnjust, "a nullification of view %d, which is not between parent view %d and view %d", own[0].View, h.ParentView, h.View)
	}
	return skip, unknown, nil
}

// heldNullification is the zero certificate when held has none, or something else.
func heldNullification(e Epoch, v View, held func(View) (VerifiedCertificate, bool)) VerifiedCertificate {
	if held == nil {
		return VerifiedCertificate{}
	}
	c, ok := held(v)
	if !ok || c.certificate.Kind != KindNullify || c.certificate.View != v || c.certificate.Epoch != e {
		return VerifiedCertificate{}
	}
	return c
}
