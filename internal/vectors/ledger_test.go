package vectors

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/ledger"
)

func identifierInputs() (out []vector) {
	for _, text := range []string{
		"urn:epc:id:sgtin:9521321.000001.1", "https://id.gs1.org/01/09521321000018/21/1", "(01)09521321000018(21)1", "https://example.com/x/01/09521321000018/21/1",
		"urn:epc:class:lgtin:9521321.000001.A", "https://id.gs1.org/01/09521321000018/10/A", "(01)09521321000018(10)A", "urn:epc:idpat:sgtin:9521321.000001.*",
		"https://id.gs1.org/01/09521321000018", "urn:epc:id:sscc:9521321.0000000001", "https://id.gs1.org/00/095213210000000018", "(00)095213210000000018",
		"urn:epc:id:sgln:9521321.00001.0", "https://id.gs1.org/414/9521321000018", "https://id.gs1.org/414/9521321000018/254/1", "urn:epc:id:pgln:9521321.00001",
		"https://id.gs1.org/417/9521321000018", "urn:epc:id:grai:9521321.00001.7", "https://id.gs1.org/8003/095213210000187", "urn:epc:id:giai:9521321.A1",
		"https://id.gs1.org/8004/9521321A1", "urn:epc:id:gdti:9521321.00001.5", "https://id.gs1.org/253/95213210000185", "urn:epc:id:gsrn:9521321.0000000001",
		"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "https://example.com/thing/7", "urn:example:thing", "https://id.gs1.org/01/09521321000018/22/2A/10/A/21/1",
		// Refused: check digits, lengths, characters, nothing at all.
		"https://id.gs1.org/01/09521321000017/21/1", "https://id.gs1.org/01/9521321000016", "(00)095213210000000017", "urn:epc:id:sgtin:9521321.00001.1", "urn:epc:id:sscc:95.1",
		"urn:epc:id:sgtin:9521321.000001.", "", " ", "hello", "https://", "urn:epc:id:nothing:1.2", "(01)", "(99)1(01)2", "https://id.gs1.org/414/9521321000019",
		"https://id.gs1.org/01/09521321000018/21/" + strings.Repeat("1", 21), "https://id.gs1.org/01/09521321000018/10/" + strings.Repeat("A", 21),
		"https://id.gs1.org/01/09521321000018/21/%20%20", "urn:epc:id:sgtin:9521321.000001.%zz",
	} {
		out = append(out, vector{Name: text, In: texts{"text": text}})
	}
	return out
}

func identifier(in texts) (texts, error) {
	id, err := gs1.Parse(in["text"])
	if err != nil {
		return nil, err
	}
	out := texts{"canonical": id.Canonical(), "class": id.Class().Canonical(), "lot": id.Lot(), "serial": id.Serial(), "prefixDigits": id.PrefixDigits()}
	for name, value := range out {
		if value == "" {
			delete(out, name)
		}
	}
	return out, nil
}

// eventInputs are documents of one event each, with one thing varied at a time.
func eventInputs() (out []vector) {
	const head = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{"ex":"https://example.com/ns/"}],"type":"EPCISDocument",` +
		`"schemaVersion":"2.0","creationDate":"2026-01-01T00:00:00Z","epcisBody":{"eventList":[`
	add := func(name, event string) {
		out = append(out, vector{Name: name, In: texts{"document": head + event + "]}}"}})
	}
	object := func(more string) string {
		return `{"type":"ObjectEvent","eventTime":"2026-03-04T05:06:07.089+02:00","eventTimeZoneOffset":"+02:00","action":"ADD","epcList":["https://id.gs1.org/01/09521321000018/21/1"]` + more + `}`
	}
	add("plain", object(""))
	for name, more := range map[string]string{
		"step word": `,"bizStep":"commissioning"`, "step as URI": `,"bizStep":"https://ref.gs1.org/cbv/BizStep-commissioning"`,
		"step as URN": `,"bizStep":"urn:epcglobal:cbv:bizstep:commissioning"`, "disposition": `,"bizStep":"commissioning","disposition":"active"`,
		"event id": `,"eventID":"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"`, "record time is no part": `,"recordTime":"2026-03-04T05:06:08Z"`,
		"read point": `,"readPoint":{"id":"https://id.gs1.org/414/9521321000018"}`, "location as URN": `,"bizLocation":{"id":"urn:epc:id:sgln:9521321.00001.0"}`,
		"transactions":            `,"bizTransactionList":[{"type":"po","bizTransaction":"urn:epcglobal:cbv:bt:9521321000018:1"},{"bizTransaction":"urn:epcglobal:cbv:bt:9521321000018:0"}]`,
		"destinations":            `,"sourceList":[{"type":"possessing_party","source":"urn:epc:id:pgln:9521321.00001"}],"destinationList":[{"type":"owning_party","destination":"urn:epc:id:pgln:9521321.00002"}]`,
		"quantities":              `,"quantityList":[{"epcClass":"https://id.gs1.org/01/09521321000018/10/A","quantity":12.50,"uom":"KGM"},{"epcClass":"urn:epc:class:lgtin:9521321.000001.B"}]`,
		"quantity spelled longer": `,"quantityList":[{"epcClass":"https://id.gs1.org/01/09521321000018/10/A","quantity":1.25e1,"uom":"KGM"},{"epcClass":"urn:epc:class:lgtin:9521321.000001.B"}]`,
		"master data":             `,"ilmd":{"ex:lotNumber":"A","ex:best":{"ex:before":"2027-01-01"}}`, "extension": `,"ex:colour":"green"`, "extensions": `,"ex:colour":["green","red"],"ex:n":7`,
		"sensor":         `,"sensorElementList":[{"sensorMetadata":{"time":"2026-03-04T05:06:07Z"},"sensorReport":[{"type":"Temperature","value":3.5,"uom":"CEL"}]}]`,
		"certification":  `,"certificationInfo":["https://example.com/certificates/1"]`,
		"declared wrong": `,"errorDeclaration":{"declarationTime":"2026-03-05T00:00:00Z","reason":"incorrect_data"}`,
		"persistent":     `,"persistentDisposition":{"set":["completeness_verified"]}`,
	} {
		add(name, object(more))
	}
	for i := range 20 {
		add(fmt.Sprint("serials ", i), strings.Replace(object(""), "/21/1", fmt.Sprintf("/21/S%d\",\"urn:epc:id:sgtin:9521321.000001.T%d", i, i), 1))
	}
	for i, offset := range []string{"+00:00", "-11:30", "+14:00", "-00:00"} {
		add(fmt.Sprint("offset ", i), strings.Replace(object(""), `"+02:00"`, `"`+offset+`"`, 1))
	}
	add("aggregation", `{"type":"AggregationEvent","eventTime":"2026-03-04T05:06:07Z","eventTimeZoneOffset":"+02:00","action":"ADD","parentID":"https://id.gs1.org/00/095213210000000018","childEPCs":["urn:epc:id:sgtin:9521321.000001.1"]}`)
	add("association", `{"type":"AssociationEvent","eventTime":"2026-03-04T05:06:07Z","eventTimeZoneOffset":"+02:00","action":"ADD","parentID":"https://id.gs1.org/00/095213210000000018","childEPCs":["urn:epc:id:giai:9521321.A1"]}`)
	add("transaction", `{"type":"TransactionEvent","eventTime":"2026-03-04T05:06:07Z","eventTimeZoneOffset":"+02:00","action":"ADD","bizTransactionList":[{"type":"po","bizTransaction":"urn:x:1"}],"epcList":["urn:epc:id:sgtin:9521321.000001.1"]}`)
	add("transformation", `{"type":"TransformationEvent","eventTime":"2026-03-04T05:06:07Z","eventTimeZoneOffset":"+02:00","transformationID":"urn:x:t","inputQuantityList":[{"epcClass":"https://id.gs1.org/01/09521321000018/10/A","quantity":3,"uom":"KGM"}],"outputEPCList":["urn:epc:id:sgtin:9521321.000001.9"]}`)
	for name, event := range map[string]string{
		"no time":   `{"type":"ObjectEvent","eventTimeZoneOffset":"+02:00","action":"ADD","epcList":["urn:epc:id:sgtin:9521321.000001.1"]}`,
		"no type":   `{"eventTime":"2026-03-04T05:06:07Z","eventTimeZoneOffset":"+02:00","action":"ADD"}`,
		"key twice": object(`,"action":"ADD"`), "not JSON": `{"type":`, "bad time": strings.Replace(object(""), "2026-03-04", "2026-13-04", 1),
		"bad offset": strings.Replace(object(""), `"+02:00"`, `"two"`, 1), "number too large": object(`,"quantityList":[{"epcClass":"urn:epc:class:lgtin:9521321.000001.B","quantity":1e400}]`),
	} {
		add(name, event)
	}
	return sorted(out, 1)
}

func event(in texts) (texts, error) {
	doc, err := epcis.ParseDocument([]byte(in["document"]))
	if err != nil {
		return nil, err
	}
	if len(doc.Events) != 1 {
		return nil, errors.New("one event")
	}
	e := doc.Events[0]
	raw, err := epcis.EncodeEvent(e)
	if err != nil {
		return nil, err
	}
	cbv, err := e.CBVHash()
	if err != nil {
		return nil, err
	}
	return texts{"hash": e.Hash().String(), "cbvHash": cbv, "encoded": hex.EncodeToString(raw), "faults": fmt.Sprint(len(e.Validate()))}, nil
}

// transactionInputs hold one of each kind, and spoiled ones.
func transactionInputs() (out []vector) {
	author := keyOf("author")
	add := func(name string, raw []byte) {
		out = append(out, vector{Name: name, In: texts{"transaction": hex.EncodeToString(raw)}})
	}
	for i, p := range payloads() {
		body, err := ledger.NewBody(network, author.Address(), quorum.Height(100+i), p)
		if err != nil {
			panic(err)
		}
		tx, err := ledger.Sign(body, author)
		if err != nil {
			panic(fmt.Sprintf("%s: %v", p.Kind(), err))
		}
		add(p.Kind().String(), tx.Raw())
		add(p.Kind().String()+", one bit of the body changed", flip(tx.Raw(), 8*(20+i)+i%8))
		add(p.Kind().String()+", cut short", tx.Raw()[:len(tx.Raw())-1-i])
	}
	return out
}

func transaction(in texts) (texts, error) {
	tx, err := ledger.DecodeTransaction(in.bytes("transaction"))
	if err != nil {
		return nil, err
	}
	if r := ledger.VerifyTransactions([]*ledger.Transaction{tx}); r[0].Err != nil {
		return nil, r[0].Err
	}
	return texts{"id": tx.ID().String(), "kind": tx.Body.Kind.String(), "author": tx.Body.Author.String(), "signatures": fmt.Sprint(len(tx.Signatures))}, nil
}

// payloads are one of each kind that an author signs alone.
func payloads() []ledger.Payload {
	a, k, h := keyOf("other").Address(), keyOf("other").Public(), crypto.Hash(some("named", crypto.HashSize))
	const lot, class = "https://id.gs1.org/01/09521321000018/10/A", "https://id.gs1.org/01/09521321000018"
	doc := eventInputs()[0].In["document"]
	parsed, err := epcis.ParseDocument([]byte(doc))
	if err != nil {
		panic(err)
	}
	raw, err := epcis.EncodeEvent(parsed.Events[0])
	if err != nil {
		panic(err)
	}
	return []ledger.Payload{
		&ledger.Capture{Events: [][]byte{raw}},
		&ledger.RegisterOrganisation{Name: "Green Valley", Roles: []string{"farm"}, Parties: []string{"https://id.gs1.org/417/9521321000018"}},
		&ledger.AdmitOrganisation{Organisation: a, Admitted: true},
		&ledger.AddKey{Key: k}, &ledger.RevokeKey{Key: k, FromHeight: 7},
		&ledger.ClaimPrefix{Prefix: "9521321"}, &ledger.ApprovePrefix{Prefix: "9521321", Organisation: a},
		&ledger.Delegate{To: a, Scope: class, UntilMs: 5}, &ledger.RevokeDelegation{To: a, Scope: class},
		&ledger.PutMasterData{Type: "product", ID: class, Attributes: []ledger.Attribute{{Name: "name", Value: "Romaine hearts"}}},
		&ledger.Transfer{To: a, Amount: 5}, &ledger.Bond{Validator: k, Amount: 6}, &ledger.Unbond{Validator: k, Amount: 7}, &ledger.Unjail{Validator: k},
		&ledger.Notice{Type: ledger.Recall, Subjects: []string{lot}, Reason: "glass"},
		&ledger.AcknowledgeNotice{Notice: h, Status: ledger.AckReceived}, &ledger.ReleaseNotice{Notice: h, Reason: "tested"},
		&ledger.Dispute{Shipment: h, Lines: []ledger.DisputeLine{{Kind: ledger.Shortage, ID: lot, Unit: "KGM", Amount: ledger.Amount{Coefficient: 5}}}},
		&ledger.Resolve{Dispute: h, Lines: []ledger.Resolution{{Line: 0, Outcome: ledger.Lost}}},
		&ledger.Attest{ID: "https://example.com/certificates/1", Subject: a, Claim: "organic", Model: ledger.Segregated, FromMs: 1, UntilMs: 2},
		&ledger.RevokeAttestation{ID: "https://example.com/certificates/1", Reason: "fraud"},
		&ledger.Anchor{Document: h, About: lot, Media: "application/pdf"},
		&ledger.DeclareYield{Output: class, MostPpm: 800_000},
		&ledger.SetThreshold{M: 2},
		&ledger.Propose{Title: "Cheaper", Action: ledger.Action{Kind: ledger.ActParams, Params: []ledger.ParamChange{{Name: "feePerKiB", Value: "1"}}}},
		&ledger.Vote{Proposal: h, Yes: true},
	}
}
