package export

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
)

// Write exports a ledger into a folder, which must be empty or not there. progress, if not nil, is told of blocks. Errors:
// ErrNotEmpty, ErrNothing, those of the store and of files, and that of ctx; then nothing is left behind.
func Write(ctx context.Context, s *store.Store, g *ledger.Genesis, dir string, progress func(quorum.Height)) (_ *Manifest, err error) {
	if err := checkEmpty(dir); err != nil {
		return nil, err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of an export: %w", err)
	}
	temporary, err := os.MkdirTemp(parent, filepath.Base(filepath.Clean(dir))+".tmp-*")
	if err != nil {
		return nil, fmt.Errorf("making the folder of an export: %w", err)
	}
	defer func() {
		if err != nil {
			err = firstOf(err, os.RemoveAll(temporary))
		}
	}()
	if err := os.Chmod(temporary, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of an export: %w", err)
	}
	snap, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { err = firstOf(err, snap.Close()) }()
	w := &writer{ctx: ctx, dir: temporary, store: s, snap: snap, genesis: g, progress: progress}
	if err := w.write(); err != nil {
		return nil, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("putting the export in place: %w", err)
	}
	if err := os.Rename(temporary, dir); err != nil {
		return nil, fmt.Errorf("putting the export in place: %w", err)
	}
	return &w.manifest, syncFolder(parent)
}

func checkEmpty(dir string) error {
	names, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking at the folder of an export: %w", err)
	case len(names) > 0:
		return refuse(ErrNotEmpty, nil, "%s holds %d files; name one that is empty or not there", dir, len(names))
	}
	return nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing a folder: %w", err)
	}
	return firstOf(f.Sync(), f.Close())
}

// writer writes the files of one export.
type writer struct {
	ctx      context.Context
	dir      string
	store    *store.Store
	snap     *store.Snapshot
	genesis  *ledger.Genesis
	progress func(quorum.Height)
	manifest Manifest

	blocks      *output
	blocksFiles int
	inFile      int
	inBytes     int64
	eventFiles  int
	docs        documents
}

func (w *writer) write() error {
	if err := w.plan(); err != nil {
		return err
	}
	for _, step := range []func() error{w.writeGenesis, w.writeEpochs, w.writeBlocks, w.writeState, w.writeManifest} {
		if err := step(); err != nil {
			return err
		}
	}
	return syncFolder(w.dir)
}

// plan decides what is exported: everything up to the highest certified state.
func (w *writer) plan() error {
	m := &w.manifest
	m.Format, m.Network, m.Genesis, m.From = Format, w.genesis.Chain, w.genesis.Hash(), w.store.Base()+1
	height, err := w.store.ProvableHeight()
	if store.IsNotFound(err) || err == nil && height < m.From {
		return refuse(ErrNothing, err, "no block up to %d is certified and commits to a state above block %d", w.snap.Tip().Height, m.From-1)
	}
	if err != nil {
		return err
	}
	m.Height = height
	header, err := w.store.Header(height)
	if err != nil {
		return err
	}
	m.TimeMs = header.TimeMs
	for at := height + 1; ; at++ {
		header, err := w.store.Header(at)
		if err != nil {
			return err
		}
		cert, err := w.store.Certificate(at)
		if err != nil {
			return err
		}
		if header.ExecHeight == height && cert != nil {
			m.Committing, m.StateRoot, m.Receipts = at, header.ExecStateRoot, header.ExecReceiptsRoot
			break
		}
	}
	m.Before, err = w.store.ReceiptsChain(m.From - 1)
	return err
}

func (w *writer) writeGenesis() error {
	text, err := json.MarshalIndent(w.genesis, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding genesis: %w", err)
	}
	if err := w.whole(fileReadme, []byte(readme(&w.manifest))); err != nil {
		return err
	}
	return w.whole(fileGenesis, append(text, '\n'))
}

// writeEpochs writes the hand-overs up to the epoch of the last block.
func (w *writer) writeEpochs() (err error) {
	out, err := w.create(fileEpochs)
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, out.close(w)) }()
	last, err := w.store.Header(w.manifest.Committing)
	if err != nil {
		return err
	}
	for e := quorum.Epoch(0); e < last.Epoch; e++ {
		h, err := w.store.Handover(e)
		if err != nil {
			return err
		}
		if err := out.line(epochLine{Epoch: e, Closing: h.Closing.Encode(), Certificate: h.Certificate.Encode(), Next: h.Next.Encode()}); err != nil {
			return err
		}
		w.manifest.Epochs++
	}
	return nil
}

// writeBlocks writes blocks and the documents of their events.
func (w *writer) writeBlocks() (err error) {
	defer func() {
		if w.blocks != nil {
			err = firstOf(err, w.blocks.close(w))
		}
	}()
	for h := w.manifest.From; h <= w.manifest.Committing; h++ {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.writeBlock(h); err != nil {
			return err
		}
		if w.progress != nil {
			w.progress(h)
		}
	}
	return w.docs.flush(w.document)
}

func (w *writer) writeBlock(h quorum.Height) error {
	header, err := w.store.Header(h)
	if err != nil {
		return err
	}
	var certificate []byte
	cert, err := w.store.Certificate(h)
	if err != nil {
		return err
	}
	if cert != nil {
		certificate = cert.Encode()
	}
	var txs []*ledger.Transaction
	var receipts []ledger.Receipt
	var raw [][]byte
	if h <= w.manifest.Height {
		if txs, receipts, raw, err = w.contents(h); err != nil {
			return err
		}
	}
	line := newBlockLine(header, certificate, txs, receipts, raw)
	if err := w.nextBlocks(); err != nil {
		return err
	}
	if err := w.blocks.line(line); err != nil {
		return err
	}
	w.inFile, w.inBytes = w.inFile+1, w.inBytes+line.bytes()
	w.manifest.Transactions += uint64(len(txs))
	return w.docs.add(header, txs, receipts, w.document)
}

func (w *writer) contents(h quorum.Height) (txs []*ledger.Transaction, receipts []ledger.Receipt, raw [][]byte, err error) {
	payload, err := w.store.Payload(h)
	if err != nil {
		return nil, nil, nil, err
	}
	if raw, err = w.store.RawReceipts(h); err != nil {
		return nil, nil, nil, err
	}
	txs, receipts, err = decode(payload, raw)
	return txs, receipts, raw, err
}

// decode reads the transactions of a block and as many receipts.
func decode(payload, raw [][]byte) ([]*ledger.Transaction, []ledger.Receipt, error) {
	if len(payload) != len(raw) {
		return nil, nil, refuse(ErrFormat, nil, "%d transactions and %d receipts", len(payload), len(raw))
	}
	txs, receipts := make([]*ledger.Transaction, len(payload)), make([]ledger.Receipt, len(raw))
	for i := range payload {
		var err error
		if txs[i], err = ledger.DecodeTransaction(payload[i]); err != nil {
			return nil, nil, err
		}
		r, err := ledger.DecodeReceipt(raw[i])
		if err != nil {
			return nil, nil, err
		}
		receipts[i] = *r
	}
	return txs, receipts, nil
}

// nextBlocks begins another file when the present one is full.
func (w *writer) nextBlocks() error {
	if w.blocks != nil && w.inFile < blocksCount && w.inBytes < blocksBytes {
		return nil
	}
	if w.blocks != nil {
		if err := w.blocks.close(w); err != nil {
			return err
		}
	}
	w.blocksFiles++
	w.inFile, w.inBytes = 0, 0
	var err error
	w.blocks, err = w.create(fmt.Sprintf(nameBlocks, w.blocksFiles))
	return err
}

func (w *writer) document(text []byte) error {
	w.eventFiles++
	w.manifest.Events = w.docs.total
	return w.whole(fmt.Sprintf(nameEvents, w.eventFiles), text)
}

// scanPage is how many records are read at once.
const scanPage = 4096

// eachRecord hands over all records of the state, in the order of keys.
func (w *writer) eachRecord(past *store.Past, take func(store.Entry)) error {
	var after []byte
	for {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		page, err := past.Scan(nil, after, scanPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			take(e)
		}
		after = page[len(page)-1].Key
	}
}

// writeState writes the records by position. The state is read once for every file: its order on disk is that of keys, and no
// more than a file is held.
func (w *writer) writeState() error {
	past, err := w.snap.Past(w.manifest.Height)
	if err != nil {
		return err
	}
	size := int64(0)
	if err := w.eachRecord(past, func(e store.Entry) { size += int64(len(e.Key) + len(e.Value)) }); err != nil {
		return err
	}
	for w.manifest.Bits = 0; w.manifest.Bits < maxBits && size>>w.manifest.Bits > bucketBytes; w.manifest.Bits++ {
	}
	parts := make([]subtree, 1<<w.manifest.Bits)
	for bucket := range parts {
		if parts[bucket], err = w.writeBucket(past, bucket); err != nil {
			return err
		}
		w.manifest.Records += parts[bucket].keys
	}
	if root := joinAll(parts).hash; root != w.manifest.StateRoot {
		return refuse(ErrProof, nil, "the records of the state hash to %s, block %d commits to %s: run waybill node doctor", root, w.manifest.Committing, w.manifest.StateRoot)
	}
	return nil
}

func (w *writer) writeBucket(past *store.Past, bucket int) (_ subtree, err error) {
	type placed struct {
		leaf  crypto.TreeLeaf
		entry store.Entry
	}
	var entries []placed
	if err := w.eachRecord(past, func(e store.Entry) {
		if at := crypto.TreeKey(e.Key); bucketOf(at, w.manifest.Bits) == bucket {
			entries = append(entries, placed{leafOf(e.Key, e.Value), e})
		}
	}); err != nil {
		return subtree{}, err
	}
	slices.SortFunc(entries, func(a, b placed) int { return bytes.Compare(a.leaf.Key[:], b.leaf.Key[:]) })
	out, err := w.create(fmt.Sprintf(nameState, bucket))
	if err != nil {
		return subtree{}, err
	}
	defer func() { err = firstOf(err, out.close(w)) }()
	leaves := make([]crypto.TreeLeaf, len(entries))
	for i, e := range entries {
		leaves[i] = e.leaf
		if err := out.line(recordLine{Key: e.entry.Key, Value: append([]byte{}, e.entry.Value...)}); err != nil {
			return subtree{}, err
		}
	}
	return hashLeaves(leaves, w.manifest.Bits), nil
}

func (w *writer) writeManifest() error {
	slices.SortFunc(w.manifest.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	text, err := encodeManifest(&w.manifest)
	if err != nil {
		return err
	}
	return w.whole(fileManifest, text)
}

func encodeManifest(m *Manifest) ([]byte, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the manifest: %w", err)
	}
	return append(text, '\n'), nil
}

// whole writes a file at once.
func (w *writer) whole(name string, data []byte) error {
	out, err := w.create(name)
	if err != nil {
		return err
	}
	_, err = out.buffer.Write(data)
	return firstOf(err, out.close(w))
}

// output is a file that is hashed while it is written.
type output struct {
	name   string
	file   *os.File
	hash   hash.Hash
	count  int64
	buffer *bufio.Writer
}

func (w *writer) create(name string) (*output, error) {
	f, err := os.OpenFile(filepath.Join(w.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("exporting: %w", err)
	}
	o := &output{name: name, file: f, hash: sha256.New()}
	o.buffer = bufio.NewWriterSize(io.MultiWriter(f, o.hash, (*counter)(&o.count)), 1<<20)
	return o, nil
}

type counter int64

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func (o *output) line(v any) error {
	data, err := jsonLine(v)
	if err != nil {
		return err
	}
	if _, err := o.buffer.Write(data); err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	return nil
}

// close makes the file durable and puts it in the manifest. A second time it does nothing.
func (o *output) close(w *writer) error {
	if o.file == nil {
		return nil
	}
	err := firstOf(o.buffer.Flush(), o.file.Sync())
	err = firstOf(err, o.file.Close())
	o.file = nil
	if err != nil {
		return fmt.Errorf("exporting %s: %w", o.name, err)
	}
	if o.name != fileManifest {
		w.manifest.Files = append(w.manifest.Files, File{Name: o.name, Bytes: o.count, SHA256: crypto.Hash(o.hash.Sum(nil))})
	}
	return nil
}
