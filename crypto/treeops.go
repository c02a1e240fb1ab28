package crypto

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// treeOp is a TreeWrite with its hashes; delete true ignores leaf.Value.
type treeOp struct {
	leaf   TreeLeaf
	delete bool
}

func (op *treeOp) compare(other *treeOp) int { return bytes.Compare(op.leaf.Key[:], other.leaf.Key[:]) }

// treeOps hashes writes and sorts them by position.
func treeOps(writes []TreeWrite) []treeOp {
	hashed := make([]treeOp, len(writes))
	order := make([]uint64, len(writes)) // four bytes of the position, then where it stands
	for i := range writes {
		w, op := &writes[i], &hashed[i]
		op.leaf.Key, op.delete = TreeKey(w.Key), w.Value == nil
		if w.Value != nil {
			op.leaf.Value = Sum(TagStateValue, w.Value)
		}
		order[i] = uint64(binary.BigEndian.Uint32(op.leaf.Key[:]))<<32 | uint64(i)
	}
	slices.Sort(order)
	ops := make([]treeOp, len(writes))
	for i, at := range order {
		ops[i] = hashed[uint32(at)]
	}
	// Four bytes tell almost all positions apart.
	for from := 0; from < len(order); {
		end := from + 1
		for end < len(order) && order[end]>>32 == order[from]>>32 {
			end++
		}
		if end > from+1 {
			slices.SortFunc(ops[from:end], func(a, b treeOp) int { return a.compare(&b) })
		}
		from = end
	}
	return ops
}
