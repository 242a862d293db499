package rib

import "slices"

// SetRules makes the table judge by other rules from now on, what it holds too.
func (t *Table) SetRules(rules Rules) {
	if t.rules.Equal(rules) {
		return
	}
	t.rules = rules
	t.revise(func(*source) bool { return true })
}

// ChangeSource replaces what is known of a source: its paths stay and are judged again, and lead over its new device. The kind stays, and
// the router interface that they lead through; a zero RouterID keeps the one known. An unknown source is ignored.
func (t *Table) ChangeSource(id SourceID, to Source) {
	s := t.sources[id]
	if s == nil {
		return
	}
	to.Kind, to.Interface = s.Kind, s.Through()
	if !to.RouterID.IsValid() {
		to.RouterID = s.RouterID
	}
	if s.Source.equal(to) {
		return
	}
	before := s.Source
	s.Source = to
	s.enlarged(&before)
	t.revise(func(o *source) bool { return o == s })
}

func (s Source) equal(o Source) bool {
	return s.Kind == o.Kind && s.Name == o.Name && s.Address == o.Address && s.RouterID == o.RouterID && s.ASN == o.ASN &&
		s.Internal == o.Internal && s.Device == o.Device && s.OnLink == o.OnLink && s.Adopted == o.Adopted &&
		s.Through() == o.Through() && s.Transit == o.Transit && s.Prefer == o.Prefer &&
		s.Import == o.Import && s.Role == o.Role && s.Allow == o.Allow && s.MaxASPath == o.MaxASPath && s.MaxCommunities == o.MaxCommunities && s.Quota.equal(o.Quota) &&
		slices.Equal(s.Subnets, o.Subnets) && slices.Equal(s.Own, o.Own)
}

// passing verdicts come and go by themselves, see judgeAgain.
func passing(v Verdict) bool {
	return v == Accepted || v == RejectedVPC || v == RejectedLinkDown || v == RejectedBFDDown || v == RejectedInterface
}

// Carried is how many prefixes the kernel was last asked to send over a source's paths, be it among others.
func (t *Table) Carried(id SourceID) int {
	s := t.sources[id]
	if s == nil {
		return 0
	}
	n := 0
	for _, e := range t.all() {
		if h := t.hops.get(e.hops); h != nil && t.carries(e, h, s) {
			n++
		}
	}
	return n
}

func (t *Table) carries(e *entry, h *Hops, s *source) bool {
	for p := range t.pathsOf(e) {
		if p.verdict == Accepted && t.sourceOf(p) == s && slices.ContainsFunc(h.Primary, t.sets.get(p.attrs).hop().same) {
			return true
		}
	}
	return false
}
