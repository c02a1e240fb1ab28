package query

import (
	"slices"
	"strings"

	"waybill/epcis"
)

func (q *Query) matchesSensors(e *epcis.Event) bool {
	for i := range q.Sensors {
		if !q.Sensors[i].matches(e) {
			return false
		}
	}
	return true
}

func (t *SensorTest) matches(e *epcis.Event) bool {
	if t.Op == OpExists {
		return len(e.SensorElements) > 0
	}
	for i := range e.SensorElements {
		s := &e.SensorElements[i]
		if s.Metadata != nil && t.matchesMetadata(s.Metadata) {
			return true
		}
		if slices.ContainsFunc(s.Reports, func(r epcis.SensorReport) bool { return t.matchesReport(&r) }) {
			return true
		}
	}
	return false
}

// matchesMetadata covers what reports share: times, device, method and rules.
func (t *SensorTest) matchesMetadata(m *epcis.SensorMetadata) bool {
	switch t.Field {
	case "time":
		return t.at(m.Time)
	case "startTime":
		return t.at(m.StartTime)
	case "endTime":
		return t.at(m.EndTime)
	case "deviceID":
		return t.id(m.DeviceID)
	case "dataProcessingMethod":
		return t.id(m.DataProcessingMethod)
	case "bizRules":
		return t.id(m.BizRules)
	}
	return false
}

func (t *SensorTest) matchesReport(r *epcis.SensorReport) bool {
	switch t.Field {
	case "time":
		return t.at(r.Time)
	case "type":
		return slices.Contains(t.Texts, r.Type)
	case "deviceID":
		return t.id(r.DeviceID)
	case "dataProcessingMethod":
		return t.id(r.DataProcessingMethod)
	case "bizRules":
		return t.id(r.BizRules)
	case "microorganism":
		return t.id(r.Microorganism)
	case "chemicalSubstance":
		return t.id(r.ChemicalSubstance)
	case "uriValue":
		return t.id(r.URIValue)
	case "stringValue":
		return r.StringValue != nil && slices.Contains(t.Texts, *r.StringValue)
	case "hexBinaryValue":
		return r.HexBinaryValue != "" && slices.Contains(t.Texts, strings.ToUpper(r.HexBinaryValue))
	case "booleanValue":
		return r.BooleanValue != nil && t.Bool != nil && *r.BooleanValue == *t.Bool
	}
	return t.matchesNumber(r)
}

func (t *SensorTest) matchesNumber(r *epcis.SensorReport) bool {
	numbers := map[string]*epcis.Decimal{
		"value": r.Value, "minValue": r.MinValue, "maxValue": r.MaxValue, "meanValue": r.MeanValue,
		"sDev": r.SDev, "percRank": r.PercRank, "percValue": r.PercValue,
	}
	return t.Number.holds(numbers[t.Field], r.UOM)
}

func (t *SensorTest) at(ts epcis.Timestamp) bool {
	return !ts.IsZero() && t.Time.Contains(ts.UnixMilli())
}

func (t *SensorTest) id(s string) bool { return s != "" && slices.Contains(t.Texts, Key(s)) }
