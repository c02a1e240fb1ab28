package gs1

import (
	"strings"
	"testing"

	"waybill/internal/dense"
)

// TestDecodersAllocateLittle: no text makes Parse allocate more than 64 KiB and 16 times its length.
func TestDecodersAllocateLittle(t *testing.T) {
	search := dense.NewSearch(t, 1<<20)
	for _, stem := range []string{"urn:epc:id:sgtin:", "https://id.gs1.org/01/", "https://id.gs1.org/01/09521321000012/21/", "(01)", "(01)09521321000012(21)", "(", ")", "%", "%41", "/", ".", "é", "\xff", "urn:", "a:", "01", "\x1d"} {
		for _, tail := range []string{"1", "%41", "%zz", "/", "(21)1", ".", "?", "&a=b", "é", "\xff", "\x00"} {
			for _, n := range []int{1, 20, 200, 1000, 100_000} {
				search.Try("repeated", []byte(stem+strings.Repeat(tail, n)), func(data []byte) {
					_, _ = Parse(string(data))
					_, _ = ParseLenient(string(data))
				})
			}
		}
	}
	search.Report("Parse and ParseLenient")
}
