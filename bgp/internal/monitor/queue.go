package monitor

import (
	"context"
	"sync"
)

// queueOctets is what may wait to be sent to one collector.
const queueOctets = 16 << 20

// queue holds messages for one connection of a collector.
type queue struct {
	mu       sync.Mutex
	messages [][]byte
	octets   int
	full     bool          // it was, and something is missing since
	kick     chan struct{} // there is something to look at; capacity 1
	cut      func()        // ends the connection whose queue has become full; it does not wait
}

func newQueue(cut func()) *queue { return &queue{kick: make(chan struct{}, 1), cut: cut} }

// push adds messages, or notes that they do not fit. It never waits.
func (q *queue) push(messages ...[]byte) {
	q.mu.Lock()
	for _, m := range messages {
		if !q.full && q.octets+len(m) > queueOctets {
			q.full = true
			q.cut()
		}
		if q.full {
			break
		}
		q.messages = append(q.messages, m)
		q.octets += len(m)
	}
	if q.full {
		q.messages, q.octets = nil, 0
	}
	q.mu.Unlock()
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// take waits for messages, and takes all there are. full: some are missing.
func (q *queue) take(ctx context.Context) (messages [][]byte, full bool) {
	for {
		q.mu.Lock()
		messages, full = q.messages, q.full
		q.messages, q.octets = nil, 0
		q.mu.Unlock()
		if len(messages) > 0 || full {
			return messages, full
		}
		select {
		case <-q.kick:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// overflowed says whether something is missing.
func (q *queue) overflowed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.full
}
