package snapshot

import (
	"encoding/binary"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Proof shows that the headers of a manifest are final. It differs from node to node, as certificates do.
type Proof struct {
	// Path are the headers after the manifest's, up to the one that Last makes final; mostly none.
	Path []quorum.Header
	Last quorum.Certificate

	// First finalizes header FirstAt (an index into the manifest's headers and then Path), the earliest from the
	// snapshot's block on with a certificate of its own: what a node that starts there shows as its last finalization.
	// Nil when that is Last.
	First   *quorum.Certificate
	FirstAt int
}

// Encode writes the path, the last certificate, the index of the first one, and that one, empty if there is none.
func (p *Proof) Encode() []byte {
	b := appendHeaders(nil, p.Path)
	b = appendPart(b, p.Last.Encode())
	b = binary.BigEndian.AppendUint16(b, uint16(p.FirstAt))
	if p.First == nil {
		return appendPart(b, nil)
	}
	return appendPart(b, p.First.Encode())
}

// MaxProofBytes bounds an encoded proof.
const MaxProofBytes = 2 + MaxSpan*quorum.HeaderSize + 2*(4+quorum.MaxCertificateSize) + 2

// DecodeProof accepts exactly what Encode writes; the error is of kind ErrEncoding.
func DecodeProof(raw []byte) (*Proof, error) {
	r := reader{crypto.ReadFields(raw)}
	p := &Proof{}
	var err error
	if p.Path, err = r.headers(); err != nil {
		return nil, err
	}
	if p.Last, err = r.certificate(); err != nil {
		return nil, err
	}
	p.FirstAt = int(r.U16())
	if first := r.part(quorum.MaxCertificateSize); len(first) > 0 {
		c, err := quorum.DecodeCertificate(first)
		if err != nil {
			return nil, refuseBy(ErrEncoding, err, "a certificate")
		}
		p.First = &c
	} else if p.FirstAt != 0 {
		return nil, refuse(ErrEncoding, "the place of a certificate that is not there")
	}
	return p, r.done("proof")
}

// Certified is a manifest that was shown to be of the network's ledger. Only Epochs.Certify makes one.
type Certified struct {
	manifest *Manifest
	proof    *Proof
	hash     crypto.Hash
}

// Manifest returns the manifest.
func (c *Certified) Manifest() *Manifest { return c.manifest }

// Proof returns what showed it.
func (c *Certified) Proof() *Proof { return c.proof }

// Hash is the manifest's.
func (c *Certified) Hash() crypto.Hash { return c.hash }

// Needs is the highest epoch whose validators must be known to certify the manifest.
func (p *Proof) Needs(m *Manifest) quorum.Epoch { return p.last(m).Epoch }

func (p *Proof) last(m *Manifest) quorum.Header {
	if n := len(p.Path); n > 0 {
		return p.Path[n-1]
	}
	return m.Committing()
}

// Certify checks that the validators of the epochs that were followed so far made the manifest's headers final. The
// manifest must come from DecodeManifest or Create. Errors: ErrForeign, ErrForm, ErrCertificate, and ErrTrust when the
// epochs that it needs are not followed yet or the history is not one to trust.
func (e *Epochs) Certify(m *Manifest, p *Proof) (*Certified, error) {
	if m.Genesis != e.genesis {
		return nil, refuse(ErrForeign, "it is of the network with genesis %s, not %s", m.Genesis, e.genesis)
	}
	all := append(append([]quorum.Header(nil), m.Headers...), p.Path...)
	if err := checkChain(all); err != nil {
		return nil, err
	}
	last := len(all) - 1
	if err := e.trusts(all[last]); err != nil {
		return nil, err
	}
	for i := range all {
		d, ok := e.Domain(all[i].Epoch)
		if !ok {
			return nil, refuse(ErrTrust, "the validators of epoch %d are not known, those up to epoch %d are", all[i].Epoch, e.Last())
		}
		if all[i].ValidatorSet != d.Set.Hash() {
			return nil, refuse(ErrForm, "block %d names other validators than those of epoch %d", all[i].Height, all[i].Epoch)
		}
	}
	if err := e.checkFinal(all[last], p.Last); err != nil {
		return nil, err
	}
	first := last
	if p.First != nil {
		if p.FirstAt < 0 || p.FirstAt >= last {
			return nil, refuse(ErrForm, "the first certificate is of header %d of %d", p.FirstAt, len(all))
		}
		if err := e.checkFinal(all[p.FirstAt], *p.First); err != nil {
			return nil, err
		}
		first = p.FirstAt
	}
	if all[first].Epoch != all[0].Epoch {
		return nil, refuse(ErrForm, "no certificate of epoch %d, in which block %d is", all[0].Epoch, all[0].Height)
	}
	if closing := all[0].Flags&quorum.FlagClosing != 0; closing && first != 0 {
		return nil, refuse(ErrForm, "the last block of epoch %d has no certificate of its own", all[0].Epoch)
	}
	return &Certified{manifest: m, proof: p, hash: m.Hash()}, nil
}

// checkFinal checks that c finalizes the block with header h.
func (e *Epochs) checkFinal(h quorum.Header, c quorum.Certificate) error {
	d, ok := e.Domain(h.Epoch)
	hash := h.Hash()
	switch {
	case !ok:
		return refuse(ErrTrust, "the validators of epoch %d are not known", h.Epoch)
	case c.Kind != quorum.KindFinalize || c.Finalizes() != hash || c.Height != h.Height || c.Epoch != h.Epoch || c.Tail == nil && c.View != h.View:
		return refuse(ErrCertificate, "a %s of block %s at height %d where a finalization of %s at height %d is needed",
			c.Kind, c.Finalizes(), c.Height, hash, h.Height)
	}
	if _, err := quorum.VerifyCertificate(d, c); err != nil {
		return refuseBy(ErrCertificate, err, "block %d", h.Height)
	}
	return nil
}
