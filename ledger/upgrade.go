package ledger

import (
	"waybill/consensus/quorum"
)

// ProtocolVersion is the newest protocol that this program executes. Genesis begins with protocol 1.
const ProtocolVersion = 1

// Upgrade is a change of protocol that was decided.
type Upgrade struct {
	_       struct{}      `cbor:",toarray"`
	Height  quorum.Height // the first block that needs it
	Version uint64
}

// upgrades is the last change of protocol that has come, and the one that is to come or has come since. One that is to
// come is replaced by the next that is decided: so an upgrade is put off.
type upgrades struct {
	_      struct{} `cbor:",toarray"`
	Before Upgrade
	Latest Upgrade
}

// minUpgradeLead is how many blocks operators have at least to install a program, where epochs are longer.
const minUpgradeLead = 500

// at is the protocol of a block.
func (u *upgrades) at(h quorum.Height) uint64 {
	switch {
	case u.Latest.Version > 0 && h >= u.Latest.Height:
		return u.Latest.Version
	case u.Before.Version > 0:
		return u.Before.Version
	}
	return 1
}

// ReadUpgrade returns the latest change of protocol that was decided, whether it has come or not; nil if there was none.
func ReadUpgrade(v View) (*Upgrade, error) {
	rec, err := read[upgrades](v, []byte(keyUpgrades))
	if err != nil || rec == nil {
		return nil, err
	}
	return &rec.Latest, nil
}

// NewerProtocol returns the change of protocol that this program cannot follow; nil if there is none. Blocks below its
// height are executed as ever.
func NewerProtocol(v View) (*Upgrade, error) {
	u, err := ReadUpgrade(v)
	if err != nil || u == nil || u.Version <= ProtocolVersion {
		return nil, err
	}
	return u, nil
}

// Refuses returns an error of kind ErrProtocol if a block of height h needs a newer program than this. It may be asked
// of nil.
func (u *Upgrade) Refuses(h quorum.Height) error {
	if u == nil || u.Version <= ProtocolVersion || h < u.Height {
		return nil
	}
	return malformed(ErrProtocol, "from block %d on the network runs protocol %d, and this program ends with protocol %d; "+
		"install a program that runs protocol %d and start it with the same data folder", u.Height, u.Version, ProtocolVersion, u.Version)
}

// checkProtocol refuses a block that this program would execute otherwise than the network does.
func (b *blockRun) checkProtocol() error {
	u, err := NewerProtocol(b.o.view)
	if err != nil {
		return err
	}
	return u.Refuses(b.height)
}

func (b *blockRun) canUpgrade(a *Action) *Finding {
	params := b.inForce()
	u, _ := get[upgrades](b.o, []byte(keyUpgrades))
	if now := u.at(b.height); a.Version <= now {
		return refuse(CodeUpgradeOld, "/action/version", decimal(now), decimal(a.Version))
	}
	if earliest := b.height + quorum.Height(min(params.EpochLength, minUpgradeLead)); a.Height < earliest {
		return refuse(CodeUpgradeSoon, "/action/height", decimal(a.Height), decimal(earliest))
	}
	return nil
}

func (b *blockRun) upgrade(a *Action) {
	u, _ := get[upgrades](b.o, []byte(keyUpgrades))
	if u.Latest.Version > 0 && b.height >= u.Latest.Height {
		u.Before = u.Latest
	}
	u.Latest = Upgrade{Height: a.Height, Version: a.Version}
	put(b.o, []byte(keyUpgrades), u)
}
