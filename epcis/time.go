package epcis

import (
	"errors"
	"strings"
	"time"
)

var errTime = errors.New("not a date and time with an offset as in 2026-03-01T08:30:00.000+01:00")

// parseTime reads RFC 3339 with a mandatory offset (xsd:dateTimeStamp). It is stricter than time.Parse, which takes a
// comma for the point, and keeps nanoseconds; further digits do not count.
func parseTime(s string) (time.Time, error) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[10] != 'T' || strings.IndexByte(s, ',') >= 0 || len(s) > maxTimeBytes {
		return time.Time{}, errTime
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, errTime
	}
	return at, nil
}

const maxTimeBytes = 48

// validOffset reports whether s is a time zone offset as EPCIS 2.0 writes it: from -14:00 to +14:00.
func validOffset(s string) bool {
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' || !allDigits(s[1:3]) || !allDigits(s[4:]) {
		return false
	}
	hours, minutes := s[1:3], s[4:]
	return hours < "14" && minutes < "60" || hours == "14" && minutes == "00"
}
