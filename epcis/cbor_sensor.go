package epcis

func (r *reader) element(s *SensorElement) {
	r.keys(2, func(key uint64) {
		switch key {
		case 0:
			s.Metadata = r.metadata()
		case 1:
			s.Reports = listOf(r, reportRoom, r.report)
		case 2:
			s.Extensions = r.extensions()
		}
	})
}

func (r *reader) metadata() *SensorMetadata {
	if !r.Take(1, metadataRoom) {
		return nil
	}
	m := &SensorMetadata{}
	r.keys(1, func(key uint64) {
		if key == 1 {
			m.Extensions = r.extensions()
			return
		}
		fields := m.fields()
		r.textFields(fields[:])
	})
	return m
}

// textFields reads the standard fields that hold a text: a map by position, which is left out when it is empty.
func (r *reader) textFields(fields []textField) {
	n := 0
	r.keys(uint64(len(fields)-1), func(key uint64) {
		*fields[key].text = r.some()
		n++
	})
	if n == 0 {
		r.fail("no sensor fields are left out")
	}
}

func (r *reader) report(s *SensorReport) {
	r.keys(5, func(key uint64) {
		switch key {
		case 0:
			fields := s.textFields()
			r.textFields(fields[:])
		case 1:
			r.numbers(s)
		case 2:
			r.textNumbers(s)
		case 3:
			if r.Take(1, pointerRoom) {
				text := r.Text()
				s.StringValue = &text
			}
		case 4:
			if r.Take(1, pointerRoom) {
				yes := r.Bool()
				s.BooleanValue = &yes
			}
		case 5:
			s.Extensions = r.extensions()
		}
	})
}

func (r *reader) numbers(s *SensorReport) {
	fields, n := s.numberFields(), 0
	r.keys(uint64(len(fields)-1), func(key uint64) {
		*fields[key].value = r.decimal()
		n++
	})
	if n == 0 {
		r.fail("no sensor numbers are left out")
	}
}

// textNumbers reads which of the numbers were written as texts: their positions, ascending.
func (r *reader) textNumbers(s *SensorReport) {
	fields, positions := s.numberFields(), r.Shared()
	if len(positions) == 0 || len(positions) > len(fields) {
		r.fail("the numbers written as texts are some of %d", len(fields))
		return
	}
	if !r.Take(len(positions), textRoom) {
		return
	}
	s.TextNumbers = make([]string, 0, len(positions))
	for i, at := range positions {
		if int(at) >= len(fields) || *fields[at].value == nil || i > 0 && positions[i-1] >= at {
			r.fail("the numbers written as texts are not ascending or absent")
			return
		}
		s.TextNumbers = append(s.TextNumbers, fields[at].name)
	}
}
