package vbr

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// acme is the name of the test sites' router.
const acme = "vbr-acme"

func (s *site) bird(command string) string {
	s.Helper()
	return run(s.T, "birdc -s "+s.ctl+" "+command)
}

// wantBIRD waits until a command's output has the text, or has not.
func (s *site) wantBIRD(command, text string, has bool) {
	s.Helper()
	eventually(s.T, 10*time.Second, "BIRD's "+command, func() error {
		if out := s.bird(command); strings.Contains(out, text) != has {
			return fmt.Errorf("%q: want %v in\n%s", text, has, out)
		}
		return nil
	})
}

// fromVPC puts a prefix into the router as if it had come by a router interface.
func (s *site) fromVPC(prefix string) rib.SourceID {
	s.Helper()
	port, err := net.InterfaceByName("port0")
	if err != nil {
		s.Fatal(err)
	}
	r := s.host.router(acme)
	r.mu.Lock()
	defer r.mu.Unlock()
	id := r.rib.AddSource(rib.Source{Kind: rib.RouterInterface, Name: "ri-test", Device: port.Index, OnLink: true})
	r.rib.Announce(id, 0, &rib.Attrs{
		NextHop: netip.MustParseAddr("10.0.0.2"), ASPath: []rib.Segment{{Type: rib.ASSequence, ASNs: []uint32{64999}}}, Communities: []uint32{65000<<16 | 7},
	}, netip.MustParsePrefix(prefix))
	poke(r.wake)
	return id
}

func (s *site) session(peer string) *vbrv1.BgpSession {
	s.Helper()
	for _, b := range s.host.Sessions(acme) {
		if b.PeerIpAddress == peer {
			return b
		}
	}
	s.Fatalf("no session with %s", peer)
	return nil
}

// summary is what explain says in one sentence.
func (s *site) summary(destination string) string {
	s.Helper()
	e, err := s.host.Explain(acme, destination)
	if err != nil {
		s.Fatal(err)
	}
	return e.Summary
}

func (s *site) wantSummary(destination, text string) {
	s.Helper()
	eventually(s.T, 10*time.Second, "explain "+destination, func() error {
		if got := s.summary(destination); !strings.Contains(got, text) {
			return fmt.Errorf("no %q in %q", text, got)
		}
		return nil
	})
}

// prefixes are those at a stage, sorted.
func (s *site) prefixes(q *vbrv1.ListRoutesRequest) []string {
	s.Helper()
	q.Router = acme
	var l []string
	if err := s.host.Routes(s.Context(), q, func(chunk []*vbrv1.Route) error {
		for _, m := range chunk {
			l = append(l, m.Prefix)
		}
		return nil
	}); err != nil {
		s.Fatal(err)
	}
	slices.Sort(l)
	return l
}

// eventTypes are the host's events after a sequence number.
func (s *site) eventTypes(after uint64, subject string) (types []vbrv1.Event_Type) {
	all, _ := s.host.Events().After(after, 0)
	for _, e := range all {
		if subject == "" || e.Subject == subject {
			types = append(types, e.Type)
		}
	}
	return types
}

// A router between a real customer and a pretended VPC is looked at, drained, and its sessions are reset.
func TestOperate(t *testing.T) {
	s := newSite(t)
	run(t, "ip link set port0 up")
	conf := s.write("bird.conf", strings.Replace(customerBIRD, "ipv4 { import none;", "ipv4 { import all;", 1))
	eventually(t, 5*time.Second, "BIRD", func() error { // its socket is there before it listens
		return exec.Command("birdc", "-s", s.ctl, "show", "status").Run()
	})
	if out := s.bird(`configure "` + conf + `"`); !strings.Contains(out, "Reconfigur") {
		t.Fatal(out)
	}
	stop := s.serve()
	s.wantOurs(20*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
	s.fromVPC("10.100.0.0/16")
	s.wantBIRD("show route for 10.100.0.1 all", "BGP.community: (65000,7)", true)

	t.Run("sessions", func(t *testing.T) { s.in(t).checkSessions() })
	t.Run("routes", func(t *testing.T) { s.in(t).checkRoutes() })
	t.Run("explain", func(t *testing.T) { s.in(t).checkExplain() })
	t.Run("drain", func(t *testing.T) { s.in(t).checkDrain() })
	t.Run("soft reset", func(t *testing.T) { s.in(t).checkSoftReset() })
	t.Run("hard reset", func(t *testing.T) { s.in(t).checkHardReset() })
	t.Run("drained over a restart", func(t *testing.T) {
		s := s.in(t)
		if _, err := s.host.SetDrained(acme, true); err != nil {
			t.Fatal(err)
		}
		stop()
		stop = s.serve()
		s.wantOurs(20*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64") // the pretended VPC is gone
		if st := s.host.RouterStatus(acme); !st.Drained {
			t.Errorf("status: %v", st)
		}
		s.fromVPC("10.101.0.0/16")
		s.wantBIRD("show route for 10.101.0.1 all", "(65535,0)", true)
		stop()
	})
}

func (s *site) checkSessions() {
	eventually(s.T, 5*time.Second, "the session's counters", func() error {
		b := s.session("10.0.0.2")
		if b.BgpStatus != established || b.PeerAsn != 65001 || b.LocalAsn != 45104 || b.LocalIpAddress != "10.0.0.1" || b.PeerRouterId != "10.0.0.2" ||
			b.Hold != 9 || b.Keepalive != 3 || b.EstablishedCount != 1 || !b.GracefulRestart || b.Device != "port0" || !slices.Equal(b.Families, []string{"ipv4"}) ||
			b.ReceivedRouteCount != 5 || b.AcceptedRouteCount != 2 || b.Rejected["martian"] != 1 || b.AdvertisedRouteCount != 1 ||
			b.UpdatesReceived == 0 || b.UpdatesSent == 0 || time.Since(b.Since.AsTime()) > time.Minute {
			return fmt.Errorf("%v", b)
		}
		return nil
	})
	if b := s.session("fd00::2"); b.BgpStatus != established || b.AdvertisedRouteCount != 0 || b.ReceivedRouteCount != 3 || b.Rejected["default-route"] != 1 {
		s.Errorf("IPv6 session: %v", b)
	}
	r := s.host.RouterStatus(acme)
	if r.State != vbrv1.RouterStatus_STATE_READY || r.Sessions != 2 || r.SessionsEstablished != 2 || r.Routes.Received != 8 || r.Routes.Accepted != 3 ||
		r.Routes.Kernel != 4 || r.Routes.Advertised != 1 || r.LocalAsn != 45104 || r.RouterId != "10.0.0.1" || r.RouteTableId != 254 ||
		len(r.Lines) != 1 || !r.Lines[0].Up || r.Lines[0].PhysicalConnectionId != "pc-1" || !slices.Equal(r.Lines[0].Addresses, []string{"10.0.0.1/30", "fd00::1/126"}) {
		s.Errorf("router: %v", r)
	}
	if h := s.host.Status(); h.Routers != 1 || h.RoutersDegraded != 0 || h.Sessions != 2 || h.SessionsEstablished != 2 || h.Routes != 4 || len(h.Problems) != 0 {
		s.Errorf("host: %v", h)
	}
	if names := s.host.RouterNames(); !slices.Equal(names, []string{acme}) {
		s.Errorf("routers: %v", names)
	}
	up := vbrv1.Event_TYPE_SESSION_UP
	if types := s.eventTypes(0, ""); !slices.Equal(types, []vbrv1.Event_Type{up, up}) {
		s.Errorf("events: %v", types)
	}
}

func (s *site) checkRoutes() {
	good4, all := []string{"172.16.1.0/24", "172.16.2.0/24"}, []string{"10.100.0.0/16", "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64"}
	bad4, bad6 := []string{"0.0.0.0/0", "10.0.0.0/30", "169.254.1.0/24"}, []string{"::/0", "fd00::/126"}
	for _, tt := range []struct {
		name string
		q    *vbrv1.ListRoutesRequest
		want []string
	}{
		{"accepted of the IPv4 session", &vbrv1.ListRoutesRequest{Stage: vbrv1.RouteStage_ROUTE_STAGE_ACCEPTED, Peer: "10.0.0.2"}, good4},
		{"rejected", &vbrv1.ListRoutesRequest{Stage: vbrv1.RouteStage_ROUTE_STAGE_REJECTED}, slices.Concat(bad4, bad6)},
		{"kernel", &vbrv1.ListRoutesRequest{Stage: vbrv1.RouteStage_ROUTE_STAGE_KERNEL}, all},
		{"advertised", &vbrv1.ListRoutesRequest{Stage: vbrv1.RouteStage_ROUTE_STAGE_ADVERTISED, Peer: "10.0.0.2"}, all[:1]},
		{"advertised to the IPv6 session", &vbrv1.ListRoutesRequest{Stage: vbrv1.RouteStage_ROUTE_STAGE_ADVERTISED, Peer: "fd00:0::2"}, nil},
		{"exported without interface", &vbrv1.ListRoutesRequest{Stage: vbrv1.RouteStage_ROUTE_STAGE_EXPORTED}, nil},
	} {
		if got := s.prefixes(tt.q); !slices.Equal(got, tt.want) {
			s.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func (s *site) checkExplain() {
	for destination, want := range map[string]string{
		"172.16.1.77":    "in the kernel by way of 10.0.0.2; told to nobody",
		"10.100.0.0/16":  "in the kernel by way of ri-test; told to 1 neighbour",
		"169.254.1.0/24": "rejected: martian of 10.0.0.2: inside 169.254.0.0/16, which is never routed (RFC 6890)",
		"0.0.0.0/0":      "rejected: default-route of 10.0.0.2: a customer may not announce 0.0.0.0/0",
		"10.0.0.2":       "connected: a subnet of line port0",
		"192.0.2.0/24":   "nothing is known of 192.0.2.0/24: no neighbour offers it",
	} {
		if destination == "10.0.0.2" { // the kernel's, although the customer's announcement of it is rejected
			if got := s.summary(destination); !strings.HasPrefix(got, want) {
				s.Errorf("%s: %s", destination, got)
			}
			continue
		}
		if got := s.summary(destination); got != want {
			s.Errorf("%s: %s, want %s", destination, got, want)
		}
	}
	before := time.Now().Add(-time.Second)
	s.bird("disable more4")
	s.wantSummary("172.16.2.0/24", "no neighbour offers it; 10.0.0.2 withdrew it at ")
	_, at, _ := strings.Cut(s.summary("172.16.2.0/24"), "withdrew it at ")
	if when, err := time.Parse(time.RFC3339, at); err != nil || when.Before(before.Truncate(time.Second)) || when.After(time.Now()) {
		s.Errorf("withdrawn at %s, not after %v (%v)", at, before, err)
	}
	s.bird("enable more4")
	s.wantSummary("172.16.2.0/24", "in the kernel")
}

func (s *site) checkDrain() {
	changed, err := s.host.SetDrained(acme, true)
	if !changed || err != nil {
		s.Fatalf("changed %v, %v", changed, err)
	}
	s.wantBIRD("show route for 10.100.0.1 all", "BGP.community: (65000,7) (65535,0)", true)
	s.fromVPC("10.102.0.0/16") // comes while drained
	s.wantBIRD("show route for 10.102.0.1 all", "BGP.community: (65000,7) (65535,0)", true)
	if st := s.host.RouterStatus(acme); st.State != vbrv1.RouterStatus_STATE_DRAINED {
		s.Errorf("state %v", st.State)
	}
	e, err := s.host.Explain(acme, "10.100.0.0/16")
	if err != nil || len(e.Told) != 2 || !e.Told[0].Told || e.Told[0].Why != "with GRACEFUL_SHUTDOWN: the router is drained" ||
		e.Told[1].Told || e.Told[1].Why != "the session does not carry IPv4" {
		s.Errorf("explain: %v, %v", e, err)
	}
	if changed, err := s.host.SetDrained(acme, false); !changed || err != nil {
		s.Fatalf("changed %v, %v", changed, err)
	}
	s.wantBIRD("show route for 10.100.0.1 all", "(65535,0)", false)
	s.wantBIRD("show route for 10.102.0.1 all", "(65535,0)", false)
	s.wantBIRD("show route for 10.102.0.1 all", "(65000,7)", true)
	if b := s.session("10.0.0.2"); b.EstablishedCount != 1 {
		s.Errorf("the session flapped: %v", b)
	}
}

// What the rib has lost comes back, and what BIRD has lost too.
func (s *site) checkSoftReset() {
	r := s.host.router(acme)
	r.mu.Lock()
	r.rib.Withdraw(r.sessions[netip.MustParseAddr("10.0.0.2")].source, 0, netip.MustParsePrefix("172.16.1.0/24"))
	r.mu.Unlock()
	poke(r.wake)
	s.wantSummary("172.16.1.0/24", "nothing is known")
	received := s.birdUpdates()
	if n, err := s.host.ResetSession(acme, netip.MustParseAddr("10.0.0.2"), true); n != 1 || err != nil {
		s.Fatalf("%d sessions, %v", n, err)
	}
	s.wantSummary("172.16.1.0/24", "in the kernel")
	eventually(s.T, 5*time.Second, "BIRD is told again", func() error {
		if now := s.birdUpdates(); now < received+2 {
			return fmt.Errorf("%d updates before, %d now", received, now)
		}
		return nil
	})
	for _, peer := range []string{"10.0.0.2", "fd00::2"} {
		if b := s.session(peer); b.EstablishedCount != 1 || b.BgpStatus != established || b.StaleRouteCount != 0 {
			s.Errorf("%s: %v", peer, b)
		}
	}
	if n, err := s.host.ResetSession(acme, netip.Addr{}, true); n != 2 || err != nil {
		s.Errorf("all: %d sessions, %v", n, err)
	}
}

// birdUpdates is how many routes BIRD has received over IPv4.
func (s *site) birdUpdates() (n int) {
	s.Helper()
	out := s.bird("show protocols all edge4")
	_, rest, _ := strings.Cut(out, "Import updates:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		s.Fatalf("%v in\n%s", err, out)
	}
	return n
}

func (s *site) checkHardReset() {
	all, _ := s.host.Events().After(0, 0)
	last := all[len(all)-1].Sequence
	if n, err := s.host.ResetSession(acme, netip.MustParseAddr("10.0.0.2"), false); n != 1 || err != nil {
		s.Fatalf("%d sessions, %v", n, err)
	}
	eventually(s.T, 20*time.Second, "the session is back", func() error {
		if b := s.session("10.0.0.2"); b.EstablishedCount != 2 || b.BgpStatus != established || !strings.Contains(b.LastError, "cease/administrative reset") {
			return fmt.Errorf("%v", b)
		}
		return nil
	})
	s.wantOurs(5*time.Second, "10.100.0.0/16", "10.102.0.0/16", "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
	if b := s.session("fd00::2"); b.EstablishedCount != 1 || b.BgpStatus != established {
		s.Errorf("the other session: %v", b)
	}
	want := []vbrv1.Event_Type{vbrv1.Event_TYPE_SESSION_DOWN, vbrv1.Event_TYPE_SESSION_UP}
	if got := s.eventTypes(last, ""); !slices.Equal(got, want) {
		s.Errorf("events: %v, want %v", got, want)
	}
	if out, _ := filepath.Glob(filepath.Join(s.dir, "state/drained.json")); len(out) != 1 {
		s.Error("no record of drained routers")
	}
}

// Why a route that the real kernel refuses is not there, and the events of it.
func TestExplainRefusedByTheKernel(t *testing.T) {
	s := newFeedSite(t)
	s.serve()
	peer := s.peer(2)
	s.say(peer, announcement(65001, "10.0.0.2", "172.20.0.0/16"))
	s.wantOurs(10*time.Second, "172.20.0.0/16")
	run(t, "ip route add 10.0.0.2 dev port0")
	run(t, "ip route del 10.0.0.0/29 dev port0") // now gateways other than 10.0.0.2 are nowhere
	s.say(peer, announcement(65001, "10.0.0.4", "172.21.0.0/16"))
	s.wantSummary("172.21.0.0/16", "accepted from 10.0.0.2, but not in the kernel: the kernel refuses it: ENETUNREACH: add 172.21.0.0/16 table 254: network is unreachable")
	eventually(t, 5*time.Second, "the router is degraded", func() error { // soon after explain knows
		if st := s.host.RouterStatus(acme); st.State != vbrv1.RouterStatus_STATE_DEGRADED || st.Routes.Refused != 1 || st.Routes.Kernel != 1 {
			return fmt.Errorf("status: %v", st)
		}
		return nil
	})
	run(t, "ip route add 10.0.0.0/29 dev port0 scope link")
	s.wantSummary("172.21.0.0/16", "in the kernel")
	eventually(t, 5*time.Second, "events", func() error {
		want := []vbrv1.Event_Type{vbrv1.Event_TYPE_ROUTER_DEGRADED, vbrv1.Event_TYPE_ROUTER_RECOVERED}
		if got := s.eventTypes(0, "routes"); !slices.Equal(got, want) {
			return fmt.Errorf("%v, want %v", got, want)
		}
		return nil
	})
}
