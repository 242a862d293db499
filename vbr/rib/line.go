package rib

// ticket names a path of a source.
type ticket struct {
	entry uint32
	id    uint32 // path id
}

// line is who waits for a place, in the order in which they came. All it does takes constant time, on average.
type line struct {
	turns map[ticket]uint64 // of those who wait
	queue []turn            // in order; who has left, or come back later, is passed over
	last  uint64
}

type turn struct {
	ticket
	number uint64
}

func (l *line) join(who ticket) {
	if l.turns == nil {
		l.turns = make(map[ticket]uint64)
	}
	l.last++
	l.turns[who] = l.last
	if len(l.queue) > 64 && len(l.queue) > 2*len(l.turns) {
		l.compact()
	}
	l.queue = append(l.queue, turn{who, l.last})
}

func (l *line) leave(who ticket) {
	delete(l.turns, who)
	if len(l.turns) == 0 {
		*l = line{}
	}
}

// pop takes out who came first.
func (l *line) pop() (ticket, bool) {
	for len(l.queue) > 0 {
		first := l.queue[0]
		l.queue = l.queue[1:]
		if l.turns[first.ticket] == first.number {
			l.leave(first.ticket)
			return first.ticket, true
		}
	}
	return ticket{}, false
}

// compact takes out of the queue who has left.
func (l *line) compact() {
	kept := l.queue[:0]
	for _, x := range l.queue {
		if l.turns[x.ticket] == x.number {
			kept = append(kept, x)
		}
	}
	l.queue = kept
}
