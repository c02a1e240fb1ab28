package index

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"waybill/crypto"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// Many questions at once have the answers of one after the other, in whatever order they are asked.
func TestManyAtOnce(t *testing.T) {
	c := randomChain(11, maxReaders*eventsEach)
	x := caughtUp(t, newIndex(t, c, Options{}))
	var keys []string
	var refs []trace.Ref
	for _, up := range c.updates {
		for i := range up.Events {
			r := &up.Events[i]
			if !r.Accepted {
				continue
			}
			refs = append(refs, trace.Ref{Height: uint64(r.Height), Tx: uint32(r.TxIndex), Event: uint32(r.Index)})
			for _, item := range r.Event.Items() {
				keys = append(keys, trace.Key(item.ID))
			}
		}
	}
	keys = append(keys, "", "nobody names it", keys[0], keys[0]+"/")
	slices.Reverse(keys)
	for _, limit := range []int{0, 2, 1000} {
		lists, err := x.EventsOf(t.Context(), keys, limit)
		if err != nil || len(lists) != len(keys) {
			t.Fatal(len(lists), err)
		}
		named := 0
		for i, key := range keys {
			if i%7 > 0 && key != "" && key != keys[0] {
				continue // each is a look into the database
			}
			one, err := trace.EventsOf(t.Context(), x, key, limit)
			if err != nil || !slices.Equal(one, lists[i]) || len(one) > limit || !slices.IsSortedFunc(one, trace.Ref.Compare) {
				t.Fatalf("limit %d, %q: %v alone, %v with others, %v", limit, key, one, lists[i], err)
			}
			named += len(one)
		}
		if named == 0 && limit > 0 {
			t.Fatal("no item is named")
		}
	}
	for _, n := range []int{0, 1, fewEvents - 1, fewEvents, 2*eventsEach - 1, 2 * eventsEach, len(refs)} {
		list, err := x.Events(t.Context(), refs[:n])
		if err != nil || len(list) != n {
			t.Fatal(n, len(list), err)
		}
		for i, ref := range refs[:n] {
			event, meta, err := trace.EventAt(t.Context(), x, ref)
			if err != nil || list[i].Meta.Hash != meta.Hash || meta.Hash != event.Hash().String() || list[i].Event.Hash() != event.Hash() {
				t.Fatalf("%d of %d: %+v, %+v, %v", i, n, list[i].Meta, meta, err)
			}
		}
	}

	backwards := slices.Clone(refs)
	slices.Reverse(backwards)
	list, err := x.Events(t.Context(), append(backwards, refs[0], refs[0]))
	if err != nil {
		t.Fatal(err)
	}
	for i, ref := range append(backwards, refs[0], refs[0]) {
		if _, meta, err := trace.EventAt(t.Context(), x, ref); err != nil || list[i].Meta.Hash != meta.Hash {
			t.Fatalf("%d of places in any order: %+v, want %+v, %v", i, list[i].Meta, meta, err)
		}
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.EventsOf(ended, keys, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := x.Events(ended, refs); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, i := range []int{0, len(refs) / 2, len(refs) - 1} { // whichever goroutine meets it
		if err := x.db.Delete(recordKey(refs[i]), pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Events(t.Context(), refs); !errors.Is(err, ErrCorrupt) {
			t.Errorf("without event %d of %d: %v", i, len(refs), err)
		}
	}
}

// Records are read by hand as crypto.Unmarshal reads them, and refused alike.
func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte{})
	for _, up := range randomChain(12, 6).updates {
		for i := range up.Events {
			r := &up.Events[i]
			r.Flags = append(r.Flags, ledger.Flag{Code: ledger.CodeAlreadyHeld})
			rec, err := newRecord(r)
			if err != nil {
				f.Fatal(err)
			}
			data, err := crypto.Marshal(rec)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
			f.Add(data[:len(data)-1])
			f.Add(append(slices.Clone(data), 0))
			f.Add(append([]byte{0x87}, data[1:]...))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want record
		wantErr := crypto.Unmarshal(data, &want)
		got, err := decodeRecord(slices.Clip(data))
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%x:\n%+v, %v\nwant\n%+v, %v", data, got, err, want, wantErr)
		}
	})
}

// A read that fails ends the question, also if the next one would not: a list that is too short is an answer that is wrong.
func TestEventsOfFailsWithTheDisk(t *testing.T) {
	c := randomChain(12, 200)
	mem := vfs.NewMem()
	open := func(fs vfs.FS) (*pebble.DB, *Index) {
		db := openDB(t, fs)
		x, err := New(db, c, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return db, x
	}
	db, x := open(mem)
	caughtUp(t, x)
	if err := errors.Join(db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for i := range 40 {
		keys = append(keys, trace.Key(serial(i)), trace.Key(lot(i)))
	}
	failed := 0
	for n := int32(1); ; n++ {
		var left atomic.Int32 // reads until one fails; 0: none does
		db, x := open(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileReadAt && left.Load() > 0 && left.Add(-1) == 0 {
				return errorfs.ErrInjected
			}
			return nil
		})))
		left.Store(n)
		lists, err := x.EventsOf(t.Context(), keys, 1000)
		reached := left.Swap(0) == 0
		want, again := x.EventsOf(t.Context(), keys, 1000)
		if again != nil {
			t.Fatal(again)
		}
		if err == nil && !slices.EqualFunc(lists, want, slices.Equal) {
			t.Fatalf("read %d fails, and nobody is told that lists are too short", n)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if !reached {
			break
		}
		if err == nil {
			continue // the read was one of the database's own, for its statistics
		}
		if failed++; !errors.Is(err, ErrIO) {
			t.Fatalf("read %d fails: %v", n, err)
		}
	}
	if failed < 3 {
		t.Errorf("only %d reads failed", failed)
	}
}
