package epcis

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The hash identifier of CBV 2.0, section 8.9: the fields of an event are joined to one text, the pre-hash, in an order
// that the standard gives, and the text is hashed. It leaves out eventID, recordTime and errorDeclaration.
//
// Where the words of the standard and its reference implementation differ, this follows the reference wherever its
// output is deterministic, because an alias is only good if others compute it alike: the lists of business
// transactions, sources and destinations follow after the sensor elements, sorted among ILMD and user extensions, and
// in them the type comes before the identifier. Where the reference depends on how JSON was written (True for true,
// names with undeclared standard prefixes, bare words replaced anywhere in extensions, binary rounding of numbers and
// of half milliseconds, namespaces without a final slash) this follows the words.
//
// It is an alias, never an identity: joining without separators is not injective, and published identifiers differ
// from what the algorithm gives.

// CBVHash returns the hash identifier of CBV 2.0, for example "ni:///sha-256;5b7a…?ver=CBV2.0". The error is a [Faults]
// if the event has no type or no event time, without which the standard defines no hash.
func (e *Event) CBVHash() (string, error) {
	pre, err := e.preHash()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(pre))
	return "ni:///sha-256;" + hex.EncodeToString(sum[:]) + "?ver=CBV2.0", nil
}

func (e *Event) preHash() (string, error) {
	if _, err := parseTime(e.EventTime.Text); err != nil || e.Type.String() == "" {
		return "", Faults{{Pointer: "/eventTime", Kind: FaultMissing, Detail: "without a type and a time an event has no CBV hash", Expected: "date and time with an offset"}}
	}
	h := preHasher{prefixes: prefixMap(e.Namespaces)}
	ordered := []string{
		"eventType=" + e.Type.String(),
		hashTime("eventTime", e.EventTime),
		h.pair("eventTimeZoneOffset", e.TimeZoneOffset),
		h.pairs("certificationInfo", e.CertificationInfo),
		h.pair("parentID", e.ParentID),
		h.list("epcList", h.pairs("epc", e.EPCs)),
		h.list("inputEPCList", h.pairs("epc", e.InputEPCs)),
		h.list("childEPCs", h.pairs("epc", e.ChildEPCs)),
		h.list("quantityList", h.quantities(e.Quantities)),
		h.list("childQuantityList", h.quantities(e.ChildQuantities)),
		h.list("inputQuantityList", h.quantities(e.InputQuantities)),
		h.list("outputEPCList", h.pairs("epc", e.OutputEPCs)),
		h.list("outputQuantityList", h.quantities(e.OutputQuantities)),
		h.pair("action", string(e.Action)),
		h.pair("transformationID", e.TransformationID),
		h.pair("bizStep", bizSteps.uri(e.BizStep)),
		h.pair("disposition", dispositions.uri(e.Disposition)),
		h.persistentDisposition(e.PersistentDisposition),
		h.location("readPoint", e.ReadPoint),
		h.location("bizLocation", e.BizLocation),
		h.list("sensorElementList", h.sensorElements(e.SensorElements)),
	}
	rest := append(h.members(e.Extensions),
		h.list("bizTransactionList", h.refs("bizTransaction", e.BizTransactions, &bizTransactionTypes)),
		h.list("sourceList", h.refs("source", e.Sources, &sourceDestTypes)),
		h.list("destinationList", h.refs("destination", e.Destinations, &sourceDestTypes)),
		h.list("ilmd", joinSorted(h.members(e.ILMD))))
	return strings.Join(ordered, "") + joinSorted(rest), nil
}

// preHasher makes the parts of a pre-hash text.
type preHasher struct{ prefixes prefixMap }

func joinSorted(parts []string) string {
	slices.Sort(parts)
	return strings.Join(parts, "")
}

// list puts the name of a list before its elements, unless there are none.
func (h *preHasher) list(name, elements string) string {
	if elements == "" {
		return ""
	}
	return name + elements
}

// pair writes name=value unless the value is absent.
func (h *preHasher) pair(name, value string) string {
	value = strings.TrimSpace(value)
	if value == "" {
		return ""
	}
	return name + "=" + h.text(value)
}

func (h *preHasher) pairs(name string, values []string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = h.pair(name, v)
	}
	return joinSorted(parts)
}

// hashTime writes an instant in UTC, rounded to milliseconds.
func hashTime(name string, t Timestamp) string {
	at, err := parseTime(t.Text)
	if err != nil {
		return ""
	}
	return name + "=" + at.UTC().Add(500*time.Microsecond).Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z07:00")
}

// text writes a value in the form of the standard: CURIEs and CBV URNs as URIs, numbers without useless digits, GS1
// identifiers as constrained canonical Digital Links.
func (h *preHasher) text(s string) string {
	if prefix, local, found := strings.Cut(s, ":"); found && !strings.HasPrefix(local, "//") {
		for _, n := range h.prefixes {
			if n.Prefix == prefix && prefix != "" {
				s = n.URI + local
			}
		}
	}
	if d, err := ParseDecimal(s); err == nil {
		return plainDecimal(d)
	}
	if isURI(s) {
		return hashCharacters.Replace(cbvURNs.Replace(canonicalID(s)))
	}
	return s
}

// plainDecimal writes a number without an exponent.
func plainDecimal(d Decimal) string {
	if d.Exponent > 0 {
		return strconv.FormatInt(d.Coefficient, 10) + strings.Repeat("0", int(d.Exponent))
	}
	s := d.String()
	mantissa, _, hasExponent := strings.Cut(s, "e")
	if !hasExponent {
		return s
	}
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	return sign + "0." + strings.Repeat("0", -int(d.Exponent)-len(mantissa)) + mantissa
}

var (
	// The Digital Links of the CBV hash leave these characters as they are.
	hashCharacters = strings.NewReplacer("%27", "'", "%3B", ";", "%3D", "=")

	cbvURNs = strings.NewReplacer(
		"urn:epcglobal:cbv:bizstep:", "https://ref.gs1.org/cbv/BizStep-",
		"urn:epcglobal:cbv:disp:", "https://ref.gs1.org/cbv/Disp-",
		"urn:epcglobal:cbv:btt:", "https://ref.gs1.org/cbv/BTT-",
		"urn:epcglobal:cbv:sdt:", "https://ref.gs1.org/cbv/SDT-",
		"urn:epcglobal:cbv:er:", "https://ref.gs1.org/cbv/ER-")
)

func (h *preHasher) quantities(list []Quantity) string {
	parts := make([]string, len(list))
	for i, q := range list {
		amount := ""
		if q.Quantity != nil {
			amount = "quantity=" + plainDecimal(*q.Quantity)
		}
		parts[i] = "quantityElement" + h.pair("epcClass", q.Class) + amount + h.pair("uom", q.UOM) + joinSorted(h.members(q.Extensions))
	}
	return joinSorted(parts)
}

func (h *preHasher) refs(name string, list []TypedRef, types *vocabulary) string {
	parts := make([]string, len(list))
	for i, r := range list {
		parts[i] = h.pair("type", types.uri(r.Type)) + h.pair(name, r.ID) + joinSorted(h.members(r.Extensions))
	}
	return joinSorted(parts)
}

func (h *preHasher) persistentDisposition(d *PersistentDisposition) string {
	if d == nil {
		return ""
	}
	return h.list("persistentDisposition", h.pairs("set", mapTexts(d.Set, dispositions.uri))+
		h.pairs("unset", mapTexts(d.Unset, dispositions.uri))+joinSorted(h.members(d.Extensions)))
}

func (h *preHasher) location(name string, l *Location) string {
	if l == nil {
		return ""
	}
	return h.list(name, h.pair("id", l.ID)+joinSorted(h.members(l.Extensions)))
}

func (h *preHasher) sensorElements(list []SensorElement) string {
	parts := make([]string, len(list))
	for i := range list {
		s := &list[i]
		var b strings.Builder
		if m := s.Metadata; m != nil {
			fields := m.fields()
			var inner strings.Builder
			for _, f := range fields {
				inner.WriteString(h.field(f))
			}
			b.WriteString(h.list("sensorMetadata", inner.String()+joinSorted(h.members(m.Extensions))))
		}
		reports := make([]string, len(s.Reports))
		for j := range s.Reports {
			reports[j] = h.list("sensorReport", h.report(&s.Reports[j]))
		}
		b.WriteString(joinSorted(reports))
		b.WriteString(joinSorted(h.members(s.Extensions)))
		parts[i] = "sensorElement" + b.String()
	}
	return joinSorted(parts)
}

func (h *preHasher) field(f textField) string {
	switch f.kind {
	case fieldTime:
		return hashTime(f.name, Timestamp{*f.text})
	case fieldMeasurement, fieldAlert, fieldComponent:
		if *f.text == "" {
			return ""
		}
		return h.pair(f.name, f.kind.vocabulary().uri(*f.text))
	}
	return h.pair(f.name, *f.text)
}

// reportOrder is the order of the fields of a sensor report in the pre-hash text.
var reportOrder = strings.Fields("type exception deviceID deviceMetadata rawData dataProcessingMethod bizRules time microorganism " +
	"chemicalSubstance value component stringValue booleanValue hexBinaryValue uriValue minValue maxValue meanValue sDev " +
	"percRank percValue uom coordinateReferenceSystem")

func (h *preHasher) report(r *SensorReport) string {
	parts := map[string]string{}
	for _, f := range r.textFields() {
		parts[f.name] = h.field(f)
	}
	for _, f := range r.numberFields() {
		if *f.value != nil {
			parts[f.name] = f.name + "=" + plainDecimal(**f.value)
		}
	}
	if r.StringValue != nil {
		parts["stringValue"] = h.pair("stringValue", *r.StringValue)
	}
	if r.BooleanValue != nil {
		parts["booleanValue"] = "booleanValue=" + strconv.FormatBool(*r.BooleanValue)
	}
	var b strings.Builder
	for _, name := range reportOrder {
		b.WriteString(parts[name])
	}
	return b.String() + joinSorted(h.members(r.Extensions))
}

// members writes user extensions, each as its own text: names with their namespace in braces, lists as repetitions.
// Remarks and comments do not count.
func (h *preHasher) members(x []Member) []string {
	var parts []string
	for _, m := range x {
		if m.Name == "rdfs:comment" || m.Name == "comment" || strings.HasPrefix(m.Name, "_") {
			continue
		}
		parts = h.member(parts, h.name(m.Name), m.Value)
	}
	return parts
}

func (h *preHasher) member(parts []string, name string, v Value) []string {
	switch v.kind {
	case List:
		for _, x := range v.List() {
			parts = h.member(parts, name, x)
		}
		return parts
	case Object:
		return append(parts, name+joinSorted(h.members(v.Members())))
	}
	if pair := h.pair(name, v.Text()); pair != "" {
		return append(parts, pair)
	}
	return append(parts, name)
}

func (h *preHasher) name(name string) string {
	prefix, local, found := strings.Cut(name, ":")
	if found {
		if ns, ok := h.prefixes.lookup(prefix); ok {
			return "{" + ns + "}" + local
		}
	}
	return name
}

func mapTexts(list []string, f func(string) string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return out
}
