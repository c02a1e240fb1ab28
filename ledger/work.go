package ledger

import "waybill/crypto"

// Work that an event makes without paying for it by its size: what is packed in the containers that it names, what it undoes,
// what its transformation consists of, what is under way of its lots. A container of four thousand things is emptied by an
// event of three hundred bytes, and filled again by declaring that an error. So a block does only so much of it.
//
// Nobody uses a block up for others:
//
//  1. What is no more than an event costs anyway is free. A pallet of sixty cases is always shipped, received and unpacked.
//  2. Beyond, an author has at most a fixed part of what a block does, and at most half of what others have left of it: four
//     authors who take all they can leave an eighth, and whoever comes after them a half of that.

// Bounds of such work in a block, in things handled or looked at.
const (
	freeWork      = 64      // of one event, about as much time as its record takes
	maxWorkAuthor = 65_536  // for the events of one author
	maxWorkBlock  = 262_144 // for all, without what is free
)

// workBudget counts the work of a block, of one kind.
type workBudget struct {
	spent   int
	authors map[crypto.Address]int
}

// left is how much more the block does for an author.
func (b *workBudget) left(a crypto.Address) int {
	own := b.authors[a]
	return min(maxWorkAuthor, (maxWorkBlock-(b.spent-own))/2) - own
}

// charge counts work for an author.
func (b *workBudget) charge(a crypto.Address, n int) {
	if b.authors == nil {
		b.authors = map[crypto.Address]int{}
	}
	b.spent += n
	b.authors[a] += n
}

// spend counts work for an author; false, and nothing is counted, if it is more than the block has left for it.
func (b *workBudget) spend(a crypto.Address, n int) bool {
	if n > max(0, b.left(a)) {
		return false
	}
	b.charge(a, n)
	return true
}

// freeShare is what an event has had of the work that is free.
type freeShare struct {
	had  int
	over bool // it needed more, and all it does is counted
}

// take takes work out of the free share, and returns how much of it is to be counted.
func (s *freeShare) take(n int) int {
	switch {
	case s.over:
		return n
	case s.had+n <= freeWork:
		s.had += n
		return 0
	}
	s.over = true
	return s.had + n
}

// mayWork counts work of the event. False: it is too much, and the event will be refused; so what it does until then does
// not matter.
func (e *eventRun) mayWork(n int) bool {
	if e.overworked {
		return false
	}
	if n = e.worked.take(n); n > 0 && !e.work.spend(e.author, n) {
		e.overworked = true
	}
	return !e.overworked
}

// mayWork is that of a transaction that is no capture: nothing of it is free.
func (t *txRun) mayWork(n int) bool { return t.work.spend(t.author, n) }

// rewriting is the work of a change in the list of n names of a container: the first in a block has all of it written anew, further
// ones copy it.
func (b *blockRun) rewriting(container string, n int) int {
	if b.o.slot(ContentsKey(container)).top() != nil {
		return n / idsPerWork / copiesPerWriting
	}
	return n / idsPerWork
}

// copiesPerWriting is how many times a list is copied in the time in which it is encoded, hashed and written.
const copiesPerWriting = 32

// tooMuchWork refuses an event for which the block had not enough left, whatever the severities.
func (e *eventRun) tooMuchWork() *Finding {
	if !e.overworked {
		return nil
	}
	return e.judge(finding(CodeTooMuchWork, "", decimal(maxWorkAuthor)))
}

// mayLook reports whether the event may look at one thing more.
func (e *eventRun) mayLook() bool {
	return !e.looked.over && e.looked.had < freeWork || e.looks.left(e.author) > 0
}

// chargeLook counts one thing looked at inside another, and what a long list of notices costs. The last look may take more than is
// left, but no more is counted than the author's part.
func (e *eventRun) chargeLook(notices int) {
	if n := e.looked.take(1 + notices/noticesPerWork); n > 0 {
		e.looks.charge(e.author, min(n, max(0, e.looks.left(e.author))))
	}
}
