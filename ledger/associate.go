package ledger

import (
	"slices"

	"waybill/epcis"
)

// associate is an AssociationEvent: devices and components are attached to a thing or a place, from and until the times
// of the events. R9 asks that a device is attached to one thing at a time.
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
	parent := e.e.parent.id
	before, attached := get[Association](e.o, AssociationKey(t.id))
	if attached && before.Parent == parent {
		return nil
	}
	if attached {
		if f := e.judge(finding(CodeAssociated, t.at, t.id, before.Parent).against(before.Event, e.tx.id, 0)); f != nil {
			return f
		}
		e.listAttached(before.Parent, t.id, false)
	}
	put(e.o, AssociationKey(t.id), Association{Parent: parent, FromMs: e.e.timeMs, Event: e.e.hash})
	e.listAttached(parent, t.id, true)
	return nil
}

// detachDevices ends the associations of the devices with the parent of the event, or all if none is named.
func (e *eventRun) detachDevices(devices []thing) {
	parent := e.e.parent.id
	ids := make([]string, 0, len(devices))
	for _, t := range devices {
		ids = append(ids, t.id)
	}
	if e.e.children.empty() {
		attached, _ := get[Contents](e.o, attachedKey(parent))
		ids = attached.Items
	}
	for _, id := range ids {
		if a, ok := get[Association](e.o, AssociationKey(id)); ok && a.Parent == parent {
			e.o.del(AssociationKey(id))
			e.listAttached(parent, id, false)
		}
	}
}

// listAttached keeps the list of what is attached to a parent. Beyond the limit devices are attached unlisted: they are
// then detached by name only.
func (e *eventRun) listAttached(parent, child string, attached bool) {
	key := attachedKey(parent)
	list, _ := get[Contents](e.o, key)
	at, found := slices.BinarySearch(list.Items, child)
	switch {
	case attached && !found && len(list.Items) < maxContents:
		list.Items = slices.Insert(slices.Clone(list.Items), at, child)
	case !attached && found:
		list.Items = slices.Delete(slices.Clone(list.Items), at, at+1)
	default:
		return
	}
	if len(list.Items) == 0 {
		e.o.del(key)
		return
	}
	put(e.o, key, list)
}
