package ledger

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// operators makes the network one of the validators "op 0", "op 1"… with these powers, and other parameters.
func (s *scenario) operators(d *datadriven.TestData, p *Params) *Genesis {
	var powers []uint64
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "powers":
			for _, v := range a.Vals {
				n, err := strconv.ParseUint(v, 10, 64)
				if err != nil {
					d.Fatalf(s.t, "%v", err)
				}
				powers = append(powers, n)
			}
		case "params":
			for _, v := range a.Vals {
				name, value, _ := strings.Cut(v, ":")
				if err := p.Set(name, value); err != nil {
					d.Fatalf(s.t, "%v", err)
				}
			}
		}
	}
	if powers == nil {
		return nil
	}
	for i := range powers {
		s.labels[keyOf(op(i)).Address().String()] = "<" + op(i) + ">"
	}
	return stakers(*p, powers...)
}

// governs reads what is said about proposals; nil if the verb is another.
func (s *scenario) governs(d *datadriven.TestData, f []string) Payload {
	switch f[0] {
	case "propose":
		return &Propose{Title: spaced(f[1]), Action: s.action(d, f[2:])}
	case "vote":
		return &Vote{Proposal: s.proposals[spaced(f[1])], Yes: f[2] == "yes"}
	case "threshold":
		m, err := strconv.Atoi(f[1])
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		return &SetThreshold{M: uint8(m)}
	case "add-key":
		return &AddKey{Key: keyOf(f[1]).Public()}
	case "revoke-key":
		return &RevokeKey{Key: keyOf(f[1]).Public()}
	}
	return nil
}

func (s *scenario) action(d *datadriven.TestData, f []string) Action {
	who := func() crypto.Address { return keyOf(spaced(f[len(f)-1])).Address() }
	switch f[0] {
	case "params":
		a := Action{Kind: ActParams}
		for _, c := range f[1:] {
			name, value, _ := strings.Cut(c, "=")
			a.Params = append(a.Params, ParamChange{Name: name, Value: value})
		}
		return a
	case "give", "take":
		a := Action{Kind: ActOffice, Account: who(), Grant: f[0] == "give"}
		if err := a.Office.UnmarshalText([]byte(f[1])); err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		return a
	case "admit", "expel":
		return Action{Kind: ActAdmission, Account: who(), Grant: f[0] == "admit"}
	case "upgrade": // blocks ahead, version
		ahead, err1 := strconv.ParseUint(f[1], 10, 64)
		version, err2 := strconv.ParseUint(f[2], 10, 64)
		if err1 != nil || err2 != nil {
			d.Fatalf(s.t, "%v %v", err1, err2)
		}
		return Action{Kind: ActUpgrade, Height: s.net.height + 1 + quorum.Height(ahead), Version: version}
	}
	d.Fatalf(s.t, "unknown action %q", f[0])
	return Action{}
}

// noteProposal gives a proposal that was made a name.
func (s *scenario) noteProposal(tx *Transaction) {
	if p, ok := tx.Payload().(*Propose); ok {
		s.proposals[p.Title] = tx.ID()
		s.labels[tx.ID().String()] = "'" + p.Title + "'"
	}
}

// close ends the epoch, so many times.
func (s *scenario) close(d *datadriven.TestData) string {
	n := 1
	if len(d.CmdArgs) > 0 {
		n, _ = strconv.Atoi(d.CmdArgs[0].Key)
	}
	for range n {
		s.net.close()
	}
	return fmt.Sprintf("epoch %d", s.net.epoch().Number)
}

// proposal prints what became of proposals.
func (s *scenario) proposal(d *datadriven.TestData) string {
	var out []string
	for _, title := range lines(d.Input) {
		p, err := ReadProposal(s.net.view, s.proposals[spaced(title)])
		if err != nil || p == nil {
			d.Fatalf(s.t, "%s: %v", title, err)
		}
		text := fmt.Sprintf("%s: %s", title, p.State)
		if p.State != ProposalOpen {
			text += fmt.Sprintf(", %d yes and %d no of %d", p.Yes, p.No, p.Total)
		}
		if p.Why != nil {
			text += ": " + p.Why.String()
		}
		out = append(out, s.relabel(text))
	}
	return strings.Join(out, "\n")
}

// param prints parameters in force.
func (s *scenario) param(d *datadriven.TestData) string {
	p, err := ReadParams(s.net.view)
	if err != nil {
		d.Fatalf(s.t, "%v", err)
	}
	var out []string
	for _, name := range lines(d.Input) {
		value, _ := p.Value(name)
		out = append(out, name+" "+value)
	}
	return strings.Join(out, "\n")
}
