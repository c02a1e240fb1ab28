package ledger

import (
	"fmt"

	"waybill/crypto"
)

// Severity is what a network does when an event breaks a rule. Its text is "reject", "flag" or "off".
type Severity uint8

// The severities. The zero Severity is Off.
const (
	Off     Severity = 0 // as Flagged, without the mark
	Flagged Severity = 1 // the event is recorded and marked, without the effect that the rule guards
	Reject  Severity = 2 // the event is refused
)

var severityNames = [...]string{Off: "off", Flagged: "flag", Reject: "reject"}

// String returns "off", "flag" or "reject".
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity %d", uint8(s))
}

// MarshalText returns the text of String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text of String.
func (s *Severity) UnmarshalText(text []byte) error {
	for i, name := range severityNames {
		if name == string(text) {
			*s = Severity(i)
			return nil
		}
	}
	return malformed(ErrGenesis, "severity %q is not reject, flag or off", text)
}

// Onboarding says how a network treats goods that were born before it. Its text is "strict" or "adopt".
type Onboarding uint8

// The modes.
const (
	Strict Onboarding = 0 // every object is born on the ledger, every receiver is on the ledger
	Adopt  Onboarding = 1 // unknown goods and parties are let in and marked unverified
)

// String returns "strict" or "adopt".
func (o Onboarding) String() string {
	switch o {
	case Strict:
		return "strict"
	case Adopt:
		return "adopt"
	}
	return fmt.Sprintf("onboarding %d", uint8(o))
}

// MarshalText returns the text of String.
func (o Onboarding) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the text of String.
func (o *Onboarding) UnmarshalText(text []byte) error {
	switch string(text) {
	case "strict":
		*o = Strict
	case "adopt":
		*o = Adopt
	default:
		return malformed(ErrGenesis, "onboarding %q is not strict or adopt", text)
	}
	return nil
}

// Admission says how organisations join. Its text is "open" or "registrar".
type Admission uint8

// The modes.
const (
	Open      Admission = 0 // an organisation counts from its registration
	Registrar Admission = 1 // an organisation counts when a registrar has admitted it
)

// String returns "open" or "registrar".
func (a Admission) String() string {
	switch a {
	case Open:
		return "open"
	case Registrar:
		return "registrar"
	}
	return fmt.Sprintf("admission %d", uint8(a))
}

// MarshalText returns the text of String.
func (a Admission) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the text of String.
func (a *Admission) UnmarshalText(text []byte) error {
	switch string(text) {
	case "open":
		*a = Open
	case "registrar":
		*a = Registrar
	default:
		return malformed(ErrGenesis, "admission %q is not open or registrar", text)
	}
	return nil
}

// Rules is the severity of every rule of the ledger. A rule that protects the ledger itself (R1, and identifiers under
// somebody else's prefix, packing cycles, genealogical cycles, what goes beyond a bound) refuses whatever its severity; and
// whatever it is, no balance goes below zero.
type Rules struct {
	_   struct{} `cbor:",toarray"`
	R1  Severity `json:"R1"`  // signatures, expiry, replay
	R2  Severity `json:"R2"`  // company prefixes
	R3  Severity `json:"R3"`  // canonical identifiers
	R4  Severity `json:"R4"`  // one commissioning of a serial
	R5  Severity `json:"R5"`  // nothing happens to unknown or ended objects
	R6  Severity `json:"R6"`  // only the custodian acts, only the owner sells
	R7  Severity `json:"R7"`  // hand-off takes both parties
	R8  Severity `json:"R8"`  // packing is a forest
	R9  Severity `json:"R9"`  // association intervals
	R10 Severity `json:"R10"` // no balance below zero
	R11 Severity `json:"R11"` // genealogy is acyclic
	R12 Severity `json:"R12"` // recalls
	R13 Severity `json:"R13"` // expiry dates of goods
	R14 Severity `json:"R14"` // event time
	R15 Severity `json:"R15"` // event ids
	R16 Severity `json:"R16"` // certificates and claims
}

// of returns the severity of rule n; rules that do not exist are Off.
func (r *Rules) of(n int) Severity {
	list := [...]Severity{Off, r.R1, r.R2, r.R3, r.R4, r.R5, r.R6, r.R7, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15, r.R16}
	if n < 0 || n >= len(list) {
		return Off
	}
	return list[n]
}

// Params are the rules of a network that a number or a word can change. They are set by genesis, changed by proposals that
// pass, each time for whole epochs, and the hash of those in force is in every header.
type Params struct {
	_ struct{} `cbor:",toarray"`

	// Events.
	Rules       Rules      `json:"rules"`
	Onboarding  Onboarding `json:"onboarding"`
	Admission   Admission  `json:"admission"`
	ClockSkewMs int64      `json:"clockSkewMs"` // how far an event time may lie after its block's
	LateAfterMs int64      `json:"lateAfterMs"` // an event recorded later than this after its time is flagged late
	VoidDelayMs int64      `json:"voidDelayMs"` // how long a shipment is its receiver's before the shipper may void it

	CorrectionWindow uint64 `json:"correctionWindow"` // blocks: how long an error declaration may undo an event; 0: never
	SettleMs         int64  `json:"settleMs"`         // a dispute that is older may be resolved by a regulator
	VotingEpochs     uint64 `json:"votingEpochs"`     // epochs that a proposal stays open after the one in which it was made

	// Transactions and blocks.
	MaxTxBytes    uint32 `json:"maxTxBytes"`
	MaxBlockBytes uint32 `json:"maxBlockBytes"`
	ExpiryWindow  uint64 `json:"expiryWindow"` // blocks: how far ahead a transaction may expire

	// Money, in the smallest unit.
	FeePerTransaction uint64 `json:"feePerTransaction"`
	FeePerKiB         uint64 `json:"feePerKiB"` // of body, begun ones whole; signatures are free
	MinBond           uint64 `json:"minBond"`   // smallest stake of an account in a validator, and so of a validator

	// Consensus. The ledger only carries these.
	ExecDelay          uint64 `json:"execDelay"` // blocks between a block and the header that commits to its result
	MinBlockIntervalMs int64  `json:"minBlockIntervalMs"`
	MaxBlockIntervalMs int64  `json:"maxBlockIntervalMs"`
	BaseTimeoutMs      int64  `json:"baseTimeoutMs"`

	// Stake. An epoch ends after EpochLength blocks, or after EpochMs if its successor has another validator set.
	EpochLength     uint64 `json:"epochLength"` // blocks
	EpochMs         int64  `json:"epochMs"`
	UnbondingEpochs uint64 `json:"unbondingEpochs"` // how long evidence counts and unbonded money waits; see UnbondingMs
	EpochReward     uint64 `json:"epochReward"`     // paid to validators each epoch, as long as the reserve lasts
	SlashPpm        uint64 `json:"slashPpm"`        // of a lone offender's stake, in millionths
	DowntimePercent uint64 `json:"downtimePercent"` // a validator that missed more of its slots in an epoch is jailed
	DowntimeSlots   uint64 `json:"downtimeSlots"`   // and at least so many
	JailMs          int64  `json:"jailMs"`
}

// The evidence window, the unbonding time and the trusting period of light clients are one decision, UnbondingEpochs, so
// that they cannot contradict each other: evidence about an epoch counts until UnbondingEpochs further epochs and
// UnbondingMs have passed since it ended, and money that gave power in it is released at that moment, not before.

// UnbondingMs is the time part of the evidence window, in ms.
func (p *Params) UnbondingMs() int64 { return int64(p.UnbondingEpochs) * p.EpochMs }

// TrustingMs is how old, in ms, the last header that a light client verified may be: two thirds of UnbondingMs, so that
// whoever signed it can still be punished for a while after the client acted on it.
func (p *Params) TrustingMs() int64 { return p.UnbondingMs() / 3 * 2 }

// DefaultParams are those of a strict network: every object is born on the ledger, so unknown ones are refused.
func DefaultParams() Params {
	return Params{
		Rules: Rules{
			R1: Reject, R2: Reject, R3: Reject, R4: Reject, R5: Reject, R6: Reject, R7: Reject, R8: Flagged, R9: Flagged,
			R10: Reject, R11: Flagged, R12: Reject, R13: Flagged, R14: Reject, R15: Reject, R16: Flagged,
		},
		Onboarding: Strict, Admission: Open,
		ClockSkewMs: 5_000, LateAfterMs: 48 * 3600 * 1000, VoidDelayMs: 3600 * 1000,
		CorrectionWindow: 10_000, SettleMs: 14 * 24 * 3600 * 1000, VotingEpochs: 7,
		MaxTxBytes: 256 << 10, MaxBlockBytes: 4 << 20, ExpiryWindow: 1_000,
		FeePerTransaction: 10, FeePerKiB: 10, MinBond: 1_000,
		ExecDelay: 2, MinBlockIntervalMs: 100, MaxBlockIntervalMs: 60_000, BaseTimeoutMs: 1_000,
		EpochLength: 1_000, EpochMs: 24 * 3600 * 1000, UnbondingEpochs: 21, EpochReward: 0,
		SlashPpm: 50_000, DowntimePercent: 50, DowntimeSlots: 5, JailMs: 600 * 1000,
	}
}

// AdoptParams are those of a network that takes over goods and documents older than itself. Identifiers that break a rule
// of their key (R3), unknown goods (R5) and event ids that a document uses twice (R15) are flagged: of the published
// industry documents, many start in the middle of a chain, some repeat ids and some have pallet numbers that are too
// short. A broken identifier is under nobody's prefix, so nobody's goods can be named with it.
func AdoptParams() Params {
	p := DefaultParams()
	p.Onboarding = Adopt
	p.Rules.R3, p.Rules.R5, p.Rules.R15 = Flagged, Flagged, Flagged
	return p
}

// Hash is the tagged hash of the canonical encoding.
func (p *Params) Hash() crypto.Hash { return crypto.Sum(crypto.TagParams, mustMarshal(p)) }

// MaxExecDelay is the largest Params.ExecDelay.
const MaxExecDelay = 16

// Bounds of the parameters. Out of them a network could not work or a node could not hold its promises.
const (
	maxTxBytesLimit    = 1 << 20
	maxBlockBytesLimit = 16 << 20
	maxExpiryWindow    = 100_000
	maxIntervalMs      = 3600 * 1000

	maxCorrectionWindow = 1_000_000
	maxVotingEpochs     = 1_000

	maxEpochLength     = 1_000_000
	maxUnbondingEpochs = 10_000
	maxKeptEpochs      = 1_000_000 // inside the evidence window
	million            = 1_000_000
	maxPeriodMs        = 10 * 366 * 24 * 3600 * 1000
)

// paramFault is a parameter out of its bounds, or an evidence window out of its.
type paramFault struct {
	name, value, low, high string // as in genesis

	window bool   // value is the window in ms
	epochs string // that can end within it
}

// err says it with the name of the field in genesis.
func (f *paramFault) err() error {
	if f.window {
		return malformed(ErrGenesis, "params.%s: evidence would count for %s ms, at most %d, and up to %s epochs can end within, at most %d, "+
			"for all must be kept. Choose longer epochs (epochLength, minBlockIntervalMs) or a shorter window (unbondingEpochs, epochMs)",
			f.name, f.value, int64(maxPeriodMs), f.epochs, maxKeptEpochs)
	}
	return malformed(ErrGenesis, "params.%s is %s; it must be from %s to %s", f.name, f.value, f.low, f.high)
}

// Validate says what is wrong with the parameters, with the name of the field in genesis; kind ErrGenesis.
func (p *Params) Validate() error {
	if f := p.fault(); f != nil {
		return f.err()
	}
	return nil
}

// fault finds the first parameter that cannot stand beside the others; nil if all can.
func (p *Params) fault() *paramFault {
	for n := 1; n <= 16; n++ {
		s, least := p.Rules.of(n), Off
		if n == 1 {
			least = Reject
		}
		if s < least || s > Reject {
			return &paramFault{name: "rules.R" + decimal(n), value: s.String(), low: least.String(), high: Reject.String()}
		}
	}
	if p.Onboarding > Adopt {
		return &paramFault{name: "onboarding", value: p.Onboarding.String(), low: Strict.String(), high: Adopt.String()}
	}
	if p.Admission > Registrar {
		return &paramFault{name: "admission", value: p.Admission.String(), low: Open.String(), high: Registrar.String()}
	}
	// A negative number becomes a huge one and fails its upper bound.
	for _, b := range p.bounds() {
		if b.value < b.low || b.value > b.high {
			return &paramFault{name: b.name, value: decimal(int64(b.value)), low: decimal(b.low), high: decimal(b.high)}
		}
	}
	return p.windowFault()
}

// paramBound is a number and the bounds that it has beside the other parameters.
type paramBound struct {
	name      string
	value     uint64
	low, high uint64
}

func (p *Params) bounds() []paramBound {
	return []paramBound{
		{"clockSkewMs", uint64(p.ClockSkewMs), 0, maxIntervalMs},
		{"lateAfterMs", uint64(p.LateAfterMs), 1, maxPeriodMs},
		{"voidDelayMs", uint64(p.VoidDelayMs), 0, maxPeriodMs},
		{"correctionWindow", p.CorrectionWindow, 0, maxCorrectionWindow},
		{"settleMs", uint64(p.SettleMs), 0, maxPeriodMs},
		{"votingEpochs", p.VotingEpochs, 0, maxVotingEpochs},
		{"maxTxBytes", uint64(p.MaxTxBytes), 1 << 10, maxTxBytesLimit},
		{"maxBlockBytes", uint64(p.MaxBlockBytes), uint64(p.MaxTxBytes), maxBlockBytesLimit},
		{"expiryWindow", p.ExpiryWindow, 1, maxExpiryWindow},
		{"feePerTransaction", p.FeePerTransaction, 0, maxFee},
		{"feePerKiB", p.FeePerKiB, 0, maxFee},
		{"minBond", p.MinBond, 1, maxSupply},
		{"execDelay", p.ExecDelay, 1, MaxExecDelay},
		{"minBlockIntervalMs", uint64(p.MinBlockIntervalMs), 1, maxIntervalMs},
		{"maxBlockIntervalMs", uint64(p.MaxBlockIntervalMs), uint64(p.MinBlockIntervalMs), maxPeriodMs},
		{"baseTimeoutMs", uint64(p.BaseTimeoutMs), 10, maxIntervalMs},
		// The header of a closing block carries the result of a block of its own epoch.
		{"epochLength", p.EpochLength, p.ExecDelay + 1, maxEpochLength},
		{"epochMs", uint64(p.EpochMs), uint64(p.MinBlockIntervalMs), maxPeriodMs},
		// Two, so that a light client that sees every epoch stays inside its trusting period.
		{"unbondingEpochs", p.UnbondingEpochs, 2, maxUnbondingEpochs},
		{"epochReward", p.EpochReward, 0, maxSupply},
		{"slashPpm", p.SlashPpm, 1, million},
		{"downtimePercent", p.DowntimePercent, 1, 100},
		{"downtimeSlots", p.DowntimeSlots, 1, maxEpochLength},
		{"jailMs", uint64(p.JailMs), 0, maxPeriodMs},
	}
}

// windowFault bounds the evidence window: in time, and in epochs when blocks come as fast as they may.
func (p *Params) windowFault() *paramFault {
	// Both factors are inside their bounds, so this stays far below 64 bits.
	window := p.UnbondingEpochs * uint64(p.EpochMs)
	n := window / min(p.EpochLength*uint64(p.MinBlockIntervalMs), uint64(p.EpochMs))
	if window > maxPeriodMs || n > maxKeptEpochs {
		return &paramFault{name: "unbondingEpochs", value: decimal(window), window: true, epochs: decimal(n)}
	}
	return nil
}
