package vbr

import (
	"cmp"
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/rib"
)

func TestLevelOf(t *testing.T) {
	for _, tt := range []struct {
		was      quotaLevel
		n, limit int
		want     quotaLevel
	}{
		{quotaFine, 79, 100, quotaFine}, {quotaFine, 80, 100, quotaNear}, {quotaNear, 79, 100, quotaNear}, {quotaNear, 70, 100, quotaNear},
		{quotaNear, 69, 100, quotaFine}, {quotaNear, 100, 100, quotaNear}, {quotaFine, 101, 100, quotaOver}, {quotaOver, 95, 100, quotaOver},
		{quotaOver, 94, 100, quotaNear}, {quotaOver, 10, 100, quotaFine}, {quotaOver, 1000, 0, quotaFine}, {quotaFine, 1, 1, quotaNear}, {quotaFine, 2, 1, quotaOver},
	} {
		if got := levelOf(tt.was, tt.n, tt.limit); got != tt.want {
			t.Errorf("level %d with %d of %d: %d, want %d", tt.was, tt.n, tt.limit, got, tt.want)
		}
	}
}

// labPolicies are a router's in these tests.
func labPolicies() []intent.RoutePolicy {
	return []intent.RoutePolicy{
		{Name: "lab-in", Terms: []intent.PolicyTerm{
			{Priority: 10, Result: "Deny", Prefixes: []string{"172.16.9.0/24"}},
			{Priority: 20, Result: "Permit", Prefixes: []string{"172.16.0.0/12 orlonger"}, MED: proto.Uint32(7)},
		}},
		{Name: "lab-out", Terms: []intent.PolicyTerm{
			{Priority: 10, Result: "Deny", Prefixes: []string{"192.168.9.0/24"}},
			{Priority: 20, Result: "Permit", Add: []string{"64512:9"}, Prepend: 2},
		}},
	}
}

// rule gives peer 10.0.0.2 of an observed router rules, as an apply would.
func (o *observed) rule(edit func(*peerRules)) {
	r := o.router
	s := *r.spec
	s.policies = labPolicies()
	if s.peer(netip.MustParseAddr("10.0.0.2")) == nil {
		s.peers = append(s.peers, peerSpec{Peer: bgp.Peer{Address: netip.MustParseAddr("10.0.0.2"), ASN: 65001, IPv4: true}})
	}
	p := s.peer(netip.MustParseAddr("10.0.0.2"))
	p.rules = peerRules{asns: []uint32{64512}}
	p.rules.QuotaAction, p.rules.QuotaRestart = intent.QuotaDrop, time.Minute
	edit(&p.rules)
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.sessions[p.Address]
	to := rib.Source{Kind: rib.BGP, Name: p.Address.String(), Address: p.Address, ASN: 65001, Device: 2, Subnets: s.lines[0].subnets}
	x.governed = govern(x, p, &to)
	r.rib.ChangeSource(x.source, to)
	r.exporter.take(&s)
	r.spec = &s
}

func (o *observed) hear(prefixes ...string) {
	u := bgp.Update{Peer: netip.MustParseAddr("10.0.0.2"), Attrs: &bgp.Attrs{NextHop: netip.MustParseAddr("10.0.0.2"),
		ASPath: []bgp.Segment{{Type: bgp.ASSequence, ASNs: []uint32{65001}}}, LocalPref: 999, HasLocalPref: true}}
	for _, p := range prefixes {
		u.Announced = append(u.Announced, netip.MustParsePrefix(p))
	}
	(*customer)(o.router).Update(u)
}

func (o *observed) tryPolicy(t *testing.T, req *vbrv1.TestPolicyRequest) (out []*vbrv1.TestResult, err error) {
	t.Helper()
	req.Router, req.Peer = "vbr-acme", cmp.Or(req.Peer, "10.0.0.2")
	err = o.host.TestPolicy(context.Background(), req, func(l []*vbrv1.TestResult) error { out = append(out, l...); return nil })
	return out, err
}

func TestTestPolicy(t *testing.T) {
	o := newObserved(t)
	o.rule(func(*peerRules) {})
	o.hear("172.16.1.0/24", "172.16.9.0/24")
	before := o.router.rib.Counts(o.router.sessions[netip.MustParseAddr("10.0.0.2")].source)
	got, err := o.tryPolicy(t, &vbrv1.TestPolicyRequest{Policy: "lab-in"})
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	for _, x := range got {
		want := map[string]string{"172.16.1.0/24": "accepted: term 20 of lab-in permits it", "172.16.9.0/24": "policy: term 10 of lab-in denies it"}[x.Prefix]
		if text := x.Verdict + ": " + x.Why; text != want {
			t.Errorf("%s: %s, want %s", x.Prefix, text, want)
		}
		if x.Verdict == "accepted" && (x.After.GetMed() != 7 || x.Before.Med != nil || x.Before.LocalPref != nil) {
			t.Errorf("%s: %v became %v", x.Prefix, x.Before, x.After)
		}
	}
	if after := o.router.rib.Counts(o.router.sessions[netip.MustParseAddr("10.0.0.2")].source); !after.Equal(before) {
		t.Errorf("touched: %+v, before %+v", after, before)
	}
	got, err = o.tryPolicy(t, &vbrv1.TestPolicyRequest{Routes: []*vbrv1.TestRoute{
		{Prefix: "172.16.1.0/24", Communities: []string{"64512:7300", "64600:1:2"}}, {Prefix: "0.0.0.0/0"}, {Prefix: "172.16.2.0/24", AsPath: "65009"},
		{Prefix: "172.16.2.0/24", NextHop: "192.0.2.77"}, {Prefix: "172.16.1.0/24", LocalPref: proto.Uint32(999)},
	}})
	var verdicts []string
	for _, x := range got {
		verdicts = append(verdicts, x.Verdict)
	}
	if want := "accepted default-route first-as next-hop-off-link accepted"; err != nil || strings.Join(verdicts, " ") != want || got[0].After.GetLocalPref() != 150 ||
		got[4].Before.LocalPref != nil {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
	got, err = o.tryPolicy(t, &vbrv1.TestPolicyRequest{Export: true, Policy: "lab-out", Routes: []*vbrv1.TestRoute{{Prefix: "192.168.9.0/24"}, {Prefix: "192.168.1.0/24", AsPath: "64600"}}})
	if err != nil || got[0].Verdict != "policy" || got[1].After.GetAsPath() != "64512 64512 64600" || got[1].After.GetCommunities()[0] != "64512:9" {
		t.Errorf("export: %v, %v", got, err)
	}
	for field, req := range map[string]*vbrv1.TestPolicyRequest{
		"policy": {Policy: "no-such"}, "routes[0].prefix": {Routes: []*vbrv1.TestRoute{{Prefix: "x"}}},
		"routes[1].as_path":     {Routes: []*vbrv1.TestRoute{{Prefix: "10.0.0.0/8"}, {Prefix: "10.0.0.0/8", AsPath: "65001 0"}}},
		"routes[0].as_path":     {Routes: []*vbrv1.TestRoute{{Prefix: "10.0.0.0/8", AsPath: "65001;"}}},
		"routes[0].communities": {Routes: []*vbrv1.TestRoute{{Prefix: "10.0.0.0/8", Communities: []string{"1:*"}}}},
		"routes[0].origin":      {Routes: []*vbrv1.TestRoute{{Prefix: "10.0.0.0/8", Origin: "x"}}},
		"routes[0].next_hop":    {Routes: []*vbrv1.TestRoute{{Prefix: "10.0.0.0/8", NextHop: "x"}}},
	} {
		if _, err := o.tryPolicy(t, req); err == nil || !strings.HasPrefix(err.Error(), field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestExplainPolicy: explain names the policy and the term, on the way in and on the way out; and LOCAL_PREF of an eBGP peer does not count.
func TestExplainPolicy(t *testing.T) {
	o := newObserved(t)
	o.rule(func(x *peerRules) { x.in, x.out = &labPolicies()[0], &labPolicies()[1] })
	o.hear("172.16.1.0/24", "172.16.9.0/24")
	e, err := o.host.Explain("vbr-acme", "172.16.9.0/24")
	if err != nil || e.Paths[0].Why != "policy: term 10 of lab-in denies it" || e.Paths[0].Route.Attributes.LocalPref != nil {
		t.Errorf("%v, %v", e, err)
	}
	e, err = o.host.Explain("vbr-acme", "172.16.1.0/24")
	if err != nil || e.Paths[0].ImportPolicy != "term 20 of lab-in permits it" || e.Paths[0].Received == nil || e.Paths[0].Route.Attributes.GetMed() != 7 {
		t.Errorf("%v, %v", e, err)
	}
}

// TestQuotaTurn: each crossing is said once, a torn down session stays down and comes back, and what is beyond all measure is cut off once it is sure.
func TestQuotaTurn(t *testing.T) {
	o := newObserved(t)
	peer := netip.MustParseAddr("10.0.0.2")
	s := o.router.sessions[peer]
	s.up = true
	turn := func(now time.Time) quotaTurn {
		var q quotaTurn
		o.router.mu.Lock()
		defer o.router.mu.Unlock()
		o.router.watchQuota(&q, peer, s, now)
		return q
	}
	now := time.Now()
	o.rule(func(x *peerRules) { x.Quota = 5 })
	o.hear("172.16.1.0/24", "172.16.2.0/24", "172.16.3.0/24", "172.16.4.0/24")
	if q := turn(now); len(q.notes) != 1 || q.notes[0].text != "4 IPv4 routes of 5: near route_quota" {
		t.Errorf("near: %+v", q)
	}
	o.hear("172.16.5.0/24", "172.16.6.0/24", "172.16.7.0/24")
	if q := turn(now); len(q.notes) != 1 || q.notes[0].text != "7 IPv4 routes of 5: over route_quota; 5 are accepted, 2 wait, 0 are not kept" || q.peers {
		t.Errorf("over: %+v", q)
	}
	if q := turn(now); len(q.notes) != 0 {
		t.Errorf("said again: %+v", q)
	}
	o.rule(func(x *peerRules) { x.Quota, x.QuotaAction = 5, intent.QuotaWarn })
	if q := turn(now); q.peers || !s.downUntil.IsZero() || o.router.rib.Counts(s.source).Accepted != 7 {
		t.Errorf("to be warned of only: %+v, until %v, %+v", q, s.downUntil, o.router.rib.Counts(s.source))
	}
	o.rule(func(x *peerRules) { x.Quota, x.QuotaAction = 5, intent.QuotaTeardown })
	if q := turn(now); !q.peers || s.downUntil != now.Add(time.Minute) || len(o.router.admitted(o.router.spec)) != len(o.router.spec.peers)-1 {
		t.Errorf("not torn down: %+v, until %v", q, s.downUntil)
	}
	if q := turn(now.Add(59 * time.Second)); q.peers {
		t.Error("let in too early")
	}
	if q := turn(now.Add(time.Minute)); !q.peers || len(o.router.admitted(o.router.spec)) != len(o.router.spec.peers) {
		t.Error("not let in again")
	}
	o.rule(func(x *peerRules) { x.Quota = 1 })
	all := make([]netip.Prefix, leastCeiling+1)
	for i := range all {
		all[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	(*customer)(o.router).Update(bgp.Update{Peer: peer, Announced: all, Attrs: &bgp.Attrs{NextHop: peer, ASPath: []bgp.Segment{{Type: bgp.ASSequence, ASNs: []uint32{65001}}}}})
	if q := turn(now); len(q.again) != 1 || q.peers {
		t.Errorf("beyond all measure, not counted yet: %+v", q)
	}
	o.router.counted(s, time.Now())
	if q := turn(now); !q.peers || s.downUntil.IsZero() {
		t.Errorf("beyond all measure: %+v", q)
	}
	s.exact, s.downUntil = 0, time.Time{}
	o.router.askAgain(t.Context(), deaf{}, peer)
	if q := turn(now); !q.peers || s.downUntil.IsZero() {
		t.Errorf("beyond all measure, and it does not repeat its routes: %+v", q)
	}
}

// deaf is a speaker whose peers do not repeat their routes.
type deaf struct{ mute }

func (deaf) Refresh(context.Context, netip.Addr) error { return bgp.ErrNoRefresh }

// TestQuotaIgnoresTheRejected: a peer that echoes however many of our own routes is not over its quota.
func TestQuotaIgnoresTheRejected(t *testing.T) {
	o := newObserved(t)
	peer := netip.MustParseAddr("10.0.0.2")
	o.rule(func(x *peerRules) { x.Quota, x.QuotaAction = 5, intent.QuotaTeardown })
	o.hear("172.16.1.0/24", "172.16.2.0/24")
	looped := make([]netip.Prefix, 1200)
	for i := range looped {
		looped[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{20, 0, byte(i >> 8), byte(i)}), 32)
	}
	o.router.sessions[peer].up = true
	(*customer)(o.router).Update(bgp.Update{Peer: peer, Announced: looped, Attrs: &bgp.Attrs{NextHop: peer, ASPath: []bgp.Segment{{Type: bgp.ASSequence, ASNs: []uint32{65001, o.router.spec.asn}}}}})
	var q quotaTurn
	var b vbrv1.BgpSession
	o.router.mu.Lock()
	defer o.router.mu.Unlock()
	o.router.watchQuota(&q, peer, o.router.sessions[peer], time.Now())
	o.router.quotaStatus(&b, o.router.sessions[peer])
	if len(q.notes) > 0 || q.peers || b.RouteQuotaUsed != 2 || b.RouteQuotaOver != 0 || b.ForgottenRouteCount != 200 {
		t.Errorf("%+v, %v", q, &b)
	}
}
