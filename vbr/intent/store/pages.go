package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
)

// bbolt trusts its file: a damaged page makes it panic, some of them in a goroutine of its own where nobody can
// recover, and a short file is SIGBUS. So OpenFile reads the file first, as bbolt would, without mapping it, and lets
// bbolt have it only if every page that bbolt may follow is in order. What revisions say has checksums of its own.
//
// The format (bbolt v1.5 internal/common; numbers in the machine's byte order):
//
//	page     id u64, flags u16, count u16, overflow u32; then its elements; overflow more pages follow it
//	meta     magic, version, pageSize, flags u32; root page, sequence, freelist page, pages in use, txid, FNV-1a u64
//	branch   elements: pos, ksize u32, page u64; pos is from the element's own begin
//	leaf     elements: flags, pos, ksize, vsize u32; the value follows the key
//	bucket   a leaf's value with flag 1: root page, sequence u64; root 0: a page without id follows inline
//	freelist page ids u64; with count 0xffff the first is their number

const (
	pageHeader = 16
	metaSize   = 64
	leafSize   = 16 // of an element; a branch's has the same
	bucketSize = 16

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	maxDepth = 32 // a tree of so many levels has more pages than a disk
)

var errDamaged = errors.New("not a whole bbolt file")

var order = binary.NativeEndian

// pages is a bbolt file being checked.
type pages struct {
	f        *os.File
	pageSize uint64
	inUse    uint64          // page ids are below
	seen     map[uint64]bool // each page has one place
}

// checkPages returns an error that wraps errDamaged if bbolt should not open the file; others could not be read.
func checkPages(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	p := &pages{f: f, seen: make(map[uint64]bool)}
	meta, err := p.metas(info.Size())
	if err != nil {
		return err
	}
	root, freelist, inUse := order.Uint64(meta[16:]), order.Uint64(meta[32:]), order.Uint64(meta[40:])
	if inUse > uint64(info.Size())/p.pageSize {
		return p.wrong("it has %d bytes, %d pages of %d are in use", info.Size(), inUse, p.pageSize)
	}
	p.inUse = inUse
	if err := p.tree(root, nil, nil, 0); err != nil {
		return err
	}
	return p.freelist(freelist)
}

func (p *pages) wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// metas reads both meta pages and returns the newer. One damaged page is damage: bbolt would take the other and so
// silently go back one revision. A crash does not tear them, they are smaller than a sector.
func (p *pages) metas(size int64) ([]byte, error) {
	if size < pageHeader+metaSize {
		return nil, p.wrong("it has %d bytes", size)
	}
	first, err := p.meta(0)
	if err != nil {
		return nil, err
	}
	p.pageSize = uint64(order.Uint32(first[8:]))
	if p.pageSize < 1024 || p.pageSize > 1<<16 || int64(p.pageSize)+pageHeader+metaSize > size {
		return nil, p.wrong("it has %d bytes and pages of %d", size, p.pageSize)
	}
	second, err := p.meta(p.pageSize)
	if err != nil {
		return nil, err
	}
	switch even, odd := order.Uint64(first[48:]), order.Uint64(second[48:]); {
	case even%2 == 0 && odd == even+1:
		return second, nil
	case even%2 == 0 && even == odd+1:
		return first, nil
	default: // transactions write them in turn
		return nil, p.wrong("the meta pages are of transactions %d and %d", even, odd)
	}
}

func (p *pages) meta(at uint64) ([]byte, error) {
	m := make([]byte, metaSize)
	if _, err := p.f.ReadAt(m, int64(at+pageHeader)); err != nil {
		return nil, err
	}
	sum := fnv.New64a()
	_, _ = sum.Write(m[:metaSize-8])
	if order.Uint32(m) != boltMagic || order.Uint32(m[4:]) != boltVersion || order.Uint64(m[metaSize-8:]) != sum.Sum64() {
		return nil, p.wrong("the meta page at byte %d has no valid magic, version or checksum", at)
	}
	return m, nil
}

// read takes a page with its overflow; each page can be taken once.
func (p *pages) read(id uint64) ([]byte, error) {
	if id < 2 || id >= p.inUse {
		return nil, p.wrong("page %d is not one of 2 to %d", id, p.inUse-1)
	}
	h := make([]byte, pageHeader)
	if _, err := p.f.ReadAt(h, int64(id*p.pageSize)); err != nil {
		return nil, err
	}
	overflow := uint64(order.Uint32(h[12:]))
	if order.Uint64(h) != id || id+overflow >= p.inUse {
		return nil, p.wrong("page %d says that it is page %d with %d more, of %d", id, order.Uint64(h), overflow, p.inUse)
	}
	for i := id; i <= id+overflow; i++ {
		if p.seen[i] {
			return nil, p.wrong("page %d has two places", i)
		}
		p.seen[i] = true
	}
	b := make([]byte, (overflow+1)*p.pageSize)
	_, err := p.f.ReadAt(b, int64(id*p.pageSize))
	return b, err
}

// tree checks the page and what is below. Its keys are from lo (nil: any) to below hi (nil: any).
func (p *pages) tree(id uint64, lo, hi []byte, depth int) error {
	b, err := p.read(id)
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return p.wrong("page %d is more than %d levels deep", id, maxDepth)
	}
	return p.elements(fmt.Sprintf("page %d", id), b, lo, hi, depth)
}

// elements checks a branch or leaf page, in place or inline.
func (p *pages) elements(name string, b, lo, hi []byte, depth int) error {
	flags, count := order.Uint16(b[8:]), int(order.Uint16(b[10:]))
	if flags != branchPage && flags != leafPage || flags == branchPage && count == 0 {
		return p.wrong("%s has flags %#x and %d elements", name, flags, count)
	}
	keys := make([][]byte, count, count+1)
	values := make([][]byte, count)
	for i := range count {
		var ok bool
		if keys[i], values[i], ok = element(b, i, flags); !ok {
			return p.wrong("element %d of %s is outside", i, name)
		}
		if i == 0 && bytes.Compare(keys[0], lo) < 0 || i > 0 && bytes.Compare(keys[i], keys[i-1]) <= 0 {
			return p.wrong("key %d of %s is not in order", i, name)
		}
		if hi != nil && bytes.Compare(keys[i], hi) >= 0 {
			return p.wrong("key %d of %s belongs to the next page", i, name)
		}
	}
	keys = append(keys, hi)
	for i := range count {
		at := pageHeader + i*leafSize
		var err error
		switch {
		case flags == branchPage:
			err = p.tree(order.Uint64(b[at+8:]), keys[i], keys[i+1], depth+1)
		case order.Uint32(b[at:]) == 1:
			err = p.bucket(name, values[i], depth)
		case order.Uint32(b[at:]) != 0:
			err = p.wrong("element %d of %s has flags %#x", i, name, order.Uint32(b[at:]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// element gives key and value (leaf only) of element i of a page; false if they are not within it.
func element(b []byte, i int, flags uint16) (key, value []byte, ok bool) {
	at := uint64(pageHeader + i*leafSize)
	if at+leafSize > uint64(len(b)) {
		return nil, nil, false
	}
	pos, ksize, vsize := order.Uint32(b[at:]), order.Uint32(b[at+4:]), uint32(0)
	if flags == leafPage {
		pos, ksize, vsize = order.Uint32(b[at+4:]), order.Uint32(b[at+8:]), order.Uint32(b[at+12:])
	}
	begin := at + uint64(pos)
	middle := begin + uint64(ksize)
	end := middle + uint64(vsize)
	if end > uint64(len(b)) {
		return nil, nil, false
	}
	return b[begin:middle], b[middle:end], true
}

func (p *pages) bucket(name string, value []byte, depth int) error {
	if len(value) < bucketSize {
		return p.wrong("a bucket of %s has %d bytes", name, len(value))
	}
	if root := order.Uint64(value); root != 0 {
		return p.tree(root, nil, nil, depth+1)
	}
	inline := value[bucketSize:]
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != leafPage {
		return p.wrong("an inline bucket of %s is no leaf page", name)
	}
	return p.elements("an inline bucket of "+name, inline, nil, nil, depth+1)
}

// freelist checks that what bbolt will write over is in use by nothing.
func (p *pages) freelist(id uint64) error {
	b, err := p.read(id)
	if err != nil {
		return err
	}
	count, ids := uint64(order.Uint16(b[10:])), b[pageHeader:]
	if count == 0xffff {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if order.Uint16(b[8:]) != freelistPage || count > uint64(len(ids)/8) {
		return p.wrong("page %d is no freelist of %d pages", id, count)
	}
	for i := range count {
		free := order.Uint64(ids[i*8:])
		if free < 2 || free >= p.inUse || p.seen[free] {
			return p.wrong("free page %d is in use, or not one of 2 to %d", free, p.inUse-1)
		}
		p.seen[free] = true
	}
	return nil
}
