package node

import (
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
	"waybill/p2p"
)

// members knows which peers are whose.
type members struct {
	validators []p2p.PeerID // by index in the validator set
	names      map[p2p.PeerID]string
	operators  map[p2p.PeerID]crypto.Address
}

func newMembers(g *ledger.Genesis, set *quorum.Set) (*members, error) {
	m := &members{
		validators: make([]p2p.PeerID, set.Len()),
		names:      map[p2p.PeerID]string{}, operators: map[p2p.PeerID]crypto.Address{},
	}
	for _, v := range g.Validators {
		key := v.PeerKey
		if key == (crypto.PublicKey{}) {
			key = v.Key // a genesis may leave the node's identity out: then it is the voting key's
		}
		id, err := p2p.PeerIDFromPublicKey(key[:])
		if err != nil {
			return nil, fmt.Errorf("peer key of validator %s: %w", v.Name, err)
		}
		i, _ := set.Index(v.Key)
		m.validators[i], m.names[id], m.operators[id] = id, v.Name, v.Operator
	}
	return m, nil
}

// allows returns the rule for connections. On an open node whoever shows the same genesis may connect;
// otherwise the validators of the genesis, and every peer whose key has an account on the ledger: a company
// admits its node by a transfer, of nothing if it likes, to the node's address. The rule may be asked from
// any goroutine.
func (m *members) allows(s *store.Store, open bool) func(p2p.PeerID) bool {
	return func(id p2p.PeerID) bool {
		if _, validator := m.names[id]; validator || open {
			return true
		}
		key, err := id.PublicKey()
		if err != nil {
			return false
		}
		account, err := ledger.ReadAccount(s.View(), crypto.PublicKey(key).Address())
		return err == nil && account != nil
	}
}
