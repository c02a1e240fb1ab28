package ledger

import (
	"bytes"
	"encoding"
	"reflect"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// FuzzDecodeTransaction: whatever is read was written exactly like that, and nothing panics, verification included.
func FuzzDecodeTransaction(f *testing.F) {
	sponsor := keyOf("b").Address()
	for _, p := range onePayload(f) {
		b, err := NewBody(crypto.Hash{1}, keyOf("a").Address(), 9, p)
		if err != nil {
			f.Fatal(err)
		}
		b.Sponsor, b.DependsOn = &sponsor, []crypto.Hash{{7}}
		tx, err := Sign(b, keyOf("a"), keyOf("b"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(tx.Raw())
	}
	f.Add(newNet(f, stakers(shortEpochs(), 3_000, 3_000)).accuse(0, 0, quorum.DoubleVote).Raw())
	f.Add([]byte{})
	f.Add([]byte{0x82, 0x40, 0x80})
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := DecodeTransaction(raw)
		if err != nil {
			if tx != nil {
				t.Fatal("a transaction beside an error")
			}
			return
		}
		body, err := tx.Body.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := crypto.Marshal(&envelope{Body: body, Signatures: tx.Signatures})
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("read %x, writes %x (%v)", raw, again, err)
		}
		if tx.ID() != crypto.Sum(crypto.TagTransaction, body) {
			t.Fatal("id is not the hash of the body")
		}
		VerifyTransactions([]*Transaction{tx})
		if tx.IsEvidence() != (len(tx.Signatures) == 0) {
			t.Fatal("unsigned and no evidence, or signed evidence")
		}
	})
}

// FuzzPayload feeds any bytes to any kind of payload.
func FuzzPayload(f *testing.F) {
	for _, p := range onePayload(f) {
		data, err := crypto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(p.Kind()), data)
		f.Add(uint16(p.Kind()), data[:len(data)-1])
		f.Add(uint16(p.Kind()), append(data, 0))
	}
	evidence := newNet(f, stakers(shortEpochs(), 3_000, 3_000)).accuse(0, 0, quorum.ExitConflict)
	f.Add(uint16(KindSubmitEvidence), evidence.Body.Payload)
	f.Add(uint16(KindSubmitEvidence), evidence.Body.Payload[:len(evidence.Body.Payload)-1])
	f.Fuzz(func(t *testing.T, kind uint16, data []byte) {
		tx := &Transaction{Body: Body{Kind: Kind(kind), Payload: data}}
		budget := crypto.NewBudget(len(data))
		if err := tx.decodePayload(&budget); err != nil {
			return
		}
		again, err := crypto.Marshal(tx.payload)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%s: read %x, writes %x (%v)", tx.Body.Kind, data, again, err)
		}
	})
}

func FuzzDecodeReceipt(f *testing.F) {
	for _, r := range goldenReceipts() {
		f.Add(r.Encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeReceipt(data)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Encode(), data) {
			t.Fatalf("read %x, writes %x", data, r.Encode())
		}
		_ = r.Finding.String() // never panics, whatever code and arguments
		for i := range r.Flags {
			_ = r.Flags[i].String()
		}
		for i := range 3 {
			r.EventStatus(i)
		}
	})
}

func FuzzDecodeGenesis(f *testing.F) {
	f.Add(testGenesis(DefaultParams(), "a").Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := DecodeGenesis(data)
		if err != nil {
			return
		}
		if !bytes.Equal(g.Encode(), data) {
			t.Fatal("read and written differ")
		}
		g.Block() // a valid genesis makes a block and a state
	})
}

// FuzzStateRecords feeds any bytes to the decoder of every record.
func FuzzStateRecords(f *testing.F) {
	records := oneRecord()
	for i, r := range records {
		f.Add(uint8(i), mustMarshal(r))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		rec := reflect.New(reflect.TypeOf(records[int(which)%len(records)]).Elem()).Interface()
		if err := crypto.Unmarshal(data, rec); err != nil {
			return
		}
		if !bytes.Equal(mustMarshal(rec), data) {
			t.Fatalf("%T: read %x, writes %x", rec, data, mustMarshal(rec))
		}
	})
}

// FuzzUnmarshalText: a word of the ledger is read from its text only, and so is a parameter.
func FuzzUnmarshalText(f *testing.F) {
	for _, s := range []string{"recall", "stopped", "regulator", "held", "shortage", "lost", "open", "params", "registrar", "strict", "reject", "", "notice type 9"} {
		f.Add(s)
	}
	names := ParamNames()
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range []interface {
			encoding.TextMarshaler
			encoding.TextUnmarshaler
		}{
			new(NoticeType), new(AckStatus), new(Authority), new(Status), new(DisputeKind), new(Outcome), new(ActionKind), new(Office), new(ProposalState), new(Severity), new(Onboarding), new(Admission),
		} {
			if v.UnmarshalText([]byte(text)) != nil {
				continue
			}
			if again, err := v.MarshalText(); err != nil || string(again) != text {
				t.Errorf("%T %q is written %q, %v", v, text, again, err)
			}
		}
		for _, name := range names {
			p := DefaultParams()
			if p.Set(name, text) != nil {
				continue
			}
			value, _ := p.Value(name)
			again := DefaultParams()
			if err := again.Set(name, value); err != nil || again != p {
				t.Errorf("%s = %q is %q, %v", name, text, value, err)
			}
		}
	})
}

func FuzzParseBalanceKey(f *testing.F) {
	f.Add(BalanceKey("urn:l", keyOf("a").Address(), "KGM", Held))
	f.Add([]byte("bal/"))
	f.Add([]byte("bal/x\x00"))
	f.Fuzz(func(t *testing.T, k []byte) {
		at, err := ParseBalanceKey(k)
		if err == nil && at.Status <= Held && !bytes.Equal(BalanceKey(at.Lot, at.Custodian, at.Unit, at.Status), k) {
			t.Fatalf("%q is %+v", k, at)
		}
	})
}

func FuzzParseTransitKey(f *testing.F) {
	f.Add(TransitKey("urn:l", "KGM", keyOf("a").Address(), keyOf("b").Address()))
	f.Add([]byte("transit/"))
	f.Add([]byte("transit/x\x00\x00"))
	f.Fuzz(func(t *testing.T, k []byte) {
		if at, err := ParseTransitKey(k); err == nil && !bytes.Equal(TransitKey(at.Lot, at.Unit, at.From, at.To), k) {
			t.Fatalf("%q is %+v", k, at)
		}
	})
}
