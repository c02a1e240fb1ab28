package api

import (
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// ProposalInfo is a proposal to the validators, and how they voted.
type ProposalInfo struct {
	ID        crypto.Hash   `json:"id"`    // of the transaction that made it
	State     string        `json:"state"` // "open", "passed", "rejected" or "failed"
	Author    Holder        `json:"author"`
	Title     string        `json:"title"`
	Text      string        `json:"text,omitempty"`
	Action    ActionInfo    `json:"action"`
	Epoch     quorum.Epoch  `json:"epoch"`     // in which it was made
	LastEpoch quorum.Epoch  `json:"lastEpoch"` // it is decided when this one closes at the latest
	Since     quorum.Height `json:"since"`
	Decided   quorum.Height `json:"decided,omitempty"`
	// Power of votes: as decided; of an open one as it would count now.
	Yes   uint64       `json:"yes"`
	No    uint64       `json:"no"`
	Total uint64       `json:"total"`
	Votes []BallotInfo `json:"votes"` // by operator
}

// ActionInfo is what a proposal wants. Fields of other kinds are absent.
type ActionInfo struct {
	Kind    string        `json:"kind"` // "params", "office", "admission" or "upgrade"
	Params  []ParamInfo   `json:"params,omitempty"`
	Office  string        `json:"office,omitempty"` // "registrar" or "regulator"
	Account *Holder       `json:"account,omitempty"`
	Grant   *bool         `json:"grant,omitempty"` // false: it is taken away
	Height  quorum.Height `json:"height,omitempty"`
	Version uint64        `json:"version,omitempty"`
}

// ParamInfo is one parameter by its name in the genesis document.
type ParamInfo struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// BallotInfo is one vote.
type BallotInfo struct {
	Operator Holder `json:"operator"`
	Yes      bool   `json:"yes"`
	Power    uint64 `json:"power"` // of the operator's validators in the present epoch
}

// ProposalList is a page of proposals, newest first.
type ProposalList struct {
	Proposals []ProposalInfo `json:"proposals"`
	Next      string         `json:"next,omitempty"` // pass as after; a page may be short, even empty, and have one
	Height    quorum.Height  `json:"height"`
}

// ProposalDetail is one proposal.
type ProposalDetail struct {
	ProposalInfo
	Height quorum.Height `json:"height"`
	Proof  *ProofInfo    `json:"proof,omitempty"` // with prove=true, of the stored record
}

// ParamsInfo is the rules in force, and who holds an office.
type ParamsInfo struct {
	Params     ledger.Params `json:"params"`
	ParamsHash crypto.Hash   `json:"paramsHash"` // as headers carry it
	Protocol   uint64        `json:"protocol"`   // newest protocol that the node's program executes
	Upgrade    *UpgradeInfo  `json:"upgrade,omitempty"`
	Registrars []Holder      `json:"registrars"`
	Regulators []Holder      `json:"regulators"`
	Height     quorum.Height `json:"height"`
	Proof      *ProofInfo    `json:"proof,omitempty"` // with prove=true, of the stored parameters
}

// UpgradeInfo is the latest change of protocol that was decided.
type UpgradeInfo struct {
	Height  quorum.Height `json:"height"` // the first block that needs it
	Version uint64        `json:"version"`
}

// powers is the power of each operator in an epoch.
func powers(set *quorum.Set) map[crypto.Address]uint64 {
	out := map[crypto.Address]uint64{}
	for _, v := range set.Validators() {
		out[v.Operator] += uint64(v.Power)
	}
	return out
}

func (r *itemReader) proposal(p *ledger.Proposal) ProposalInfo {
	out := ProposalInfo{ID: p.ID, State: fmt.Sprint(p.State), Author: r.named(p.Author), Title: p.Title, Text: p.Text, Action: r.action(&p.Action),
		Epoch: p.Epoch, LastEpoch: p.LastEpoch, Since: p.Height, Decided: p.Decided, Yes: p.Yes, No: p.No, Total: p.Total, Votes: []BallotInfo{}}
	epoch, err := ledger.CurrentEpoch(r.view)
	if err != nil {
		r.err = err
		return out
	}
	power := powers(epoch.Set)
	if p.Decided == 0 {
		out.Yes, out.No, out.Total = 0, 0, uint64(epoch.Set.Total())
	}
	for _, b := range p.Votes {
		out.Votes = append(out.Votes, BallotInfo{Operator: r.named(b.Operator), Yes: b.Yes, Power: power[b.Operator]})
		switch {
		case p.Decided != 0:
		case b.Yes:
			out.Yes += power[b.Operator]
		default:
			out.No += power[b.Operator]
		}
	}
	return out
}

func (r *itemReader) action(a *ledger.Action) ActionInfo {
	out := ActionInfo{Kind: fmt.Sprint(a.Kind), Height: a.Height, Version: a.Version, Account: r.holder(a.Account)}
	for _, c := range a.Params {
		out.Params = append(out.Params, ParamInfo{c.Name, c.Value})
	}
	if a.Office != 0 {
		out.Office = fmt.Sprint(a.Office)
	}
	if a.Kind == ledger.ActOffice || a.Kind == ledger.ActAdmission {
		grant := a.Grant
		out.Grant = &grant
	}
	return out
}

func listProposals(_ *Server, r *request, read *itemReader) (any, error) {
	state, err := stateParam(r, "open", "passed", "rejected", "failed")
	if err != nil {
		return nil, err
	}
	list := ledger.ListProposals
	if state == "open" && read.latest {
		list = ledger.ListOpenProposals
	}
	l, err := r.lister(list, "")
	if err != nil {
		return nil, err
	}
	out := &ProposalList{Proposals: []ProposalInfo{}, Height: read.state.Height()}
	out.Next, err = l.page(r.Context(), read.state, func(at ledger.Place) (bool, error) {
		id, err := placeHash(at)
		if err != nil {
			return false, err
		}
		p, err := ledger.ReadProposal(read.view, id)
		if err != nil || p == nil || state != "" && fmt.Sprint(p.State) != state {
			return false, err
		}
		out.Proposals = append(out.Proposals, read.proposal(p))
		return true, read.err
	})
	return out, err
}

func getProposal(s *Server, r *request, read *itemReader) (any, error) {
	id, err := hashParam(r, "proposal", "a proposal")
	if err != nil {
		return nil, err
	}
	p, err := ledger.ReadProposal(read.view, id)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, problem(ErrNotFound, "there is no proposal %s at height %d", id, read.state.Height()).
			help("A proposal is named by its transaction. GET /v1/proposals lists them.")
	}
	out := &ProposalDetail{ProposalInfo: read.proposal(p), Height: read.state.Height()}
	out.Proof, err = s.prove(r, ledger.ProposalKey(id))
	return out, err
}

// maxOfficers bounds the accounts looked at for an office.
const maxOfficers = 1_000

func getParams(s *Server, r *request, read *itemReader) (any, error) {
	p, err := ledger.ReadParams(read.view)
	if err != nil {
		return nil, err
	}
	out := &ParamsInfo{Params: *p, ParamsHash: p.Hash(), Protocol: ledger.ProtocolVersion, Height: read.state.Height()}
	upgrade, err := ledger.ReadUpgrade(read.view)
	if err != nil {
		return nil, err
	}
	if upgrade != nil {
		out.Upgrade = &UpgradeInfo{Height: upgrade.Height, Version: upgrade.Version}
	}
	if out.Registrars, out.Regulators, err = s.officers(r, read); err != nil {
		return nil, err
	}
	out.Proof, err = s.prove(r, ledger.ParamsKey())
	return out, err
}

// officers lists who holds an office: of those whom genesis or a proposal named, so that it can be told of any height.
func (s *Server) officers(r *request, read *itemReader) (registrars, regulators []Holder, err error) {
	registrars, regulators = []Holder{}, []Holder{}
	named := append(append([]crypto.Address{}, s.cfg.Genesis.Registrars...), s.cfg.Genesis.Regulators...)
	places, err := read.state.List(r.Context(), ledger.ListProposals, "", nil, maxOfficers)
	if err != nil {
		return nil, nil, err
	}
	for _, at := range places {
		id, err := placeHash(at)
		if err != nil {
			return nil, nil, err
		}
		p, err := ledger.ReadProposal(read.view, id)
		if err != nil {
			return nil, nil, err
		}
		if p != nil && p.Action.Kind == ledger.ActOffice && p.State == ledger.ProposalPassed {
			named = append(named, p.Action.Account)
		}
	}
	seen := map[crypto.Address]bool{}
	for _, a := range named {
		if seen[a] {
			continue
		}
		seen[a] = true
		for _, office := range []struct {
			holds func(ledger.View, crypto.Address) (bool, error)
			list  *[]Holder
		}{{ledger.ReadRegistrar, &registrars}, {ledger.ReadRegulator, &regulators}} {
			yes, err := office.holds(read.view, a)
			if err != nil {
				return nil, nil, err
			}
			if yes {
				*office.list = append(*office.list, read.named(a))
			}
		}
	}
	return registrars, regulators, nil
}
