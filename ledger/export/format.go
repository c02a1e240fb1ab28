package export

import (
	"encoding/json"
	"fmt"
	"sort"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// Format is the first member of every manifest; its last number is the version.
const Format = "waybill export 1"

// Names of files. Numbered ones follow a pattern.
const (
	fileReadme   = "README.txt"
	fileManifest = "manifest.json"
	fileGenesis  = "genesis.json"
	fileEpochs   = "epochs.jsonl"
	nameBlocks   = "blocks-%06d.jsonl"
	nameEvents   = "events-%06d.json"
	nameState    = "state-%04d.jsonl"
)

// Sizes that both ends hold.
const (
	blocksBytes = 64 << 20 // of transactions and receipts in a file of blocks, one block more at most
	blocksCount = 10_000   // in a file
	eventsCount = 1_000    // in a document
	eventsBytes = 4 << 20  // of encoded events in a document, one event more at most
	bucketBytes = 32 << 20 // of records in a file of the state, when the records are spread as hashes are
	maxBits     = 13

	maxLineBytes = 256 << 20 // a block of 16 MiB with its receipts
	// A transaction with its receipt has more than 400 bytes and seven members; "null" has four, and takes a hundred in memory.
	commaBytes = 24
	commaSlack = 64 // of a short line with long text in it

	maxManifestBytes = 64 << 20
	maxStateBytes    = 1 << 30
)

// Manifest says what an export holds.
type Manifest struct {
	Format  string      `json:"format"`
	Network string      `json:"network"` // the name in genesis
	Genesis crypto.Hash `json:"genesis"`

	From       quorum.Height `json:"from"`       // the first block: 1, or the one after the snapshot the ledger began at
	Height     quorum.Height `json:"height"`     // the last block with transactions and receipts; the state is that after it
	Committing quorum.Height `json:"committing"` // the last block of all, whose header commits to state and receipts
	TimeMs     int64         `json:"timeMs"`     // of block Height, ms since the Unix epoch
	StateRoot  crypto.Hash   `json:"stateRoot"`  // after block Height
	Before     crypto.Hash   `json:"before"`     // chain of receipts roots before block From
	Receipts   crypto.Hash   `json:"receipts"`   // chain of receipts roots after block Height

	Epochs       uint64 `json:"epochs"` // that ended
	Transactions uint64 `json:"transactions"`
	Events       uint64 `json:"events"` // accepted ones
	Records      uint64 `json:"records"`
	Bits         int    `json:"bits"` // of a position that number the files of the state

	Files []File `json:"files"` // all but the manifest, by name
}

// File is a file of an export.
type File struct {
	Name   string      `json:"name"`
	Bytes  int64       `json:"bytes"`
	SHA256 crypto.Hash `json:"sha256"`
}

// epochLine is the end of an epoch.
type epochLine struct {
	Epoch       quorum.Epoch `json:"epoch"` // the one that ended
	Closing     []byte       `json:"closing"`
	Certificate []byte       `json:"certificate"`
	Next        []byte       `json:"next"` // the validators of the next epoch
}

// blockLine is a block. What stands there beside the bytes repeats what is in them, for people and simple programs.
type blockLine struct {
	Height       quorum.Height     `json:"height"`
	Hash         crypto.Hash       `json:"hash"`
	Epoch        quorum.Epoch      `json:"epoch"`
	TimeMs       int64             `json:"timeMs"`
	Header       []byte            `json:"header"`
	Certificate  []byte            `json:"certificate,omitempty"`
	Transactions []transactionLine `json:"transactions,omitempty"`
}

type transactionLine struct {
	ID      crypto.Hash    `json:"id"`
	Kind    string         `json:"kind"`
	Author  crypto.Address `json:"author"`
	Result  string         `json:"result"` // "accepted", or what was refused
	Raw     []byte         `json:"raw"`
	Receipt []byte         `json:"receipt"`
}

type recordLine struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// newBlockLine fills in what repeats; the lists are empty for blocks above the height.
func newBlockLine(h quorum.Header, certificate []byte, txs []*ledger.Transaction, receipts []ledger.Receipt, raw [][]byte) blockLine {
	line := blockLine{Height: h.Height, Hash: h.Hash(), Epoch: h.Epoch, TimeMs: h.TimeMs, Header: h.Encode(), Certificate: certificate}
	for i, tx := range txs {
		line.Transactions = append(line.Transactions, transactionLine{
			ID: tx.ID(), Kind: tx.Body.Kind.String(), Author: tx.Body.Author, Result: receipts[i].String(), Raw: tx.Raw(), Receipt: raw[i],
		})
	}
	return line
}

// bytes is what counts against blocksBytes.
func (l *blockLine) bytes() int64 {
	n := int64(len(l.Header) + len(l.Certificate))
	for i := range l.Transactions {
		n += int64(len(l.Transactions[i].Raw) + len(l.Transactions[i].Receipt))
	}
	return n
}

func jsonLine(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding a line: %w", err)
	}
	return append(data, '\n'), nil
}

// documents gathers accepted events into documents; Write and Verify cut them alike.
type documents struct {
	events []*epcis.Event
	timeMs int64 // of the block of the first
	bytes  int
	total  uint64
}

// add takes the accepted events of a block and hands over every document that is full.
func (d *documents) add(h quorum.Header, txs []*ledger.Transaction, receipts []ledger.Receipt, full func([]byte) error) error {
	for _, rec := range ledger.EventsOf(h, txs, receipts) {
		if !rec.Accepted {
			continue
		}
		if len(d.events) == 0 {
			d.timeMs = rec.TimeMs
		}
		e := *rec.Event
		e.RecordTime = epcis.NewTimestamp(rec.TimeMs)
		d.events = append(d.events, &e)
		d.total++
		size, err := epcis.EncodeEvent(rec.Event)
		if err != nil {
			return err
		}
		if d.bytes += len(size); len(d.events) == eventsCount || d.bytes >= eventsBytes {
			if err := d.flush(full); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush hands over what is left.
func (d *documents) flush(full func([]byte) error) error {
	if len(d.events) == 0 {
		return nil
	}
	text, err := epcis.FormatDocument(epcis.NewDocument(epcis.NewTimestamp(d.timeMs), d.events...))
	if err != nil {
		return err
	}
	d.events, d.bytes = nil, 0
	return full(text)
}

// subtree is what is known of a part of the state tree.
type subtree struct {
	hash crypto.Hash
	keys uint64
}

// hashLeaves is the subtree at a depth in bits that holds exactly these leaves, ascending and distinct.
func hashLeaves(leaves []crypto.TreeLeaf, depth int) subtree {
	switch len(leaves) {
	case 0:
		return subtree{}
	case 1:
		return subtree{crypto.Sum(crypto.TagStateLeaf, leaves[0].Key[:], leaves[0].Value[:]), 1}
	}
	half := sort.Search(len(leaves), func(i int) bool { return leaves[i].Key[depth/8]>>(7-depth%8)&1 == 1 })
	return join(hashLeaves(leaves[:half], depth+1), hashLeaves(leaves[half:], depth+1))
}

// join is the subtree above two: a single leaf stands for itself wherever it is.
func join(left, right subtree) subtree {
	sum := left.keys + right.keys
	switch {
	case sum == 0:
		return subtree{}
	case left.keys == 0 && right.keys == 1:
		return right
	case right.keys == 0 && left.keys == 1:
		return left
	}
	return subtree{crypto.Sum(crypto.TagStateNode, left.hash[:], right.hash[:]), sum}
}

// joinAll folds the subtrees of all files, of which there is a power of two.
func joinAll(parts []subtree) subtree {
	if len(parts) == 1 {
		return parts[0]
	}
	half := len(parts) / 2
	return join(joinAll(parts[:half]), joinAll(parts[half:]))
}

// bucketOf is the number of the file of a position.
func bucketOf(at crypto.Hash, bits int) int {
	return (int(at[0])<<8 | int(at[1])) >> (16 - bits)
}

func leafOf(key, value []byte) crypto.TreeLeaf {
	return crypto.TreeLeaf{Key: crypto.TreeKey(key), Value: crypto.Sum(crypto.TagStateValue, value)}
}

// readme is the text for whoever finds the folder.
func readme(m *Manifest) string {
	return fmt.Sprintf(`This folder is a complete export of the Waybill ledger %q, from block %d to block %d.

manifest.json   what is here, with the SHA-256 of every other file
genesis.json    the document the network began with; its hash is %s
epochs.jsonl    who validated when: for each epoch that ended its last header, the certificate of that, the next validators
blocks-*.jsonl  one block a line: header, certificate, and the transactions with their receipts (base64)
events-*.json   every accepted event as EPCIS 2.0 JSON-LD documents, in order; any EPCIS 2.0 program reads them
state-*.jsonl   one record of the state a line: key and value (base64), after block %d

Headers, certificates and validator sets are fixed-width fields, big-endian; transactions, receipts and records are
deterministic CBOR (RFC 8949). Nothing but the events is needed to carry on elsewhere; the rest is the proof.

To check all of it: waybill export verify FOLDER --genesis genesis.json, with a genesis document that you did not get
with this folder.
`, m.Network, m.From, m.Height, m.Genesis, m.Height)
}
