package unit

// Dimension is what a unit measures. Amounts in units of one dimension can be added and compared.
type Dimension uint8

// The dimensions. None is that of an unknown unit.
const (
	None Dimension = iota
	Count
	Mass
	Volume
	Length
	Area
	Temperature
	Pressure
	Density
	SpecificVolume
	Force
	Energy
	Torque
	Power
	Charge
	Current
	Resistance
	Conductance
	Angle
	Speed
	Acceleration
	Frequency
	Time
	Voltage
	Capacitance
	FluxDensity
	Inductance
	MagneticFlux
	VectorPotential
	LuminousIntensity
	Illuminance
	Substance
	Radioactivity
	AbsorbedDose
	EffectiveDose
	Ratio
	Concentration
	dimensions // how many there are
)

// dimensionInfo is the name of a dimension and the code of its base unit, in which factors are given.
type dimensionInfo struct{ name, base string }

var dimensionTable = [dimensions]dimensionInfo{
	None:              {"none", ""},
	Count:             {"count", ""},
	Mass:              {"mass", "KGM"},
	Volume:            {"volume", "LTR"},
	Length:            {"length", "MTR"},
	Area:              {"area", "MTK"},
	Temperature:       {"temperature", "KEL"},
	Pressure:          {"pressure", "PAL"},
	Density:           {"density", "KMQ"},
	SpecificVolume:    {"specific volume", "A39"},
	Force:             {"force", "NEW"},
	Energy:            {"energy", "JOU"},
	Torque:            {"torque", "NU"},
	Power:             {"power", "WTT"},
	Charge:            {"charge", "COU"},
	Current:           {"current", "AMP"},
	Resistance:        {"resistance", "OHM"},
	Conductance:       {"conductance", "SIE"},
	Angle:             {"angle", "DD"},
	Speed:             {"speed", "MTS"},
	Acceleration:      {"acceleration", "MSK"},
	Frequency:         {"frequency", "HTZ"},
	Time:              {"time", "SEC"},
	Voltage:           {"voltage", "VLT"},
	Capacitance:       {"capacitance", "FAR"},
	FluxDensity:       {"magnetic flux density", "D33"},
	Inductance:        {"inductance", "81"},
	MagneticFlux:      {"magnetic flux", "WEB"},
	VectorPotential:   {"magnetic vector potential", "D59"},
	LuminousIntensity: {"luminous intensity", "CDL"},
	Illuminance:       {"illuminance", "LUX"},
	Substance:         {"amount of substance", "C34"},
	Radioactivity:     {"radioactivity", "BQL"},
	AbsorbedDose:      {"absorbed dose", "A95"},
	EffectiveDose:     {"effective dose", "D13"},
	Ratio:             {"ratio", "P1"},
	Concentration:     {"concentration", "C36"},
}

// String returns the name, for example "mass".
func (d Dimension) String() string {
	if d < dimensions {
		return dimensionTable[d].name
	}
	return dimensionTable[None].name
}

// Base returns the code of the base unit: "KGM" of mass, "LTR" of volume, "" of a count.
func (d Dimension) Base() string {
	if d < dimensions {
		return dimensionTable[d].base
	}
	return ""
}
