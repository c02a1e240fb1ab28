package node

import (
	"slices"

	"waybill/crypto"
	"waybill/ledger"
	"waybill/p2p"
)

// members is an epoch and which of its peers are whose. It is immutable; when the epoch changes there is a new one.
type members struct {
	epoch     *Epoch
	index     map[p2p.PeerID]int
	names     map[p2p.PeerID]string
	operators map[p2p.PeerID]crypto.Address
}

func newMembers(v ledger.View, e *Epoch) (*members, error) {
	m := &members{epoch: e, index: map[p2p.PeerID]int{}, names: map[p2p.PeerID]string{}, operators: map[p2p.PeerID]crypto.Address{}}
	for i, id := range e.Peers {
		of := e.Domain.Set.At(i)
		registered, err := ledger.ReadValidator(v, of.Key)
		if err != nil {
			return nil, err
		}
		if id != "" && registered != nil {
			m.index[id], m.names[id], m.operators[id] = i, registered.Name, of.Operator
		}
	}
	return m, nil
}

// votes reports whether a peer is a validator's node.
func (m *members) votes(id p2p.PeerID) bool {
	_, yes := m.index[id]
	return yes
}

// others lists the validators' nodes besides our own.
func (m *members) others() []p2p.PeerID {
	var out []p2p.PeerID
	for i, id := range m.epoch.Peers {
		if id != "" && i != m.epoch.Self {
			out = append(out, id)
		}
	}
	return out
}

// allows is the rule for connections. On an open node whoever shows the same genesis may connect; otherwise the
// validators of the epoch, those who are registered and may be elected, and every peer whose key has an account on the
// ledger: a company admits its node by a transfer, of nothing if it likes, to the node's address. It may be asked from
// any goroutine.
func (n *Node) allows(id p2p.PeerID) bool {
	if n.settings.OpenPeers || n.members.Load().votes(id) {
		return true
	}
	key, err := id.PublicKey()
	if err != nil {
		return false
	}
	view := n.store.View()
	if account, err := ledger.ReadAccount(view, crypto.PublicKey(key).Address()); err == nil && account != nil {
		return true
	}
	registered, err := ledger.ReadValidators(view)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(registered, func(v ledger.Validator) bool { return v.PeerKey == crypto.PublicKey(key) })
}
