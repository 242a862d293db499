package fib

// NewLinux is the kernel of the calling thread's network namespace, with receive buffers for answers of so many bytes, 0 for what is usual.
func NewLinux(buffer int) (Kernel, error) {
	l, err := newLinux()
	if err == nil && buffer > 0 {
		l.buffer = buffer
	}
	return l, err
}

// SetNextID has the next nexthop object get this index, or the first free one after it.
func (f *FIB) SetNextID(index uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.obj.next = index - 1
}
