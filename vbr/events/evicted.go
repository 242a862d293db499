package events

import vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"

// whose is what an event is of. One router's may be of several owners: its name can become another's.
type whose struct{ router, owner string }

// evicted is what a log has pushed out, in bounded memory.
type evicted struct {
	newest    uint64           // highest sequence of all, 0 for none
	of        map[whose]uint64 // the same of each
	forgotten uint64           // the same of those that are no longer in of: they count as everybody's
}

// add takes in an event that is pushed out, and remembers no more than limit routers and owners: those of which the newest events went.
func (v *evicted) add(e *vbrv1.Event, limit int) {
	v.newest = max(v.newest, e.Sequence)
	v.of[whose{e.Router, e.Owner}] = e.Sequence // of each, they go in their order
	if len(v.of) <= limit {
		return
	}
	oldest, least := whose{}, v.newest
	for w, s := range v.of {
		if s <= least {
			oldest, least = w, s
		}
	}
	v.forgotten = max(v.forgotten, least)
	delete(v.of, oldest)
}

// after tells whether an event after a sequence number is gone that would have been told, or may be: of what is forgotten nobody knows any more. That takes
// a reader who has fallen behind as many events as routers and owners are remembered.
func (v *evicted) after(sequence uint64, told func(router, owner string) bool) bool {
	if sequence < v.forgotten {
		return true
	}
	if sequence >= v.newest {
		return false
	}
	for w, s := range v.of {
		if sequence < s && told(w.router, w.owner) {
			return true
		}
	}
	return false
}
