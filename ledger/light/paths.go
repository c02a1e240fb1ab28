package light

import (
	"waybill/consensus/quorum"
)

// Path is a chain of headers of one epoch, the last of which Certificate makes final.
type Path struct {
	Headers     []quorum.Header
	Certificate quorum.Certificate
}

// VerifyPaths is Verify for many paths, with all their signatures checked together, and returns every header of each: what
// has a final descendant is final. The first path that fails decides the error.
func (c Checkpoint) VerifyPaths(paths []Path) ([][]Header, error) {
	d := c.Domain()
	out := make([][]Header, len(paths))
	certs := make([]quorum.Certificate, len(paths))
	for i := range paths {
		p := &paths[i]
		if len(p.Headers) == 0 || len(p.Headers) > maxPath {
			return nil, refuse(ErrPath, nil, "a path has 1 to %d headers, got %d", maxPath, len(p.Headers))
		}
		list, err := c.linked(p)
		if err != nil {
			return nil, err
		}
		out[i], certs[i] = list, p.Certificate
	}
	for i, r := range quorum.VerifyCertificates(d, certs) {
		if r.Err != nil {
			return nil, refuse(ErrCertificate, r.Err, "the certificate of block %d", certs[i].Height)
		}
	}
	return out, nil
}

// linked checks everything of a path but signatures: each header is the parent of the next, the last is what the
// certificate names, and all are of this epoch.
func (c Checkpoint) linked(p *Path) ([]Header, error) {
	n := len(p.Headers)
	list := make([]Header, n)
	for i := range p.Headers {
		list[i] = Header{header: p.Headers[i], hash: p.Headers[i].Hash()}
	}
	if err := checkCertified(c.Domain(), &p.Headers[n-1], list[n-1].hash, &p.Certificate); err != nil {
		return nil, err
	}
	for i := range p.Headers {
		h := &p.Headers[i]
		if h.Epoch != c.Epoch || h.Height <= c.Anchor.Height {
			return nil, refuse(ErrHandover, nil, "block %d of epoch %d is no block of epoch %d, which begins after block %d",
				h.Height, h.Epoch, c.Epoch, c.Anchor.Height)
		}
		if i == 0 {
			continue
		}
		if parent := &p.Headers[i-1]; h.Parent != list[i-1].hash || h.Height != parent.Height+1 || parent.Genesis != c.Genesis {
			return nil, refuse(ErrPath, nil, "block %d is not the parent of block %d", parent.Height, h.Height)
		}
	}
	return list, nil
}
