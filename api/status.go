package api

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Status says where a node is.
type Status struct {
	// Network.
	Chain   string      `json:"chain"`   // name for people
	Genesis crypto.Hash `json:"genesis"` // identity of the network
	Epoch   uint64      `json:"epoch"`

	// Node.
	Name      string         `json:"name"` // for people
	Version   string         `json:"version"`
	PeerID    string         `json:"peerId"`
	Validator bool           `json:"validator"` // votes in this epoch
	Operator  crypto.Address `json:"operator"`  // of the validator; zero for others

	// The last finalized and executed block.
	Height      quorum.Height `json:"height"`
	BlockHash   crypto.Hash   `json:"blockHash"`
	BlockTimeMs int64         `json:"blockTimeMs"`
	StateRoot   crypto.Hash   `json:"stateRoot"` // after that block
	Indexed     quorum.Height `json:"indexedHeight"`

	// What is going on.
	View        uint64        `json:"view"`         // of consensus; 0 for nodes that do not take part
	BestKnown   quorum.Height `json:"bestKnown"`    // highest finalized block any peer told of
	Syncing     bool          `json:"syncing"`      // fetching blocks from peers
	Peers       int           `json:"peers"`        // connected
	Mempool     int           `json:"mempool"`      // transactions waiting
	MempoolSize int64         `json:"mempoolBytes"` // their bytes
	Halted      string        `json:"halted,omitempty"`
	StartedMs   int64         `json:"startedMs"` // ms since the Unix epoch
}

// Peer is a node that this node is connected to.
type Peer struct {
	ID        string         `json:"id"`
	Name      string         `json:"name,omitempty"`
	Address   string         `json:"address"` // multiaddress of the connection
	Direction string         `json:"direction"`
	Validator bool           `json:"validator"`
	Operator  crypto.Address `json:"operator"`
	Height    quorum.Height  `json:"height"` // last it told of
}

// Check is one thing that must hold for a node to be alive or ready.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Vital  bool   `json:"vital"` // without it the process should be restarted; the others only keep it from being ready
	Detail string `json:"detail"`
}
