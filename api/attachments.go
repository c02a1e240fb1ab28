package api

import (
	"encoding/base64"
	"math"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/ledger"
)

// AttachmentInfo is a time for which a device or component was attached to a thing or place, by the times of the events.
type AttachmentInfo struct {
	Device   string        `json:"device"` // canonical
	Parent   string        `json:"parent"` // canonical
	FromMs   int64         `json:"fromMs"`
	UntilMs  int64         `json:"untilMs,omitempty"` // not included; absent while End is "open"
	End      string        `json:"end"`               // "open", "stated" (an event said so) or "implied" (another attachment begins)
	Event    crypto.Hash   `json:"event"`             // that began it
	EndEvent crypto.Hash   `json:"endEvent,omitzero"`
	Since    quorum.Height `json:"since"` // block of Event
}

// AttachmentList is a page of attachments, by device and time.
type AttachmentList struct {
	Attachments []AttachmentInfo `json:"attachments"`
	Next        string           `json:"next,omitempty"`  // pass as after; a page may be short, even empty, and have one
	Older       bool             `json:"older,omitempty"` // there were others before, which are not kept
	Height      quorum.Height    `json:"height"`
}

// listAttachments answers which devices were attached to a parent, or what a device was attached to. A page ends with the
// device with which it has as many entries as were asked for, or with as many devices: a device has few.
func listAttachments(_ *Server, r *request, read *itemReader) (any, error) {
	parent, device := r.param("parent"), r.param("device")
	if (parent == "") == (device == "") {
		return nil, problem(ErrBadRequest, "say of what").want("parent=ID or device=ID", "neither or both")
	}
	id, err := gs1.Parse(parent + device)
	if err != nil {
		return nil, err
	}
	from, until, err := momentsParam(r)
	if err != nil {
		return nil, err
	}
	out := &AttachmentList{Attachments: []AttachmentInfo{}, Height: read.state.Height()}
	if device != "" {
		return out, read.attachmentsOf(out, id.Canonical(), "", from, until)
	}
	return out, read.attachmentsTo(r, out, id.Canonical(), from, until)
}

// momentsParam reads ?from= and ?until=, in ms since the Unix epoch; without them, all of time.
func momentsParam(r *request) (from, until int64, err error) {
	if from, err = timeParam(r, "from"); err != nil {
		return 0, 0, err
	}
	if until, err = timeParam(r, "until"); err != nil {
		return 0, 0, err
	}
	if r.param("from") == "" {
		from = math.MinInt64
	}
	if r.param("until") == "" {
		until = math.MaxInt64
	}
	if from > until {
		return 0, 0, problem(ErrBadRequest, "from is later than until").want("from <= until", r.param("from"))
	}
	return from, until, nil
}

// attachmentsTo adds a page of what was attached to a parent.
func (r *itemReader) attachmentsTo(req *request, out *AttachmentList, parent string, from, until int64) error {
	limit, err := req.limitParam(usualPage, largePage)
	if err != nil {
		return err
	}
	after, err := base64.RawURLEncoding.DecodeString(req.param("after"))
	if err != nil || len(after) > maxStateKey {
		return problem(ErrBadRequest, "after is not a page token of this list").want("the next of the page before", req.param("after"))
	}
	list, err := ledger.ReadAttached(r.view, parent)
	if err != nil || list == nil {
		return err
	}
	out.Older = list.More
	devices := slices.Concat(list.Now, list.Before)
	slices.Sort(devices)
	devices = slices.Compact(devices)
	first, found := slices.BinarySearch(devices, string(after))
	if found {
		first++
	}
	devices = devices[first:]
	for i, device := range devices {
		if i == limit || len(out.Attachments) >= limit {
			out.Next = base64.RawURLEncoding.EncodeToString([]byte(devices[i-1]))
			return nil
		}
		if err := r.attachmentsOf(out, device, parent, from, until); err != nil {
			return err
		}
	}
	return nil
}

// attachmentsOf adds what is known of a device, of one parent or ("") of all.
func (r *itemReader) attachmentsOf(out *AttachmentList, device, parent string, from, until int64) error {
	of, err := ledger.ReadAssociations(r.view, device)
	if err != nil || of == nil {
		return err
	}
	if parent == "" {
		out.Older = of.Dropped
	}
	for _, a := range of.During(from, until) {
		if parent != "" && a.Parent != parent {
			continue
		}
		info := AttachmentInfo{Device: device, Parent: a.Parent, FromMs: a.FromMs, End: a.End.String(), Event: a.Event, EndEvent: a.EndEvent, Since: a.Height}
		if a.End != ledger.EndOpen {
			info.UntilMs = a.UntilMs
		}
		out.Attachments = append(out.Attachments, info)
	}
	return nil
}
