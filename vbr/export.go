package vbr

import (
	"net/netip"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/policy"
	"github.com/openvbr/openvbr/vbr/rib"
)

// tellRoute has the customer's peers hear of an announcement in these ways, each as its policy has it.
func (r *router) tellRoute(c forCustomer, a *rib.Announcement, ways []*way) {
	ad := r.advertisement(*a)
	for _, w := range ways {
		mine, told := r.judged(w, ad, a.Announce)
		c.add(w, mine, told)
	}
}

// judged is an advertisement of a prefix with these attributes as it is told in one way; false if its policy denies it.
func (r *router) judged(w *way, ad bgp.Advertisement, a *rib.Attrs) (bgp.Advertisement, bool) {
	o := r.exporter.judge(w, ad.Prefix, a)
	if !o.Accept {
		return ad, false
	}
	if ad.OTC = w.otc; o.Changes() {
		r.alter(&ad, a, w.by, o)
	}
	return ad, true
}

// alter makes a policy's changes to what is told. LOCAL_PREF is not: it is for nobody outside.
func (r *router) alter(ad *bgp.Advertisement, a *rib.Attrs, by *policy.Policy, o policy.Outcome) {
	x := policy.Attrs{MED: ad.MED, HasMED: ad.HasMED, Communities: a.Communities, LargeCommunities: ad.LargeComms}
	ad.Prepend += uint8(by.Apply(o, &x))
	ad.MED, ad.HasMED = x.MED, x.HasMED
	ad.Communities, ad.LargeComms = shutdown(x.Communities, r.records.drained.Load()), x.LargeCommunities
}

// told hands over all that neighbours are told, a batch at a time, without the router's lock.
func (r *router) told(do func([]rib.Announcement)) {
	for from := uint32(1); from != 0; {
		r.pulse.beat()
		var said []rib.Announcement
		r.mu.Lock()
		from = r.rib.ToldSlice(from, batch, func(a rib.Announcement) { said = append(said, a) })
		r.mu.Unlock()
		do(said)
	}
}

// fill puts all that is for the customer into the tables that are new, and anew into those whose policy has changed. SetPeers follows, and the peers
// hear of the difference.
func (r *router) fill(speaker speaker) {
	due := r.exporter.unfilled()
	if len(due[0])+len(due[1]) == 0 {
		return
	}
	c := make(forCustomer)
	for _, n := range r.networks {
		if n.told.Load() {
			r.tellNetwork(c, n, due[boolIndex(n.prefix.Addr().Is6())])
		}
	}
	r.speak(speaker, c, outbox{})
	if len(r.networks) == 0 {
		r.told(func(said []rib.Announcement) {
			c := make(forCustomer)
			for i := range said {
				if heard(said[i].Source, nil) {
					r.tellRoute(c, &said[i], due[boolIndex(said[i].Prefix.Addr().Is6())])
				}
			}
			r.speak(speaker, c, outbox{})
		})
	}
	r.exporter.filled(due)
}

// empty takes all out of the tables that no peer is told by any longer, now that the speaker has its peers.
func (r *router) empty(speaker speaker) {
	left := r.exporter.left()
	if len(left[0])+len(left[1]) == 0 {
		return
	}
	c := make(forCustomer)
	for _, n := range r.networks {
		c.takeBack(left[boolIndex(n.prefix.Addr().Is6())], n.prefix)
	}
	r.speak(speaker, c, outbox{})
	if len(r.networks) > 0 {
		return
	}
	r.told(func(said []rib.Announcement) {
		c := make(forCustomer)
		for i := range said {
			if p := said[i].Prefix; heard(said[i].Source, nil) {
				c.takeBack(left[boolIndex(p.Addr().Is6())], p)
			}
		}
		r.speak(speaker, c, outbox{})
	})
}

// waysTold are the ways, IPv4 and IPv6, in which the peers with established sessions are told, or with an address that peer; r.mu is held.
func (r *router) waysTold(peer string) (ways [2][]*way) {
	only, err := netip.ParseAddr(peer)
	for i := range r.spec.peers {
		p := &r.spec.peers[i]
		if s := r.sessions[p.Address]; s == nil || !s.up || err == nil && p.Address != only {
			continue
		}
		for f := range ways {
			if w := r.wayOf(p, f == 1); w != nil && findWay(ways[f], w.table) == nil {
				ways[f] = append(ways[f], w)
			}
		}
	}
	return ways
}

// wayOf is the way in which a peer is told of a family, nil if it is not; r.mu is held.
func (r *router) wayOf(p *peerSpec, six bool) *way {
	if !p.carries(six) {
		return nil
	}
	return r.exporter.way(six, p.rules.table())
}

// exportRows are the rows of what is for the customer as it is told in these ways, without what is not told in any. Where there are several, the
// attributes are those before their policies.
func exportRows(rows []rib.Row, ways [2][]*way, asn uint32) []rib.Row {
	out := rows[:0]
	for _, x := range rows {
		if a := altered(x.Prefix, x.Attrs, ways[boolIndex(x.Prefix.Addr().Is6())], asn); a != nil {
			x.Attrs = a
			out = append(out, x)
		}
	}
	return out
}

// altered are attributes as these ways tell them, nil if none does; where there are several, they are those before their policies.
func altered(prefix netip.Prefix, a *rib.Attrs, ways []*way, asn uint32) *rib.Attrs {
	for _, w := range ways {
		switch o := w.outcome(prefix, a); {
		case !o.Accept:
		case len(ways) > 1 || !o.Changes():
			return a
		default:
			out := a.With(w.by, o, asn)
			return &out
		}
	}
	return nil
}

// exportDenies says which community or term keeps a peer from hearing of the prefix; empty if none does.
func (s *story) exportDenies(p *peerSpec) string {
	w := s.ways[p.Address]
	if w == nil || s.known.Told == nil {
		return ""
	}
	told := s.known.Told
	if len(s.spec.networks) > 0 { // the prefix is told as one of them
		told = networkAttrs()
	}
	if why := bgp.Withheld(told.Communities); why != "" {
		return why
	}
	if o := w.outcome(s.known.Prefix, told); !o.Accept {
		return "export policy: " + w.by.Text(o)
	}
	return ""
}
