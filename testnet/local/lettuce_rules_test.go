package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

type memoryView map[string][]byte

func (v memoryView) Read(key []byte) ([]byte, error) { return v[string(key)], nil }

// TestTheLettuceChainIsLegal applies every document of the demonstration to a ledger in memory, and the frauds after
// it: what the demonstration shows on a network must not depend on the network.
func TestTheLettuceChainIsLegal(t *testing.T) {
	companies := map[string]string{}
	keys := map[string]crypto.PrivateKey{}
	g := &ledger.Genesis{Version: ledger.GenesisVersion, Chain: "lettuce", TimeMs: time.Now().UnixMilli() - 1000, Params: ledger.DefaultParams()}
	for i, c := range []string{"farmA", "farmB", "cooler", "packer", "carrier", "dc", "maker", "store1", "store2", "reg"} {
		prefix := "95210" + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10))
		companies[prefix] = c
		seed := crypto.Sum(crypto.TagGenesis, []byte(c))
		key, err := crypto.PrivateKeyFromBytes(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		keys[c] = key
		a := key.Public().Address()
		g.Accounts = append(g.Accounts, ledger.GenesisAccount{Address: a, Balance: 1_000_000})
		g.Organisations = append(g.Organisations, ledger.GenesisOrganisation{Address: a, Name: c, Prefixes: []string{prefix}})
	}
	g.Registrars = []crypto.Address{keys["reg"].Public().Address()}
	v := keys["farmA"]
	g.Validators = []ledger.GenesisValidator{{Name: "v", Key: v.Public(), Stake: 10_000, Operator: v.Public().Address()}}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	view := memoryView{}
	for _, w := range g.State() {
		view[string(w.Key)] = w.Value
	}
	header := g.Block()
	files, err := filepath.Glob("lettuce/*.json")
	if err != nil || len(files) != 24 {
		t.Fatalf("%d documents, %v", len(files), err)
	}
	now := time.Now()
	refused := map[string]string{"fraud-1-foreign-prefix": "R2", "fraud-2-goods-not-held": "R6", "fraud-3-shipped-twice": "R7"}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(moment(a), moment(b)) })
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		doc := parse(t, file, now)
		var events [][]byte
		author := ""
		for _, e := range doc.Events {
			raw, err := epcis.EncodeEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, raw)
			if author == "" {
				author = companies[strings.Split(e.ReadPoint.ID, ":")[4][:7]]
			}
		}
		if strings.Contains(file, "regulator") {
			author = "reg"
		}
		if strings.Contains(file, "fraud-1") {
			author = "store2"
		}
		header.Height++
		header.TimeMs = now.UnixMilli()
		receipt := apply(t, view, g, header, keys[author], events)
		rule := ""
		if err := receipt.Err(); err != nil {
			rule = receipt.Rule()
			t.Logf("%s: %v", name, err)
		}
		if rule != refused[name] {
			t.Errorf("%s by %s: refused by rule %q, want %q: %v", name, author, rule, refused[name], receipt.Err())
		}
		for _, f := range receipt.Flags {
			t.Errorf("%s is flagged: %s", name, f)
		}
	}
}

// moment orders the documents as the demonstration captures them: the pallet is shipped a second time while the first
// shipment is under way.
func moment(file string) string {
	if strings.Contains(file, "fraud-3") {
		return "lettuce/13-then-fraud"
	}
	return file
}

func apply(t *testing.T, view memoryView, g *ledger.Genesis, header quorum.Header, key crypto.PrivateKey, events [][]byte) ledger.Receipt {
	t.Helper()
	body, err := ledger.NewBody(g.Hash(), key.Public().Address(), header.Height+100, &ledger.Capture{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := ledger.Sign(body, key)
	if err != nil {
		t.Fatal(err)
	}
	verified := ledger.VerifyTransactions([]*ledger.Transaction{tx})
	if verified[0].Err != nil {
		t.Fatal(verified[0].Err)
	}
	update, err := ledger.Apply(view, &ledger.Block{Header: header, Transactions: []ledger.VerifiedTransaction{verified[0].Verified}})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range update.Writes {
		if w.Value == nil {
			delete(view, string(w.Key))
		} else {
			view[string(w.Key)] = w.Value
		}
	}
	return update.Receipts[0]
}

func parse(t *testing.T, file string, now time.Time) *epcis.Document {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.New(file).Funcs(template.FuncMap{
		"hoursAgo": func(h float64) string {
			return now.Add(-time.Duration(h * float64(time.Hour))).UTC().Format("2006-01-02T15:04:05.000Z07:00")
		},
		"dateIn": func(d int) string { return now.AddDate(0, 0, d).Format("2006-01-02") },
	}).Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := tmpl.Execute(&out, nil); err != nil {
		t.Fatal(err)
	}
	doc, err := epcis.ParseDocument([]byte(out.String()))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return doc
}
