package node

import "testing"

// TestSignerBlink: with one validator down, the others need every vote. A signer that is out of reach for the seconds in
// which a view is given up must not cost the view its vote for ever: no other view would begin.
func TestSignerBlink(t *testing.T) {
	l := newLab(t, 4, 4, 50, 0)
	l.traffic(60, 0)
	l.run("height 4", 20_000, func() bool { return l.height() >= 4 })
	l.nodes[3].crash(true)
	for range 5 {
		begin := l.now
		l.nodes[1].unreachable = true
		l.run("a while without the signer", 20_000, func() bool { return l.now > begin+5_000 })
		l.nodes[1].unreachable = false
		height := l.height()
		l.run("blocks with the signer", 60_000, func() bool { return l.height() >= height+6 })
	}
	l.sound()
}
