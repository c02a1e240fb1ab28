package store

import (
	"encoding/binary"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// The database is one ordered map. Its first byte says whose keys follow; integers in keys are big-endian, so that keys
// sort by them. Nobody writes outside the keyspaces of their own.
//
//	byte       owner          key after the byte                          value
//	0x00       store          metaSchema, metaGenesis, metaGenesisBytes   schema (4 bytes), hash, Genesis.Encode
//	0x00       store          metaRestoring                               1 while a restore is not finished
//	0x00       store          metaBase, metaBaseCertificate               height:8 and Certificate.Encode, of a restored ledger
//	0x01       store          –                                           tip: see encodeTip
//	0x10       store          height:8                                    Header.Encode
//	0x11       store          height:8                                    raw transactions, framed (see frame)
//	0x12       store          height:8                                    Certificate.Encode; empty without one of its own
//	0x13       store          height:8                                    receipts, encoded and framed
//	0x14       store          height:8                                    state root:32, receipts root:32, receipts chain:32
//	0x15       store          block hash:32                               height:8
//	0x16       store          transaction id:32                           height:8, index:4
//	0x17       store          event hash:32                               height:8, transaction index:4, event index:4
//	0x18       store          epoch:8                                     validator set, header of the anchor, framed
//	0x20       store          state key                                   height:8 that made it, state value, as it is now
//	0x21       store          length:1, nibble path                       height:8 that made it, tree page as it is now: see merge.go
//	0x22       store          's', position:32, height:8                  state value before that height: see step
//	0x22       store          'p', length:1, nibble path, height:8        tree page before that height: see step
//	0x23       store          height:8                                    what that block replaced: see undoRecord
//	0x40–0x4f  node/journal   its own table
//	0x60–0x6f  ledger/index   its own table
//
// The past of state and tree is kept as what blocks replaced, not as versions of everything: the present is then one point
// read. How a read at a height finds its way is told in history.go.
const (
	prefixMeta        = 0x00
	prefixTip         = 0x01
	prefixHeader      = 0x10
	prefixPayload     = 0x11
	prefixCertificate = 0x12
	prefixReceipts    = 0x13
	prefixRoots       = 0x14
	prefixBlockHash   = 0x15
	prefixTransaction = 0x16
	prefixEvent       = 0x17
	prefixEpoch       = 0x18
	prefixState       = 0x20
	prefixPage        = 0x21
	prefixReplaced    = 0x22
	prefixUndo        = 0x23
)

// The keyspaces that others own in the same database: [first, last].
const (
	JournalFirst, JournalLast = 0x40, 0x4f
	IndexFirst, IndexLast     = 0x60, 0x6f
)

const (
	metaSchema       = 1
	metaGenesis      = 2
	metaGenesisBytes = 3

	metaRestoring       = 4 // there while a restore is not finished
	metaBase            = 5
	metaBaseCertificate = 6
)

// schemaVersion is the version of the table above. A change that older programs would misread raises it. Version 1 knew no
// epochs. Version 2 kept every replaced value and page in an entry of its own at 0x20 to 0x23, wrote no heights before the
// present ones, and had units in the keys of balances as they were spelled. Version 3 had whole pages at 0x21
// only, one list of shipments for a lot, and no records of what notices a crowded thing is under. Version 4 had the pages of
// 0x23 by path alone. Version 5 wrote items, contents, shipments and marks of events as their structs, with their keys in them.
// Version 6 had numbers of fixed length in 0x23.
const schemaVersion = 7

const (
	replacedState = 's'
	replacedPage  = 'p'
)

func metaKey(what byte) []byte { return []byte{prefixMeta, what} }

func tipKey() []byte { return []byte{prefixTip} }

func heightKey(prefix byte, h quorum.Height) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix}, uint64(h))
}

func epochKey(e quorum.Epoch) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixEpoch}, uint64(e))
}

func hashKey(prefix byte, h crypto.Hash) []byte { return append([]byte{prefix}, h[:]...) }

func stateKey(key []byte) []byte { return append([]byte{prefixState}, key...) }

func pageKey(path crypto.PagePath) []byte {
	return append([]byte{prefixPage, byte(len(path))}, path...)
}

// replacedStateStem and replacedPageStem are followed by a height.
func replacedStateStem(key []byte) []byte {
	at := crypto.TreeKey(key)
	return append([]byte{prefixReplaced, replacedState}, at[:]...)
}

func replacedPageStem(path crypto.PagePath) []byte {
	return append([]byte{prefixReplaced, replacedPage, byte(len(path))}, path...)
}

func atHeight(stem []byte, h quorum.Height) []byte {
	return binary.BigEndian.AppendUint64(stem[:len(stem):len(stem)], uint64(h))
}
