package vbr

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/rib"
)

// tabled is a speaker with tables, as bgp.Speaker has them, that writes down what each peer hears.
type tabled struct {
	mute
	tables map[string]map[netip.Prefix]bgp.Advertisement
	peers  map[string]bgp.Peer
	heard  map[string][]string
}

func newTabled() *tabled {
	return &tabled{tables: make(map[string]map[netip.Prefix]bgp.Advertisement), peers: make(map[string]bgp.Peer), heard: make(map[string][]string)}
}

func (s *tabled) Advertise(table string, ads []bgp.Advertisement) error {
	if s.tables[table] == nil {
		s.tables[table] = make(map[netip.Prefix]bgp.Advertisement)
	}
	for _, ad := range ads {
		had, ok := s.tables[table][ad.Prefix]
		s.tables[table][ad.Prefix] = ad
		if !ok || adText(had) != adText(ad) {
			s.say(table, ad.Prefix, "+"+adText(ad))
		}
	}
	return nil
}

func (s *tabled) Withdraw(table string, prefixes []netip.Prefix) error {
	for _, p := range prefixes {
		if _, ok := s.tables[table][p]; ok {
			delete(s.tables[table], p)
			s.say(table, p, "-"+p.String())
		}
	}
	return nil
}

func (s *tabled) say(table string, prefix netip.Prefix, text string) {
	for name, p := range s.peers {
		if p.Export == table && p.IPv6 == prefix.Addr().Is6() {
			s.heard[name] = append(s.heard[name], text)
		}
	}
}

// SetPeers has each peer hear what its table has, or how it differs from the one that it was told before.
func (s *tabled) SetPeers(peers []bgp.Peer) error {
	now := make(map[string]bgp.Peer)
	for _, p := range peers {
		name := p.Address.String()
		now[name] = p
		had := s.view(s.peers[name])
		for prefix, text := range s.view(p) {
			if had[prefix] != text {
				s.heard[name] = append(s.heard[name], "+"+text)
			}
		}
		for prefix := range had {
			if _, stays := s.tables[p.Export][prefix]; !stays {
				s.heard[name] = append(s.heard[name], "-"+prefix.String())
			}
		}
	}
	s.peers = now
	return nil
}

// view is what a peer holds.
func (s *tabled) view(p bgp.Peer) map[netip.Prefix]string {
	out := make(map[netip.Prefix]string)
	for prefix, ad := range s.tables[p.Export] {
		if prefix.Addr().Is6() && p.IPv6 || prefix.Addr().Is4() && p.IPv4 {
			out[prefix] = adText(ad)
		}
	}
	return out
}

func adText(ad bgp.Advertisement) string {
	text := ad.Prefix.String()
	if ad.HasMED {
		text += fmt.Sprint(" med ", ad.MED)
	}
	for _, c := range ad.Communities {
		text += fmt.Sprintf(" %d:%d", c>>16, c&0xffff)
	}
	if ad.Prepend > 0 {
		text += fmt.Sprint(" prepend ", ad.Prepend)
	}
	if ad.OTC != 0 {
		text += fmt.Sprint(" otc ", ad.OTC)
	}
	return text
}

// telling is an observed router whose peers are told by a tabled speaker.
type telling struct {
	*observed
	speaker *tabled
}

func newTelling(t *testing.T) *telling {
	x := &telling{newObserved(t), newTabled()}
	x.become(func(*spec) {})
	return x
}

// become is what a change of the router does, but for devices.
func (x *telling) become(edit func(s *spec)) {
	r := x.router
	s := *r.spec
	s.peers = slices.Clone(s.peers)
	edit(&s)
	networks := !slices.Equal(s.networks, r.spec.networks)
	r.mu.Lock()
	r.exporter.take(&s)
	r.spec = &s
	r.mu.Unlock()
	if networks {
		r.changeNetworks(x.speaker)
	}
	r.flush(x.t.Context(), x.speaker)
	r.setPeers(x.speaker, r.peersNow(r.spec))
}

// offer has the VPC offer prefixes, or take them back.
func (x *telling) offer(on bool, prefixes ...string) {
	x.router.mu.Lock()
	for _, p := range prefixes {
		if on {
			x.rib.Announce(x.vpc, 0, &rib.Attrs{NextHop: gw1}, mustPrefix(p))
		} else {
			x.rib.Withdraw(x.vpc, 0, mustPrefix(p))
		}
	}
	x.rib.NextWindow()
	x.router.mu.Unlock()
	x.flush(x.t.Context(), x.speaker)
}

// wantHeard wants that the peers of these last octets have heard this since it was last asked, and nothing else, and that no table is left over.
func (x *telling) wantHeard(what string, want map[string][]string) {
	x.t.Helper()
	got := make(map[string][]string)
	for peer, l := range x.speaker.heard {
		slices.Sort(l)
		got[strings.TrimPrefix(peer, "10.0.0.")] = l
	}
	x.speaker.heard = make(map[string][]string)
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	x.wantNoTableLeft()
}

func (x *telling) wantNoTableLeft() {
	x.t.Helper()
	for name, table := range x.speaker.tables {
		used := false
		for _, p := range x.speaker.peers {
			used = used || p.Export == name
		}
		if !used && len(table) > 0 {
			x.t.Errorf("table %q is left with %d routes", name, len(table))
		}
	}
}

// outPolicy permits all but what it denies, with a MED.
func outPolicy(name string, med uint32, denied string) *intent.RoutePolicy {
	return &intent.RoutePolicy{Name: name, Terms: []intent.PolicyTerm{
		{Priority: 10, Result: "Deny", Prefixes: []string{denied}},
		{Priority: 20, Result: "Permit", MED: proto.Uint32(med), Add: []string{fmt.Sprint("64512:", med)}},
	}}
}

func ruled(s *spec, peer int, policy *intent.RoutePolicy, role string) {
	s.peers[peer].rules.out, s.peers[peer].rules.Role = policy, role
}

func (x *telling) advertisedTo(peer string) uint32 {
	for _, b := range x.host.Sessions("vbr-acme") {
		if b.PeerIpAddress == peer {
			return b.AdvertisedRouteCount
		}
	}
	x.t.Fatalf("no session with %s", peer)
	return 0
}

// listed is what is listed as advertised to a peer, or without one to any: prefix and MED.
func (x *telling) listed(peer string) string {
	x.t.Helper()
	var l []string
	err := x.host.Routes(x.t.Context(), &vbrv1.ListRoutesRequest{Router: "vbr-acme", Stage: vbrv1.RouteStage_ROUTE_STAGE_ADVERTISED, Peer: peer}, func(chunk []*vbrv1.Route) error {
		for _, m := range chunk {
			l = append(l, fmt.Sprintf("%s %d;", m.Prefix, m.Attributes.GetMed()))
		}
		return nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
	slices.Sort(l)
	return strings.Join(l, " ")
}
