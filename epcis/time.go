package epcis

import (
	"errors"
	"strings"
	"time"
)

var errTime = errors.New("not a date and time with an offset as in 2026-03-01T08:30:00.000+01:00")

// parseTime reads RFC 3339 with a mandatory offset (xsd:dateTimeStamp) and returns the instant in UTC. It is stricter than
// time.Parse, which takes a comma for the point, and keeps nanoseconds; further digits do not count.
func parseTime(s string) (time.Time, error) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[10] != 'T' || strings.IndexByte(s, ',') >= 0 || len(s) > maxTimeBytes {
		return time.Time{}, errTime
	}
	if at, ok := usualTime(s); ok {
		return at, nil
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, errTime
	}
	return at.UTC(), nil
}

// usualTime reads a time in its usual form, of which time.Parse would make the same without remembering a zone for each.
func usualTime(s string) (time.Time, bool) {
	number := func(from, to int) int {
		n := 0
		for i := from; i < to; i++ {
			if s[i] < '0' || s[i] > '9' {
				return -1
			}
			n = n*10 + int(s[i]-'0')
		}
		return n
	}
	year, month, day := number(0, 4), number(5, 7), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	if s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' || year < 0 || month < 1 || month > 12 || day < 1 || day > 28 ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false // the last days of months are left to time.Parse
	}
	end, nanos := 19, 0
	if s[end] == '.' {
		digits := 0
		for end++; end < len(s) && s[end] >= '0' && s[end] <= '9'; end++ {
			nanos, digits = nanos*10+int(s[end]-'0'), digits+1
			if digits > 9 {
				return time.Time{}, false
			}
		}
		if digits == 0 {
			return time.Time{}, false
		}
		for ; digits < 9; digits++ {
			nanos *= 10
		}
	}
	offset, ok := 0, len(s) == end+1 && s[end] == 'Z'
	if len(s) == end+6 && (s[end] == '+' || s[end] == '-') && s[end+3] == ':' {
		h, m := number(end+1, end+3), number(end+4, end+6)
		ok = h >= 0 && h <= 14 && m >= 0 && m <= 59
		if offset = h*3600 + m*60; s[end] == '-' {
			offset = -offset
		}
	}
	return time.Date(year, time.Month(month), day, hour, minute, second-offset, nanos, time.UTC), ok
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
