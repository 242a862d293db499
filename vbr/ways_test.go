package vbr

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/rib"
)

// Two peers with policies of their own and one with none, of one family: each is told by its own, at every change.
func TestToldByItsPolicy(t *testing.T) {
	x := newTelling(t)
	x.offer(true, "10.100.0.0/16", "10.101.0.0/16")
	all := []string{"+10.100.0.0/16", "+10.101.0.0/16"}
	x.wantHeard("by the default", map[string][]string{"2": all, "3": all, "4": all})
	if n := len(x.router.exporter.ways[0]); n != 1 || x.router.exporter.ways[0][0].by != nil {
		t.Errorf("%d ways without a policy, want the default alone", n)
	}

	a, b := outPolicy("a", 7, "10.100.0.0/16"), outPolicy("b", 8, "10.101.0.0/16")
	x.become(func(s *spec) { ruled(s, 0, a, ""); ruled(s, 1, b, "") })
	x.wantHeard("two get a policy", map[string][]string{
		"2": {"+10.101.0.0/16 med 7 64512:7", "-10.100.0.0/16"},
		"3": {"+10.100.0.0/16 med 8 64512:8", "-10.101.0.0/16"},
	})
	x.offer(true, "10.102.0.0/16")
	x.wantHeard("one more", map[string][]string{"2": {"+10.102.0.0/16 med 7 64512:7"}, "3": {"+10.102.0.0/16 med 8 64512:8"}, "4": {"+10.102.0.0/16"}})
	x.offer(false, "10.100.0.0/16")
	x.wantHeard("one goes", map[string][]string{"3": {"-10.100.0.0/16"}, "4": {"-10.100.0.0/16"}})

	x.become(func(s *spec) { ruled(s, 1, outPolicy("b", 9, "10.102.0.0/16"), "") })
	x.wantHeard("a policy changes", map[string][]string{"3": {"+10.101.0.0/16 med 9 64512:9", "-10.102.0.0/16"}})
	x.become(func(s *spec) { ruled(s, 1, outPolicy("c", 9, "10.102.0.0/16"), "") })
	x.wantHeard("a policy has another name", map[string][]string{})
	x.become(func(s *spec) { ruled(s, 2, s.peers[0].rules.out, "") })
	x.wantHeard("the last of the default goes over to the first's", map[string][]string{"4": {"+10.101.0.0/16 med 7 64512:7", "+10.102.0.0/16 med 7 64512:7"}})
	x.become(func(s *spec) { s.peers = s.peers[1:] })
	x.wantHeard("a peer goes", map[string][]string{})
	x.become(func(s *spec) { s.peers = s.peers[:1] })
	x.wantHeard("the table's last peer goes", map[string][]string{})
	x.become(func(s *spec) { ruled(s, 0, nil, "") })
	x.wantHeard("back to the default", map[string][]string{"3": {"+10.101.0.0/16", "+10.102.0.0/16"}})
	if _, err := x.host.SetDrained("vbr-acme", true); err != nil {
		t.Fatal(err)
	}
	x.flush(t.Context(), x.speaker)
	x.wantHeard("drained", map[string][]string{"3": {"+10.101.0.0/16 65535:0", "+10.102.0.0/16 65535:0"}})
}

// ONLY_TO_CUSTOMER is for peers with a role alone, and goes with any policy.
func TestOnlyToCustomerPerPeer(t *testing.T) {
	x := newTelling(t)
	x.offer(true, "10.101.0.0/16")
	x.speaker.heard = make(map[string][]string)
	a := outPolicy("a", 7, "10.100.0.0/16")
	x.become(func(s *spec) {
		ruled(s, 0, nil, intent.RoleProvider)
		ruled(s, 1, a, intent.RolePeer)
		ruled(s, 2, a, "")
	})
	x.wantHeard("roles", map[string][]string{
		"2": {"+10.101.0.0/16 otc 64512"}, "3": {"+10.101.0.0/16 med 7 64512:7 otc 64512"}, "4": {"+10.101.0.0/16 med 7 64512:7"},
	})
	x.become(func(s *spec) { ruled(s, 0, nil, "") })
	x.wantHeard("a role less", map[string][]string{"2": {"+10.101.0.0/16"}})
}

// What a standby's customers hear goes before the policy, which may set another MED.
func TestStandbyByItsPolicy(t *testing.T) {
	x := newTelling(t)
	x.spec.ris[0].preference = 10
	x.become(func(s *spec) { ruled(s, 0, outPolicy("a", 7, "10.100.0.0/16"), "") })
	x.offer(true, "10.101.0.0/16")
	y := "+10.101.0.0/16 med 190 prepend 3"
	x.wantHeard("standby", map[string][]string{"2": {"+10.101.0.0/16 med 7 64512:7 prepend 3"}, "3": {y}, "4": {y}})
}

// Networks are told in each way as routes are.
func TestNetworksByPolicy(t *testing.T) {
	x := newTelling(t)
	x.offer(true, "10.100.0.0/16", "10.101.0.0/16")
	x.up("10.0.0.2")
	x.up("10.0.0.3")
	x.become(func(s *spec) {
		ruled(s, 0, outPolicy("a", 7, "10.100.0.0/15"), "")
		ruled(s, 1, outPolicy("b", 8, "10.102.0.0/16"), "")
	})
	x.speaker.heard = make(map[string][]string)
	x.become(func(s *spec) { s.networks = []netip.Prefix{mustPrefix("10.100.0.0/15")} })
	x.wantHeard("networks", map[string][]string{
		"2": {"-10.100.0.0/16", "-10.101.0.0/16"}, "3": {"+10.100.0.0/15 med 8 64512:8", "-10.100.0.0/16", "-10.101.0.0/16"},
		"4": {"+10.100.0.0/15", "-10.100.0.0/16", "-10.101.0.0/16"},
	})
	for peer, want := range map[string]uint32{"10.0.0.2": 0, "10.0.0.3": 1} {
		if got := x.advertisedTo(peer); got != want {
			t.Errorf("%s: %d advertised, want %d", peer, got, want)
		}
	}
	if got := x.listed("10.0.0.2") + x.listed("10.0.0.3"); got != "10.100.0.0/15 8;" {
		t.Errorf("listed: %s", got)
	}
	if n := x.host.RouterStatus("vbr-acme").Routes.Advertised; n != 1 {
		t.Errorf("%d advertised to any", n)
	}
	if m, err := x.tryPolicy(t, &vbrv1.TestPolicyRequest{Export: true}); err != nil || len(m) != 1 || m[0].Prefix != "10.100.0.0/15" || m[0].Verdict != "policy" {
		t.Errorf("tried: %v, %v", m, err)
	}
	x.become(func(s *spec) { ruled(s, 0, nil, "") })
	x.wantHeard("another policy", map[string][]string{"2": {"+10.100.0.0/15"}})
	x.offer(false, "10.100.0.0/16", "10.101.0.0/16")
	x.wantHeard("none left", map[string][]string{"2": {"-10.100.0.0/15"}, "3": {"-10.100.0.0/15"}, "4": {"-10.100.0.0/15"}})
}

// Routes with the well-known communities of RFC 1997 are kept from the customers that they are not for, whatever their export policy; what a policy adds
// is the customer's to obey. Who looks is told so.
func TestWellKnownCommunities(t *testing.T) {
	x := newTelling(t)
	x.host.backbone.up[rr1] = true
	marked := intent.RoutePolicy{Name: "marks", Terms: []intent.PolicyTerm{{Priority: 1, Result: "Permit", Add: []string{"no-export"}}}}
	x.become(func(s *spec) {
		ruled(s, 1, &marked, "")
		s.policies = []intent.RoutePolicy{marked}
	})
	for _, peer := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"} {
		x.up(peer)
	}
	offer := func(prefix string, communities ...uint32) {
		x.router.mu.Lock()
		x.rib.Announce(x.vpc, 0, &rib.Attrs{NextHop: gw1, Communities: communities}, mustPrefix(prefix))
		x.rib.NextWindow()
		x.router.mu.Unlock()
		x.flush(x.t.Context(), x.speaker)
	}
	const noExport, noAdvertise, noExportSubconfed = 0xffffff01, 0xffffff02, 0xffffff03
	offer("10.100.0.0/16")
	offer("10.101.0.0/16", 1, noExport)
	offer("10.102.0.0/16", noAdvertise)
	offer("10.103.0.0/16", noExportSubconfed)
	x.wantHeard("at first", map[string][]string{
		"2": {"+10.100.0.0/16"}, "3": {"+10.100.0.0/16 65535:65281"}, "4": {"+10.100.0.0/16"},
	})
	for peer, want := range map[string]uint32{"10.0.0.2": 1, "10.0.0.3": 1, "10.0.0.4": 1} {
		if n := x.advertisedTo(peer); n != want || strings.Count(x.listed(peer), ";") != int(want) {
			t.Errorf("%s: %d counted, %s listed, want %d", peer, n, x.listed(peer), want)
		}
	}
	for prefix, want := range map[string]string{
		"10.101.0.0/16": "it has NO_EXPORT (RFC 1997): it is for no neighbour of another AS",
		"10.102.0.0/16": "it has NO_ADVERTISE (RFC 1997): it is for no BGP neighbour",
		"10.103.0.0/16": "it has NO_EXPORT_SUBCONFED (RFC 1997): it is for no neighbour of another AS",
	} {
		if said := x.explain(prefix); strings.Count(said, want) != 3 {
			t.Errorf("%s, want %q of each peer:\n%s", prefix, want, said)
		}
	}
	tried, err := x.tryPolicy(t, &vbrv1.TestPolicyRequest{Export: true, Peer: "10.0.0.4"})
	if err != nil || len(tried) != 4 {
		t.Fatalf("%v, %v", tried, err)
	}
	for _, m := range tried {
		if told := m.Prefix == "10.100.0.0/16"; (m.Verdict == "accepted") != told || strings.Contains(m.Why, "RFC 1997") == told {
			t.Errorf("tried: %s %s: %s", m.Prefix, m.Verdict, m.Why)
		}
	}
	offer("10.101.0.0/16", 1)
	offer("10.100.0.0/16", noExport)
	x.wantHeard("the mark moves", map[string][]string{
		"2": {"+10.101.0.0/16 0:1", "-10.100.0.0/16"}, "3": {"+10.101.0.0/16 0:1 65535:65281", "-10.100.0.0/16"}, "4": {"+10.101.0.0/16 0:1", "-10.100.0.0/16"},
	})
	x.become(func(s *spec) { s.networks = []netip.Prefix{mustPrefix("10.100.0.0/14")} })
	if n := x.advertisedTo("10.0.0.4"); n != 1 {
		t.Errorf("%d networks told", n)
	}
	x.become(func(s *spec) { s.networks = nil })
	x.offer(false, "10.100.0.0/16", "10.101.0.0/16", "10.102.0.0/16", "10.103.0.0/16")
	if n := len(x.router.exporter.ways[0][0].denied); n != 0 || x.advertisedTo("10.0.0.4") != 0 {
		t.Errorf("%d left over, %d advertised", n, x.advertisedTo("10.0.0.4"))
	}
}

// Who looks sees each peer told by its own policy: lists, counts, explain, policy test.
func TestLookAtEachWay(t *testing.T) {
	x := newTelling(t)
	a := outPolicy("a", 7, "10.100.0.0/15 orlonger")
	x.become(func(s *spec) {
		ruled(s, 0, a, "")
		ruled(s, 1, outPolicy("b", 8, "10.101.0.0/16"), "")
		s.policies = []intent.RoutePolicy{*a}
	})
	x.up("10.0.0.2")
	x.up("10.0.0.3")
	x.offer(true, "10.100.0.0/16", "10.101.0.0/16", "10.102.0.0/16")
	for peer, want := range map[string]string{
		"10.0.0.2": "10.102.0.0/16 7;", "10.0.0.3": "10.100.0.0/16 8; 10.102.0.0/16 8;", "10.0.0.4": "", // is not up
		"": "10.100.0.0/16 0; 10.102.0.0/16 0;",
	} {
		if got := x.listed(peer); got != want {
			t.Errorf("listed of %q: %s, want %s", peer, got, want)
		}
		if n := strings.Count(want, ";"); peer != "" && x.advertisedTo(peer) != uint32(n) {
			t.Errorf("counted of %s: %d, want %d", peer, x.advertisedTo(peer), n)
		}
	}
	if n := x.host.RouterStatus("vbr-acme").Routes.Advertised; n != 2 {
		t.Errorf("%d advertised to any, want 2", n)
	}
	x.up("10.0.0.4")
	if got := x.listed(""); got != "10.100.0.0/16 0; 10.101.0.0/16 0; 10.102.0.0/16 0;" || x.listed("10.0.0.4") != got {
		t.Errorf("with one by the default: %s, that one %s", got, x.listed("10.0.0.4"))
	}
	e, err := x.host.Explain("vbr-acme", "10.101.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, to := range e.Told[1:] {
		told = append(told, fmt.Sprintf("%s %v %s", to.Neighbour, to.Told, to.Why))
	}
	want := []string{"10.0.0.2 false export policy: term 10 of a denies it", "10.0.0.3 false export policy: term 10 of b denies it", "10.0.0.4 true "}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("explained (-want +got):\n%s", diff)
	}
	tried, err := x.tryPolicy(t, &vbrv1.TestPolicyRequest{Export: true})
	if err != nil || len(tried) != 3 {
		t.Fatalf("%v, %v", tried, err)
	}
	for _, m := range tried {
		if verdict := map[bool]string{true: "accepted", false: "policy"}[m.Prefix == "10.102.0.0/16"]; m.Verdict != verdict {
			t.Errorf("tried: %s %s, want %s", m.Prefix, m.Verdict, verdict)
		}
	}
}

// Whatever comes and goes, and whatever policies, roles, networks and peers become meanwhile, each peer holds what it should, and no more is kept.
func TestWaysProperty(t *testing.T) {
	routes := []string{"10.100.0.0/16", "10.101.0.0/16", "10.102.0.0/16"}
	networks := [][]netip.Prefix{nil, nil, {mustPrefix("10.100.0.0/15"), mustPrefix("10.102.0.0/16")}}
	rapid.Check(t, func(rt *rapid.T) {
		x := newTelling(t)
		there := make(map[string]bool)
		all := x.router.spec.peers
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0, 1:
				p, on := rapid.SampledFrom(routes).Draw(rt, "route"), rapid.Bool().Draw(rt, "on")
				x.offer(on, p)
				there[p] = on
			case 2, 3:
				x.become(func(s *spec) {
					s.networks = rapid.SampledFrom(networks).Draw(rt, "networks")
					s.peers = slices.Clone(all[rapid.IntRange(0, 2).Draw(rt, "peers"):])
					for i := range s.peers {
						name, role := rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "policy"), rapid.SampledFrom([]string{"", intent.RolePeer}).Draw(rt, "role")
						if name == "" {
							ruled(s, i, nil, role)
							continue
						}
						ruled(s, i, outPolicy(name, uint32(7+s.peers[0].Address.As4()[3]), rapid.SampledFrom(routes[:1]).Draw(rt, "denied")), role)
					}
				})
			case 4:
				x.speaker = newTabled()
				x.retell(x.speaker)
				x.become(func(*spec) {})
			}
		}
		for _, p := range x.router.spec.peers {
			if diff := cmp.Diff(wantedOf(x.router.spec, &p, there), slices.Sorted(maps.Values(x.speaker.view(x.speaker.peers[p.Address.String()])))); diff != "" {
				rt.Fatalf("%s with policy %+v holds (-want +got):\n%s", p.Address, p.rules.out, diff)
			}
		}
		x.wantNoTableLeft()
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// wantedOf is what a peer should hold of what there is, worked out the plain way.
func wantedOf(s *spec, p *peerSpec, there map[string]bool) (want []string) {
	told := make(map[string]bool)
	for route, on := range there {
		if on && len(s.networks) == 0 {
			told[route] = true
		}
		for _, n := range s.networks {
			if on && n.Overlaps(mustPrefix(route)) {
				told[n.String()] = true
			}
		}
	}
	for prefix := range told {
		text := prefix
		if out := p.rules.out; out != nil {
			if out.Terms[0].Prefixes[0] == prefix {
				continue
			}
			text += fmt.Sprintf(" med %d 64512:%d", *out.Terms[1].MED, *out.Terms[1].MED)
		}
		if p.rules.Role != "" {
			text += " otc 64512"
		}
		want = append(want, text)
	}
	slices.Sort(want)
	return want
}

// Policies, peers and networks change while all is looked at.
func TestWaysWhileTheyAreLookedAt(t *testing.T) {
	x := newTelling(t)
	x.up("10.0.0.2")
	x.up("10.0.0.3")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, peer := range []string{"", "10.0.0.2"} {
				q := &vbrv1.ListRoutesRequest{Router: "vbr-acme", Stage: vbrv1.RouteStage_ROUTE_STAGE_ADVERTISED, Peer: peer}
				if err := x.host.Routes(ctx, q, func([]*vbrv1.Route) error { return nil }); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
			e, err := x.host.Explain("vbr-acme", "10.101.0.0/16")
			_ = fmt.Sprint(e, err, x.host.RouterStatus("vbr-acme"), x.host.Sessions("vbr-acme"))
			_, _ = x.tryPolicy(t, &vbrv1.TestPolicyRequest{Export: true})
		}
	}()
	for i := range 200 {
		x.offer(i%3 > 0, "10.101.0.0/16", "10.102.0.0/16")
		x.become(func(s *spec) {
			ruled(s, i%3, outPolicy("a", uint32(i%5), "10.100.0.0/16"), []string{"", intent.RolePeer}[i%2])
			ruled(s, (i+1)%3, nil, "")
			s.networks = nil
			if i%4 == 0 {
				s.networks = []netip.Prefix{mustPrefix("10.96.0.0/11")}
			}
		})
	}
	cancel()
	<-done
}
