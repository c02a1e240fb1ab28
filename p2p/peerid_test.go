package p2p

import "testing"

func FuzzParsePeerID(f *testing.F) {
	f.Add("16Uiu2HAm1Yv2vWQXvkJZtRx3tSZ4jUkmxZzhPtC3hZgDZvWwW9Zb")
	f.Add("QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParsePeerID(s)
		if err != nil {
			if id != "" {
				t.Fatal("an id beside an error")
			}
			return
		}
		if again, err := ParsePeerID(string(id)); err != nil || again != id {
			t.Fatalf("%q is %q, which is %q, %v", s, id, again, err)
		}
	})
}
