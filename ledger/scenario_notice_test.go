package ledger

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/datadriven"

	"waybill/crypto"
)

// noticePayload reads the verbs about notices; nil if it is none of them. A notice is named by a label of its own:
// "recall R1 LOT,ITEM [accepts=COMPANY,COMPANY] REASON", "ack R1 stopped", "release R1".
func (s *scenario) noticePayload(d *datadriven.TestData, f []string) Payload {
	switch f[0] {
	case "recall", "withdrawal", "quarantine", "alert":
		n := &Notice{Subjects: s.ids(strings.Split(f[2], ","))}
		if err := n.Type.UnmarshalText([]byte(f[0])); err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		rest := f[3:]
		if list, ok := strings.CutPrefix(rest[0], "accepts="); ok {
			for _, name := range strings.Split(list, ",") {
				n.Accepts = append(n.Accepts, keyOf(spaced(name)).Address())
			}
			rest = rest[1:]
		}
		n.Reason = strings.Join(rest, " ")
		return n
	case "ack":
		a := &AcknowledgeNotice{Notice: s.labelled(f[1]), Note: strings.Join(f[3:], " ")}
		if err := a.Status.UnmarshalText([]byte(f[2])); err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		return a
	case "release":
		return &ReleaseNotice{Notice: s.labelled(f[1]), Reason: strings.Join(f[2:], " ")}
	}
	return nil
}

// labelled finds the notice of a label; one that nobody gave is a hash that nothing has.
func (s *scenario) labelled(label string) crypto.Hash {
	for text, l := range s.labels {
		if l == label {
			if h, err := crypto.ParseHash(text); err == nil {
				return h
			}
		}
	}
	return crypto.Hash{0xee}
}

// under prints the open notices that things are under.
func (s *scenario) under(d *datadriven.TestData) string {
	var out []string
	for _, alias := range lines(d.Input) {
		open, err := OpenNotices(s.net.view, s.id(alias))
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		text := alias + ": no open notice"
		for i, n := range open {
			if i == 0 {
				text = alias + ":"
			}
			text += fmt.Sprintf(" %s %s", n.Type, n.ID)
		}
		out = append(out, s.relabel(text))
	}
	return strings.Join(out, "\n")
}

// notice prints what the state says about notices, and who answered them.
func (s *scenario) notice(d *datadriven.TestData) string {
	var out []string
	b := &blockRun{o: newOverlay(s.net.view)}
	for _, label := range lines(d.Input) {
		rec, err := ReadNotice(s.net.view, s.labelled(label))
		if err != nil || rec == nil {
			d.Fatalf(s.t, "%s: %v, %v", label, rec, err)
		}
		text := fmt.Sprintf("%s: %s by %s as %s", label, rec.Type, b.orgName(rec.Issuer), rec.Authority)
		if rec.ReleasedAt > 0 {
			text += ", released"
		}
		if still, err := ReadFollowing(s.net.view, rec.ID); err != nil || still {
			text += ", on its way"
		}
		out = append(out, text)
		for _, k := range sortedKeys(s.net.view) {
			if strings.HasPrefix(k, string(AckKey(rec.ID, crypto.Address{})[:len("ack/")+len(rec.ID)])) {
				a := decode[Ack](s.t, s.net.view[k])
				out = append(out, strings.TrimSpace(fmt.Sprintf("  %s: %s %s", b.orgName(a.Organisation), a.Status, a.Note)))
			}
		}
	}
	return s.relabel(strings.Join(out, "\n"))
}
