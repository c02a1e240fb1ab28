package ledger

import (
	"encoding"
	"fmt"
	"strconv"
)

// param is a parameter of a Params: its name in the genesis document, with "rules." before that of a rule, and a pointer
// to it.
type param struct {
	name string
	at   any // *uint64, *int64, *uint32 or an encoding.TextUnmarshaler that is a fmt.Stringer
}

// list names every parameter, in the order of the struct.
func (p *Params) list() []param {
	r := &p.Rules
	return []param{
		{"rules.R1", &r.R1}, {"rules.R2", &r.R2}, {"rules.R3", &r.R3}, {"rules.R4", &r.R4}, {"rules.R5", &r.R5}, {"rules.R6", &r.R6},
		{"rules.R7", &r.R7}, {"rules.R8", &r.R8}, {"rules.R9", &r.R9}, {"rules.R10", &r.R10}, {"rules.R11", &r.R11},
		{"rules.R12", &r.R12}, {"rules.R13", &r.R13}, {"rules.R14", &r.R14}, {"rules.R15", &r.R15}, {"rules.R16", &r.R16},
		{"onboarding", &p.Onboarding}, {"admission", &p.Admission},
		{"clockSkewMs", &p.ClockSkewMs}, {"lateAfterMs", &p.LateAfterMs}, {"voidDelayMs", &p.VoidDelayMs},
		{"correctionWindow", &p.CorrectionWindow}, {"settleMs", &p.SettleMs}, {"votingEpochs", &p.VotingEpochs},
		{"maxTxBytes", &p.MaxTxBytes}, {"maxBlockBytes", &p.MaxBlockBytes}, {"expiryWindow", &p.ExpiryWindow},
		{"feePerTransaction", &p.FeePerTransaction}, {"feePerKiB", &p.FeePerKiB}, {"minBond", &p.MinBond},
		{"execDelay", &p.ExecDelay}, {"minBlockIntervalMs", &p.MinBlockIntervalMs}, {"maxBlockIntervalMs", &p.MaxBlockIntervalMs},
		{"baseTimeoutMs", &p.BaseTimeoutMs},
		{"epochLength", &p.EpochLength}, {"epochMs", &p.EpochMs}, {"unbondingEpochs", &p.UnbondingEpochs}, {"epochReward", &p.EpochReward},
		{"slashPpm", &p.SlashPpm}, {"downtimePercent", &p.DowntimePercent}, {"downtimeSlots", &p.DowntimeSlots}, {"jailMs", &p.JailMs},
	}
}

// ParamNames lists the names that [Params.Set] knows, for example "feePerKiB" and "rules.R12".
func ParamNames() []string {
	var names []string
	for _, f := range new(Params).list() {
		names = append(names, f.name)
	}
	return names
}

// Set gives one parameter another value, by its name in the genesis document and the text it has there; numbers are
// decimal. It does not look at bounds: see Validate. The error is of kind ErrGenesis.
func (p *Params) Set(name, value string) error {
	if len(value) > maxValueBytes {
		return malformed(ErrGenesis, "the value of parameter %.40q has %d bytes; at most %d", name, len(value), maxValueBytes)
	}
	for _, f := range p.list() {
		if f.name != name {
			continue
		}
		if err := setParam(f.at, value); err != nil {
			return malformedBy(ErrGenesis, err, "parameter %s: %q", name, value)
		}
		return nil
	}
	return malformed(ErrGenesis, "there is no parameter %.40q", name)
}

func setParam(at any, value string) (err error) {
	switch v := at.(type) {
	case *uint64:
		*v, err = strconv.ParseUint(value, 10, 64)
	case *int64:
		*v, err = strconv.ParseInt(value, 10, 64)
	case *uint32:
		var n uint64
		n, err = strconv.ParseUint(value, 10, 32)
		*v = uint32(n)
	case encoding.TextUnmarshaler:
		err = v.UnmarshalText([]byte(value))
	default:
		panic(fmt.Sprintf("ledger: a parameter of type %T", at))
	}
	return err
}

// Value is the text of a parameter, as Set takes it; false if there is none of that name.
func (p *Params) Value(name string) (string, bool) {
	for _, f := range p.list() {
		if f.name != name {
			continue
		}
		switch v := f.at.(type) {
		case *uint64:
			return strconv.FormatUint(*v, 10), true
		case *int64:
			return strconv.FormatInt(*v, 10), true
		case *uint32:
			return strconv.FormatUint(uint64(*v), 10), true
		case fmt.Stringer:
			return v.String(), true
		}
	}
	return "", false
}
