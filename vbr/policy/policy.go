package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
)

// Limits of one policy. A term's number is what Express Connect calls Priority.
const (
	MaxTerms   = 100 // of the operator; others may be put in front, up to 128 together
	MaxNumber  = 100
	MaxItems   = 64 // of one list of a term
	MaxPrepend = 10
	maxAhead   = 100 // how often an AS is put in front by all terms together
	maxAll     = 128
)

// Result is what a term, or the end of a policy, does with a route.
type Result uint8

// The results.
const (
	Deny   Result = iota // the route is rejected
	Permit               // it is accepted
	Next                 // the term's changes are made, and the terms behind it are asked
)

// Match is what a term asks of a route: all that is given, and of each list one item. The zero Match holds for every route.
type Match struct {
	Prefixes         []PrefixRange
	ASPaths          []*regexp.Regexp   // see ParsePath
	Communities      []CommunityPattern // together with LargeCommunities one list
	LargeCommunities []LargePattern
	NextHops         []netip.Prefix // a next hop in one of them
	Origins          []uint8
	// MinLength and MaxLength bound PathLength; a MaxLength of 0 is none.
	MinLength, MaxLength int
}

// Set is what a term changes. Lists stay sorted as they come, without duplicates; what is removed is removed before others are added.
type Set struct {
	LocalPref *uint32
	MED       *uint32
	// Replace drops all communities of both kinds.
	Replace     bool
	Remove      []CommunityPattern
	RemoveLarge []LargePattern
	Add         []uint32
	AddLarge    [][3]uint32
	// Prepend is how often an AS is put in front of the AS path: which, is for the caller to know.
	Prepend uint8
}

// Term is one term of a policy.
type Term struct {
	Number uint32 // order among the terms, and its name for people
	Match  Match
	Set    Set
	Result Result
}

// Mask is a set of terms.
type Mask [2]uint64

func (m *Mask) add(i int)     { m[i/64] |= 1 << (i % 64) }
func (m Mask) has(i int) bool { return m[i/64]&(1<<(i%64)) != 0 }

// Outcome is what a policy decided. Of the same policy and attributes, equal outcomes make equal routes.
type Outcome struct {
	// Changed are the terms whose changes are to be made.
	Changed Mask
	// By is the term that decided: its position among Terms, -1 for none: the end of the policy did.
	By     int16
	Accept bool
}

// Policy is a compiled policy.
type Policy struct {
	name     string
	terms    []Term
	end      Result
	prefixes bool
	paths    bool
	changes  Mask
}

// New compiles terms, which are sorted by number; terms of equal number keep their order. What no term decides is decided by end, Permit or Deny. The terms are the
// policy's to keep.
func New(name string, end Result, terms ...Term) (*Policy, error) {
	if len(terms) > maxAll {
		return nil, fmt.Errorf("policy %s: %d terms; legal: at most %d", name, len(terms), maxAll)
	}
	p := &Policy{name: name, terms: slices.Clone(terms), end: end}
	slices.SortStableFunc(p.terms, func(a, b Term) int { return int(a.Number) - int(b.Number) })
	for i := range p.terms {
		t := &p.terms[i]
		p.prefixes = p.prefixes || len(t.Match.Prefixes) > 0
		p.paths = p.paths || len(t.Match.ASPaths) > 0
		if t.Result != Deny && t.Set.any() {
			p.changes.add(i)
		}
	}
	return p, nil
}

func (s *Set) any() bool {
	return s.LocalPref != nil || s.MED != nil || s.Replace || len(s.Remove)+len(s.RemoveLarge)+len(s.Add)+len(s.AddLarge) > 0 ||
		s.Prepend > 0
}

// Name is the policy's.
func (p *Policy) Name() string { return p.name }

// PerPrefix says whether any term looks at the prefix: if not, one Decide serves all prefixes of an attribute set.
func (p *Policy) PerPrefix() bool { return p.prefixes }

// Match says which terms hold for attributes, as far as they do not look at the prefix. Scratch is a buffer, which is returned grown.
func (p *Policy) Match(a *Attrs, scratch []byte) (Mask, []byte) {
	var m Mask
	if p.paths {
		scratch = AppendPath(scratch[:0], a.ASPath)
	}
	for i := range p.terms {
		if p.terms[i].Match.attributes(a, scratch) {
			m.add(i)
		}
	}
	return m, scratch
}

// Decide says what comes of a prefix, with what Match said of its attributes.
func (p *Policy) Decide(m Mask, prefix netip.Prefix) Outcome {
	o := Outcome{By: -1, Accept: p.end == Permit}
	for i := range p.terms {
		t := &p.terms[i]
		if !m.has(i) || !t.Match.prefix(prefix) {
			continue
		}
		if p.changes.has(i) {
			o.Changed.add(i)
		}
		if t.Result != Next {
			o.By, o.Accept = int16(i), t.Result == Permit
			break
		}
	}
	if !o.Accept {
		o.Changed = Mask{}
	}
	return o
}

// Evaluate is Match and Decide in one.
func (p *Policy) Evaluate(a *Attrs, prefix netip.Prefix) Outcome {
	m, _ := p.Match(a, nil)
	return p.Decide(m, prefix)
}

func (m *Match) prefix(p netip.Prefix) bool {
	if len(m.Prefixes) == 0 {
		return true
	}
	for i := range m.Prefixes {
		if m.Prefixes[i].Contains(p) {
			return true
		}
	}
	return false
}

func (m *Match) attributes(a *Attrs, path []byte) bool {
	if m.MinLength > 0 || m.MaxLength > 0 {
		if n := PathLength(a.ASPath); n < m.MinLength || m.MaxLength > 0 && n > m.MaxLength {
			return false
		}
	}
	return (len(m.Origins) == 0 || slices.Contains(m.Origins, a.Origin)) && m.communities(a) && m.nextHop(a) && m.path(path)
}

func (m *Match) communities(a *Attrs) bool {
	if len(m.Communities)+len(m.LargeCommunities) == 0 {
		return true
	}
	for _, c := range a.Communities {
		for _, p := range m.Communities {
			if c&p.Mask == p.Value {
				return true
			}
		}
	}
	return len(m.LargeCommunities) > 0 && m.large(a)
}

func (m *Match) large(a *Attrs) bool {
	for _, c := range a.LargeCommunities {
		for i := range m.LargeCommunities {
			if m.LargeCommunities[i].matches(c) {
				return true
			}
		}
	}
	return false
}

func (p *LargePattern) matches(c [3]uint32) bool {
	return c[0]&p.Mask[0] == p.Value[0] && c[1]&p.Mask[1] == p.Value[1] && c[2]&p.Mask[2] == p.Value[2]
}

func (m *Match) nextHop(a *Attrs) bool {
	if len(m.NextHops) == 0 {
		return true
	}
	for _, p := range m.NextHops {
		if p.Contains(a.NextHop) {
			return true
		}
	}
	return false
}

func (m *Match) path(text []byte) bool {
	if len(m.ASPaths) == 0 {
		return true
	}
	for _, re := range m.ASPaths {
		if re.Match(text) {
			return true
		}
	}
	return false
}
