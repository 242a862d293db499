// Package events keeps what happened to the routers of a host: a bounded log with numbers, to be read from any point on and followed.
//
// It is memory, not storage: a new run of the daemon begins with an empty one. What happened is said by package vbr and those above it.
package events

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// perRouter is how many events of one router are kept, so that a router's storm does not push out what the others told. Those of the host itself, which
// name no router, count as one router's.
const perRouter = 256

// Log is a bounded list of events in the order they happened. Its methods may be called from any goroutine. Events are read-only once appended.
type Log struct {
	capacity int

	mu      sync.Mutex
	events  []*vbrv1.Event // by sequence
	of      map[string]int // how many of events are a router's
	last    uint64         // sequence of the newest event ever
	evicted evicted
	more    chan struct{} // closed by the next Append
	journal *slog.Logger  // nil: none
}

// NewLog returns an empty log that keeps capacity events, at least one. Sequence numbers begin at the time in milliseconds
// since 1970, so that those of two runs do not overlap.
func NewLog(capacity int) *Log {
	return &Log{
		capacity: max(capacity, 1), of: make(map[string]int), last: uint64(time.Now().UnixMilli()), more: make(chan struct{}),
		evicted: evicted{of: make(map[whose]uint64)},
	}
}

// SetJournal has every event that follows be a line of a logger's too, with its ID as the attribute "event". Call it before the first.
func (l *Log) SetJournal(to *slog.Logger) { l.journal = to }

// Append adds an event, gives it its sequence number, and the ID of its type and the time if it has none. The oldest event of the same router goes if the
// router has too many. If the log is full, that of a router that has most goes: who has little keeps it, whoever storms.
func (l *Log) Append(e *vbrv1.Event) {
	k := complete(e)
	l.add(e)
	if l.journal != nil {
		l.journal.LogAttrs(context.Background(), k.Level, "event", slog.String("event", e.GetId()), slog.String("router", e.GetRouter()),
			slog.String("subject", e.GetSubject()), slog.String("text", e.GetText()), slog.Uint64("sequence", e.GetSequence()))
	}
}

func (l *Log) add(e *vbrv1.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Sequence = l.last
	if e.Time == nil {
		e.Time = timestamppb.Now()
	}
	if l.of[e.Router] >= perRouter {
		l.evict(slices.IndexFunc(l.events, func(o *vbrv1.Event) bool { return o.Router == e.Router }))
	} else if len(l.events) >= l.capacity {
		most := 0
		for _, n := range l.of {
			most = max(most, n)
		}
		l.evict(slices.IndexFunc(l.events, func(o *vbrv1.Event) bool { return l.of[o.Router] == most }))
	}
	l.events = append(l.events, e)
	l.of[e.Router]++
	close(l.more)
	l.more = make(chan struct{})
}

// evict pushes out event i; l.mu is held.
func (l *Log) evict(i int) {
	e := l.events[i]
	l.evicted.add(e, l.capacity)
	if l.of[e.Router]--; l.of[e.Router] == 0 {
		delete(l.of, e.Router)
	}
	l.events = slices.Delete(l.events, i, i+1)
}

// After is Follow of one who is told of all events.
func (l *Log) After(sequence uint64, limit int) (events []*vbrv1.Event, lost bool) {
	return l.Follow(sequence, limit, func(string, string) bool { return true })
}

// Follow returns up to limit of the events after a sequence number, oldest first; limit 0 means all. lost says that there were others after it which have
// been pushed out, of a router and owner that are told: also some of them may come, and whoever follows has missed something. What has been pushed out of
// others is no loss. From 0 on nothing is ever lost: it asks for what there is. told must not use the log.
func (l *Log) Follow(sequence uint64, limit int, told func(router, owner string) bool) (events []*vbrv1.Event, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, found := slices.BinarySearchFunc(l.events, sequence, func(e *vbrv1.Event, s uint64) int {
		switch {
		case e.Sequence < s:
			return -1
		case e.Sequence > s:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	rest := l.events[i:]
	if limit > 0 && len(rest) > limit {
		rest = rest[:limit]
	}
	return slices.Clone(rest), sequence != 0 && l.evicted.after(sequence, told)
}

// Wait returns when there is an event after a sequence number, or with ctx's error when that ends before.
func (l *Log) Wait(ctx context.Context, after uint64) error {
	for {
		l.mu.Lock()
		is := len(l.events) > 0 && l.events[len(l.events)-1].Sequence > after
		more := l.more
		l.mu.Unlock()
		if is {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-more:
		}
	}
}
