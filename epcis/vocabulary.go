package epcis

import (
	"slices"
	"strings"
)

// A vocabulary is one list of standard words with the spellings under which CBV 2.0 and the older CBV 1.2 know them.
// All spellings of a word are one thing; the bare word stands for it inside this package.
type vocabulary struct {
	name  string   // for people
	words []string // sorted
	web   string   // web vocabulary: what precedes the word after the namespace, for example "BizStep-"
	urn   string   // CBV 1.2 URN prefix; "" if the vocabulary has none
	gs1   bool     // the namespace is the GS1 web vocabulary, not the CBV
}

// Namespaces of the standard context and the spellings in use for them.
var (
	epcisNamespaces = []string{"https://ref.gs1.org/epcis/", "https://ns.gs1.org/epcis/", "epcis:"}
	cbvNamespaces   = []string{"https://ref.gs1.org/cbv/", "http://ref.gs1.org/cbv/", "https://ns.gs1.org/cbv/", "http://ns.gs1.org/cbv/", "cbv:"}
	gs1Namespaces   = []string{"https://gs1.org/voc/", "http://gs1.org/voc/", "https://www.gs1.org/voc/", "http://www.gs1.org/voc/", "https://ref.gs1.org/voc/", "gs1:"}
)

// standardPrefixes are those that the EPCIS JSON-LD context declares for everybody, and the two that published
// documents use without declaring them.
var standardPrefixes = []Namespace{
	{"cbv", "https://ref.gs1.org/cbv/"},
	{"cbvmda", "urn:epcglobal:cbv:mda:"},
	{"dcterms", "http://purl.org/dc/terms/"},
	{"epcis", "https://ref.gs1.org/epcis/"},
	{"gs1", "https://gs1.org/voc/"},
	{"owl", "http://www.w3.org/2002/07/owl#"},
	{"rdfs", "http://www.w3.org/2000/01/rdf-schema#"},
	{"xsd", "http://www.w3.org/2001/XMLSchema#"},
}

// The vocabularies of CBV 2.0, sections 7.1 to 7.9, and the sensor vocabularies of the GS1 web vocabulary.
var (
	bizSteps = vocabulary{name: "business step", web: "BizStep-", urn: "urn:epcglobal:cbv:bizstep:", words: words(
		"accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting",
		"decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting",
		"installing killing loading other packing picking receiving removing repackaging repairing replacing reserving",
		"retail_selling sampling sensor_reporting shipping staging_outbound stock_taking stocking storing transporting",
		"unloading unpacking void_shipping")}
	dispositions = vocabulary{name: "disposition", web: "Disp-", urn: "urn:epcglobal:cbv:disp:", words: words(
		"active available completeness_inferred completeness_verified conformant container_closed container_open damaged",
		"destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class mismatch_instance",
		"mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed",
		"recalled reserved retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable unknown")}
	bizTransactionTypes = vocabulary{name: "business transaction type", web: "BTT-", urn: "urn:epcglobal:cbv:btt:", words: words(
		"bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt")}
	sourceDestTypes = vocabulary{name: "source or destination type", web: "SDT-", urn: "urn:epcglobal:cbv:sdt:", words: words(
		"location owning_party possessing_party")}
	errorReasons = vocabulary{name: "error reason", web: "ER-", urn: "urn:epcglobal:cbv:er:", words: words(
		"did_not_occur incorrect_data")}
	components = vocabulary{name: "sensor component", web: "Comp-", words: words(
		"altitude axial_distance azimuth easting elevation_angle height latitude longitude northing polar_angle",
		"spherical_radius x y z")}
	sensorAlerts = vocabulary{name: "sensor alert type", gs1: true, words: words("ALARM_CONDITION ERROR_CONDITION")}
	measurements = vocabulary{name: "measurement type", gs1: true, words: words(
		"AbsoluteHumidity AbsorbedDose AbsorbedDoseRate Acceleration Altitude AmountOfSubstance",
		"AmountOfSubstancePerUnitVolume Angle AngularAcceleration AngularMomentum AngularVelocity Area Capacitance",
		"Conductance Conductivity Count Density Dimensionless DoseEquivalent DoseEquivalentRate DynamicViscosity",
		"ElectricCharge ElectricCurrent ElectricCurrentDensity ElectricFieldStrength Energy Exposure Force Frequency",
		"Illuminance Inductance Irradiance KinematicViscosity Length LinearMomentum Luminance LuminousFlux",
		"LuminousIntensity MagneticFlux MagneticFluxDensity MagneticVectorPotential Mass MassConcentration",
		"MassFlowRate MassPerAreaTime MemoryCapacity MolalityOfSolute MolarEnergy MolarMass MolarVolume Power Pressure",
		"RadiantFlux RadiantIntensity Radioactivity RelativeHumidity Resistance Resistivity SolidAngle SpecificVolume",
		"Speed SurfaceDensity SurfaceTension Temperature Time Torque Voltage Volume VolumeFlowRate VolumeFraction",
		"VolumetricFlux Wavenumber")}
)

func words(lines ...string) []string {
	list := strings.Fields(strings.Join(lines, " "))
	slices.Sort(list)
	return list
}

// has reports whether word is a bare word of the vocabulary.
func (v *vocabulary) has(word string) bool {
	_, found := slices.BinarySearch(v.words, word)
	return found
}

// normalise returns the bare word of a standard value however it is spelled, the expanded form of a name with a
// declared prefix, and anything else as it is.
func (v *vocabulary) normalise(s string, prefixes prefixMap) string {
	if strings.IndexByte(s, ':') < 0 {
		return s
	}
	if word := v.bare(s); word != "" {
		return word
	}
	full := prefixes.expand(s)
	if word := v.bare(full); word != "" {
		return word
	}
	return full
}

// bare returns the word of a standard value in one of its longer spellings; "" if s is none.
func (v *vocabulary) bare(s string) string {
	var word string
	switch {
	case v.urn != "" && strings.HasPrefix(s, v.urn):
		word = s[len(v.urn):]
	case v.gs1:
		word = trimAny(s, gs1Namespaces)
	default:
		local := trimAny(s, cbvNamespaces)
		if !strings.HasPrefix(local, v.web) {
			return ""
		}
		word = local[len(v.web):]
	}
	if v.has(word) {
		return word
	}
	return ""
}

// uri returns the web vocabulary URI of a normalised value.
func (v *vocabulary) uri(s string) string {
	if !v.has(s) {
		return s
	}
	return string(v.appendURI(nil, s))
}

// appendURI appends what uri returns.
func (v *vocabulary) appendURI(b []byte, s string) []byte {
	if !v.has(s) {
		return append(b, s...)
	}
	if v.gs1 {
		return append(append(b, gs1Namespaces[0]...), s...)
	}
	return append(append(append(b, cbvNamespaces[0]...), v.web...), s...)
}

// trimAny returns s without the first of the prefixes it has.
func trimAny(s string, prefixes []string) string {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return s[len(p):]
		}
	}
	return s
}

// prefixMap holds the prefixes in force for an event, those of its document first, so that later ones win.
type prefixMap []Namespace

// lookup returns what a prefix stands for: declared, or of the standard context.
func (p prefixMap) lookup(prefix string) (string, bool) {
	if prefix == "" {
		return "", false
	}
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].Prefix == prefix {
			return p[i].URI, true
		}
	}
	for _, n := range standardPrefixes {
		if n.Prefix == prefix {
			return n.URI, true
		}
	}
	return "", false
}

// expand replaces a known prefix by its namespace; what follows "//" is no local name (JSON-LD 1.1, section 5.1.2).
func (p prefixMap) expand(s string) string {
	prefix, local, found := strings.Cut(s, ":")
	if !found || strings.HasPrefix(local, "//") {
		return s
	}
	if ns, ok := p.lookup(prefix); ok {
		return ns + local
	}
	return s
}

// growth returns the length of what expand makes, 0 if that is the text itself.
func (p prefixMap) growth(s string) int {
	prefix, local, found := strings.Cut(s, ":")
	if !found || strings.HasPrefix(local, "//") {
		return 0
	}
	if ns, ok := p.lookup(prefix); ok {
		return len(ns) + len(local)
	}
	return 0
}

// BizStep, Disposition and the following return the one form of a vocabulary value in which events hold it: the bare
// word of a standard value however it is spelled, anything else unchanged. They are for queries, whose parameters come
// in any spelling.
func BizStep(s string) string { return bizSteps.normalise(s, nil) }

// Disposition is to dispositions what [BizStep] is to business steps.
func Disposition(s string) string { return dispositions.normalise(s, nil) }

// BizTransactionType is to types of business transactions what [BizStep] is to business steps.
func BizTransactionType(s string) string { return bizTransactionTypes.normalise(s, nil) }

// SourceDestType is to types of sources and destinations what [BizStep] is to business steps.
func SourceDestType(s string) string { return sourceDestTypes.normalise(s, nil) }

// ErrorReason is to reasons of error declarations what [BizStep] is to business steps.
func ErrorReason(s string) string { return errorReasons.normalise(s, nil) }

// MeasurementType is to types of sensor reports what [BizStep] is to business steps.
func MeasurementType(s string) string { return measurements.normalise(s, nil) }

// BizStepURI returns the CBV web vocabulary URI of a business step, for example
// "https://ref.gs1.org/cbv/BizStep-shipping"; a value that is not standard is returned as it is.
func BizStepURI(s string) string { return bizSteps.uri(BizStep(s)) }

// DispositionURI is to dispositions what [BizStepURI] is to business steps.
func DispositionURI(s string) string { return dispositions.uri(Disposition(s)) }
