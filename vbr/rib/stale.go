package rib

import "slices"

// Communities of long-lived graceful restart (RFC 9494 6).
const (
	LLGRStale uint32 = 0xffff0006 // the route is stale for long: whoever has another uses that
	NoLLGR    uint32 = 0xffff0007 // the route is not to be held beyond graceful restart
)

// MarkStale keeps a source's paths but notes that they are to be swept unless announced again (RFC 4724 4.2).
func (t *Table) MarkStale(id SourceID) {
	s := t.sources[id]
	if s == nil {
		return
	}
	s.remember()
	for _, e := range t.all() {
		for p := range t.pathsOf(e) {
			if t.sourceOf(p) == s && !p.stale {
				p.stale = true
				s.stale++
			}
		}
	}
}

// SweepStale withdraws a source's stale paths of one family.
func (t *Table) SweepStale(id SourceID, six bool) {
	if s := t.sources[id]; s == nil || s.stale == 0 {
		return
	}
	t.dropIf(id, Swept, func(e *entry, p *path) bool { return p.stale && e.six == six })
}

// HoldLong makes a source's stale paths of one family a last resort (RFC 9494 4.2): they get the community LLGR_STALE and lose to all others of
// their kind. Those that do not want that, by the community NO_LLGR, are withdrawn.
func (t *Table) HoldLong(id SourceID, six bool) {
	s := t.sources[id]
	if s == nil || s.stale == 0 {
		return
	}
	t.dropIf(id, Swept, func(e *entry, p *path) bool {
		return p.stale && e.six == six && slices.Contains(t.sets.get(p.attrs).received().Communities, NoLLGR)
	})
	for i, e := range t.all() {
		for p := range t.pathsOf(e) {
			if p.stale && e.six == six && t.sourceOf(p) == s {
				t.lastResort(i, s, p)
			}
		}
	}
}

// lastResort adds LLGR_STALE to what a path was received with. The verdict stays.
func (t *Table) lastResort(i uint32, s *source, p *path) {
	old := t.sets.get(p.attrs)
	if old.last {
		return
	}
	a := *old.received()
	a.Communities = append(slices.Clip(a.Communities), LLGRStale)
	p.attrs, p.since = t.share(s, &a, old.changed()).acquire().id, t.now
	t.note(t.slots.at(i), Changed, s.Name, uint8(p.verdict))
	t.release(old)
	t.touch(i)
}
