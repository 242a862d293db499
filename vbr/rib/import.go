package rib

import (
	"net/netip"

	"github.com/openvbr/openvbr/vbr/policy"
)

// origin is what a set of attributes was before the import policy changed it, and by which terms.
type origin struct {
	Attrs
	changed policy.Mask
}

// received are the attributes as the source announced them.
func (sh *shared) received() *Attrs {
	if sh.from != nil {
		return &sh.from.Attrs
	}
	return &sh.Attrs
}

// changed are the terms that changed the attributes.
func (sh *shared) changed() policy.Mask {
	if sh.from != nil {
		return sh.from.changed
	}
	return policy.Mask{}
}

// subject are the attributes as policies see them.
func (a *Attrs) subject() policy.Attrs {
	return policy.Attrs{
		NextHop: a.NextHop, ASPath: a.ASPath, Communities: a.Communities, LargeCommunities: a.LargeCommunities,
		MED: a.MED, LocalPref: a.LocalPref, HasMED: a.HasMED, HasLocalPref: a.HasLocalPref, Origin: a.Origin,
	}
}

// With is a with what a policy's outcome changes. What is to be put in front of the AS path is asn.
func (a *Attrs) With(p *policy.Policy, o policy.Outcome, asn uint32) Attrs {
	x, out := a.subject(), *a
	n := p.Apply(o, &x)
	out.ASPath = policy.Prepend(x.ASPath, asn, n)
	out.Communities, out.LargeCommunities = x.Communities, x.LargeCommunities
	out.MED, out.HasMED, out.LocalPref, out.HasLocalPref = x.MED, x.HasMED, x.LocalPref, x.HasLocalPref
	return out
}

// Judge says what a policy makes of a path with these attributes.
func (a *Attrs) Judge(p *policy.Policy, prefix netip.Prefix) policy.Outcome {
	x := a.subject()
	return p.Evaluate(&x, prefix)
}

// imported is what the import policy says of a path with this verdict, and the attributes before it changed them.
func imported(prefix netip.Prefix, sh *shared, v Verdict) (text string, received *Attrs) {
	if sh.from != nil {
		received = sh.received()
	}
	if p := sh.source.Import; p != nil && (passing(v) || v == RejectedPolicy || v == RejectedOverQuota) {
		text = p.Text(sh.received().Judge(p, prefix))
	}
	return text, received
}

// changed is a as the import policy changes it.
func (s *source) changed(a *Attrs, terms policy.Mask) Attrs {
	return a.With(s.Import, policy.Outcome{Changed: terms}, s.ASN)
}

// importer takes in prefixes of one source and attribute set.
type importer struct {
	t     *Table
	s     *source
	a     *Attrs
	plain *shared // a unchanged
	mask  policy.Mask
	last  *shared // a as it was last changed
}

// importer begins. The end is done.
func (t *Table) importer(s *source, a *Attrs) importer {
	in := importer{t: t, s: s, a: a, plain: t.share(s, a, policy.Mask{}).acquire()} // for the loop, lest a replaced prefix frees it
	if s.Import != nil && in.plain.verdict == Accepted {
		x := a.subject()
		in.mask, t.scratch = s.Import.Match(&x, t.scratch)
	}
	return in
}

// take is what a prefix is kept with, with a reference, and the verdict on it, but for the quota's.
func (in *importer) take(prefix netip.Prefix) (*shared, Verdict) {
	v := in.t.judge(prefix, in.plain)
	if v != Accepted || in.s.Import == nil {
		return in.plain.acquire(), v
	}
	o := in.s.Import.Decide(in.mask, prefix)
	if !o.Accept {
		return in.plain.acquire(), RejectedPolicy
	}
	return in.changed(o.Changed).acquire(), Accepted
}

// changed is the set with these terms' changes, held for those that follow.
func (in *importer) changed(terms policy.Mask) *shared {
	if terms == (policy.Mask{}) {
		return in.plain
	}
	if in.last == nil || in.last.from.changed != terms {
		in.t.release(in.last)
		in.last = in.t.share(in.s, in.a, terms).acquire()
	}
	return in.last
}

func (in *importer) done() {
	in.t.release(in.plain)
	in.t.release(in.last)
}

// revise judges the paths of some sources again, and has their policies change them anew.
func (t *Table) revise(which func(*source) bool) {
	for _, s := range t.sources {
		if !which(s) {
			continue
		}
		for _, number := range s.attrs {
			sh := t.sets.get(number)
			sh.verdict = t.judgeAttrs(s, sh.received())
			t.releaseHops(sh.only)
			sh.only = nil
		}
	}
	for i, e := range t.all() {
		for p := range t.pathsOf(e) {
			if s := t.sourceOf(p); which(s) {
				t.reconsider(i, e, s, p)
			}
		}
	}
	for _, s := range t.sources {
		if which(s) {
			t.settle(s)
		}
	}
}

// reconsider judges a path of s again.
func (t *Table) reconsider(i uint32, e *entry, s *source, p *path) {
	old := t.sets.get(p.attrs)
	in := t.importer(s, old.received())
	sh, v := in.take(e.prefix())
	in.done()
	v = s.admit(e.prefix(), p, v)
	if sh == old && (v == p.verdict || v == Accepted && passing(p.verdict)) {
		t.release(sh)
		t.touch(i)
		return
	}
	was := *p
	t.count(e, p, -1)
	p.attrs, p.verdict, p.since = sh.id, v, t.now
	t.note(e, Changed, s.Name, uint8(v))
	t.count(e, p, 1)
	s.requeue(i, e, &was, p)
	t.release(old)
	t.touch(i)
}

// Trial is what would become of a path.
type Trial struct {
	Verdict Verdict // the quota is not asked
	Why     string
	Attrs   Attrs // as the policy changes them
}

// Try says what would become of a path of a source under an import policy, without taking it in. An unknown source is an empty Trial.
func (t *Table) Try(id SourceID, prefix netip.Prefix, a *Attrs, by *policy.Policy) Trial {
	s := t.sources[id]
	if s == nil {
		return Trial{}
	}
	prefix = prefix.Masked()
	sh := &shared{Attrs: *a, source: s, verdict: t.judgeAttrs(s, a)}
	v := t.judge(prefix, sh)
	if v == Accepted && s.Allow&AllowVPC == 0 && t.vpcSet.LookupPrefix(prefix) {
		v = RejectedVPC
	}
	if v != Accepted {
		return Trial{v, t.reason(prefix, sh, v), *a}
	}
	o := a.Judge(by, prefix)
	if !o.Accept {
		return Trial{RejectedPolicy, by.Text(o), *a}
	}
	return Trial{Accepted, by.Text(o), a.With(by, o, s.ASN)}
}
