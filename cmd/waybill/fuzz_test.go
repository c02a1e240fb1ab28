package main

import (
	"os"
	"path/filepath"
	"testing"

	"waybill/epcis/gs1"
)

// FuzzConfig: a config.toml is read or refused with a sentence, and never a panic.
func FuzzConfig(f *testing.F) {
	f.Add("[peers]\nlisten = \"127.0.0.1:7001\"\n")
	f.Add("[peers]\nlistn = 7\n")
	f.Add("[a.b]\nc = [1, {d = 1979-05-27}]\n")
	f.Add("a = ")
	f.Fuzz(func(t *testing.T, text string) {
		origins := map[string]string{}
		err := decodeConfig(&config{}, "config.toml", text, origins)
		if err != nil && err.Error() == "" {
			t.Fatal("an error without a sentence")
		}
	})
}

func FuzzGoods(f *testing.F) {
	f.Add("urn:epc:class:lgtin:9521321.000001.A=12.5KGM")
	f.Add("urn:epc:class:lgtin:9521321.000001.A=1=2")
	f.Add("=")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := parseGoods(text)
		if err != nil {
			return
		}
		if _, err := gs1.Parse(g.id); err != nil {
			t.Fatalf("%q names %q: %v", text, g.id, err)
		}
		if g.amount != nil && g.amount.Sign() <= 0 {
			t.Fatalf("%q is %v", text, g.amount)
		}
	})
}

// FuzzGenesisFile: what is read as a genesis makes a block and a state.
func FuzzGenesisFile(f *testing.F) {
	f.Add([]byte(`{"version":2,"chain":"x","validators":[]}`))
	f.Add([]byte(`{"version":2,"chain":"x"}{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "genesis.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := readGenesis(path)
		if (g == nil) != (err != nil) {
			t.Fatalf("%v beside %v", g, err)
		}
		if g != nil {
			g.Block()
			g.State()
		}
	})
}
