package vbr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// routes are what a request finds, a line each.
func (o *observed) routes(edit func(*vbrv1.ListRoutesRequest)) []string {
	o.t.Helper()
	q := &vbrv1.ListRoutesRequest{Router: "vbr-acme"}
	edit(q)
	lines := []string{}
	err := o.host.Routes(o.t.Context(), q, func(chunk []*vbrv1.Route) error {
		for _, m := range chunk {
			lines = append(lines, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s %s", m.Prefix, m.Source.Name, m.Attributes.AsPath, m.Verdict,
				strings.Join(m.Attributes.Communities, " "), lp(m.Attributes.LocalPref))), " "))
		}
		return nil
	})
	if err != nil {
		o.t.Error(err)
	}
	slices.Sort(lines)
	return lines
}

func lp(p *uint32) string {
	if p == nil {
		return ""
	}
	return fmt.Sprint("local-pref ", *p)
}

func stage(s vbrv1.RouteStage) func(*vbrv1.ListRoutesRequest) {
	return func(q *vbrv1.ListRoutesRequest) { q.Stage = s }
}

func TestRoutesByStage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserved(t)
		o.host.backbone.up[rr1] = true
		o.up("10.0.0.2")
		o.say("10.0.0.2", "172.20.0.0/16", 65001)
		o.say("10.0.0.3", "172.20.0.0/16", 65002, 7)
		o.say("10.0.0.3", "172.21.0.0/16", 65002, 64512)
		o.act()
		received := []string{"172.20.0.0/16 10.0.0.2 65001 accepted", "172.20.0.0/16 10.0.0.3 65002 7 accepted", "172.21.0.0/16 10.0.0.3 65002 64512 as-loop"}
		for _, tt := range []struct {
			name string
			edit func(*vbrv1.ListRoutesRequest)
			want []string
		}{
			{"unspecified", func(*vbrv1.ListRoutesRequest) {}, received},
			{"received", stage(vbrv1.RouteStage_ROUTE_STAGE_RECEIVED), received},
			{"accepted", stage(vbrv1.RouteStage_ROUTE_STAGE_ACCEPTED), received[:2]},
			{"rejected", stage(vbrv1.RouteStage_ROUTE_STAGE_REJECTED), received[2:]},
			{"best", stage(vbrv1.RouteStage_ROUTE_STAGE_BEST), []string{"10.0.0.0/24 port0 accepted", received[0]}},
			{"kernel", stage(vbrv1.RouteStage_ROUTE_STAGE_KERNEL), received[:1]},
			{"exported", stage(vbrv1.RouteStage_ROUTE_STAGE_EXPORTED), []string{"10.0.0.0/24 port0 accepted", received[0]}},
			{"exported by an interface", func(q *vbrv1.ListRoutesRequest) { q.Stage, q.Peer = vbrv1.RouteStage_ROUTE_STAGE_EXPORTED, "ri-acme" },
				[]string{"10.0.0.0/24 port0 accepted", received[0]}},
			{"advertised", stage(vbrv1.RouteStage_ROUTE_STAGE_ADVERTISED), []string{}},
			{"of a peer", func(q *vbrv1.ListRoutesRequest) { q.Peer = "10.0.0.3" }, received[1:]},
			{"for a reason", func(q *vbrv1.ListRoutesRequest) { q.Reason = "as-loop" }, received[2:]},
			{"a prefix", func(q *vbrv1.ListRoutesRequest) { q.Prefix = "172.20.0.0/16" }, received[:2]},
			{"longer", func(q *vbrv1.ListRoutesRequest) { q.Prefix, q.Longer = "172.16.0.0/12", true }, received},
			{"IPv6", func(q *vbrv1.ListRoutesRequest) { q.Family = vbrv1.AddressFamily_ADDRESS_FAMILY_IPV6 }, []string{}},
		} {
			if diff := cmp.Diff(tt.want, o.routes(tt.edit)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
		o.host.backbone.up[rr1] = false
		if got := o.routes(stage(vbrv1.RouteStage_ROUTE_STAGE_EXPORTED)); len(got) != 0 {
			t.Errorf("exported without a session of the backbone: %v", got)
		}
	})
}

// Chunks are of routeChunk at most, a limit ends it, pages by offset have each route once, and so do an error of the callee and the end of the context.
func TestRoutesInChunks(t *testing.T) {
	o := newObserved(t)
	const n = 3*scanSlice + 7
	for i := range n {
		o.say("10.0.0.2", netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24).String(), 65001)
	}
	q := &vbrv1.ListRoutesRequest{Router: "vbr-acme"}
	seen := make(map[string]bool)
	count := func(chunk []*vbrv1.Route) error {
		if len(chunk) == 0 || len(chunk) > routeChunk {
			t.Errorf("a chunk of %d", len(chunk))
		}
		for _, m := range chunk {
			seen[m.Prefix] = true
		}
		return nil
	}
	if err := o.host.Routes(t.Context(), q, count); err != nil || len(seen) != n {
		t.Errorf("%d of %d (%v)", len(seen), n, err)
	}
	for _, limit := range []uint32{1, routeChunk, scanSlice, scanSlice + 1, n + 1} {
		clear(seen)
		q.Limit = limit
		if err := o.host.Routes(t.Context(), q, count); err != nil || len(seen) != min(n, int(limit)) {
			t.Errorf("limit %d: %d (%v)", limit, len(seen), err)
		}
	}
	for _, size := range []uint32{100, routeChunk, scanSlice, scanSlice + 1} {
		clear(seen)
		q.Limit = size
		for q.Offset = 0; q.Offset < n; q.Offset += size {
			before := len(seen)
			if err := o.host.Routes(t.Context(), q, count); err != nil || len(seen)-before != min(n-int(q.Offset), int(size)) {
				t.Errorf("%d at offset %d: %d are new (%v)", size, q.Offset, len(seen)-before, err)
			}
		}
	}
	clear(seen)
	q.Limit, q.Offset = 0, n-3
	if err := o.host.Routes(t.Context(), q, count); err != nil || len(seen) != 3 {
		t.Errorf("all at offset %d: %d (%v)", q.Offset, len(seen), err)
	}
	q.Offset = n
	if err := o.host.Routes(t.Context(), q, count); err != nil || len(seen) != 3 {
		t.Errorf("beyond the last: %d (%v)", len(seen)-3, err)
	}
	q.Offset = 0
	full := errors.New("full")
	calls := 0
	if err := o.host.Routes(t.Context(), &vbrv1.ListRoutesRequest{Router: "vbr-acme"}, func([]*vbrv1.Route) error { calls++; return full }); !errors.Is(err, full) || calls != 1 {
		t.Errorf("%d calls (%v)", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	err := o.host.Routes(ctx, &vbrv1.ListRoutesRequest{Router: "vbr-acme"}, func([]*vbrv1.Route) error { calls++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || calls > scanSlice/routeChunk+1 {
		t.Errorf("%d calls (%v)", calls, err)
	}
}

func TestAttributesAsText(t *testing.T) {
	a := &rib.Attrs{
		Origin: rib.OriginIncomplete, MED: 5, HasMED: true, LocalPref: 0, HasLocalPref: true,
		Communities: []uint32{65000<<16 | 100}, LargeCommunities: [][3]uint32{{4200000000, 1, 2}},
		ASPath: []rib.Segment{
			{Type: rib.ASConfedSequence, ASNs: []uint32{64600, 64601}}, {Type: rib.ASConfedSet, ASNs: []uint32{64602}},
			{Type: rib.ASSequence, ASNs: []uint32{65001, 65010}}, {Type: rib.ASSet, ASNs: []uint32{65020, 65021}},
		},
	}
	m := pathAttributes(a, false)
	got := fmt.Sprint(m.Origin, "|", m.AsPath, "|", m.GetMed(), "|", lp(m.LocalPref), "|", m.Communities, "|", m.LargeCommunities)
	if want := "incomplete|(64600 64601) [64602] 65001 65010 {65020,65021}|5|local-pref 0|[65000:100]|[4200000000:1:2]"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if m := pathAttributes(&rib.Attrs{}, true); m.Med != nil || m.LocalPref != nil || m.AsPath != "" || !slices.Equal(m.Communities, []string{"65535:0"}) {
		t.Errorf("%v", m)
	}
	if len(a.Communities) != 1 {
		t.Error("the path's own communities were changed")
	}
}

// What the VPC is told of a drained router, and of one that is not; the lines' subnets never change.
func TestDrainedRoutesToVPC(t *testing.T) {
	o := newObserved(t)
	told := func() string {
		var b strings.Builder
		o.rib.Told(func(a rib.Announcement) {
			for i := range o.spec.ris {
				m := o.route(&o.spec.ris[i], a)
				fmt.Fprintf(&b, "%s %v %v %d\n", m.Prefix, m.Communities, m.HasLocalPref, m.LocalPref)
			}
		})
		return b.String()
	}
	o.say("10.0.0.2", "172.20.0.0/16", 65001)
	o.tell("10.0.0.2", "172.21.0.0/16", rib.Attrs{
		NextHop: netip.MustParseAddr("10.0.0.2"), ASPath: []rib.Segment{{Type: rib.ASSequence, ASNs: []uint32{65001}}}, Communities: []uint32{7, gracefulShutdown},
	})
	o.act()
	const before = "10.0.0.0/24 [] false 0\n172.20.0.0/16 [] false 0\n172.21.0.0/16 [7 4294901760] false 0\n"
	if got := told(); got != before {
		t.Errorf("told\n%swant\n%s", got, before)
	}
	for _, drained := range []bool{true, true, false} {
		changed, err := o.host.SetDrained("vbr-acme", drained)
		if want := o.router.records.retell.Swap(false); err != nil || changed != want {
			t.Errorf("drained %v: changed %v, retold %v (%v)", drained, changed, want, err)
		}
		want := before
		if drained {
			want = "10.0.0.0/24 [] false 0\n172.20.0.0/16 [4294901760] true 0\n172.21.0.0/16 [7 4294901760] true 0\n"
		}
		if got := told(); got != want {
			t.Errorf("drained %v: told\n%swant\n%s", drained, got, want)
		}
	}
	var types []vbrv1.Event_Type
	all, _ := o.host.Events().After(0, 0)
	for _, e := range all {
		types = append(types, e.Type)
	}
	if want := []vbrv1.Event_Type{vbrv1.Event_TYPE_DRAINED, vbrv1.Event_TYPE_UNDRAINED}; !slices.Equal(types, want) {
		t.Errorf("events %v", types)
	}
}

// The listing of a drained router shows what it tells; explain says so too.
func TestDrainedIsShown(t *testing.T) {
	o := newObserved(t)
	o.host.backbone.up[rr1] = true
	o.up("10.0.0.2")
	o.say("10.0.0.2", "172.20.0.0/16", 65001)
	o.act()
	if _, err := o.host.SetDrained("vbr-acme", true); err != nil {
		t.Fatal(err)
	}
	want := []string{"10.0.0.0/24 port0 accepted", "172.20.0.0/16 10.0.0.2 65001 accepted 65535:0 local-pref 0"}
	if diff := cmp.Diff(want, o.routes(stage(vbrv1.RouteStage_ROUTE_STAGE_EXPORTED))); diff != "" {
		t.Errorf("exported (-want +got):\n%s", diff)
	}
	if got := o.routes(stage(vbrv1.RouteStage_ROUTE_STAGE_BEST))[1]; strings.Contains(got, "65535:0") {
		t.Errorf("best: %s", got)
	}
	if got := o.explain("172.20.0.0/16"); !strings.Contains(got, "told ri-acme true, 0s: with GRACEFUL_SHUTDOWN and LOCAL_PREF 0: the router is drained") {
		t.Error(got)
	}
	if s := o.host.RouterStatus("vbr-acme"); !s.Drained || s.State != vbrv1.RouterStatus_STATE_DRAINED || time.Since(s.Since.AsTime()) > time.Minute {
		t.Errorf("status %v", s)
	}
}
