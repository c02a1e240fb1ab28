package api

import (
	"net/http"
	"strconv"
	"strings"

	"waybill/ledger"
)

// Versions of the standards that are spoken here, one each.
const (
	epcisVersion = "2.0.0"
	cbvVersion   = "2.0.0"
)

// maxCaptureEvents is the largest number of events in one capture call.
const maxCaptureEvents = ledger.MaxEvents

const headerErrorBehaviour = "GS1-Capture-Error-Behaviour"

// setGS1 writes a header in the spelling of the standard; HTTP does not care, some clients do.
func setGS1(h http.Header, name, value string) {
	h.Del(name)
	h[name] = []string{value}
}

func gs1Headers(h http.Header) {
	setGS1(h, "GS1-EPCIS-Version", epcisVersion)
	setGS1(h, "GS1-CBV-Version", cbvVersion)
	setGS1(h, "GS1-Extensions", "waybill=https://waybill.example/ns/")
}

// discovery is what OPTIONS tells (EPCIS 2.0, "discovery").
func (s *Server) discovery(h http.Header) {
	gs1Headers(h)
	setGS1(h, "GS1-EPCIS-Min", epcisVersion)
	setGS1(h, "GS1-EPCIS-Max", epcisVersion)
	setGS1(h, "GS1-CBV-Min", cbvVersion)
	setGS1(h, "GS1-CBV-Max", cbvVersion)
	setGS1(h, "GS1-EPC-Format", "Never_Translates")
	setGS1(h, "GS1-CBV-XML-Format", "Never_Translates")
	setGS1(h, "GS1-Vendor-Version", "waybill")
	setGS1(h, headerErrorBehaviour, "all")
	s.captureLimits(h)
}

func (s *Server) captureLimits(h http.Header) {
	setGS1(h, "GS1-EPCIS-Capture-Limit", strconv.Itoa(maxCaptureEvents))
	setGS1(h, "GS1-EPCIS-Capture-File-Size-Limit", strconv.FormatInt(s.cfg.Limits.BodyBytes, 10))
}

// checkGS1Headers refuses a request for versions or forms that cannot be answered.
func checkGS1Headers(h http.Header) error {
	for _, c := range []struct {
		name string
		ok   func(cmp int) bool
	}{
		{"GS1-EPCIS-Version", func(c int) bool { return c <= 0 }},
		{"GS1-CBV-Version", func(c int) bool { return c <= 0 }},
		{"GS1-EPCIS-Min", func(c int) bool { return c <= 0 }},
		{"GS1-EPCIS-Max", func(c int) bool { return c >= 0 }},
		{"GS1-CBV-Min", func(c int) bool { return c <= 0 }},
		{"GS1-CBV-Max", func(c int) bool { return c >= 0 }},
	} {
		text := h.Get(c.name)
		if text == "" {
			continue
		}
		cmp, err := compareVersion(text)
		if err != nil {
			return problem(ErrBadRequest, "%s is not a version", c.name).want("for example 2.0.0", text)
		}
		if !c.ok(cmp) {
			return problem(ErrNotAcceptable, "this node speaks EPCIS and CBV %s only", epcisVersion).want(epcisVersion, c.name+": "+text)
		}
	}
	for _, name := range []string{"GS1-EPC-Format", "GS1-CBV-XML-Format"} {
		switch text := h.Get(name); text {
		case "", "No_Preference", "Never_Translates":
		case "Always_GS1_Digital_Link", "Always_EPC_URN", "Always_URN", "Always_Web_URI":
			return problem(ErrNotAcceptable, "this node answers with identifiers as they were captured").want("No_Preference or Never_Translates", name+": "+text)
		default:
			return problem(ErrBadRequest, "%s has an unknown value", name).want("No_Preference or Never_Translates", text)
		}
	}
	return nil
}

// compareVersion compares a version with 2.0.0: -1, 0 or 1. Missing parts are 0.
func compareVersion(text string) (int, error) {
	parts := strings.Split(text, ".")
	want := [3]int{2, 0, 0}
	if len(parts) > len(want) {
		return 0, strconv.ErrSyntax
	}
	result := 0
	for i := range want {
		n := 0
		if i < len(parts) {
			var err error
			if n, err = strconv.Atoi(parts[i]); err != nil || n < 0 {
				return 0, strconv.ErrSyntax
			}
		}
		if result == 0 && n != want[i] {
			result = 1
			if n < want[i] {
				result = -1
			}
		}
	}
	return result, nil
}

// captureMode reads GS1-Capture-Error-Behaviour; the default is rollback, as in EPCIS.
func captureMode(h http.Header) (ledger.CaptureMode, error) {
	switch text := h.Get(headerErrorBehaviour); text {
	case "", "rollback":
		return ledger.Rollback, nil
	case "proceed":
		return ledger.Proceed, nil
	default:
		return 0, problem(ErrBadRequest, "%s has an unknown value", headerErrorBehaviour).want("rollback or proceed", text)
	}
}

func modeName(m ledger.CaptureMode) string {
	if m == ledger.Proceed {
		return "proceed"
	}
	return "rollback"
}
