package journal

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// ballot is what a validator may fill in once in its life.
type ballot struct {
	view quorum.View
	exit bool
}

// model is the rule of the signer, told as naively as possible: a list of all that was ever signed.
type model struct {
	signed    []quorum.Vote // in order, without signatures
	proposals []quorum.View // that cannot be signed again
	unsynced  []quorum.View // proposals that a crash may undo
	doubtful  quorum.View   // the highest that a crash may have undone
	floor     quorum.View   // the highest argument of Forget since the start
	forgotten quorum.View   // below it no vote is remembered
}

func exitOf(v quorum.Vote) bool { return v.Kind != quorum.KindNotarize }

// permits says whether v may be signed, now that nothing of it is remembered twice: again means it was before.
func (m *model) permits(v quorum.Vote) (ok, again bool) {
	if v.Epoch != testEpoch || v.Signer != 0 || v.Kind < quorum.KindNotarize || v.Kind > quorum.KindNullify {
		return false, false
	}
	notarized := false
	for _, old := range m.signed {
		switch {
		case old == v:
			return true, true
		case old.View > v.View:
			return false, false
		case old.View == v.View && (exitOf(old) || !exitOf(v)):
			return false, false
		case old.View == v.View && !exitOf(old) && exitOf(v) && old.Block == v.Block:
			notarized = true
		}
	}
	return v.Kind != quorum.KindFinalize || notarized, false
}

func (m *model) highest() (mark consensus.Watermark) {
	for _, v := range m.signed {
		if at := (consensus.Watermark{View: v.View, Step: consensus.StepOf(v.Kind)}); mark.Less(at) {
			mark = at
		}
	}
	return mark
}

func (m *model) synced() {
	m.proposals = append(m.proposals, m.unsynced...)
	m.unsynced = nil
}

func highestOf(lists ...[]quorum.View) (top quorum.View) {
	for _, list := range lists {
		for _, v := range list {
			top = max(top, v)
		}
	}
	return top
}

// TestModel drives a journal and the model through the same random life: votes good and bad, alone and many in
// one call, proposals, forgetting, crashes.
func TestModel(t *testing.T) {
	n := newNetwork(t, mac{})
	led := n.ledBy(0, 4)
	drafts := map[quorum.View]quorum.Proposal{}
	for v := range quorum.View(12) {
		drafts[v+1] = n.proposal(t, v+1, "draft")
	}
	for _, v := range led {
		drafts[v] = n.proposal(t, v, "draft")
	}
	rapid.Check(t, func(t *rapid.T) {
		disk := newMemory()
		j, _ := mustOpen(t, disk, n.config(0))
		var m model
		bytes := map[quorum.Vote]crypto.Signature{} // of every vote ever returned
		anyVote := rapid.Custom(func(t *rapid.T) quorum.Vote {
			kind := rapid.SampledFrom([]quorum.VoteKind{quorum.KindNotarize, quorum.KindNotarize, quorum.KindFinalize, quorum.KindFinalize, quorum.KindNullify, quorum.KindProposal}).Draw(t, "kind")
			v := vote(kind, m.highest().View+quorum.View(rapid.IntRange(0, 4).Draw(t, "ahead")), rapid.SampledFrom([]string{"A", "B"}).Draw(t, "block"))
			if back := quorum.View(rapid.IntRange(0, 3).Draw(t, "back")); v.View > back {
				v.View -= back
			}
			v.View = max(v.View, 1)
			if v.Kind != quorum.KindNullify {
				v.Height = 1
			}
			switch rapid.IntRange(0, 30).Draw(t, "oddity") {
			case 0:
				v.Epoch++
			case 1:
				v.Signer = 2
			}
			return v
		})
		sign := func(t *rapid.T) {
			votes := rapid.SliceOfN(anyVote, 1, 5).Draw(t, "votes")
			var want []bool
			syncs := j.Syncs()
			for _, v := range votes {
				ok, again := m.permits(v)
				if again && v.View < m.forgotten {
					ok = false // it can only be refused
				}
				want = append(want, ok)
				if ok && !again {
					m.signed = append(m.signed, v)
				}
			}
			signed, refused, err := j.Sign(votes, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range votes {
				if !want[i] {
					if len(refused) == 0 || refused[0] != v {
						t.Fatalf("vote %d of %v: the model refuses %+v, the journal refused %v", i, votes, v, refused)
					}
					refused = refused[1:]
					continue
				}
				if len(signed) == 0 {
					t.Fatalf("vote %d of %v: the model signs %+v, the journal signed %v", i, votes, v, signed)
				}
				s := signed[0].Vote()
				signed = signed[1:]
				signature := s.Signature
				s.Signature = crypto.Signature{}
				if old, seen := bytes[s]; s != v || seen && old != signature {
					t.Fatalf("%+v became %+v", v, s)
				}
				bytes[s] = signature
			}
			if len(signed)+len(refused) > 0 {
				t.Fatalf("more answers than questions: %v, %v", signed, refused)
			}
			if j.Syncs() > syncs {
				m.synced()
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"sign":  sign,
			"sign2": sign,
			"propose": func(t *rapid.T) {
				view := rapid.SampledFrom(led).Draw(t, "view")
				_, err := j.SignProposal(drafts[view])
				free := view > highestOf(m.proposals, m.unsynced)
				if err != nil && !IsRefusal(err) || free != (err == nil) && !(free && view <= m.doubtful) {
					t.Fatalf("view %d after %v, %v and perhaps %d: %v", view, m.proposals, m.unsynced, m.doubtful, err)
				}
				if err == nil {
					m.unsynced = append(m.unsynced, view)
				}
			},
			"sync": func(t *rapid.T) {
				before, want := j.Syncs(), uint64(0)
				if len(m.unsynced) > 0 {
					want = 1
				}
				if err := j.SyncProposal(); err != nil {
					t.Fatal(err)
				}
				if got := j.Syncs() - before; got != want {
					t.Fatalf("%d syncs for %d proposals not synced yet", got, len(m.unsynced))
				}
				m.synced()
			},
			"forget": func(t *rapid.T) {
				below := quorum.View(rapid.IntRange(0, int(m.highest().View)+2).Draw(t, "below"))
				if err := j.Forget(below); err != nil {
					t.Fatal(err)
				}
				if below > m.floor {
					m.floor, m.forgotten = below, max(m.forgotten, min(below, m.highest().View))
				}
			},
			"crash": func(t *rapid.T) {
				// Whatever of the unsynced writes is kept, nothing that was returned as signed is lost.
				disk = disk.crashSigner(rapid.IntRange(0, disk.unsynced()).Draw(t, "kept"), fate(rapid.IntRange(0, int(fates)-1).Draw(t, "fate")))
				m.doubtful, m.unsynced = max(m.doubtful, highestOf(m.unsynced)), nil
				var rec Recovered
				j, rec = mustOpen(t, disk, n.config(0))
				if rec.Signed != m.highest() {
					t.Fatalf("the watermark is %+v after a crash, it was %+v", rec.Signed, m.highest())
				}
				m.floor, m.forgotten = 0, lowest(rec.Votes, m.forgotten)
			},
		})
	})
}

// lowest is the view below which the votes are forgotten after a restart: a crash can undo forgetting.
func lowest(kept []quorum.VerifiedVote, forgotten quorum.View) quorum.View {
	for _, v := range kept {
		forgotten = min(forgotten, v.Vote().View)
	}
	return forgotten
}

// TestNoSecondSignature tries, at every point of a short life and whatever the disk lost, to get a second
// signature for every ballot.
func TestNoSecondSignature(t *testing.T) {
	n := newNetwork(t, mac{})
	script := []func(*Journal) ([]quorum.VerifiedVote, error){}
	sign := func(votes ...quorum.Vote) {
		script = append(script, func(j *Journal) ([]quorum.VerifiedVote, error) {
			signed, _, err := j.Sign(votes, nil)
			return signed, err
		})
	}
	for v := quorum.View(1); v < 12; v++ {
		switch v % 3 {
		case 0:
			sign(vote(quorum.KindNullify, v, ""))
		case 1:
			sign(vote(quorum.KindNotarize, v, "A"))
			sign(vote(quorum.KindFinalize, v, "A"), vote(quorum.KindNotarize, v+1, "A"))
		}
		script = append(script, func(j *Journal) ([]quorum.VerifiedVote, error) { return nil, j.Forget(v - 1) })
	}
	disk := newMemory()
	j, _ := mustOpen(t, disk, n.config(0))
	sent := map[ballot]quorum.Vote{}
	for i, step := range script {
		signed, err := step(j)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range signed {
			sent[ballot{s.Vote().View, exitOf(s.Vote())}] = s.Vote()
		}
		for keep := range disk.unsynced() + 1 {
			for f := range fates {
				attack(t, n, disk.crashSigner(keep, f), maps.Clone(sent), i)
			}
		}
	}
	if len(sent) < 10 {
		t.Fatalf("only %d votes were signed", len(sent))
	}
}

// attack asks a restarted journal for a second signature on every ballot that was sent.
func attack(t *testing.T, n *network, disk paired, sent map[ballot]quorum.Vote, at int) {
	t.Helper()
	for b, old := range sent {
		j, _ := mustOpen(t, disk, n.config(0))
		for _, v := range []quorum.Vote{
			vote(quorum.KindNotarize, b.view, "A"), vote(quorum.KindNotarize, b.view, "evil"), vote(quorum.KindFinalize, b.view, "A"),
			vote(quorum.KindFinalize, b.view, "evil"), vote(quorum.KindNullify, b.view, ""),
		} {
			if exitOf(v) != b.exit {
				continue
			}
			if s, ok := signOne(t, j, v); ok && s.Vote() != old {
				t.Fatalf("step %d: view %d: signed %+v, and after a crash %+v", at, b.view, old, s.Vote())
			}
		}
	}
}
