package provenance

import (
	"slices"

	"waybill/consensus/quorum"
)

// maxGap is how many headers that nobody needs are put in a path rather than ending it: checking a certificate takes as
// long as hashing some 300 headers, a header takes as much room as two certificates of four validators.
const maxGap = 12

// proveHeaders puts the headers that are needed in paths.
func (m *maker) proveHeaders() error {
	slices.Sort(m.needed)
	m.needed = slices.Compact(m.needed)
	for i := 0; i < len(m.needed); {
		p, next, err := m.path(i)
		if err != nil {
			return err
		}
		m.cert.paths = append(m.cert.paths, p)
		i = next
	}
	return nil
}

// path begins at the i-th header that is needed and ends at a header with a certificate; next is the first that is not in
// it.
func (m *maker) path(i int) (p path, next int, err error) {
	var epoch quorum.Epoch
	for h := m.needed[i]; ; h++ {
		header, err := m.src.Chain.Header(h)
		if err != nil {
			return p, i, err
		}
		if len(p.Headers) == 0 {
			epoch = header.Epoch
			m.last = max(m.last, epoch)
			if epoch < m.request.From {
				return p, i, refuse(ErrRequest, nil, "block %d is of epoch %d, whoever checks is to trust the validators of epoch %d on", h, epoch, m.request.From)
			}
		}
		if header.Epoch != epoch || len(p.Headers) == maxPathHeaders*quorum.HeaderSize {
			return p, i, refuse(ErrBehind, nil, "no certificate of block %d or of one soon after it is here", h-1)
		}
		p.Headers = append(p.Headers, header.Encode()...)
		for i < len(m.needed) && m.needed[i] <= h {
			i++
		}
		soon := i < len(m.needed) && m.needed[i]-h <= maxGap && len(p.Headers) < (maxPathHeaders-maxGap)*quorum.HeaderSize && !header.IsClosing()
		if soon && !m.sameEpoch(m.needed[i], epoch) {
			soon = false
		}
		if soon {
			continue
		}
		cert, err := m.src.Chain.Certificate(h)
		if err != nil {
			return p, i, err
		}
		if cert != nil {
			p.Certificate = cert.Encode()
			return p, i, nil
		}
	}
}

func (m *maker) sameEpoch(h quorum.Height, e quorum.Epoch) bool {
	header, err := m.src.Chain.Header(h)
	return err == nil && header.Epoch == e
}

// proveEpochs adds the hand-overs from the epoch that is trusted to the last one that is used.
func (m *maker) proveEpochs() error {
	before, _, err := m.src.Chain.EpochStart(m.request.From)
	if err != nil {
		return err
	}
	for e := m.request.From; e < m.last; e++ {
		set, closing, err := m.src.Chain.EpochStart(e + 1)
		if err != nil {
			return err
		}
		cert, err := m.src.Chain.Certificate(closing.Height)
		if err != nil {
			return err
		}
		if cert == nil {
			return refuse(ErrBehind, nil, "no certificate of block %d, which closes epoch %d, is here", closing.Height, e)
		}
		h := handover{Closing: closing.Encode(), Certificate: cert.Encode()}
		if set.Hash() != before.Hash() {
			h.Next = set.Encode()
		}
		before = set
		m.cert.handovers = append(m.cert.handovers, h)
	}
	return nil
}
