package vbr

import (
	"net/netip"
	"reflect"
	"sync"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/policy"
	"github.com/openvbr/openvbr/vbr/rib"
)

// exporter judges what the customer's peers are told: those of a family by one policy, since one speaker tells them all.
type exporter struct {
	mu     sync.Mutex
	otc    [2]uint32                    // ONLY_TO_CUSTOMER, 0 for none
	asn    uint32                       // ours
	texts  [2]*intent.RoutePolicy       // IPv4, IPv6
	by     [2]*policy.Policy            // nil: all is told
	denied [2]map[netip.Prefix]struct{} // what is for the customer and is not told
}

// take makes the exporter judge by a spec's policies, and says whether that is another way.
func (x *exporter) take(s *spec) (changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asn = s.asn
	for f := range x.by {
		if otc := s.onlyToCustomers(f == 1); otc != x.otc[f] {
			x.otc[f], changed = otc, true
		}
		text := s.exportOf(f == 1)
		if reflect.DeepEqual(text, x.texts[f]) {
			continue
		}
		by, err := compileExport(text)
		if err != nil { // newPeerRules has compiled it
			panic(err)
		}
		x.texts[f], x.by[f], changed = text, by, true
	}
	return changed
}

// exportOf is the export policy of a family's peers, nil for the default.
func (s *spec) exportOf(six bool) *intent.RoutePolicy {
	for i := range s.peers {
		if p := &s.peers[i]; p.carries(six) {
			return p.rules.out
		}
	}
	return nil
}

// onlyToCustomers is the ONLY_TO_CUSTOMER attribute for what a family's peers are told: our AS if towards any of them we have a role (RFC 9234 5).
func (s *spec) onlyToCustomers(six bool) uint32 {
	for i := range s.peers {
		if p := &s.peers[i]; p.carries(six) && p.rules.Role != "" {
			return s.asn
		}
	}
	return 0
}

// policy is that of a family, nil for the default, and our AS.
func (x *exporter) policy(six bool) (*policy.Policy, uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.by[boolIndex(six)], x.asn
}

// judge says whether a prefix is told, and notes it.
func (x *exporter) judge(prefix netip.Prefix, a *rib.Attrs) (policy.Outcome, *policy.Policy) {
	f := boolIndex(prefix.Addr().Is6())
	x.mu.Lock()
	defer x.mu.Unlock()
	by := x.by[f]
	if by == nil {
		delete(x.denied[f], prefix)
		return policy.Outcome{Accept: true}, nil
	}
	o := a.Judge(by, prefix)
	switch {
	case o.Accept:
		delete(x.denied[f], prefix)
	case x.denied[f] == nil:
		x.denied[f] = map[netip.Prefix]struct{}{prefix: {}}
	default:
		x.denied[f][prefix] = struct{}{}
	}
	return o, by
}

// gone forgets a prefix that is no longer for the customer.
func (x *exporter) gone(prefix netip.Prefix) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.denied[boolIndex(prefix.Addr().Is6())], prefix)
}

// forget forgets all that is not told, because all is about to be judged anew.
func (x *exporter) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.denied = [2]map[netip.Prefix]struct{}{}
}

// altered are attributes as the policy of the prefix's family changes them.
func (x *exporter) altered(prefix netip.Prefix, a *rib.Attrs) *rib.Attrs {
	by, asn := x.policy(prefix.Addr().Is6())
	if by == nil {
		return a
	}
	out := a.With(by, a.Judge(by, prefix), asn)
	return &out
}

func (x *exporter) onlyToCustomer(prefix netip.Prefix) uint32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.otc[boolIndex(prefix.Addr().Is6())]
}

// count is how many prefixes of a family are not told.
func (x *exporter) count(six bool) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.denied[boolIndex(six)])
}

// exported is what the customer's peers are told of an announcement; false if their policy denies it.
func (r *router) exported(a rib.Announcement) (bgp.Advertisement, bool) {
	return r.judged(r.advertisement(a), a.Announce)
}

// judged is an advertisement of a prefix with these attributes as the export policy has it; false if it is not told.
func (r *router) judged(ad bgp.Advertisement, a *rib.Attrs) (bgp.Advertisement, bool) {
	o, by := r.exporter.judge(ad.Prefix, a)
	if !o.Accept {
		return ad, false
	}
	ad.OTC = r.exporter.onlyToCustomer(ad.Prefix)
	if by != nil && o.Changes() {
		r.alter(&ad, a, by, o)
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

// exportRows are the rows of what is for the customer as it is told, without what is not.
func (r *router) exportRows(rows []rib.Row) []rib.Row {
	out := rows[:0]
	for _, x := range rows {
		by, asn := r.exporter.policy(x.Prefix.Addr().Is6())
		if by == nil {
			out = append(out, x)
			continue
		}
		if o := x.Attrs.Judge(by, x.Prefix); o.Accept {
			if o.Changes() {
				a := x.Attrs.With(by, o, asn)
				x.Attrs = &a
			}
			out = append(out, x)
		}
	}
	return out
}

// exportDenies says which term keeps the customer from hearing of the prefix; empty if none does.
func (s *story) exportDenies() string {
	by := s.export[boolIndex(s.known.Prefix.Addr().Is6())]
	if by == nil || s.known.Told == nil {
		return ""
	}
	told := s.known.Told
	if len(s.spec.networks) > 0 { // the prefix is told as one of them
		told = networkAttrs()
	}
	if o := told.Judge(by, s.known.Prefix); !o.Accept {
		return by.Text(o)
	}
	return ""
}
