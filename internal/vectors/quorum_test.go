package vectors

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// sorted orders the vectors from the given one on by name: they come from a map.
func sorted(list []vector, from int) []vector {
	slices.SortFunc(list[from:], func(a, b vector) int { return strings.Compare(a.Name, b.Name) })
	return list
}

var network = crypto.Hash(some("network", crypto.HashSize))

// validators are four with unequal powers.
func validators() *quorum.Set {
	var list []quorum.Validator
	for i, power := range []quorum.Power{40, 30, 20, 10} {
		k := keyOf(fmt.Sprint("validator ", i))
		list = append(list, quorum.Validator{Key: k.Public(), Power: power, Operator: k.Address()})
	}
	set, err := quorum.NewSet(list)
	if err != nil {
		panic(err)
	}
	return set
}

// signs signs for the validator at an index of the set.
func signs(d quorum.Domain, v quorum.Vote) quorum.Vote {
	for i := range 4 {
		if k := keyOf(fmt.Sprint("validator ", i)); k.Public() == d.Set.At(int(v.Signer)).Key {
			return quorum.SignVote(d, k, v)
		}
	}
	panic("no such validator")
}

func voteInputs() (out []vector) {
	d := quorum.Domain{Genesis: network, Set: validators()}
	set := hex.EncodeToString(d.Set.Encode())
	for _, kind := range []quorum.VoteKind{quorum.KindNotarize, quorum.KindNullify, quorum.KindFinalize} {
		for i := range 6 {
			v := quorum.Vote{Kind: kind, Epoch: quorum.Epoch(i), View: quorum.View(i*7 + 1), Signer: uint16(i % 4)}
			if kind != quorum.KindNullify {
				v.Height, v.Block = quorum.Height(i*5+1), crypto.Hash(some(fmt.Sprint("block ", i), crypto.HashSize))
			}
			raw := signs(d, v).Encode()
			add := func(name string, raw []byte) {
				out = append(out, vector{Name: fmt.Sprintf("%s, %s %d", name, kind, i), In: texts{"genesis": network.String(), "set": set, "vote": hex.EncodeToString(raw)}})
			}
			add("valid", raw)
			add("bit changed", flip(raw, i*131))
			add("too short", raw[:len(raw)-1-i])
		}
	}
	return out
}

func vote(in texts) (texts, error) {
	set, err := quorum.DecodeSet(in.bytes("set"))
	if err != nil {
		return nil, err
	}
	v, err := quorum.DecodeVote(in.bytes("vote"))
	if err != nil {
		return nil, err
	}
	d := quorum.Domain{Genesis: in.hash("genesis"), Set: set}
	if r := quorum.VerifyVotes(d, []quorum.Vote{v}); r[0].Err != nil {
		return nil, r[0].Err
	}
	return texts{"digest": v.Digest(d).String(), "set": set.Hash().String(), "again": hex.EncodeToString(v.Encode())}, nil
}

func sample(i int) quorum.Header {
	h := func(label string) crypto.Hash {
		return crypto.Hash(some(fmt.Sprint(label, " ", i), crypto.HashSize))
	}
	return quorum.Header{
		Version: quorum.HeaderVersion, Genesis: network, Epoch: quorum.Epoch(i), View: quorum.View(i*3 + 2), Height: quorum.Height(i*2 + 1), Parent: h("parent"),
		ParentView: quorum.View(i * 3), TimeMs: 1_700_000_000_000 + int64(i), Proposer: uint16(i % 4), PayloadRoot: h("payload"), PayloadBytes: uint32(i * 100),
		TxCount: uint32(i), Justification: h("justification"), ValidatorSet: validators().Hash(), Params: h("params"), ExecHeight: quorum.Height(i),
		ExecStateRoot: h("state"), ExecReceiptsRoot: h("receipts"),
	}
}

func headerInputs() (out []vector) {
	for i := range 10 {
		h := sample(i)
		if i == 9 {
			h.Flags, h.NextValidatorSet = quorum.FlagClosing, crypto.Hash(some("next", crypto.HashSize))
		}
		raw := h.Encode()
		out = append(out, vector{Name: fmt.Sprint("header ", i), In: texts{"header": hex.EncodeToString(raw)}})
		out = append(out, vector{Name: fmt.Sprint("too short ", i), In: texts{"header": hex.EncodeToString(raw[:len(raw)-i-1])}})
	}
	return out
}

func header(in texts) (texts, error) {
	h, err := quorum.DecodeHeader(in.bytes("header"))
	if err != nil {
		return nil, err
	}
	return texts{
		"hash": h.Hash().String(), "height": strconv.FormatUint(uint64(h.Height), 10), "timeMs": strconv.FormatInt(h.TimeMs, 10), "closing": fmt.Sprint(h.IsClosing()),
		"payloadRoot": h.PayloadRoot.String(), "execStateRoot": h.ExecStateRoot.String(),
	}, nil
}

// certified is a finalization of a header by some validators, as a bitmap says.
func certified(h quorum.Header, mask int) quorum.Certificate {
	d := quorum.Domain{Genesis: network, Set: validators()}
	c := quorum.Certificate{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Bitmap: []byte{byte(mask)}}
	for i := range 4 {
		if mask>>i&1 == 1 {
			v := quorum.Vote{Kind: c.Kind, Epoch: c.Epoch, View: c.View, Height: c.Height, Block: c.Block, Signer: uint16(i)}
			c.Signatures = append(c.Signatures, signs(d, v).Signature)
		}
	}
	return c
}

func certificateInputs() (out []vector) {
	set := hex.EncodeToString(validators().Encode())
	add := func(name string, raw []byte) {
		out = append(out, vector{Name: name, In: texts{"genesis": network.String(), "set": set, "certificate": hex.EncodeToString(raw)}})
	}
	for mask := 1; mask < 16; mask++ {
		raw := certified(sample(mask), mask).Encode()
		add(fmt.Sprintf("signed by %04b", mask), raw)
		add(fmt.Sprintf("signed by %04b, bit changed", mask), flip(raw, mask*97))
	}
	return out
}

func certificate(in texts) (texts, error) {
	set, err := quorum.DecodeSet(in.bytes("set"))
	if err != nil {
		return nil, err
	}
	c, err := quorum.DecodeCertificate(in.bytes("certificate"))
	if err != nil {
		return nil, err
	}
	if _, err := quorum.VerifyCertificate(quorum.Domain{Genesis: in.hash("genesis"), Set: set}, c); err != nil {
		return nil, err
	}
	return texts{"finalizes": c.Finalizes().String(), "signers": fmt.Sprint(c.Signers()), "quorum": fmt.Sprint(set.Quorum())}, nil
}
