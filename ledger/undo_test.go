package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// wrongly repeats an event with an error declaration.
func wrongly(e *epcis.Event) *epcis.Event {
	d := *e
	d.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: e.EventTime, Reason: "incorrect_data"}
	return &d
}

// undoer is a network with one organisation that holds a prefix.
func undoer(t testing.TB, window uint64) (*testNet, *modelRun) {
	p := DefaultParams()
	p.CorrectionWindow = window
	g := testGenesis(p)
	a := orgAddress(0)
	g.Accounts = append(g.Accounts, GenesisAccount{Address: a, Balance: 1 << 40})
	g.Organisations = []GenesisOrganisation{{Address: a, Name: "org0", Prefixes: []string{"9521320"}}}
	n := newNet(t, g)
	return n, &modelRun{net: n}
}

func (m *modelRun) capture0(t testing.TB, events ...*epcis.Event) Receipt {
	t.Helper()
	return m.net.must(m.net.tx("org0", capture(t, Rollback, events...)))
}

func hasFlag(r Receipt, code Code) bool {
	return slices.ContainsFunc(r.Flags, func(f Flag) bool { return f.Code == code })
}

func bornEvent(m *modelRun, ids ...string) *epcis.Event {
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.EPCs = ids
	return e
}

// TestCorrectionWindow declares at the last height that undoes, and at the first that does not, and looks whether notes
// are forgotten then.
func TestCorrectionWindow(t *testing.T) {
	for window, late := range map[uint64]uint64{0: 1, 1: 1, 5: 5} {
		for extra := range uint64(2) {
			t.Run(fmt.Sprint(window, late+extra), func(t *testing.T) {
				n, m := undoer(t, window)
				e := bornEvent(m, modelItem(0, 1))
				born := m.capture0(t, e)
				for n.height < 1+quorum.Height(late+extra)-1 {
					n.block()
				}
				r := m.capture0(t, wrongly(e))
				want := CodeUndone
				if extra == 1 || window == 0 {
					want = CodeWindowOver
				}
				if !hasFlag(r, want) || !hasFlag(r, CodeDeclared) {
					t.Errorf("flags %v, want %s", r.Flags, want)
				}
				for range window + 4 {
					n.block()
				}
				for k := range n.view {
					if strings.HasPrefix(k, "undo/") || strings.HasPrefix(k, "undos/") {
						t.Errorf("%q is kept after the window", k)
					}
				}
				mark, err := ReadEventMark(n.view, orgAddress(0), born.Events[0])
				if err != nil || mark.Undone != (want == CodeUndone) || mark.DeclaredBy != r.Events[0] {
					t.Errorf("mark %+v, %v", mark, err)
				}
			})
		}
	}
}

// TestUndoInOneTransaction declares an event in the transaction that records it, twice.
func TestUndoInOneTransaction(t *testing.T) {
	n, m := undoer(t, 10)
	e := bornEvent(m, modelItem(0, 1))
	e.EventID = ""
	again := wrongly(e)
	again.ErrorDeclaration.Reason = "did_not_occur"
	r := m.capture0(t, e, wrongly(e), again, bornEvent(m, modelItem(0, 1)))
	if !hasFlag(r, CodeUndone) || !hasFlag(r, CodeUndoneBefore) {
		t.Errorf("flags %v", r.Flags)
	}
	item, err := ReadItem(n.view, modelItem(0, 1))
	if err != nil || item.State != StateActive || item.Chain.Count != 4 || item.BornEvent != r.Events[3] || item.Flags != 0 {
		t.Errorf("%+v, %v", item, err)
	}
	head := crypto.Hash{}
	for _, event := range r.Events {
		head = NextHead(head, event)
	}
	if item.Chain.Head != head {
		t.Error("the chain is not that of all four events")
	}
}

// TestUndoTooMuch unpacks a container with more in it than notes are kept of, and one with as much as fits.
func TestUndoTooMuch(t *testing.T) {
	id := func(i int) string {
		return fmt.Sprintf("urn:epc:id:sgtin:9521320.000001.%s%04d", strings.Repeat("S", 15), i)
	}
	for count, want := range map[int]Code{2_000: CodeUndone, 4_000: CodeTooMuchToUndo} {
		n, m := undoer(t, 100)
		box := modelBox(0, 1)
		for at := 0; at < count; at += 500 {
			e := bornEvent(m)
			for i := range 500 {
				e.EPCs = append(e.EPCs, id(at+i))
			}
			p := m.event(epcis.AggregationEvent, "ADD", "packing")
			p.ParentID, p.ChildEPCs = box, e.EPCs
			m.capture0(t, e, p)
		}
		before := n.view.clone()
		e := m.event(epcis.AggregationEvent, "DELETE", "unpacking")
		e.ParentID = box
		m.capture0(t, e)
		r := m.capture0(t, wrongly(e))
		if !hasFlag(r, want) {
			t.Errorf("%d: flags %v, want %s", count, r.Flags, want)
		}
		key := ContentsKey(canonical(box))
		if back := bytes.Equal(n.view[string(key)], before[string(key)]); back != (want == CodeUndone) {
			t.Errorf("%d: contents are back: %t", count, back)
		}
		for k, v := range n.view {
			if strings.HasPrefix(k, "undo/") && len(v) > maxUndoBytesTx+1024 {
				t.Errorf("%d bytes of notes", len(v))
			}
		}
	}
}

// TestUndoSharedTransformation undoes the events of one transformation last to first, and not first to last.
func TestUndoSharedTransformation(t *testing.T) {
	n, m := undoer(t, 100)
	in, out := []string{modelItem(0, 1), modelItem(0, 2)}, []string{modelItem(0, 3), modelItem(0, 4)}
	m.capture0(t, bornEvent(m, in...))
	var parts [2]*epcis.Event
	for i := range parts {
		e := m.event(epcis.TransformationEvent, "", "creating_class_instance")
		e.EventID, e.TransformationID, e.InputEPCs, e.OutputEPCs = "", "urn:example:x:1", in[i:i+1], out[i:i+1]
		parts[i] = e
		m.capture0(t, e)
	}
	first := m.capture0(t, wrongly(parts[0]))
	if !hasFlag(first, CodeStandsOn) {
		t.Errorf("flags %v", first.Flags)
	}
	for _, f := range first.Flags {
		if f.Code == CodeStandsOn && f.Conflict.Event != parts[1].Hash() {
			t.Errorf("%s: want the other part %s", f, parts[1].Hash())
		}
	}
	again := wrongly(parts[0])
	again.ErrorDeclaration.Reason = "did_not_occur"
	r := m.capture0(t, wrongly(parts[1]), again)
	if !hasFlag(r, CodeUndone) || hasFlag(r, CodeStandsOn) {
		t.Errorf("flags %v", r.Flags)
	}
	for _, id := range in {
		if item, err := ReadItem(n.view, id); err != nil || item.State != StateActive || item.Used != 0 {
			t.Errorf("%s: %+v %v", id, item, err)
		}
	}
	for k := range n.view {
		for _, space := range []string{"link/", "made/", "used/", "use/", "uses/"} {
			if strings.HasPrefix(k, space) {
				t.Errorf("%q is left", k)
			}
		}
	}
}

// TestUndoDeep packs into a box on a pallet that then leaves: the box's record stays as it was.
func TestUndoDeep(t *testing.T) {
	_, m := undoer(t, 100)
	item, box, pallet := modelItem(0, 1), modelBox(0, 1), modelBox(0, 2)
	m.capture0(t, bornEvent(m, item, box, pallet))
	outer, inner := m.event(epcis.AggregationEvent, "ADD", "packing"), m.event(epcis.AggregationEvent, "ADD", "packing")
	outer.ParentID, outer.ChildEPCs = pallet, []string{box}
	inner.ParentID, inner.ChildEPCs = box, []string{item}
	leave := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
	leave.EPCs, leave.Destinations = []string{pallet}, []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(0)}}
	m.capture0(t, outer, inner, leave)
	if r := m.capture0(t, wrongly(inner)); !hasFlag(r, CodeStandsOn) {
		t.Errorf("what is on the way was taken off the pallet: %v", r.Flags)
	}
}

// TestIntervalsAreBounded attaches one device more often than is kept.
func TestIntervalsAreBounded(t *testing.T) {
	n, m := undoer(t, 10)
	device := modelItem(0, 1)
	m.capture0(t, bornEvent(m, device))
	pallet := func(i int) string { return fmt.Sprintf("urn:epc:id:sscc:9521320.%010d", 100+i) }
	attach := func(i int, minutes int64) Receipt {
		e := m.event(epcis.AssociationEvent, "ADD", "installing")
		e.ParentID, e.ChildEPCs = pallet(i), []string{device}
		e.EventTime = epcis.NewTimestamp(testStart + minutes*60_000)
		return m.capture0(t, e)
	}
	for i := range maxIntervals {
		attach(i, int64(i))
	}
	list, err := ReadAssociations(n.view, device)
	if err != nil || len(list.Intervals) != maxIntervals || list.Dropped {
		t.Fatalf("%d intervals, dropped %t, %v", len(list.Intervals), list.Dropped, err)
	}
	attach(maxIntervals, maxIntervals)
	list, _ = ReadAssociations(n.view, device)
	if len(list.Intervals) != maxIntervals || !list.Dropped || list.DroppedMs != testStart+60_000 {
		t.Fatalf("%d intervals, dropped %t before %d", len(list.Intervals), list.Dropped, list.DroppedMs)
	}
	if r := attach(0, 0); !hasFlag(r, CodeTooLongAgo) {
		t.Errorf("flags %v", r.Flags)
	}
	for i := 1; i < len(list.Intervals); i++ {
		if list.Intervals[i].FromMs < list.Intervals[i-1].UntilMs {
			t.Errorf("intervals %d and %d overlap", i-1, i)
		}
	}
	found, err := ReadAttachments(n.view, pallet(10), testStart+10*60_000, testStart+10*60_000)
	if err != nil || len(found) != 1 || found[0].Device != canonical(device) {
		t.Errorf("%+v, %v", found, err)
	}
	if gone, err := ReadAttachments(n.view, pallet(10), testStart+11*60_000, testStart+12*60_000); err != nil || len(gone) != 0 {
		t.Errorf("%+v, %v", gone, err)
	}
}

// TestDetachedAreBounded takes more devices off a parent than it lists.
func TestDetachedAreBounded(t *testing.T) {
	n, m := undoer(t, 10)
	var devices []string
	for i := range maxDetached + 1 {
		devices = append(devices, modelItem(0, i+1))
	}
	m.capture0(t, bornEvent(m, devices...))
	for _, action := range []epcis.Action{"ADD", "DELETE"} {
		e := m.event(epcis.AssociationEvent, action, "installing")
		e.ParentID = modelBox(0, 1)
		if e.ChildEPCs = devices; action == "DELETE" {
			e.ChildEPCs = nil
		}
		m.capture0(t, e)
	}
	list, err := ReadAttached(n.view, modelBox(0, 1))
	if err != nil || len(list.Now) != 0 || len(list.Before) != maxDetached || !list.More {
		t.Errorf("%d now, %d before, more %t, %v", len(list.Now), len(list.Before), list.More, err)
	}
}

// FuzzUndoNotes reads any bytes as notes: no panic, no more than was there.
func FuzzUndoNotes(f *testing.F) {
	n, m := undoer(f, 100)
	box := m.event(epcis.AggregationEvent, "ADD", "packing")
	box.ParentID, box.ChildEPCs = modelBox(0, 1), []string{modelItem(0, 1)}
	made := m.event(epcis.TransformationEvent, "", "creating_class_instance")
	made.InputEPCs, made.OutputQuantities = box.ChildEPCs, kilosOf(modelLot(0, 1), 3)
	sent := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
	sent.Quantities, sent.Destinations = kilosOf(modelLot(0, 1), 2), []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(0)}}
	got := m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
	got.Quantities = sent.Quantities
	r := m.capture0(f, bornEvent(m, modelItem(0, 1)), box, made, sent, got)
	rec, err := read[undoRecord](n.view, undoKey(r.Tx))
	if err != nil || len(rec.Events) != 5 {
		f.Fatalf("%+v, %v", rec, err)
	}
	for _, e := range rec.Events {
		f.Add(e.Notes)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var note undoNote
		size := 0
		reader := newUndoReader(data, []string{"urn:a", "urn:b"})
		for reader.next(&note) {
			if size++; size > len(data) {
				t.Fatal("more notes than bytes")
			}
			for _, list := range [][]string{note.left, note.came, note.gone, note.lot.Units} {
				if len(list) > len(data) {
					t.Fatal("a list is longer than the notes")
				}
			}
		}
	})
}

// TestWindowMadeShorter: where a proposal made the window shorter, what is kept for undoing older events does not undo them.
func TestWindowMadeShorter(t *testing.T) {
	for window, want := range map[uint64]Code{100: CodeUndone, 9: CodeUndone, 3: CodeWindowOver} {
		n, m := undoer(t, 100)
		e := bornEvent(m, modelItem(0, 1))
		m.capture0(t, e)
		for range 8 {
			n.block()
		}
		p, err := ReadParams(n.view)
		if err != nil {
			t.Fatal(err)
		}
		changed := *p
		changed.CorrectionWindow = window
		n.view[keyParams] = mustMarshal(changed)
		if r := m.capture0(t, wrongly(e)); !hasFlag(r, want) {
			t.Errorf("a window of %d blocks: %v, want %s", window, r.Flags, want)
		}
	}
}
