package node

import (
	"fmt"
	"testing"
)

func FuzzParseCheckpoint(f *testing.F) {
	f.Add("3:" + fmt.Sprintf("%064x", 7))
	f.Add("0:")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCheckpoint(text)
		if (c == nil) != (err != nil || text == "") {
			t.Fatalf("%q: %v, %v", text, c, err)
		}
		if c == nil {
			return
		}
		again, err := ParseCheckpoint(fmt.Sprintf("%d:%s", c.Epoch, c.Anchor))
		if err != nil || *again != *c || c.Epoch == 0 {
			t.Fatalf("%q is read as %+v, and that as %+v, %v", text, c, again, err)
		}
	})
}
