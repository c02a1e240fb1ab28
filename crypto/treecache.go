package crypto

// VersionReader is a PageReader that also tells the version of each page, which is what a [Tree] was told when it made it.
type VersionReader interface {
	ReadVersion(PagePath) (data []byte, version uint64, err error)
}

// Tree updates one tree again and again. It keeps pages as they are in memory, checked and with the hashes of their nodes,
// so that an update neither reads nor hashes again what the last one left.
//
//  1. What it keeps is what its last update returned. Who does not store that must say so with Forget.
//  2. An update names the root that it starts from; pages of another tree are forgotten, never used.
//  3. Between updates it takes at most the bytes it was told; during one, also what the pages that the update touches take. The
//     pages that no update used for longest go first. If those that one update uses are too many, it keeps none.
//
// It is for one goroutine.
type Tree struct {
	limit int // bytes
	arena pageArena
	root  int32
	now   uint32 // counts updates

	// What an update works with, and what it returned.
	room   opsRoom
	levels []*treeLevel
	notes  [][]byte
	noting int // the last of the notes that is in use
	pages  []Page
}

// NewTree returns a tree that keeps pages of at most maxBytes, or none.
func NewTree(maxBytes int) *Tree {
	t := &Tree{limit: maxBytes}
	t.Forget()
	return t
}

// Update is [UpdateTree] on the tree with this root that r reads. The pages that change become version.
func (t *Tree) Update(r VersionReader, root Hash, version uint64, writes []TreeWrite) (Hash, []Page, error) {
	if t.top() != root {
		t.Forget()
	}
	u := treeUpdate{Tree: t, reader: r, version: version, base: &root}
	next, pages, err := u.run(t.room.treeOps(writes))
	if err != nil {
		t.Forget() // some pages are changed, some are not
		return Hash{}, nil, err
	}
	t.shrink()
	return next, pages, nil
}

// Forget drops all pages, so that the next update reads them.
func (t *Tree) Forget() {
	// A chunk of each size would take this much of the limit at most.
	const share, chunks = 16, pageUnit * maxPageClass * (maxPageClass + 1) / 2
	*t = Tree{limit: t.limit, now: t.now}
	for t.arena.shift < maxChunkShift && chunks<<(t.arena.shift+1) <= t.limit/share {
		t.arena.shift++
	}
}

// top is the root of what is kept.
func (t *Tree) top() Hash {
	if t.root == 0 {
		return Hash{}
	}
	b := t.arena.bytes(t.root)
	s := packedShape(b)
	return *s.hash(b, 0)
}

// begin makes room for an update; what the last one returned is gone.
func (t *Tree) begin() {
	t.now++
	for _, l := range t.levels {
		l.records, l.paths = l.records[:0], l.paths[:0]
	}
	for i := range t.notes {
		t.notes[i] = t.notes[i][:0]
	}
	t.noting = 0
	clear(t.pages)
}

// The sizes of what an update works with, in bytes.
const (
	treeLevelBytes  = 2048
	pageRecordBytes = 24
	pageBytes       = 112
)

// workBytes is what is kept of the work of updates.
func (t *Tree) workBytes() int {
	n := t.room.bytes() + pageBytes*cap(t.pages) + (1<<noteShift+24)*len(t.notes)
	for _, l := range t.levels {
		n += treeLevelBytes + pageRecordBytes*cap(l.records) + cap(l.paths)
	}
	return n
}

// size is how many bytes the tree takes.
func (t *Tree) size() int { return t.arena.size() + t.workBytes() }

// shrink keeps the limit: it forgets some more than is over it, so that not every update has to look through all pages.
func (t *Tree) shrink() {
	const share, workShare = 16, 4
	if t.size() <= t.limit {
		return
	}
	if t.workBytes() > t.limit/workShare {
		t.room, t.levels, t.notes, t.noting, t.pages = opsRoom{}, nil, nil, 0, nil // pages are worth more
	}
	a := &t.arena
	spare := t.size() - a.chunkTotal() // what does not shrink with the pages
	for class := range a.classes {
		spare += a.chunkBytes(class) - pageUnit*class // the last chunk is not full
	}
	want := t.limit - t.limit/share - spare
	if a.shift < maxChunkShift {
		want -= want / 8 // what the allocator wastes, see chunkBytes
	}
	a.evict(t.now, want)
	a.squeeze()
	if t.size() > t.limit {
		t.Forget()
	}
}
