package probe

import (
	"math/rand/v2"
	"time"
)

// task is a check that runs. It waits for its next request, or for the reply to the one in flight.
type task struct {
	Check
	next time.Time // when the next request is planned
	when time.Time // when there is something to do: the next request, or the end of waiting
	at   int       // its place in the queue

	line  *line // nil if nothing is in flight
	seq   uint16
	nonce uint64
	sent  time.Time
}

// plan sets the time of the request after this one. Requests keep their beat, except after a pause of the whole process: then the checks are spread anew.
func (t *task) plan(now time.Time) {
	if t.next.IsZero() {
		t.next = t.when
	}
	t.next = t.next.Add(t.Interval)
	if t.next.Before(now) {
		t.next = now.Add(rand.N(t.Interval))
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// queue is a container/heap of tasks, the earliest first.
type queue []*task

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].when.Before(q[j].when) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push is heap.Interface's.
func (q *queue) Push(x any) {
	t := x.(*task)
	t.at = len(*q)
	*q = append(*q, t)
}

// Pop is heap.Interface's.
func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return t
}
