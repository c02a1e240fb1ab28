package snapshot

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
)

// benchLedger is a ledger of 100,000 keys of some 200 bytes, on the machine's disk, with a certified state.
func benchLedger(b *testing.B, dir string) (*store.Store, *ledger.Genesis) {
	b.Helper()
	g := testGenesis()
	s, err := store.Open(dir, g, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	set := epochSet(b, g, 0)
	parent, chain := g.Block(), ledger.ChainReceipts(crypto.Hash{}, ledger.ReceiptsRoot(nil))
	for h := quorum.Height(1); h <= 12; h++ {
		up := &ledger.Update{Height: h, ReceiptsRoot: ledger.ReceiptsRoot(nil)}
		for i := 0; h <= 10 && i < 10_000; i++ {
			value := make([]byte, 160)
			copy(value, crypto.Sum(crypto.TagStateValue, fmt.Appendf(nil, "%d/%d", h, i)).String())
			up.Writes = append(up.Writes, ledger.Write{Key: fmt.Appendf(nil, "obj/urn:epc:id:sgtin:9521001.%06d.%05d", h, i), Value: value})
		}
		header := quorum.Header{
			Version: quorum.HeaderVersion, Genesis: g.Hash(), View: quorum.View(h), Height: h, Parent: parent.Hash(), TimeMs: parent.TimeMs + 1000,
			PayloadRoot: quorum.PayloadRoot(nil), ValidatorSet: set.Hash(),
		}
		if h == 12 {
			header.ExecHeight = 11
			if header.ExecStateRoot, err = s.StateRoot(11); err != nil {
				b.Fatal(err)
			}
			header.ExecReceiptsRoot = chain
		}
		up.Block = header.Hash()
		if _, err := s.Commit(header, nil, certificateFor(b, set, epochKey(0), header), up, nil); err != nil {
			b.Fatal(err)
		}
		parent, chain = header, ledger.ChainReceipts(chain, up.ReceiptsRoot)
	}
	return s, g
}

func BenchmarkSnapshot(b *testing.B) {
	dir := b.TempDir()
	s, g := benchLedger(b, dir)
	l, err := OpenLibrary(vfs.Default, dir+"/snapshots")
	if err != nil {
		b.Fatal(err)
	}
	var made *Stored
	b.Run("create", func(b *testing.B) {
		for range b.N {
			if err := l.Prune(0); err != nil {
				b.Fatal(err)
			}
			if made, err = l.Latest(b.Context(), s); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(made.Manifest.Bytes), "bytes")
		b.ReportMetric(float64(len(made.Manifest.Chunks)), "chunks")
		b.ReportMetric(float64(len(made.Manifest.Encode())), "manifest-bytes")
	})
	b.Run("verify", func(b *testing.B) {
		for range b.N {
			e, err := NewEpochs(g, Trust{}, mac{})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := made.Verify(b.Context(), e, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("restore", func(b *testing.B) {
		for range b.N {
			e, err := NewEpochs(g, Trust{}, mac{})
			if err != nil {
				b.Fatal(err)
			}
			if err := made.Restore(b.Context(), b.TempDir(), g, store.Options{}, e, false); err != nil {
				b.Fatal(err)
			}
		}
	})
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
