package crypto

// Tag is the domain of a hash: the bytes that come first in every hashed message, so that a digest made for one
// purpose is never valid for another. Every tag of the network is in the table below and nowhere else; no tag is a
// prefix of another, so that no message can be moved between domains by shifting bytes.
type Tag string

// The table of domain tags. The number at the end is the version of the hashed form.
const (
	TagGenesis     Tag = "waybill/genesis/1"     // the genesis document; its hash is the identity of a network
	TagParams      Tag = "waybill/params/1"      // the network's parameters
	TagTransaction Tag = "waybill/transaction/1" // body of a transaction: its id, and what its signers sign

	TagHeader        Tag = "waybill/header/1"        // block header
	TagVote          Tag = "waybill/vote/1"          // what a validator signs, proposals included
	TagValidatorSet  Tag = "waybill/validatorset/1"  // validators and powers of one epoch
	TagJustification Tag = "waybill/justification/1" // certificates that justify a proposal
	TagEvidence      Tag = "waybill/evidence/1"      // two conflicting signatures of one validator
	TagSlate         Tag = "waybill/slate/1"         // shuffling of the leader slate

	TagEvent     Tag = "waybill/event/1"     // canonical EPCIS event
	TagItemChain Tag = "waybill/itemchain/1" // head of the chain of an item's events

	TagReceiptsChain Tag = "waybill/receipts/1" // chain of the receipts roots of all executed blocks

	TagSnapshot Tag = "waybill/snapshot/1" // manifest of a snapshot of the state

	TagAddress Tag = "waybill/address/1" // account address of a public key

	TagMerkleRoot Tag = "waybill/merkleroot/1" // RFC 6962 tree head bound to its number of leaves
	TagStateKey   Tag = "waybill/state/key/1"  // position of a key in the state tree
	TagStateValue Tag = "waybill/state/value/1"
	TagStateLeaf  Tag = "waybill/state/leaf/1"
	TagStateNode  Tag = "waybill/state/node/1"
)
