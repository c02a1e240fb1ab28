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

// opsRoom is what treeOps works with.
type opsRoom struct {
	hashed, ops []treeOp
	order       []uint64 // four bytes of the position, then where it stands
}

// bytes is what the room takes.
func (r *opsRoom) bytes() int {
	const opBytes, orderBytes = 2*HashSize + 1, 8
	return opBytes*(cap(r.hashed)+cap(r.ops)) + orderBytes*cap(r.order)
}

// treeOps hashes writes and sorts them by position. They are good until the next time.
func (r *opsRoom) treeOps(writes []TreeWrite) []treeOp {
	hashed, order, ops := resize(&r.hashed, len(writes)), resize(&r.order, len(writes)), resize(&r.ops, len(writes))
	for i := range writes {
		w, op := &writes[i], &hashed[i]
		op.leaf.Key = Sum(TagStateKey, w.Key)
		if op.delete = w.Value == nil; !op.delete {
			op.leaf.Value = Sum(TagStateValue, w.Value)
		}
		order[i] = uint64(binary.BigEndian.Uint32(op.leaf.Key[:]))<<32 | uint64(i)
	}
	slices.Sort(order)
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

// resize makes a list that is used again n long. What it holds is any.
func resize[T any](list *[]T, n int) []T {
	if cap(*list) < n {
		*list = make([]T, n+n/8)
	}
	return (*list)[:n]
}
