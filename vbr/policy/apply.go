package policy

import (
	"fmt"
	"slices"
)

// Changes says whether an outcome changes attributes.
func (o Outcome) Changes() bool { return o.Changed != Mask{} }

// Apply makes an outcome's changes to a, in the order of the terms, and returns how often an AS is to be put in front of the AS path: at most
// 100 times, however many terms do it. Lists
// are replaced, never changed in place.
func (p *Policy) Apply(o Outcome, a *Attrs) (prepend int) {
	for i := range p.terms {
		if o.Changed.has(i) {
			p.terms[i].Set.apply(a)
			prepend += int(p.terms[i].Set.Prepend)
		}
	}
	return min(prepend, maxAhead)
}

func (s *Set) apply(a *Attrs) {
	if s.LocalPref != nil {
		a.LocalPref, a.HasLocalPref = *s.LocalPref, true
	}
	if s.MED != nil {
		a.MED, a.HasMED = *s.MED, true
	}
	a.Communities = edit(a.Communities, s.Replace, s.Add, func(c uint32) bool {
		return slices.ContainsFunc(s.Remove, func(p CommunityPattern) bool { return c&p.Mask == p.Value })
	})
	a.LargeCommunities = edit(a.LargeCommunities, s.Replace, s.AddLarge, func(c [3]uint32) bool {
		return slices.ContainsFunc(s.RemoveLarge, func(p LargePattern) bool { return p.matches(c) })
	})
}

// edit is a list without what is removed, all with replace, and with what is added.
func edit[C comparable](list []C, replace bool, add []C, removed func(C) bool) []C {
	if !replace && len(add) == 0 && !slices.ContainsFunc(list, removed) {
		return list
	}
	var out []C
	for _, c := range list {
		if !replace && !removed(c) {
			out = append(out, c)
		}
	}
	for _, c := range add {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// Prepend is a path with asn put in front n times. The path itself stays as it is.
func Prepend(path []Segment, asn uint32, n int) []Segment {
	if n == 0 {
		return path
	}
	front := slices.Repeat([]uint32{asn}, n)
	if len(path) > 0 && path[0].Type == ASSequence && len(path[0].ASNs)+n <= 255 { // RFC 4271 4.3: a segment's length is one octet
		out := slices.Clone(path)
		out[0].ASNs = append(front, path[0].ASNs...)
		return out
	}
	return append([]Segment{{ASSequence, front}}, path...)
}

// Text says in words what an outcome came from: "term 20 of lab-in permits it".
func (p *Policy) Text(o Outcome) string {
	verb := "denies"
	if o.Accept {
		verb = "permits"
	}
	if o.By < 0 {
		return fmt.Sprintf("no term of %s decides, and its end %s it", p.name, verb)
	}
	return fmt.Sprintf("term %d of %s %s it", p.terms[o.By].Number, p.name, verb)
}

// Number is that of the term which decided, 0 for the end of the policy.
func (p *Policy) Number(o Outcome) uint32 {
	if o.By < 0 {
		return 0
	}
	return p.terms[o.By].Number
}
