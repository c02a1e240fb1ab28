package api

import (
	"errors"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// BlockSummary is one line of a list of blocks.
type BlockSummary struct {
	Height       quorum.Height `json:"height"`
	Hash         crypto.Hash   `json:"hash"`
	TimeMs       int64         `json:"timeMs"`
	Epoch        uint64        `json:"epoch"`
	View         uint64        `json:"view"`
	Proposer     uint16        `json:"proposer"` // index in the validator set
	TxCount      uint32        `json:"txCount"`
	PayloadBytes uint32        `json:"payloadBytes"`
}

// BlockList is a page of blocks, newest first.
type BlockList struct {
	Blocks []BlockSummary `json:"blocks"`
	Next   *quorum.Height `json:"next,omitempty"` // pass as before; absent after the genesis block
}

// BlockInfo is a block as /v1 shows it.
type BlockInfo struct {
	BlockSummary
	Header       HeaderInfo       `json:"header"`
	HeaderBytes  []byte           `json:"headerBytes"` // what is hashed and voted on
	Certificate  *CertificateInfo `json:"certificate,omitempty"`
	Transactions []BlockTx        `json:"transactions"`
}

// HeaderInfo is the rest of a header.
type HeaderInfo struct {
	Version          uint16        `json:"version"`
	Genesis          crypto.Hash   `json:"genesis"`
	Parent           crypto.Hash   `json:"parent"`
	ParentView       uint64        `json:"parentView"`
	PayloadRoot      crypto.Hash   `json:"payloadRoot"`
	Justification    crypto.Hash   `json:"justification"`
	Closing          crypto.Hash   `json:"closing,omitzero"`
	ValidatorSet     crypto.Hash   `json:"validatorSet"`
	NextValidatorSet crypto.Hash   `json:"nextValidatorSet,omitzero"`
	Params           crypto.Hash   `json:"params"`
	ExecHeight       quorum.Height `json:"execHeight"` // the block whose result the roots are
	StateRoot        crypto.Hash   `json:"stateRoot"`
	ReceiptsRoot     crypto.Hash   `json:"receiptsRoot"`
	Flags            uint16        `json:"flags"`
}

// CertificateInfo is the finalization of a block.
type CertificateInfo struct {
	View    uint64 `json:"view"`
	Signers []int  `json:"signers"` // indexes in the validator set
	Bytes   []byte `json:"bytes"`
}

// BlockTx is a transaction in a block.
type BlockTx struct {
	ID       crypto.Hash    `json:"id"`
	Kind     ledger.Kind    `json:"-"`
	KindName string         `json:"kind"`
	Author   crypto.Address `json:"author"`
	Size     int            `json:"size"` // bytes
	OK       bool           `json:"ok"`
	Sentence string         `json:"sentence"`
}

func blockSummary(h *quorum.Header) BlockSummary {
	return BlockSummary{Height: h.Height, Hash: h.Hash(), TimeMs: h.TimeMs, Epoch: uint64(h.Epoch), View: uint64(h.View),
		Proposer: h.Proposer, TxCount: h.TxCount, PayloadBytes: h.PayloadBytes}
}

func blockInfo(b *Block) (*BlockInfo, error) {
	h := &b.Header
	out := &BlockInfo{BlockSummary: blockSummary(h), HeaderBytes: h.Encode(), Transactions: []BlockTx{}, Header: HeaderInfo{
		Version: h.Version, Genesis: h.Genesis, Parent: h.Parent, ParentView: uint64(h.ParentView), PayloadRoot: h.PayloadRoot,
		Justification: h.Justification, Closing: h.Closing, ValidatorSet: h.ValidatorSet, NextValidatorSet: h.NextValidatorSet,
		Params: h.Params, ExecHeight: h.ExecHeight, StateRoot: h.ExecStateRoot, ReceiptsRoot: h.ExecReceiptsRoot, Flags: h.Flags,
	}}
	if b.Certificate != nil {
		out.Certificate = &CertificateInfo{View: uint64(b.Certificate.View), Signers: signers(b.Certificate.Bitmap), Bytes: b.Certificate.Encode()}
	}
	for i, raw := range b.Payload {
		tx, err := ledger.DecodeTransaction(raw)
		if err != nil {
			// A block may hold bytes that are no transaction if its leader was faulty; the receipt says so.
			tx = nil
		}
		out.Transactions = append(out.Transactions, blockTx(tx, raw, receiptAt(b.Receipts, i)))
	}
	return out, nil
}

func receiptAt(list []ledger.Receipt, i int) *ledger.Receipt {
	if i < len(list) {
		return &list[i]
	}
	return nil
}

func blockTx(tx *ledger.Transaction, raw []byte, r *ledger.Receipt) BlockTx {
	out := BlockTx{Size: len(raw), KindName: "undecodable"}
	if tx != nil {
		out.ID, out.Kind, out.KindName, out.Author = tx.ID(), tx.Body.Kind, tx.Body.Kind.String(), tx.Body.Author
	}
	if r != nil {
		out.OK, out.Sentence = r.OK(), r.String()
	}
	return out
}

// signers lists the set bits of a certificate, lowest first.
func signers(bitmap []byte) []int {
	out := []int{}
	for i := range len(bitmap) * 8 {
		if bitmap[i/8]>>(i%8)&1 == 1 {
			out = append(out, i)
		}
	}
	return out
}

// listBlocks lists blocks below before (absent: from the tip), newest first.
func (s *Server) listBlocks(r *request) (*reply, error) {
	limit, err := r.limitParam(usualPage, largePage)
	if err != nil {
		return nil, err
	}
	top := s.cfg.Node.Status().Height
	if text := r.param("before"); text != "" {
		before, err := parseHeight(text)
		if err != nil || before == 0 {
			return nil, problem(ErrBadRequest, "before is not a height above 0").want("a whole number", text)
		}
		top = min(top, before-1)
	}
	out := BlockList{Blocks: []BlockSummary{}}
	for height := top; len(out.Blocks) < limit; height-- {
		block, err := s.cfg.Chain.Block(r.Context(), height)
		if errors.Is(err, ErrNotFound) {
			break // pruned below
		}
		if err != nil {
			return nil, err
		}
		out.Blocks = append(out.Blocks, blockSummary(&block.Header))
		if height == 0 {
			break
		}
	}
	if n := len(out.Blocks); n == limit && out.Blocks[n-1].Height > 0 {
		next := out.Blocks[n-1].Height
		out.Next = &next
	}
	return &reply{json: out}, nil
}

// getBlock shows the block named by height, hash or "latest".
func (s *Server) getBlock(r *request) (*reply, error) {
	height, err := s.blockHeight(r)
	if err != nil {
		return nil, err
	}
	block, err := s.cfg.Chain.Block(r.Context(), height)
	if errors.Is(err, ErrNotFound) {
		return nil, problem(ErrNotFound, "this node has no block at height %d; its last is %d", height, s.cfg.Node.Status().Height).
			help("A block above the last is not final yet; old ones may be pruned here.")
	}
	if err != nil {
		return nil, err
	}
	info, err := blockInfo(block)
	if err != nil {
		return nil, err
	}
	return &reply{json: info}, nil
}

func (s *Server) blockHeight(r *request) (quorum.Height, error) {
	name := r.PathValue("block")
	if name == "latest" {
		return s.cfg.Node.Status().Height, nil
	}
	if height, err := parseHeight(name); err == nil {
		return height, nil
	}
	hash, err := crypto.ParseHash(name)
	if err != nil {
		return 0, problem(ErrBadRequest, "a block is named by its height, its hash or \"latest\"").want("a whole number, 64 lower-case hex digits, or latest", name)
	}
	height, err := s.cfg.Chain.HeightOf(r.Context(), hash)
	if errors.Is(err, ErrNotFound) {
		return 0, problem(ErrNotFound, "this node has no final block %s", hash)
	}
	return height, err
}
