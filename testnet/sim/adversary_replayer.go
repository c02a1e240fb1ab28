package sim

// replayer keeps what it hears and repeats it later, to anybody: old votes, certificates, proposals, statuses and
// answers, of earlier epochs too.
type replayer struct {
	bystander
	kept [][]byte
}

// maxKept bounds what it remembers.
const maxKept = 256

func (r *replayer) hear(a *actor, _ *member, msg []byte) bool {
	if len(r.kept) < maxKept {
		r.kept = append(r.kept, msg)
	} else if a.rng.IntN(4) == 0 { // keep old ones, too
		r.kept[a.rng.IntN(maxKept)] = msg
	}
	return true
}

func (r *replayer) tick(a *actor) {
	for range min(3, len(r.kept)) {
		a.say(a.anyone(), r.kept[a.rng.IntN(len(r.kept))])
	}
}
