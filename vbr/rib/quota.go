package rib

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
)

// Quota bounds how many prefixes of a source count, each family by itself. Counted is what the rules and the import policy accept, also while its
// link is down or the VPC side has the prefix. Those that came first stay; the surplus is kept with the verdict RejectedOverQuota, and takes
// places that become free in the order in which it was announced. Announcing a prefix again changes nothing of its place.
//
// Of what does not count, the surplus and what is rejected, as many paths are kept as the quota has places, 1000 at least: a peer can make the
// table no larger. What is beyond is forgotten, and only counted. See Table.Incomplete.
type Quota struct {
	// Limit is how many; 0: no bound.
	Limit int
	// CountOnly has no consequences.
	CountOnly bool
	// Never are prefixes that are accepted though all places are taken. They count.
	Never []netip.Prefix
}

// minSpare is the least number of paths that are kept beyond what counts.
const minSpare = 1000

func (q Quota) equal(o Quota) bool {
	return q.Limit == o.Limit && q.CountOnly == o.CountOnly && slices.Equal(q.Never, o.Never)
}

// places is how many prefixes count.
func (q *Quota) places() int {
	if q.Limit == 0 || q.CountOnly {
		return math.MaxInt
	}
	return q.Limit
}

// spare is how many paths are kept that do not count.
func (q *Quota) spare() int {
	if q.Limit == 0 || q.CountOnly {
		return math.MaxInt
	}
	return max(q.Limit, minSpare)
}

// QuotaUse is how far a source's quota of a family is used.
type QuotaUse struct {
	Limit int
	Used  int
	// Over are the paths that wait for a place, Forgotten those that would have to and were not kept, Refused those not kept that were rejected for
	// something else, and do not count: as far as that is known, see Quota.
	Over, Forgotten, Refused int
}

// Unkept is how many of the source's prefixes are not kept.
func (u QuotaUse) Unkept() int { return u.Forgotten + u.Refused }

// QuotaUse is that of a source; zero for an unknown one.
func (t *Table) QuotaUse(id SourceID, six bool) QuotaUse {
	s := t.sources[id]
	if s == nil {
		return QuotaUse{}
	}
	p := &s.places[boolByte(six)]
	return QuotaUse{Limit: s.Quota.Limit, Used: p.used, Over: len(p.line.turns), Forgotten: p.forgotten, Refused: p.refused}
}

// Incomplete says whether a source has free places for prefixes that it offers and that were forgotten, or may have paths that were cut for a size which is
// legal now: have it tell all again, after Recount.
func (t *Table) Incomplete(id SourceID) bool {
	s := t.sources[id]
	if s == nil {
		return false
	}
	if s.cut {
		return true
	}
	for i := range s.places {
		p := &s.places[i]
		if p.used < s.Quota.places() && (p.forgotten > 0 || p.guessed && p.refused > 0) {
			return true
		}
	}
	return false
}

// places are those of one family of a source.
type places struct {
	used int // paths that count
	rest int // paths kept that do not
	line line
	// forgotten are prefixes not kept that would have had to wait, refused those that were rejected. A prefix that is announced twice counts twice,
	// and of a withdrawn one nobody knows which it was: then they are guessed. MarkStale and Recount begin anew.
	forgotten, refused int
	guessed            bool
}

func (p *places) count(v Verdict, by int) {
	if passing(v) {
		p.used += by
	} else {
		p.rest += by
	}
}

func (p *places) missing() int { return p.forgotten + p.refused }

// withdrawn takes in that a prefix went that was not kept, if it ever came.
func (p *places) withdrawn() {
	p.guessed = p.guessed || p.forgotten > 0 && p.refused > 0
	switch {
	case p.forgotten > 0:
		p.forgotten--
	case p.refused > 0:
		p.refused--
	}
}

// Recount begins anew to count what a source offers and what is not kept: it will tell all again.
func (t *Table) Recount(id SourceID) {
	if s := t.sources[id]; s != nil {
		s.remember()
	}
}

func (s *source) placesOf(prefix netip.Prefix) *places {
	return &s.places[boolByte(!prefix.Addr().Is4())]
}

// remember forgets what was forgotten: the source has ended, or tells all again.
func (s *source) remember() {
	s.cut = false
	for i := range s.places {
		p := &s.places[i]
		p.forgotten, p.refused, p.guessed = 0, 0, false
	}
}

// admit gives the quota's verdict on what would else have verdict v. Old is the path before, nil for none.
func (s *source) admit(prefix netip.Prefix, old *path, v Verdict) Verdict {
	if v != Accepted || old != nil && passing(old.verdict) {
		return v
	}
	p := s.placesOf(prefix)
	if p.used < s.Quota.places() && len(p.line.turns) == 0 || slices.Contains(s.Quota.Never, prefix) {
		return Accepted
	}
	return RejectedOverQuota
}

// overflows says that there is no room for a path that does not count, and counts it.
func (s *source) overflows(prefix netip.Prefix, v Verdict) bool {
	p := s.placesOf(prefix)
	if p.rest < s.Quota.spare() {
		return false
	}
	if v == RejectedOverQuota {
		p.forgotten++
	} else {
		p.refused++
	}
	return true
}

// requeue keeps the line when a path of entry i becomes another; zero paths stand for none.
func (s *source) requeue(i uint32, e *entry, old, now *path) {
	was, is := old.verdict == RejectedOverQuota, now.verdict == RejectedOverQuota
	switch l := &s.places[boolByte(e.six)].line; {
	case is && !was:
		l.join(ticket{i, now.id})
	case was && !is:
		l.leave(ticket{i, old.id})
	}
}

// fill gives free places to those who wait.
func (t *Table) fill(s *source) {
	for f := range s.places {
		p := &s.places[f]
		for p.used < s.Quota.places() {
			who, ok := p.line.pop()
			if !ok {
				break
			}
			e := t.slots.at(who.entry)
			t.move(who.entry, e, t.find(e, s, who.id), Accepted)
		}
	}
}

// move gives a path another verdict; its source's line is for the caller to keep.
func (t *Table) move(i uint32, e *entry, p *path, v Verdict) {
	t.count(e, p, -1)
	p.verdict, p.since = v, t.now
	t.note(e, Changed, t.sourceOf(p).Name, uint8(v))
	t.count(e, p, 1)
	t.touch(i)
}

// settle has a source with another quota keep to it: the longest prefixes go first, of these the highest addresses.
func (t *Table) settle(s *source) {
	for f := range s.places {
		if s.places[f].used > s.Quota.places() {
			t.evict(s, f)
		}
	}
	t.fill(s)
}

func (t *Table) evict(s *source, family int) {
	var last []ticket
	for i, e := range t.all() {
		if int(boolByte(e.six)) != family || slices.Contains(s.Quota.Never, e.prefix()) {
			continue
		}
		for p := range t.pathsOf(e) {
			if t.sourceOf(p) == s && passing(p.verdict) {
				last = append(last, ticket{i, p.id})
			}
		}
	}
	slices.SortFunc(last, func(a, b ticket) int {
		x, y := t.slots.at(a.entry), t.slots.at(b.entry)
		return cmp.Or(cmp.Compare(x.bits, y.bits), cmp.Compare(x.hi, y.hi), cmp.Compare(x.lo, y.lo), cmp.Compare(a.id, b.id))
	})
	surplus := min(s.places[family].used-s.Quota.places(), len(last))
	for _, who := range last[len(last)-surplus:] {
		e := t.slots.at(who.entry)
		t.move(who.entry, e, t.find(e, s, who.id), RejectedOverQuota)
		s.places[family].line.join(who)
	}
}
