package ledger

import "waybill/crypto"

// Work that an event makes without paying for it by its size: what is packed in the containers that it names, what it undoes,
// what its transformation consists of. A container of four thousand things is emptied by an event of three hundred bytes,
// and filled again by declaring that an error. So a block does only so much of it.

// Bounds of such work in a block, in things handled.
const (
	maxWorkAuthor = 65_536  // for the events of one author
	maxWorkBlock  = 262_144 // for all
)

// workBudget counts the work of a block.
type workBudget struct {
	spent   int
	authors map[crypto.Address]int
}

// spend counts work for an author; false, and nothing is counted, if it is more than the block has left for it.
func (b *workBudget) spend(a crypto.Address, n int) bool {
	if n > maxWorkBlock-b.spent || n > maxWorkAuthor-b.authors[a] {
		return false
	}
	if b.authors == nil {
		b.authors = map[crypto.Address]int{}
	}
	b.spent += n
	b.authors[a] += n
	return true
}

// mayWork counts work of the event. False: it is too much, and the event will be refused; so what it does until then does
// not matter.
func (e *eventRun) mayWork(n int) bool {
	if !e.overworked && !e.work.spend(e.author, n) {
		e.overworked = true
	}
	return !e.overworked
}

// tooMuchWork refuses an event for which the block had not enough left, whatever the severities.
func (e *eventRun) tooMuchWork() *Finding {
	if !e.overworked {
		return nil
	}
	return e.judge(finding(CodeTooMuchWork, "", decimal(maxWorkAuthor)))
}
