package sim

import (
	"math/rand/v2"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/signer"
)

// slots is the signer's file on the modelled disk: two slots that are written in turn. What was not synced is lost in a
// crash, or kept, or half written.
type slots struct {
	now, safe [2][]byte
}

func (s *slots) copy() slots { return slots{now: s.now, safe: s.now} }

// crash loses what was not synced, or tears it. It reports whether anything was lost.
func (s *slots) crash(rng *rand.Rand, keep int) bool {
	torn := false
	for i := range s.now {
		if slices.Equal(s.now[i], s.safe[i]) {
			continue
		}
		switch {
		case keep >= 100:
		case keep == 0 || rng.IntN(2) == 0:
			s.now[i] = s.safe[i]
			torn = true
		default: // the first part is new, the rest as it was
			cut := rng.IntN(len(s.now[i]) + 1)
			half := slices.Clone(s.now[i][:cut])
			if cut < len(s.safe[i]) {
				half = append(half, s.safe[i][cut:]...)
			}
			s.now[i] = half
			torn = true
		}
	}
	s.safe = s.now
	return torn
}

// signerFile is the file as its signer sees it. It implements signer.Storage; its slices are never changed in place.
type signerFile struct{ d *disk }

// Read implements signer.Storage.
func (f signerFile) Read() ([2][]byte, error) {
	f.d.signer.safe = f.d.signer.now
	return f.d.signer.now, nil
}

// Write implements signer.Storage.
func (f signerFile) Write(slot int, data []byte, sync bool) error {
	if f.d.fault == diskNoWrite || f.d.fault == diskFull {
		f.d.failed = true
		return errDisk
	}
	f.d.signer.now[slot] = slices.Clone(data)
	if !sync {
		return nil
	}
	if f.d.fault == diskNoSync {
		f.d.failed = true
		return errDisk
	}
	f.d.signer.safe = f.d.signer.now
	f.d.signerSyncs++
	return nil
}

// Close implements signer.Storage.
func (signerFile) Close() error { return nil }

// careless is the signer of a node that misbehaves: it signs whatever it is asked for.
type careless struct{ m *member }

// PublicKey implements signer.Signer.
func (c careless) PublicKey() crypto.PublicKey { return c.m.public }

// State implements signer.Signer.
func (c careless) State() (signer.State, error) {
	return signer.State{Genesis: c.m.w.cfg.Genesis, Key: c.m.public}, nil
}

// Reconcile implements signer.Signer.
func (careless) Reconcile(signer.Known) error { return nil }

// Sign implements signer.Signer.
func (c careless) Sign(requests []signer.Request) ([]signer.Answer, error) {
	out := make([]signer.Answer, len(requests))
	for i, r := range requests {
		out[i].Signature = keyedHash{}.mac(c.m.public, quorum.VoteDigest(c.m.w.cfg.Genesis, r.ValidatorSet, r.Vote))
	}
	return out, nil
}
