package epcis

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestItems(t *testing.T) {
	_, d := chain(t)
	var got []string
	for _, e := range d.Events {
		for _, it := range e.Items() {
			quantity := ""
			if it.Quantity != nil {
				quantity = it.Quantity.String() + it.UOM
			}
			got = append(got, fmt.Sprintf("%s %s %v %s %s", it.Role, it.Key, it.Class, quantity, it.Pointer))
		}
		got = append(got, "")
	}
	want := `epc https://id.gs1.org/01/09521321123458/21/1001 false  /epcList/0
epc https://id.gs1.org/01/09521321123458/21/1002 false  /epcList/1
epc https://id.gs1.org/01/09521321123458/10/FIELD-7 true 1200.5KGM /quantityList/0/epcClass

parent https://id.gs1.org/00/195213210000000176 false  /parentID
child https://id.gs1.org/01/09521321123458/21/1001 false  /childEPCs/0
child https://id.gs1.org/01/09521321123458 true 40 /childQuantityList/0/epcClass


parent https://id.gs1.org/00/195213210000000176 false  /parentID
epc https://id.gs1.org/01/09521321123458/21/1001 false  /epcList/0

input https://id.gs1.org/01/09521321123458/21/1001 false  /inputEPCList/0
input https://id.gs1.org/01/09521321123458/10/FIELD-7 true 600.25KGM /inputQuantityList/0/epcClass
output https://id.gs1.org/01/09521141000014/10/SALAD-1 true 3000 /outputQuantityList/0/epcClass

parent https://id.gs1.org/8003/09521321001008C7 false  /parentID
child https://id.gs1.org/8004/9521321T1 false  /childEPCs/0
`
	if joined := strings.Join(got, "\n"); joined != want {
		t.Errorf("items\n%s\nwant\n%s", joined, want)
	}
}

func TestMasterData(t *testing.T) {
	const text = `{"@context":{"g":"https://gs1.org/voc/"},"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"ADD",
		"quantityList":[{"epcClass":"urn:epc:class:lgtin:9521321.012345.FROM-ID","quantity":1}],"ilmd":{%s}}`
	endOf := func(day string) int64 {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixMilli() + 24*3600*1000 - 1
	}
	for ilmd, want := range map[string]struct {
		lot    string
		expiry int64
	}{
		``: {"FROM-ID", 0},
		`"cbvmda:lotNumber":"L1","cbvmda:itemExpirationDate":"2026-03-12"`:                         {"L1", endOf("2026-03-12")},
		`"g:hasBatchLotNumber":"L2","g:expirationDate":{"@type":"xsd:date","@value":"2026-03-13"}`: {"L2", endOf("2026-03-13")},
		`"urn:epcglobal:cbv:mda:lotNumber":"L3","gs1:expirationDateTime":"2026-03-12T10:00:00Z"`:   {"L3", 1773309600000},
		`"cbvmda:itemExpirationDate":"next week"`:                                                  {"FROM-ID", 0},
		`"x:lotNumber":"L4","cbvmda:itemExpirationDate":"2026-03-12T10:00:00"`:                     {"FROM-ID", endOf("2026-03-12")},
		`"cbvmda:lotNumber":123`:          {"123", 0},
		`"cbvmda:itemExpirationDate":"é"`: {"FROM-ID", 0},
	} {
		e := mustEvent(t, fmt.Sprintf(text, ilmd))
		if got := e.LotNumber(); got != want.lot {
			t.Errorf("%s: lot %q, want %q", ilmd, got, want.lot)
		}
		if got, ok := e.ItemExpirationDate(); got != want.expiry || ok != (want.expiry != 0) {
			t.Errorf("%s: expiry %d %v, want %d", ilmd, got, ok, want.expiry)
		}
	}
}

// TestVocabulariesAreComplete compares the words with those of the published schema.
func TestVocabulariesAreComplete(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(dataDir(t), "schema", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Components struct {
			Schemas map[string]struct {
				AnyOf []struct{ Enum []string }
			}
		}
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	for name, voc := range map[string]*vocabulary{"bizStep": &bizSteps, "disposition": &dispositions, "bizTransaction-type": &bizTransactionTypes,
		"source-dest-type": &sourceDestTypes, "error-reason": &errorReasons, "component": &components, "measurementType": &measurements, "sensorAlertType": &sensorAlerts} {
		var want []string
		for _, alternative := range schema.Components.Schemas[name].AnyOf {
			want = append(want, alternative.Enum...)
		}
		slices.Sort(want)
		if len(want) == 0 || !slices.Equal(want, voc.words) {
			t.Errorf("%s: %v, want %v", name, voc.words, want)
		}
	}
}

// TestVocabularySpellings: every spelling of every word is the word, and its URI comes back to it.
func TestVocabularySpellings(t *testing.T) {
	for _, voc := range []*vocabulary{&bizSteps, &dispositions, &bizTransactionTypes, &sourceDestTypes, &errorReasons, &components, &measurements, &sensorAlerts} {
		namespaces := cbvNamespaces
		if voc.gs1 {
			namespaces = gs1Namespaces
		}
		for _, word := range voc.words {
			spellings := []string{word, voc.uri(word)}
			for _, ns := range namespaces {
				spellings = append(spellings, ns+voc.web+word)
			}
			if voc.urn != "" {
				spellings = append(spellings, voc.urn+word)
			}
			for _, s := range spellings {
				if got := voc.normalise(s, nil); got != word {
					t.Errorf("%s: %s is %s", voc.name, s, got)
				}
			}
		}
	}
	own := prefixMap{{"mine", "https://ref.gs1.org/cbv/"}, {"x", "https://x.example/#"}}
	for s, want := range map[string]string{
		"mine:BizStep-shipping": "shipping", "x:washing": "https://x.example/#washing", "y:washing": "y:washing", "washing": "washing",
		"cbv:BizStep-washing": "https://ref.gs1.org/cbv/BizStep-washing", "cbv:Disp-active": "https://ref.gs1.org/cbv/Disp-active", "x://host/path": "x://host/path",
	} {
		if got := bizSteps.normalise(s, own); got != want {
			t.Errorf("%s is %s, want %s", s, got, want)
		}
	}
	if BizStep("cbv:BizStep-shipping") != "shipping" || Disposition("urn:epcglobal:cbv:disp:active") != "active" || BizStepURI("shipping") != "https://ref.gs1.org/cbv/BizStep-shipping" {
		t.Error("the exported forms differ")
	}
}
