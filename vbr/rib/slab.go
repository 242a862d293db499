package rib

// blockLen is how many values a slab allocates at a time.
const blockLen = 64

// slab keeps values of one type and names each by a number: half the size of a pointer, and nothing to the
// garbage collector. The number 0 names nothing. A value stays where it is until it is removed; then its number is used again.
type slab[T any] struct {
	blocks []*[blockLen]T
	used   uint32 // how many numbers were ever given out
	free   []uint32
}

// at returns the place of value i, which must exist or have existed: a removed value is zero.
func (s *slab[T]) at(i uint32) *T {
	i--
	return &s.blocks[i/blockLen][i%blockLen]
}

// get returns value i, zero for 0.
func (s *slab[T]) get(i uint32) (v T) {
	if i == 0 {
		return v
	}
	return *s.at(i)
}

// add keeps v.
func (s *slab[T]) add(v T) uint32 {
	i := s.used + 1
	if n := len(s.free); n > 0 {
		i, s.free = s.free[n-1], s.free[:n-1]
	} else {
		if s.used%blockLen == 0 {
			s.blocks = append(s.blocks, new([blockLen]T))
		}
		s.used++
	}
	*s.at(i) = v
	return i
}

// remove forgets value i. The last to go takes the memory along.
func (s *slab[T]) remove(i uint32) {
	var zero T
	*s.at(i) = zero
	s.free = append(s.free, i)
	if s.used > blockLen && len(s.free) == int(s.used) {
		*s = slab[T]{}
	}
}
