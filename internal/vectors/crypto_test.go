package vectors

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"

	"waybill/crypto"
)

func addressInputs() (out []vector) {
	for i := range 40 {
		k := keyOf(fmt.Sprint("address ", i)).Bytes()
		out = append(out, vector{Name: fmt.Sprint("key ", i), In: texts{"private": hex.EncodeToString(k[:])}})
	}
	order := "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	for name, k := range map[string]string{
		"one":   fmt.Sprintf("%064x", 1),
		"order": order,
		"zero":  fmt.Sprintf("%064x", 0),
		"short": "0102",
	} {
		out = append(out, vector{Name: name, In: texts{"private": k}})
	}
	return sorted(out, 40)
}

func address(in texts) (texts, error) {
	k, err := crypto.PrivateKeyFromBytes(in.bytes("private"))
	if err != nil {
		return nil, err
	}
	return texts{"public": k.Public().String(), "address": k.Address().String()}, nil
}

func addressTextInputs() (out []vector) {
	good := keyOf("address text").Address().String()
	out = append(out, vector{Name: "valid", In: texts{"text": good}})
	for i := range good {
		changed := []byte(good)
		if changed[i] = 'q'; good[i] == 'q' {
			changed[i] = 'p'
		}
		out = append(out, vector{Name: fmt.Sprint("character ", i, " changed"), In: texts{"text": string(changed)}})
	}
	for name, text := range map[string]string{
		"empty": "", "without its last": good[:len(good)-1], "with one more": good + "q", "upper case": "W" + good[1:],
	} {
		out = append(out, vector{Name: name, In: texts{"text": text}})
	}
	return sorted(out, 1+len(good))
}

func addressText(in texts) (texts, error) {
	a, err := crypto.ParseAddress(in["text"])
	if err != nil {
		return nil, err
	}
	return texts{"bytes": hex.EncodeToString(a[:]), "text": a.String()}, nil
}

func hashInputs() (out []vector) {
	tags := []crypto.Tag{
		crypto.TagGenesis, crypto.TagParams, crypto.TagTransaction, crypto.TagHeader, crypto.TagVote, crypto.TagValidatorSet, crypto.TagJustification,
		crypto.TagEvidence, crypto.TagSlate, crypto.TagEvent, crypto.TagItemChain, crypto.TagReceiptsChain, crypto.TagSnapshot, crypto.TagAddress,
		crypto.TagMerkleRoot, crypto.TagStateKey, crypto.TagStateValue, crypto.TagStateLeaf, crypto.TagStateNode,
	}
	for _, tag := range tags {
		for _, n := range []int{0, 100} {
			out = append(out, vector{Name: fmt.Sprintf("%s over %d bytes", tag, n), In: texts{"tag": string(tag), "message": hex.EncodeToString(some(string(tag), n))}})
		}
	}
	return out
}

func hash(in texts) (texts, error) {
	return texts{"hash": crypto.Sum(crypto.Tag(in["tag"]), in.bytes("message")).String()}, nil
}

func signatureInputs() (out []vector) {
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	add := func(name string, key crypto.PublicKey, digest, sig []byte) {
		out = append(out, vector{Name: name, In: texts{"key": key.String(), "digest": hex.EncodeToString(digest), "signature": hex.EncodeToString(sig)}})
	}
	for i := range 25 {
		k, digest := keyOf(fmt.Sprint("signer ", i)), crypto.Hash(some(fmt.Sprint("digest ", i), crypto.HashSize))
		s := k.Sign(digest)
		add(fmt.Sprint("valid ", i), k.Public(), digest[:], s[:])
		add(fmt.Sprint("other key ", i), keyOf("somebody").Public(), digest[:], s[:])
		add(fmt.Sprint("other digest ", i), k.Public(), flip(digest[:], i*9), s[:])
		add(fmt.Sprint("bit changed ", i), k.Public(), digest[:], flip(s[:], i*20))
		high := new(big.Int).Sub(order, new(big.Int).SetBytes(s[32:])).FillBytes(make([]byte, 32))
		add(fmt.Sprint("high s ", i), k.Public(), digest[:], append(append([]byte(nil), s[:32]...), high...))
	}
	k, digest := keyOf("signer 0"), crypto.Hash(some("digest 0", crypto.HashSize))
	s := k.Sign(digest)
	for name, sig := range map[string][]byte{
		"zero r": append(make([]byte, 32), s[32:]...), "zero s": append(append([]byte(nil), s[:32]...), make([]byte, 32)...),
		"r is the order": append(order.Bytes(), s[32:]...), "s is the order": append(append([]byte(nil), s[:32]...), order.Bytes()...),
	} {
		add(name, k.Public(), digest[:], sig)
	}
	return sorted(out, 125)
}

func signature(in texts) (texts, error) {
	key, err := crypto.ParsePublicKey(in.bytes("key"))
	if err != nil {
		return nil, err
	}
	check := crypto.Check{Key: key, Digest: in.hash("digest"), Signature: crypto.Signature(in.bytes("signature"))}
	return texts{"valid": fmt.Sprint(crypto.VerifyBatch([]crypto.Check{check})[0])}, nil
}

func leaves(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = some(fmt.Sprint("leaf ", i), i%5*7)
	}
	return out
}

func merkleInputs() (out []vector) {
	for n := range 20 {
		out = append(out, vector{Name: fmt.Sprint(n, " leaves"), In: texts{"leaves": join(leaves(n))}})
	}
	return out
}

func merkle(in texts) (texts, error) {
	return texts{"root": crypto.MerkleRoot(in.list("leaves")).String()}, nil
}

func inclusionInputs() (out []vector) {
	for n := 1; n <= 7; n++ {
		list := leaves(n)
		root := crypto.MerkleRoot(list)
		for i := range n {
			p, err := crypto.MerkleProve(list, i)
			if err != nil {
				panic(err)
			}
			proof, err := crypto.Marshal(p)
			if err != nil {
				panic(err)
			}
			in := func(leaf []byte) texts {
				return texts{"root": root.String(), "leaf": hex.EncodeToString(leaf), "proof": hex.EncodeToString(proof)}
			}
			out = append(out, vector{Name: fmt.Sprintf("leaf %d of %d", i, n), In: in(list[i])})
			out = append(out, vector{Name: fmt.Sprintf("another leaf at %d of %d", i, n), In: in([]byte("another"))})
		}
	}
	return out
}

func inclusion(in texts) (texts, error) {
	var p crypto.InclusionProof
	if err := crypto.Unmarshal(in.bytes("proof"), &p); err != nil {
		return nil, err
	}
	if err := crypto.VerifyInclusion(in.hash("root"), in.bytes("leaf"), p); err != nil {
		return nil, err
	}
	return texts{"index": fmt.Sprint(p.Index), "size": fmt.Sprint(p.Size)}, nil
}

// pages is a state tree in memory.
type pages map[crypto.PagePath][]byte

// ReadPage implements crypto.PageReader.
func (p pages) ReadPage(path crypto.PagePath) ([]byte, error) { return p[path], nil }

// grow makes the tree of keys and values.
func grow(keys, values [][]byte) (pages, crypto.Hash, error) {
	if len(keys) != len(values) {
		return nil, crypto.Hash{}, errors.New("as many keys as values")
	}
	writes := make([]crypto.TreeWrite, len(keys))
	for i := range keys {
		writes[i] = crypto.TreeWrite{Key: keys[i], Value: values[i]}
	}
	p := pages{}
	root, changed, err := crypto.UpdateTree(p, writes)
	for _, page := range changed {
		p[page.Path] = page.Data
	}
	return p, root, err
}

func entries(n int) (keys, values [][]byte) {
	for i := range n {
		keys, values = append(keys, fmt.Appendf(nil, "key/%d", i)), append(values, some(fmt.Sprint("value ", i), 1+i*3))
	}
	return keys, values
}

func stateTreeInputs() (out []vector) {
	for _, n := range []int{0, 1, 2, 3, 5, 8, 17, 40} {
		keys, values := entries(n)
		out = append(out, vector{Name: fmt.Sprint(n, " keys"), In: texts{"keys": join(keys), "values": join(values)}})
	}
	return out
}

func stateTree(in texts) (texts, error) {
	_, root, err := grow(in.list("keys"), in.list("values"))
	if err != nil {
		return nil, err
	}
	return texts{"root": root.String()}, nil
}

func stateProofInputs() (out []vector) {
	for _, n := range []int{0, 1, 9} {
		keys, values := entries(n)
		tree, root, err := grow(keys, values)
		if err != nil {
			panic(err)
		}
		add := func(name string, key, value, shown []byte) {
			p, err := crypto.ProveTree(tree, shown)
			if err != nil {
				panic(err)
			}
			proof, err := p.MarshalBinary()
			if err != nil {
				panic(err)
			}
			in := texts{"root": root.String(), "key": hex.EncodeToString(key), "proof": hex.EncodeToString(proof)}
			if value != nil {
				in["value"] = hex.EncodeToString(value)
			}
			out = append(out, vector{Name: fmt.Sprintf("%s, %d keys", name, n), In: in})
		}
		for i := range keys {
			add(fmt.Sprint("key ", i), keys[i], values[i], keys[i])
			add(fmt.Sprint("another value of key ", i), keys[i], []byte("another"), keys[i])
			add(fmt.Sprint("hidden key ", i), keys[i], nil, keys[i])
		}
		for i := range 5 {
			absent := fmt.Appendf(nil, "absent/%d", i)
			add(fmt.Sprint("absent key ", i), absent, nil, absent)
			add(fmt.Sprint("invented key ", i), absent, []byte("invented"), absent)
		}
	}
	return out
}

func stateProof(in texts) (texts, error) {
	var p crypto.TreeProof
	if err := p.UnmarshalBinary(in.bytes("proof")); err != nil {
		return nil, err
	}
	var value []byte
	if _, present := in["value"]; present {
		value = in.bytes("value")
	}
	if err := crypto.VerifyTree(in.hash("root"), in.bytes("key"), value, p); err != nil {
		return nil, err
	}
	return texts{"proven": map[bool]string{true: "present", false: "absent"}[value != nil]}, nil
}
