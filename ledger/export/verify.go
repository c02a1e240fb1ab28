package export

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/light"
)

// Verify checks an export from the genesis document on; see the package for what that means. progress, if not nil, is told of
// blocks. Errors: ErrFormat, ErrFile, ErrForeign, ErrProof, those of files, and that of ctx.
func Verify(ctx context.Context, dir string, g *ledger.Genesis, progress func(quorum.Height)) (*Manifest, error) {
	return verify(ctx, dir, g, progress, nil)
}

func verify(ctx context.Context, dir string, g *ledger.Genesis, progress func(quorum.Height), checker quorum.Checker) (*Manifest, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	if m.Genesis != g.Hash() || m.Network != g.Chain {
		return nil, refuse(ErrForeign, nil, "it is of the network %q with genesis %s, not %s", m.Network, m.Genesis, g.Hash())
	}
	start, err := light.Begin(g)
	if err != nil {
		return nil, err
	}
	start.Checker = checker
	v := &verifier{ctx: ctx, dir: dir, genesis: g, manifest: m, progress: progress, read: map[string]bool{}, epochs: []light.Checkpoint{start}}
	v.chains, v.chain = map[quorum.Height]crypto.Hash{m.From - 1: m.Before}, m.Before
	for _, step := range []func() error{v.checkGenesis, v.followEpochs, v.checkBlocks, v.checkState, v.checkManifest} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// verifier reads an export once.
type verifier struct {
	ctx      context.Context
	dir      string
	genesis  *ledger.Genesis
	manifest *Manifest
	progress func(quorum.Height)
	read     map[string]bool // files

	epochs []light.Checkpoint
	last   quorum.Header // of the blocks read so far
	paths  []light.Path  // of one epoch, to be checked together
	chain  crypto.Hash   // of receipts roots
	chains map[quorum.Height]crypto.Hash

	seen      Manifest // what was counted
	committed bool     // a header carried the chain after the last block with receipts
	docs      documents
	files     int // of events
}

func (v *verifier) checkGenesis() error {
	text, err := json.MarshalIndent(v.genesis, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding genesis: %w", err)
	}
	if err := v.same(fileGenesis, append(text, '\n')); err != nil {
		return err
	}
	return v.same(fileReadme, []byte(readme(v.manifest)))
}

// followEpochs follows the hand-overs.
func (v *verifier) followEpochs() error {
	in, err := v.open(fileEpochs)
	if err != nil {
		return err
	}
	for {
		var line epochLine
		more, err := in.line(&line)
		if err != nil || !more {
			return firstOf(err, in.close())
		}
		closing, err := quorum.DecodeHeader(line.Closing)
		if err != nil {
			return firstOf(refuse(ErrFormat, err, "the end of epoch %d", line.Epoch), in.file.Close())
		}
		cert, err := quorum.DecodeCertificate(line.Certificate)
		if err != nil {
			return firstOf(refuse(ErrFormat, err, "the end of epoch %d", line.Epoch), in.file.Close())
		}
		next, err := quorum.DecodeSet(line.Next)
		if err != nil {
			return firstOf(refuse(ErrFormat, err, "the end of epoch %d", line.Epoch), in.file.Close())
		}
		at := v.epochs[len(v.epochs)-1]
		if next.Hash() == at.Set.Hash() {
			next = at.Set // one in memory instead of many
		}
		if at, err = at.Advance(closing, cert, next); err != nil || line.Epoch+1 != at.Epoch {
			return firstOf(refuse(ErrProof, err, "the end of epoch %d", line.Epoch), in.file.Close())
		}
		v.epochs = append(v.epochs, at)
		v.seen.Epochs++
	}
}

// checkBlocks reads all files of blocks.
func (v *verifier) checkBlocks() error {
	for n, h := 1, v.manifest.From; h <= v.manifest.Committing; n++ {
		in, err := v.open(fmt.Sprintf(nameBlocks, n))
		if err != nil {
			return err
		}
		for {
			var line blockLine
			more, err := in.line(&line)
			if err == nil && more {
				err = v.checkBlock(h, &line)
			}
			if err != nil {
				return firstOf(err, in.file.Close())
			}
			if !more {
				break
			}
			h++
		}
		if err := in.close(); err != nil {
			return err
		}
	}
	if err := v.checkPaths(); err != nil {
		return err
	}
	if err := v.docs.flush(v.document); err != nil {
		return err
	}
	if v.last.Height != v.manifest.Committing || v.last.ExecHeight != v.manifest.Height || !v.committed {
		return refuse(ErrProof, nil, "block %d, the last, does not commit to the state and receipts after block %d", v.last.Height, v.manifest.Height)
	}
	if v.last.ExecStateRoot != v.manifest.StateRoot || v.last.ExecReceiptsRoot != v.manifest.Receipts || v.chain != v.manifest.Receipts {
		return refuse(ErrProof, nil, "the roots of the manifest are not those of block %d", v.last.Height)
	}
	return nil
}

// checkBlock checks one block against the one before it and everything in it against its header.
func (v *verifier) checkBlock(want quorum.Height, line *blockLine) error {
	if err := v.ctx.Err(); err != nil {
		return err
	}
	h, err := quorum.DecodeHeader(line.Header)
	if err != nil {
		return refuse(ErrFormat, err, "block %d", want)
	}
	if h.Height != want || want > v.manifest.Committing || h.Genesis != v.manifest.Genesis || h.IsTail() || h.Epoch >= quorum.Epoch(len(v.epochs)) {
		return refuse(ErrProof, nil, "block %d of epoch %d where block %d of an epoch up to %d should be", h.Height, h.Epoch, want, len(v.epochs)-1)
	}
	if want > v.manifest.From && h.Parent != v.last.Hash() {
		return refuse(ErrProof, nil, "block %d is not the child of block %d", h.Height, v.last.Height)
	}
	if want == v.manifest.Height && h.TimeMs != v.manifest.TimeMs {
		return refuse(ErrProof, nil, "block %d is of another time than the manifest says", h.Height)
	}
	if h.ValidatorSet != v.epochs[h.Epoch].Set.Hash() {
		return refuse(ErrProof, nil, "block %d names other validators than those of epoch %d", h.Height, h.Epoch)
	}
	if err := v.checkFinal(&h, line); err != nil {
		return err
	}
	txs, receipts, raw, err := v.checkContents(&h, line)
	if err != nil {
		return err
	}
	again, err := jsonLine(newBlockLine(h, line.Certificate, txs, receipts, raw))
	mine, err2 := jsonLine(line)
	if err != nil || err2 != nil || !bytes.Equal(again, mine) {
		return refuse(ErrProof, firstOf(err, err2), "what stands beside block %d is not what is in it", h.Height)
	}
	v.last = h
	if v.progress != nil {
		v.progress(h.Height)
	}
	return v.docs.add(h, txs, receipts, v.document)
}

// pathsAtOnce is how many certificates are checked together.
const pathsAtOnce = 256

// checkFinal notes the certificate of a block. What has none is final because its descendants are: the last block has one.
func (v *verifier) checkFinal(h *quorum.Header, line *blockLine) error {
	if len(v.paths) > 0 && v.paths[0].Headers[0].Epoch != h.Epoch || len(v.paths) == pathsAtOnce {
		if err := v.checkPaths(); err != nil {
			return err
		}
	}
	if len(line.Certificate) == 0 {
		if h.Height == v.manifest.Committing {
			return refuse(ErrProof, nil, "block %d, the last, has no certificate", h.Height)
		}
		return nil
	}
	cert, err := quorum.DecodeCertificate(line.Certificate)
	if err != nil {
		return refuse(ErrFormat, err, "the certificate of block %d", h.Height)
	}
	v.paths = append(v.paths, light.Path{Headers: []quorum.Header{*h}, Certificate: cert})
	return nil
}

func (v *verifier) checkPaths() error {
	if len(v.paths) == 0 {
		return nil
	}
	if _, err := v.epochs[v.paths[0].Headers[0].Epoch].VerifyPaths(v.paths); err != nil {
		return refuse(ErrProof, err, "blocks %d to %d", v.paths[0].Headers[0].Height, v.paths[len(v.paths)-1].Headers[0].Height)
	}
	v.paths = v.paths[:0]
	return nil
}

// maxChains is how many chains of receipts roots are kept for headers to come: ExecHeight lags by less.
const maxChains = 2048

// checkContents checks transactions and receipts, and the chain of receipts that the header carries.
func (v *verifier) checkContents(h *quorum.Header, line *blockLine) ([]*ledger.Transaction, []ledger.Receipt, [][]byte, error) {
	if chain, known := v.chains[h.ExecHeight]; known && chain != h.ExecReceiptsRoot {
		return nil, nil, nil, refuse(ErrProof, nil, "block %d commits to other receipts up to block %d than are here", h.Height, h.ExecHeight)
	} else if known && h.ExecHeight == v.manifest.Height {
		v.committed = true
	}
	if h.Height > v.manifest.Height {
		if len(line.Transactions) > 0 {
			return nil, nil, nil, refuse(ErrFormat, nil, "block %d lies above the height and has transactions", h.Height)
		}
		return nil, nil, nil, nil
	}
	var payload, raw [][]byte
	for i := range line.Transactions {
		payload, raw = append(payload, line.Transactions[i].Raw), append(raw, line.Transactions[i].Receipt)
	}
	if root := quorum.PayloadRoot(payload); root != h.PayloadRoot || uint32(len(payload)) != h.TxCount {
		return nil, nil, nil, refuse(ErrProof, nil, "the transactions of block %d are not those of its header", h.Height)
	}
	txs, receipts, err := decode(payload, raw)
	if err != nil {
		return nil, nil, nil, refuse(ErrFormat, err, "block %d", h.Height)
	}
	v.chain = ledger.ChainReceipts(v.chain, crypto.MerkleRoot(raw))
	v.chains[h.Height] = v.chain
	delete(v.chains, h.Height-min(h.Height, maxChains))
	v.seen.Transactions += uint64(len(txs))
	return txs, receipts, raw, nil
}

func (v *verifier) document(text []byte) error {
	v.files++
	return v.same(fmt.Sprintf(nameEvents, v.files), text)
}

// checkState checks that the records hash to the state root.
func (v *verifier) checkState() error {
	parts := make([]subtree, 1<<v.manifest.Bits)
	for bucket := range parts {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		var err error
		if parts[bucket], err = v.bucket(bucket); err != nil {
			return err
		}
		v.seen.Records += parts[bucket].keys
	}
	if root := joinAll(parts).hash; root != v.manifest.StateRoot {
		return refuse(ErrProof, nil, "the records hash to %s, the state root is %s", root, v.manifest.StateRoot)
	}
	return nil
}

func (v *verifier) bucket(bucket int) (subtree, error) {
	in, err := v.open(fmt.Sprintf(nameState, bucket))
	if err != nil {
		return subtree{}, err
	}
	if in.want.Bytes > maxStateBytes {
		return subtree{}, firstOf(refuse(ErrFormat, nil, "%s has %d bytes, at most %d", in.name, in.want.Bytes, maxStateBytes), in.file.Close())
	}
	var leaves []crypto.TreeLeaf
	for {
		var line recordLine
		more, err := in.line(&line)
		if err != nil {
			return subtree{}, firstOf(err, in.file.Close())
		}
		if !more {
			return hashLeaves(leaves, v.manifest.Bits), in.close()
		}
		leaf := leafOf(line.Key, line.Value)
		if n := len(leaves); bucketOf(leaf.Key, v.manifest.Bits) != bucket || n > 0 && bytes.Compare(leaves[n-1].Key[:], leaf.Key[:]) >= 0 {
			return subtree{}, firstOf(refuse(ErrFormat, nil, "record %d of %s is out of place", n, in.name), in.file.Close())
		}
		leaves = append(leaves, leaf)
	}
}

// checkManifest compares what was counted with what the manifest says; every file must have been read.
func (v *verifier) checkManifest() error {
	m := v.manifest
	v.seen.Events = v.docs.total
	if m.Epochs != v.seen.Epochs || m.Transactions != v.seen.Transactions || m.Events != v.seen.Events || m.Records != v.seen.Records {
		return refuse(ErrFormat, nil, "%d epochs, %d transactions, %d events and %d records are here, the manifest says %d, %d, %d and %d",
			v.seen.Epochs, v.seen.Transactions, v.seen.Events, v.seen.Records, m.Epochs, m.Transactions, m.Events, m.Records)
	}
	if v.last.Epoch != quorum.Epoch(m.Epochs) {
		return refuse(ErrFormat, nil, "%d epochs ended, the last block is of epoch %d", m.Epochs, v.last.Epoch)
	}
	for _, f := range m.Files {
		if !v.read[f.Name] {
			return refuse(ErrFormat, nil, "%s has no place in an export", f.Name)
		}
	}
	return nil
}
