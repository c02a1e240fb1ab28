package sim

// silent hears everything and says nothing.
type silent struct{ bystander }

func (silent) send(*actor, *member, []byte) [][]byte { return nil }
