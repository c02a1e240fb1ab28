package ledger

import (
	"cmp"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// A device or component is attached to one thing or place at a time (R9). Times are those of the events, which may be
// recorded late and out of order, so a device has a list of intervals that do not overlap:
//
//   - An attachment inside an interval with another parent breaks R9. Where R9 does not refuse it, the device is attached
//     where it was last said to be: the interval ends there, unless an event has stated when it ended.
//   - An attachment before an interval counts until that one begins, or until a detachment, which may still come, says
//     when it ended.
//   - A detachment of what was not attached is kept without a beginning: the attachment may still come.

// maxIntervals bounds the intervals of one device; the oldest are dropped.
const maxIntervals = 64

// maxDetached bounds the devices that are listed as having been attached to a parent; the first to leave are dropped.
const maxDetached = 256

// AssociationEnd says how an interval ends. Its text is "open", "stated" or "implied".
type AssociationEnd uint8

// The ends.
const (
	EndOpen    AssociationEnd = 0 // it has not
	EndStated  AssociationEnd = 1 // an event said so
	EndImplied AssociationEnd = 2 // another one begins
)

// String returns the text.
func (s AssociationEnd) String() string {
	names := [...]string{"open", "stated", "implied"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// MarshalText returns the text of String.
func (s AssociationEnd) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Association is a time for which a device or component was attached to a parent, which is a thing or a place.
type Association struct {
	_        struct{} `cbor:",toarray"`
	Parent   string   // canonical
	FromMs   int64    // event time, ms since the Unix epoch
	UntilMs  int64    // likewise, not included; 0 while End is EndOpen
	End      AssociationEnd
	NoStart  bool          // only the end is known; FromMs is UntilMs
	Event    crypto.Hash   // that began it; with NoStart, that ended it
	Height   quorum.Height // of Event
	EndEvent crypto.Hash   // that ended it; zero while it is open
}

// at reports whether the interval holds a time.
func (a *Association) at(ms int64) bool {
	return a.FromMs <= ms && (a.End == EndOpen || ms < a.UntilMs)
}

// Associations are all that is known of one device.
type Associations struct {
	_          struct{}      `cbor:",toarray"`
	Intervals  []Association // ascending by time; they do not overlap
	Dropped    bool          // older ones were dropped
	DroppedMs  int64         // nothing is known before, ms since the Unix epoch
	LastEvent  crypto.Hash   // that changed the list, or repeated or contradicted what it says
	LastHeight quorum.Height
}

// At returns the association of a time, ms since the Unix epoch; nil if there was none.
func (a *Associations) At(ms int64) *Association {
	for i := range a.Intervals {
		if a.Intervals[i].at(ms) {
			return &a.Intervals[i]
		}
	}
	return nil
}

// Attached lists the devices of a parent.
type Attached struct {
	_      struct{} `cbor:",toarray"`
	Now    []string // attached, canonical, ascending
	Before []string // attached once, the first to leave first
	More   bool     // and others before
	Clears uint64   // times that all were detached at once
}

// associate is an AssociationEvent: devices and components are attached to a thing or a place, or detached, at the time
// of the event.
func (e *eventRun) associate() *Finding {
	g := e.e.children
	if f := e.observe(&g); f != nil {
		return f
	}
	switch e.e.event.Action {
	case epcis.ActionAdd:
		for _, t := range g.items {
			if f := e.attach(t); f != nil {
				return f
			}
		}
	case epcis.ActionDelete:
		e.detachDevices(g.items)
	}
	return nil
}

func (e *eventRun) attach(t thing) *Finding {
	list, _ := get[Associations](e.o, AssociationKey(t.id))
	if list.Dropped && e.e.timeMs < list.DroppedMs {
		e.mark(finding(CodeTooLongAgo, t.at, t.id, decimal(list.DroppedMs)))
		e.putAssociations(t, &list, list.Intervals)
		return nil
	}
	if now := list.At(e.e.timeMs); now != nil {
		if now.Parent == e.e.parent.id {
			e.putAssociations(t, &list, list.Intervals)
			return nil
		}
		f := finding(CodeAssociated, t.at, t.id, now.Parent, decimal(e.e.timeMs)).against(now.Event, crypto.Hash{}, now.Height)
		if f := e.judge(f); f != nil {
			return f
		}
		if now.End == EndStated {
			e.putAssociations(t, &list, list.Intervals)
			return nil
		}
	}
	e.putAssociations(t, &list, e.withAttachment(t, list.Intervals))
	return nil
}

// withAttachment is the list with an interval from the event on. The interval that holds its time, if any, is one that
// it may end.
func (e *eventRun) withAttachment(t thing, before []Association) []Association {
	a := Association{Parent: e.e.parent.id, FromMs: e.e.timeMs, Event: e.e.hash, Height: e.height}
	var out []Association
	placed := false
	for _, b := range before {
		switch {
		case b.at(a.FromMs):
			a.End, a.UntilMs, a.EndEvent = b.End, b.UntilMs, b.EndEvent
			b.End, b.UntilMs, b.EndEvent = EndImplied, a.FromMs, e.e.hash
			placed = true // its end is that of the interval it is put in
			if b.FromMs == a.FromMs {
				continue
			}
		case placed, b.FromMs < a.FromMs, b.NoStart && b.FromMs == a.FromMs:
		case b.NoStart && b.Parent == a.Parent:
			a.End, a.UntilMs, a.EndEvent, placed = EndStated, b.UntilMs, b.EndEvent, true
			continue
		case b.NoStart: // an end without a beginning says nothing about others
		default:
			a.End, a.UntilMs, a.EndEvent, placed = EndImplied, b.FromMs, b.Event, true
			if b.Parent != a.Parent {
				e.mark(finding(CodeEndImplied, t.at, t.id, b.Parent, decimal(b.FromMs)).against(b.Event, crypto.Hash{}, b.Height))
			}
		}
		out = append(out, b)
	}
	return append(out, a)
}

// detachDevices ends the associations of the devices with the parent of the event, or of all that are attached to it if
// none is named.
func (e *eventRun) detachDevices(devices []thing) {
	if !e.e.children.empty() {
		for _, t := range devices {
			e.detachDevice(t, true)
		}
		return
	}
	attached, ok := get[Attached](e.o, AttachedKey(e.e.parent.id))
	if ok {
		attached.Clears++
		put(e.o, AttachedKey(e.e.parent.id), attached)
	}
	for _, id := range attached.Now {
		e.detachDevice(thing{id: id, at: e.e.parent.at}, false)
	}
}

// detachDevice ends an association; named says that the event names the device.
func (e *eventRun) detachDevice(t thing, named bool) {
	list, _ := get[Associations](e.o, AssociationKey(t.id))
	if list.Dropped && e.e.timeMs < list.DroppedMs {
		e.mark(finding(CodeTooLongAgo, t.at, t.id, decimal(list.DroppedMs)))
		e.putAssociations(t, &list, list.Intervals)
		return
	}
	parent, ms := e.e.parent.id, e.e.timeMs
	for i, a := range list.Intervals {
		if a.Parent != parent || a.NoStart || a.FromMs > ms || (a.End != EndOpen && ms > a.UntilMs) {
			continue
		}
		if a.End == EndStated {
			if ms == a.UntilMs {
				e.putAssociations(t, &list, list.Intervals) // the same said again
				return
			}
			break
		}
		out := slices.Clone(list.Intervals)
		out[i].End, out[i].UntilMs, out[i].EndEvent = EndStated, ms, e.e.hash
		if a.FromMs == ms {
			out = slices.Delete(out, i, i+1)
		}
		e.putAssociations(t, &list, out)
		return
	}
	if !named {
		return
	}
	e.mark(finding(CodeNotAssociated, t.at, t.id, parent, decimal(ms)))
	out := slices.Clip(list.Intervals)
	if list.At(ms) == nil {
		out = append(out, Association{
			Parent: parent, FromMs: ms, UntilMs: ms, End: EndStated, NoStart: true, Event: e.e.hash, Height: e.height, EndEvent: e.e.hash,
		})
	}
	e.putAssociations(t, &list, out)
}

// putAssociations stores the intervals of a device, in order and bounded, and that the event has to do with them.
func (e *eventRun) putAssociations(t thing, list *Associations, intervals []Association) {
	intervals = slices.Clone(intervals)
	slices.SortStableFunc(intervals, func(a, b Association) int {
		return cmp.Or(cmp.Compare(a.FromMs, b.FromMs), cmp.Compare(a.UntilMs, b.UntilMs))
	})
	rec := *list
	before := rec.Intervals
	rec.Intervals = intervals
	for len(rec.Intervals) > maxIntervals {
		oldest := rec.Intervals[0]
		if !rec.Dropped || rec.DroppedMs < oldest.UntilMs {
			rec.Dropped, rec.DroppedMs = true, oldest.UntilMs
		}
		if oldest.Event == e.e.hash {
			e.mark(finding(CodeTooLongAgo, t.at, t.id, decimal(oldest.UntilMs)))
		}
		rec.Intervals = rec.Intervals[1:]
	}
	rec.LastEvent, rec.LastHeight = e.e.hash, e.height
	put(e.o, AssociationKey(t.id), rec)
	e.relist(t.id, before, rec.Intervals)
}

// relist keeps the lists of the parents of a device when its intervals change.
func (e *eventRun) relist(child string, before, after []Association) {
	var parents []string
	for _, a := range slices.Concat(before, after) {
		if !slices.Contains(parents, a.Parent) {
			parents = append(parents, a.Parent)
		}
	}
	for _, parent := range parents {
		now, ever := false, false
		for i := range after {
			if after[i].Parent == parent {
				ever, now = true, now || after[i].End == EndOpen
			}
		}
		e.listAttached(parent, child, now, ever)
	}
}

// listAttached puts a device where it belongs in the lists of a parent. Beyond the limit devices are attached unlisted:
// they are then detached by name only.
func (e *eventRun) listAttached(parent, child string, now, ever bool) {
	key := AttachedKey(parent)
	list, _ := get[Attached](e.o, key)
	was := list
	at, found := slices.BinarySearch(list.Now, child)
	switch {
	case now && !found && len(list.Now) < maxContents:
		list.Now = slices.Insert(slices.Clone(list.Now), at, child)
	case !now && found:
		list.Now = slices.Delete(slices.Clone(list.Now), at, at+1)
	}
	past := slices.Index(list.Before, child)
	switch {
	case (now || !ever) && past >= 0:
		list.Before = slices.Delete(slices.Clone(list.Before), past, past+1)
	case !now && ever && past < 0:
		list.Before = append(slices.Clip(list.Before), child)
		if len(list.Before) > maxDetached {
			list.Before, list.More = slices.Clone(list.Before[1:]), true
		}
	}
	if len(list.Now)+len(list.Before) == 0 && !list.More && list.Clears == 0 {
		e.o.del(key)
	} else if len(was.Now) != len(list.Now) || !slices.Equal(was.Before, list.Before) {
		put(e.o, key, list)
	}
}

// attachments returns what an item's associations say against undoing its birth; nil if nothing.
func (e *eventRun) attachments(id string) *obstacle {
	if list, _ := get[Associations](e.o, AssociationKey(id)); len(list.Intervals) > 0 {
		return &obstacle{list.LastEvent, list.LastHeight}
	}
	if devices, _ := get[Attached](e.o, AttachedKey(id)); len(devices.Now) > 0 {
		list, _ := get[Associations](e.o, AssociationKey(devices.Now[0]))
		return &obstacle{list.LastEvent, list.LastHeight}
	}
	return nil
}

// ReadAssociations returns all that is known of what a device or component was attached to; nil if nothing is.
func ReadAssociations(v View, child string) (*Associations, error) {
	return read[Associations](v, AssociationKey(canonical(child)))
}

// ReadAttached returns the devices and components that are or were attached to a thing or place; nil if none ever was.
// When they were is in their [Associations].
func ReadAttached(v View, parent string) (*Attached, error) {
	return read[Attached](v, AttachedKey(canonical(parent)))
}

// Attachment is a device and the time for which it was attached.
type Attachment struct {
	Device string // canonical
	Association
}

// ReadAttachments returns what was attached to a thing or place at some moment from fromMs to untilMs, ms since the Unix
// epoch, both included, by device and time. Intervals of which only the end is known are left out.
func ReadAttachments(v View, parent string, fromMs, untilMs int64) ([]Attachment, error) {
	parent = canonical(parent)
	list, err := read[Attached](v, AttachedKey(parent))
	if err != nil || list == nil {
		return nil, err
	}
	devices := slices.Concat(list.Now, list.Before)
	slices.Sort(devices)
	var out []Attachment
	for _, id := range devices {
		of, err := must[Associations](v, AssociationKey(id))
		if err != nil {
			return nil, err
		}
		for _, a := range of.During(fromMs, untilMs) {
			if a.Parent == parent {
				out = append(out, Attachment{Device: id, Association: a})
			}
		}
	}
	return out, nil
}

// During lists the intervals that share a moment with fromMs to untilMs, ms since the Unix epoch, both included, by time.
// Intervals of which only the end is known are left out.
func (a *Associations) During(fromMs, untilMs int64) []Association {
	var out []Association
	for _, i := range a.Intervals {
		if !i.NoStart && i.FromMs <= untilMs && (i.End == EndOpen || fromMs < i.UntilMs) {
			out = append(out, i)
		}
	}
	return out
}
