package ledger

import (
	"fmt"
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/epcis"
)

// The bounds of records that grow: each is met, and the next one is refused.

func TestKeysOfAnAccountAreBounded(t *testing.T) {
	n, _ := limitsNet(t, DefaultParams())
	add := func(i int) Receipt {
		return n.one(n.tx("org0", &AddKey{Key: keyOf(fmt.Sprint("further", i)).Public()}))
	}
	for i := range maxAccountKeys {
		if r := add(i); !r.OK() {
			t.Fatal(r.Finding)
		}
	}
	if r := add(maxAccountKeys); r.Code != CodeTooManyKeys {
		t.Error(r.Finding)
	}
	// A revoked key keeps its place, and may not come back, as long as what it signed may be executed.
	if r := n.one(n.tx("org0", &RevokeKey{Key: keyOf("further0").Public()})); !r.OK() {
		t.Fatal(r.Finding)
	}
	until := n.height + 1
	if r := add(maxAccountKeys); r.Code != CodeTooManyKeys {
		t.Error(r.Finding)
	}
	n.height = until + quorum.Height(n.genesis.Params.ExpiryWindow) - 1
	if r := add(0); r.Code != CodeKeyKnown {
		t.Error(r.Finding)
	}
	if r := add(maxAccountKeys); r.Code != CodeOK {
		t.Error(r.Finding)
	}
	if r := add(maxAccountKeys + 1); r.Code != CodeTooManyKeys {
		t.Error(r.Finding)
	}
}

// TestTheFirstKeyStaysRevoked: the key that an account is named by is not forgotten to be revoked, however long ago.
func TestTheFirstKeyStaysRevoked(t *testing.T) {
	n, _ := limitsNet(t, DefaultParams())
	second := keyOf("second")
	n.must(n.tx("org0", &AddKey{Key: second.Public()}))
	n.must(n.tx("org0", &RevokeKey{Key: keyOf("org0").Public()}))
	n.height += quorum.Height(10 * n.genesis.Params.ExpiryWindow)
	third := n.body("org0", &AddKey{Key: keyOf("third").Public()})
	n.must(n.sign(third, "second"))
	if acct, err := ReadAccount(n.view, orgAddress(0)); err != nil || len(acct.Keys) != 3 || acct.KeyActive(orgAddress(0), keyOf("org0").Public(), n.height) {
		t.Errorf("%+v, %v", acct, err)
	}
}

func TestPartiesOfAnOrganisationAreBounded(t *testing.T) {
	n, _ := limitsNet(t, DefaultParams())
	register := func(from, to int) Receipt {
		p := &RegisterOrganisation{Name: "org0"}
		for i := from; i < to; i++ {
			p.Parties = append(p.Parties, fmt.Sprintf("https://org0.example/%03d", i))
		}
		return n.one(n.tx("org0", p))
	}
	if r := register(0, maxParties); !r.OK() {
		t.Fatal(r.Finding)
	}
	if r := register(maxParties, maxParties+1); r.Code != CodeTooManyParties {
		t.Error(r.Finding)
	}
}

func TestPrefixesOfAnOrganisationAreBounded(t *testing.T) {
	n, _ := limitsNet(t, DefaultParams())
	hold := func(i int) Receipt {
		prefix := fmt.Sprintf("96%05d", i)
		if r := n.one(n.tx("org0", &ClaimPrefix{Prefix: prefix})); !r.OK() {
			return r
		}
		return n.one(n.tx("registrar", &ApprovePrefix{Prefix: prefix, Organisation: orgAddress(0)}))
	}
	for i := 1; i < maxPrefixes; i++ { // it has one from genesis
		if r := hold(i); !r.OK() {
			t.Fatal(r.Finding)
		}
	}
	if r := hold(maxPrefixes); r.Code != CodeTooManyPrefixes {
		t.Error(r.Finding)
	}
}

// TestUnitsOfALotAreBounded counts a lot in units that are of no dimension, so that each is its own.
func TestUnitsOfALotAreBounded(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	add := func(i int) Receipt {
		e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
		e.Quantities = kilosOf(modelLot(0, 1), 1)
		e.Quantities[0].UOM = fmt.Sprintf("X%c%c", 'A'+i/26, 'A'+i%26)
		return n.one(n.tx("org0", capture(t, Rollback, e)))
	}
	for i := range maxUnits {
		if r := add(i); !r.OK() {
			t.Fatal(r.Finding)
		}
	}
	if r := add(maxUnits); r.Code != CodeTooManyUnits {
		t.Error(r.Finding)
	}
}

// TestTransformationsFillUp: all events of one transformationID are one transformation, which has as much room as a container.
func TestTransformationsFillUp(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	mill := func(from, to int) Receipt {
		e := m.event(epcis.TransformationEvent, "", "commissioning")
		e.TransformationID = "urn:example:mill"
		for i := from; i < to; i++ {
			e.OutputEPCs = append(e.OutputEPCs, modelItem(0, i))
		}
		return n.one(n.tx("org0", capture(t, Rollback, e)))
	}
	for i := 0; i < maxContents; i += 1024 {
		if r := mill(i, i+1024); !r.OK() {
			t.Fatal(r.Finding)
		}
	}
	if r := mill(maxContents, maxContents+1); r.Code != CodeTransformFull {
		t.Error(r.Finding)
	}
}

// TestAncestryIsBounded makes an output again that was used before, out of more than is looked at to rule out a cycle.
func TestAncestryIsBounded(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	made := func(in, out []string) *epcis.Event {
		e := m.event(epcis.TransformationEvent, "", "commissioning")
		for _, id := range in {
			e.InputQuantities = append(e.InputQuantities, kilosOf(id, 1)...)
		}
		for _, id := range out {
			e.OutputQuantities = append(e.OutputQuantities, kilosOf(id, 100)...)
		}
		return e
	}
	lot := func(i int) string { return modelLot(0, i) }
	run := func(events ...*epcis.Event) Receipt { return n.one(n.tx("org0", capture(t, Rollback, events...))) }
	var wide []string
	for i := range 1000 {
		wide = append(wide, lot(1000+i))
	}
	born := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	for _, id := range slices.Concat(wide, []string{lot(1)}) {
		born.Quantities = append(born.Quantities, kilosOf(id, 1000)...)
	}
	if r := run(born, made([]string{lot(1)}, []string{lot(2)})); !r.OK() { // lot 1 was used
		t.Fatal(r.Finding)
	}
	for i := range maxAncestry / len(wide) {
		if r := run(made(wide, []string{lot(10)})); !r.OK() {
			t.Fatal(i, r.Finding)
		}
	}
	if r := run(made([]string{lot(10)}, []string{lot(1)})); !r.OK() {
		t.Fatal(r.Finding)
	}
	if r := run(made(wide, []string{lot(10)}), made([]string{lot(10)}, []string{lot(1)})); r.Code != CodeGenealogyDepth {
		t.Error(r.Finding)
	}
}
