package sim

import "slices"

// mutator flips bits of a third of its messages, cuts some short and lengthens others.
type mutator struct{ bystander }

func (mutator) send(a *actor, _ *member, msg []byte) [][]byte {
	if a.rng.IntN(3) != 0 {
		return [][]byte{msg}
	}
	out := slices.Clone(msg)
	switch a.rng.IntN(8) {
	case 0:
		out = out[:a.rng.IntN(len(out))]
	case 1:
		out = append(out, byte(a.rng.Uint32()))
	default:
		for range 1 + a.rng.IntN(3) {
			out[a.rng.IntN(len(out))] ^= 1 << a.rng.IntN(8)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return [][]byte{out}
}
