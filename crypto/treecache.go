package crypto

import (
	"container/list"
	"slices"
)

// VersionReader is a PageReader that also tells the version of each page, which is what a [Tree] was told when it made it.
type VersionReader interface {
	ReadVersion(PagePath) (data []byte, version uint64, err error)
}

// Tree updates one tree again and again. It keeps pages as they are in memory, checked and with the hashes of their nodes,
// so that an update neither reads nor hashes again what the last one left.
//
//  1. What it keeps is what its last update returned. Who does not store that must say so with Forget.
//  2. An update names the root that it starts from; pages of another tree are forgotten, never used.
//  3. Between updates it keeps at most the bytes it was told; during one, also the pages that the update touches.
//
// It is for one goroutine.
type Tree struct {
	cache   pageCache
	scratch []*treePage
	most    int // pages that the last update changed
}

// NewTree returns a tree that keeps pages of at most maxBytes, or none.
func NewTree(maxBytes int) *Tree {
	return &Tree{cache: pageCache{limit: maxBytes, pages: map[PagePath]*list.Element{}}}
}

// Update is [UpdateTree] on the tree with this root that r reads. The pages that change become version.
func (t *Tree) Update(r VersionReader, root Hash, version uint64, writes []TreeWrite) (Hash, []Page, error) {
	if p := t.cache.get(""); p == nil || p.top() != root {
		t.Forget()
	}
	u := treeUpdate{reader: r, cache: &t.cache, version: version, scratch: t.scratch, changed: make([]Page, 0, t.most+t.most/8)}
	next, pages, err := u.run(treeOps(writes))
	if err != nil {
		t.Forget() // some pages are changed, some are not
		return Hash{}, nil, err
	}
	t.scratch, t.most = u.scratch, len(pages)
	t.cache.shrink()
	return next, pages, nil
}

// Forget drops all pages, so that the next update reads them.
func (t *Tree) Forget() {
	clear(t.cache.pages)
	t.cache.order.Init()
	t.cache.size = 0
}

// pageCache keeps pages, the least recently used of which go first. A nil one keeps nothing.
type pageCache struct {
	limit int // bytes
	size  int // bytes
	pages map[PagePath]*list.Element
	order list.List // of *cachedPage, most recent first
}

// cachedPage is a page that was checked: as it is stored, with the hashes that this does not tell. It is as small as it can
// be without hashing anything twice, because memory is what is slow: a page takes less than half of what a treePage does.
type cachedPage struct {
	path    PagePath
	data    []byte
	hashes  []Hash // see treePage.ownHashes; the last one is that of the top
	version uint64
}

func (p *cachedPage) top() Hash { return p.hashes[len(p.hashes)-1] }

// pageOverhead is about what a page takes in the cache besides data and leaves.
const pageOverhead = 280

func (p *cachedPage) size() int { return pageOverhead + cap(p.data) + HashSize*cap(p.hashes) }

func (c *pageCache) get(path PagePath) *cachedPage {
	if c == nil {
		return nil
	}
	e := c.pages[path]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedPage)
}

// memory is what the last version of a page is kept in, to be written over by the next one; nil if it is not kept.
func (c *pageCache) memory(path PagePath) []byte {
	if c == nil {
		return nil
	}
	if e := c.pages[path]; e != nil {
		return e.Value.(*cachedPage).data
	}
	return nil
}

// put keeps a page; data is what it encodes as.
func (c *pageCache) put(path PagePath, p *treePage, data []byte) {
	if c == nil {
		return
	}
	var buf [pageNodes]Hash
	hashes := p.ownHashes(buf[:0])
	if e := c.pages[path]; e != nil {
		kept := e.Value.(*cachedPage)
		c.size -= kept.size()
		if kept.data, kept.version = data, p.version; len(hashes) <= cap(kept.hashes) {
			kept.hashes = append(kept.hashes[:0], hashes...)
		} else {
			kept.hashes = slices.Clone(hashes)
		}
		c.size += kept.size()
		c.order.MoveToFront(e)
		return
	}
	kept := &cachedPage{path: path, data: data, hashes: slices.Clone(hashes), version: p.version}
	c.size += kept.size()
	c.pages[path] = c.order.PushFront(kept)
}

func (c *pageCache) drop(path PagePath) {
	if c == nil {
		return
	}
	if e := c.pages[path]; e != nil {
		c.size -= c.order.Remove(e).(*cachedPage).size()
		delete(c.pages, path)
	}
}

// shrink forgets what is over the limit.
func (c *pageCache) shrink() {
	for c.size > c.limit {
		c.drop(c.order.Back().Value.(*cachedPage).path)
	}
}
