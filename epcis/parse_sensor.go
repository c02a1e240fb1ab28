package epcis

func (p *parser) sensorElement(v Value, at *path) SensorElement {
	var s SensorElement
	p.object(v, at, func(m Member, at *path) {
		switch m.Name {
		case "sensorMetadata":
			s.Metadata = p.sensorMetadata(m.Value, at)
		case "sensorReport":
			s.Reports = list(p, m.Value, at, reportRoom, p.sensorReport)
		default:
			p.extension(&s.Extensions, m, at)
		}
	})
	return s
}

func (p *parser) sensorMetadata(v Value, at *path) *SensorMetadata {
	if !p.take(1, metadataRoom) {
		return nil
	}
	s := &SensorMetadata{}
	p.object(v, at, func(m Member, at *path) {
		for _, f := range s.fields() {
			if f.name == m.Name {
				*f.text = p.sensorText(m.Value, at, f.kind)
				return
			}
		}
		p.extension(&s.Extensions, m, at)
	})
	return s
}

// textField is a standard field that holds a text. What kind of text it is decides how it is checked and compared.
type textField struct {
	name string
	text *string
	kind fieldKind
}

type fieldKind uint8

const (
	fieldURI fieldKind = iota
	fieldTime
	fieldPlain
	fieldHex
	fieldMeasurement
	fieldAlert
	fieldComponent
)

// vocabulary returns the vocabulary of a field's values, nil if it has none.
func (k fieldKind) vocabulary() *vocabulary {
	switch k {
	case fieldMeasurement:
		return &measurements
	case fieldAlert:
		return &sensorAlerts
	case fieldComponent:
		return &components
	}
	return nil
}

// fields lists the standard fields in the order of the standard, which is also the order of the CBOR form.
func (s *SensorMetadata) fields() [8]textField {
	return [8]textField{
		{"time", &s.Time.Text, fieldTime},
		{"startTime", &s.StartTime.Text, fieldTime},
		{"endTime", &s.EndTime.Text, fieldTime},
		{"deviceID", &s.DeviceID, fieldURI},
		{"deviceMetadata", &s.DeviceMetadata, fieldURI},
		{"rawData", &s.RawData, fieldURI},
		{"dataProcessingMethod", &s.DataProcessingMethod, fieldURI},
		{"bizRules", &s.BizRules, fieldURI},
	}
}

// textFields lists the fields of a report that hold a non-empty text, in the order of the CBOR form.
func (r *SensorReport) textFields() [15]textField {
	return [15]textField{
		{"type", &r.Type, fieldMeasurement},
		{"exception", &r.Exception, fieldAlert},
		{"deviceID", &r.DeviceID, fieldURI},
		{"deviceMetadata", &r.DeviceMetadata, fieldURI},
		{"rawData", &r.RawData, fieldURI},
		{"dataProcessingMethod", &r.DataProcessingMethod, fieldURI},
		{"bizRules", &r.BizRules, fieldURI},
		{"time", &r.Time.Text, fieldTime},
		{"microorganism", &r.Microorganism, fieldURI},
		{"chemicalSubstance", &r.ChemicalSubstance, fieldURI},
		{"coordinateReferenceSystem", &r.CoordinateReferenceSystem, fieldURI},
		{"component", &r.Component, fieldComponent},
		{"hexBinaryValue", &r.HexBinaryValue, fieldHex},
		{"uriValue", &r.URIValue, fieldURI},
		{"uom", &r.UOM, fieldPlain},
	}
}

// numberField is a standard field that holds an exact number.
type numberField struct {
	name  string
	value **Decimal
}

// numberFields lists the numeric fields of a report, in the order of the CBOR form.
func (r *SensorReport) numberFields() [7]numberField {
	return [7]numberField{
		{"value", &r.Value},
		{"minValue", &r.MinValue},
		{"maxValue", &r.MaxValue},
		{"meanValue", &r.MeanValue},
		{"sDev", &r.SDev},
		{"percRank", &r.PercRank},
		{"percValue", &r.PercValue},
	}
}

func (p *parser) sensorReport(v Value, at *path) SensorReport {
	p.report = SensorReport{}
	r := &p.report // in one place for all: pointers to its fields would keep each from the stack
	texts, numbers := r.textFields(), r.numberFields()
	var written [len(numbers)]bool // as texts
	p.object(v, at, func(m Member, at *path) {
		for _, f := range texts {
			if f.name == m.Name {
				*f.text = p.sensorText(m.Value, at, f.kind)
				return
			}
		}
		for i, f := range numbers {
			if f.name == m.Name {
				if m.Value.kind == Text {
					written[i] = true
					m.Value.kind = Number
				}
				*f.value = p.decimal(m.Value, at)
				return
			}
		}
		p.otherReportField(r, m, at)
	})
	for i, f := range numbers {
		if written[i] && p.take(3, textRoom) {
			r.TextNumbers = append(r.TextNumbers, f.name)
		}
	}
	return *r
}

func (p *parser) sensorText(v Value, at *path, kind fieldKind) string {
	if kind == fieldURI {
		return p.iri(v, at)
	}
	if voc := kind.vocabulary(); voc != nil {
		return p.word(v, at, voc)
	}
	return p.text(v, at)
}

func (p *parser) otherReportField(r *SensorReport, m Member, at *path) {
	switch m.Name {
	case "stringValue":
		if m.Value.kind != Text {
			p.wrongType(at, "text", m.Value)
			return
		}
		if text := m.Value.text; p.take(1, pointerRoom) {
			r.StringValue = &text
		}
	case "booleanValue":
		if m.Value.kind != True && m.Value.kind != False {
			p.wrongType(at, "true or false", m.Value)
			return
		}
		if yes := m.Value.kind == True; p.take(1, pointerRoom) {
			r.BooleanValue = &yes
		}
	default:
		p.extension(&r.Extensions, m, at)
	}
}
