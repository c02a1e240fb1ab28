package ledger

import (
	"slices"

	"waybill/crypto"
)

// Who may give a notice, answer it and release it.

// give records a notice and puts its subjects under it. What was made from them follows by the queue (see follow.go).
func (t *txRun) give(p *Notice) *Finding {
	subjects := make([]string, 0, len(p.Subjects))
	for _, id := range p.Subjects {
		subjects = append(subjects, canonical(id))
	}
	slices.Sort(subjects)
	as, f := t.authority(subjects)
	if f != nil {
		return f
	}
	if f := t.countOpen(as); f != nil {
		return f
	}
	for i, a := range p.Accepts {
		if _, ok := get[Organisation](t.o, OrganisationKey(a)); !ok {
			return refuse(CodeNotAnOrg, "/accepts/"+decimal(i), a.String())
		}
	}
	rec := NoticeRecord{
		ID: t.tx.id, Type: p.Type, Issuer: t.author, Authority: as, Subjects: subjects, Reason: p.Reason, Instructions: p.Instructions,
		Accepts: p.Accepts, Document: p.Document, Height: t.height, TimeMs: t.timeMs,
	}
	put(t.o, NoticeKey(rec.ID), rec)
	if rec.blocks() {
		all, _ := get[Notices](t.o, NoticesKey())
		all.Open++
		put(t.o, NoticesKey(), all)
	}
	for _, id := range subjects {
		if f := t.putUnder(&rec, id); f != nil {
			return f
		}
	}
	return nil
}

// putUnder puts a subject under a notice.
func (t *txRun) putUnder(rec *NoticeRecord, id string) *Finding {
	if rec.Type != Alert {
		t.hold(id, []crypto.Hash{rec.ID})
		return nil
	}
	h, _ := get[Hold](t.o, HoldKey(id))
	if list := t.stillOpen(h.Notices); len(h.Notices) >= maxHolds {
		h.Notices = list
	}
	if len(h.Notices) >= maxHolds {
		return refuse(CodeSubjectFull, "/subjects", id, decimal(len(h.Notices)))
	}
	h.Notices = mergeHashes(h.Notices, []crypto.Hash{rec.ID})
	put(t.o, HoldKey(id), h)
	return nil
}

// authority finds out why the author may give a notice about the subjects. Its own prefix comes first, so that what a
// regulator says about its own goods is its own.
func (t *txRun) authority(subjects []string) (Authority, *Finding) {
	missing := t.notHolder(subjects)
	if missing == nil {
		return AsHolder, t.mayAct()
	}
	if t.isRegulator(t.author) {
		return AsRegulator, nil
	}
	if f := t.mayAct(); f != nil {
		return 0, f
	}
	for _, id := range subjects {
		if h := t.holderOf(id); h.ok {
			return 0, missing
		}
		if !t.broughtIn(id) {
			return 0, refuse(CodeNotOrigin, "/subjects", id, t.orgName(t.author))
		}
	}
	return AsOrigin, nil
}

func (b *blockRun) isRegulator(a crypto.Address) bool {
	_, ok := get[bool](b.o, RegulatorKey(a))
	return ok
}

// notHolder returns nil if every subject is under a company prefix that the author holds or has a delegation for.
func (t *txRun) notHolder(subjects []string) *Finding {
	for _, id := range subjects {
		h := t.holderOf(id)
		if h.ok && h.holder == t.author {
			continue
		}
		if !h.ok {
			return refuse(CodeNotOrigin, "/subjects", id, t.orgName(t.author))
		}
		if f := t.delegated(h, t.author, id); f != nil {
			if f.Code == CodeDelegationExpired {
				f.Field = "/subjects"
				return f
			}
			return refuse(CodeNoNoticeRight, "/subjects", id, t.orgName(t.author), h.prefix, t.orgName(h.holder))
		}
	}
	return nil
}

// broughtIn reports whether it was the author who brought a thing onto the ledger, all of it, and not only saw it: anybody
// may see.
func (t *txRun) broughtIn(id string) bool {
	if item, ok := get[Item](t.o, t.o.itemKey(id)); ok {
		return item.BornBy == t.author && item.State != StateObserved
	}
	lot, ok := get[Lot](t.o, LotKey(id))
	return ok && lot.BornBy == t.author && len(lot.Units) > 0 && lot.Flags&FlagShared == 0
}

// openKey is where the number of open notices of an issuer is.
func openKey(a crypto.Address) []byte { return key("noticesby", string(a[:])) }

// countOpen counts one more open notice of the author.
func (t *txRun) countOpen(as Authority) *Finding {
	most := uint64(maxOpenNotices)
	if as == AsRegulator {
		most = maxOpenNoticesRegulator
	}
	n, _ := get[uint64](t.o, openKey(t.author))
	if n >= most {
		return refuse(CodeTooManyNotices, "", t.orgName(t.author), decimal(n))
	}
	put(t.o, openKey(t.author), n+1)
	return nil
}

// release ends a notice.
func (t *txRun) release(p *ReleaseNotice) *Finding {
	rec, ok := get[NoticeRecord](t.o, NoticeKey(p.Notice))
	if !ok {
		return refuse(CodeNoNotice, "/notice", p.Notice.String())
	}
	if !rec.Released.IsZero() {
		return refuse(CodeReleased, "/notice", p.Notice.String(), decimal(rec.ReleasedAt)).against(crypto.Hash{}, rec.Released, rec.ReleasedAt)
	}
	if !t.mayRelease(&rec) {
		f := refuse(CodeNotReleaser, "/notice", t.orgName(t.author), rec.Type.String(), t.orgName(rec.Issuer))
		return f.against(crypto.Hash{}, rec.ID, rec.Height)
	}
	if rec.blocks() {
		all, _ := get[Notices](t.o, NoticesKey())
		all.Open--
		put(t.o, NoticesKey(), all)
	}
	rec.Released, rec.ReleasedAt = t.tx.id, t.height
	put(t.o, NoticeKey(rec.ID), rec)
	n, _ := get[uint64](t.o, openKey(rec.Issuer))
	put(t.o, openKey(rec.Issuer), n-1)
	return nil
}

// mayRelease reports whether the author has the authority of a notice now. That of a regulator is the office: who lost it
// releases nothing. Otherwise it is the issuer's word, or that of who by now holds the prefixes of all subjects; a
// delegation is no authority over what somebody else has said. A regulator stands in for an issuer that is gone.
func (t *txRun) mayRelease(rec *NoticeRecord) bool {
	regulator := t.isRegulator(t.author)
	if rec.Authority == AsRegulator {
		return regulator
	}
	if rec.Issuer == t.author || regulator && t.abandoned(rec) {
		return true
	}
	return !slices.ContainsFunc(rec.Subjects, func(id string) bool {
		h := t.holderOf(id)
		return !h.ok || h.holder != t.author
	})
}

// abandoned reports whether a notice has nobody whose say over the goods a regulator must respect: its issuer was expelled
// from the network, which is for registrars or the validators to do, or never showed that the goods are its own.
func (t *txRun) abandoned(rec *NoticeRecord) bool {
	if rec.Authority == AsOrigin {
		return true
	}
	org, ok := get[Organisation](t.o, OrganisationKey(rec.Issuer))
	return !ok || !org.Admitted
}
