package ledger

import (
	"math"
	"testing"

	"waybill/crypto"
)

func TestCheckedArithmetic(t *testing.T) {
	const top = math.MaxUint64
	if _, ok := add(top, 1); ok {
		t.Error("add overflows")
	}
	if s, ok := add(top-1, 1); !ok || s != top {
		t.Error("add refuses the largest sum")
	}
	if _, ok := sub(1, 2); ok {
		t.Error("sub goes below zero")
	}
	if _, ok := mul(1<<33, 1<<31); ok {
		t.Error("mul overflows")
	}
	if p, ok := mul(1<<32, 1<<31); !ok || p != 1<<63 {
		t.Error("mul refuses what fits")
	}
	if p, ok := mul(0, top); !ok || p != 0 {
		t.Error("mul by zero")
	}
	p := DefaultParams()
	for _, c := range []struct {
		size      int
		tip, want uint64
	}{{1, 0, 20}, {1024, 0, 20}, {1025, 3, 33}, {256 << 10, 0, 2570}} {
		if fee, ok := FeeOf(&p, c.size, c.tip); !ok || fee != c.want {
			t.Errorf("fee of %d bytes: %d, want %d", c.size, fee, c.want)
		}
	}
}

// TestRefusedChangesOnlyTheFee compares the whole state before and after refused transactions of every kind.
func TestRefusedChangesOnlyTheFee(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "a", "b"))
	n.join("b", "9521321")
	other := keyOf("b").Address()
	event := onePayloadEvent()
	more := onePayloadEvent()
	more.EPCs = []string{"urn:epc:id:sgtin:9521321.000001.2"}
	for _, p := range []Payload{
		capture(t, Rollback, event, more),
		&RegisterOrganisation{Name: "B"},
		&AdmitOrganisation{Organisation: other},
		&AddKey{Key: keyOf("a").Public()},
		&RevokeKey{Key: keyOf("a").Public()},
		&ClaimPrefix{Prefix: "9521321"},
		&ApprovePrefix{Prefix: "9521321", Organisation: other},
		&Delegate{To: other, Scope: "9521321"},
		&RevokeDelegation{To: other, Scope: "9521321"},
		&PutMasterData{Type: "product", ID: "https://id.gs1.org/01/09521321000018", Attributes: []Attribute{{Name: "n"}}},
		&Transfer{To: other, Amount: 1 << 60},
		&RegisterValidator{Key: keyOf("v").Public(), PeerKey: keyOf("p").Public(), Name: "v", Stake: 5000},
		&Bond{Validator: keyOf("v").Public(), Amount: 1},
		&Unbond{Validator: keyOf("v").Public(), Amount: 1},
		&Unjail{Validator: keyOf("validator 1").Public()},
		&RotateValidatorKey{Old: keyOf("validator 1").Public(), New: keyOf("v").Public()},
		&SetThreshold{M: 2},
		&Propose{Title: "x", Action: Action{Kind: ActAdmission, Account: other}},
		&Vote{Proposal: crypto.Hash{1}, Yes: true},
	} {
		before := n.view.clone()
		tx := n.tx("a", p)
		r := n.one(tx)
		if r.OK() {
			t.Errorf("%s was accepted", p.Kind())
			continue
		}
		want := map[string]bool{
			string(AccountKey(keyOf("a").Address())): true, keySupply: true,
			string(SeenKey(tx.ID())): true, string(includedKey(n.height)): true, string(dutyKey(0)): true,
		}
		for k := range n.view {
			if string(before[k]) != string(n.view[k]) && !want[k] {
				t.Errorf("%s was refused (%s) and changed %q", p.Kind(), r.Code, k)
			}
		}
		for k := range before {
			if _, still := n.view[k]; !still {
				t.Errorf("%s was refused and deleted %q", p.Kind(), k)
			}
		}
		if seen, err := ReadSeen(n.view, tx.ID()); err != nil || seen == nil || seen.OK {
			t.Errorf("%s: seen %+v, %v", p.Kind(), seen, err)
		}
		if r.Fee == 0 || r.Detail() == "" || r.Finding.String() == "" {
			t.Errorf("%s: fee %d, %s", p.Kind(), r.Fee, r.Finding)
		}
	}
}

// TestPanicRollsBack breaks the state so that a transaction panics: the block goes on, the transaction is refused.
func TestPanicRollsBack(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "a", "b"))
	n.join("b", "9521321")
	event := onePayloadEvent()
	n.must(n.tx("b", capture(t, Rollback, event)))
	item, err := ReadItemRecord(n.view, event.EPCs[0])
	if err != nil {
		t.Fatal(err)
	}
	item.Parent = "urn:x:nowhere" // a container that is not there: the books are wrong
	n.view[string(ItemKey(item.ID))] = mustMarshal(item)
	seen := onePayloadEvent()
	seen.Action, seen.BizStep = "OBSERVE", "shipping"
	seen.Destinations = nil
	del := onePayloadEvent()
	del.Action = "DELETE"
	up := n.block(n.tx("b", capture(t, Rollback, del)), n.tx("a", &Transfer{To: crypto.Address{1}, Amount: 5}))
	if up.Receipts[0].Code != CodeInternal || !up.Receipts[1].OK() {
		t.Errorf("%s, %s", up.Receipts[0].Finding, up.Receipts[1].Finding)
	}
}
