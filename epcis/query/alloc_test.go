package query

import (
	"testing"

	"waybill/internal/dense"
)

// TestDecodersAllocateLittle searches for the densest query.
func TestDecodersAllocateLittle(t *testing.T) {
	search := dense.NewSearch(t, MaxBodyBytes+1)
	search.JSON("query", []byte(`{"EQ_bizStep":["shipping"],"MATCH_epc":["urn:epc:id:sgtin:0614141.107346.*"],"eventTime_ge":"2026-01-01T00:00:00Z","GE_quantity":5,"EQ_value_Temperature":1}`),
		func(data []byte) { _, _ = FromJSON(data) })
	search.Report("FromJSON")
}
