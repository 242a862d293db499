package vbr

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/fib/fibtest"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

// fakeRouter is a router on a kernel that does as it is told, with one source of paths over device 2. Nothing runs but what the test calls.
type fakeRouter struct {
	*router
	t      *testing.T
	kernel *fibtest.Kernel
	source rib.SourceID
}

func newFakeRouter(t *testing.T) *fakeRouter {
	k := fibtest.NewKernel()
	k.AddDevice(2, "port0", netip.MustParsePrefix("10.0.0.0/24"))
	f, err := fib.Open(fib.Config{Kernel: k})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	h := &Host{opts: Options{Timers: Timers{Audit: time.Minute}}, log: slog.New(slog.DiscardHandler), fib: f}
	h.backbone = newBackbone(h)
	r := newRouter(h, &spec{name: "vbr-acme", link: link.Router{Table: 10001}})
	id := r.rib.AddSource(rib.Source{Kind: rib.BGP, Name: "peer", ASN: 65001, Device: 2, Subnets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}})
	r.rib.SetLinkUp(id, true)
	return &fakeRouter{r, t, k, id}
}

func (r *fakeRouter) announce(prefix string) {
	attrs := &rib.Attrs{NextHop: netip.MustParseAddr("10.0.0.2"), ASPath: []rib.Segment{{Type: rib.ASSequence, ASNs: []uint32{65001}}}}
	r.rib.Announce(r.source, 0, attrs, netip.MustParsePrefix(prefix))
}

// act is what the actor does when it is woken; it returns how long it would sleep then, with nothing to do at most an hour.
func (r *fakeRouter) act() time.Duration {
	r.flush(r.t.Context(), mute{})
	if pause, waiting := r.deferred(); waiting {
		return pause
	}
	return time.Hour
}

// actFor is what the actor does in a time.
func (r *fakeRouter) actFor(d time.Duration) {
	for end := time.Now().Add(d); ; {
		pause := r.act()
		if left := time.Until(end); pause > left {
			time.Sleep(left)
			return
		}
		time.Sleep(pause)
	}
}

func (r *fakeRouter) want(reason string, prefixes ...string) {
	r.t.Helper()
	var want strings.Builder
	for _, p := range prefixes {
		want.WriteString(p + " via 10.0.0.2 dev port0 proto 86 metric 179\n")
	}
	if got := r.kernel.Routes(10001); got != want.String() {
		r.t.Errorf("the kernel has\n%swant\n%s", got, &want)
	}
	if got := r.reasons["routes"]; got != reason {
		r.t.Errorf("degraded by %q, want %q", got, reason)
	}
}

const busy = "the kernel refuses 1 routes, among them 172.20.0.0/16: add 172.20.0.0/16 table 10001: device or resource busy"

// The pause between tries doubles up to the time between audits, and begins anew with an event or another refusal.
func TestRetryPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRouter(t)
		refused := map[netip.Prefix]bool{netip.MustParsePrefix("172.20.0.0/16"): true, netip.MustParsePrefix("172.21.0.0/16"): true}
		r.kernel.Refuse(func(q fibtest.Request) unix.Errno {
			if refused[q.Prefix] {
				return unix.EBUSY
			}
			return 0
		})
		r.announce("172.20.0.0/16")
		r.announce("172.22.0.0/16")
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			pause := r.act()
			r.want(busy, "172.22.0.0/16")
			if pause != want*time.Second {
				t.Errorf("pause of %v, want %v s", pause, want)
			}
			time.Sleep(pause)
		}
		r.announce("172.21.0.0/16")
		if pause := r.act(); pause != time.Second {
			t.Errorf("pause of %v after another refusal", pause)
		}
		r.retryRefused() // an event
		if pause := r.act(); pause != time.Second {
			t.Errorf("pause of %v after an event", pause)
		}
		clear(refused)
		time.Sleep(time.Second)
		if pause := r.act(); pause != time.Hour {
			t.Errorf("pause of %v with nothing refused", pause)
		}
		r.want("", "172.20.0.0/16", "172.21.0.0/16", "172.22.0.0/16")
	})
}

// A withdrawal that the kernel refused is not forgotten, and one whose acknowledgement was lost neither comes back nor stays.
func TestRemovalIsRetried(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newFakeRouter(t)
			r.announce("172.20.0.0/16")
			r.announce("172.21.0.0/16")
			r.act()
			time.Sleep(window)
			r.rib.Withdraw(r.source, 0, netip.MustParsePrefix("172.20.0.0/16"))
			if lost {
				r.kernel.DropAcks(1)
			} else {
				r.kernel.Refuse(func(fibtest.Request) unix.Errno { return unix.ENOBUFS })
			}
			r.actFor(firstRetry - time.Nanosecond)
			if r.reasons["routes"] == "" {
				t.Error("not degraded")
			}
			r.kernel.Refuse(nil)
			r.actFor(time.Second)
			r.want("", "172.21.0.0/16")
			if d, err := r.fib.Audit(t.Context()); err != nil || d.Any() {
				t.Errorf("drift %+v (%v)", d, err)
			}
			r.want("", "172.21.0.0/16")
		})
	}
}

// A route that came back while its removal was refused stays.
func TestRefusedRemovalComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRouter(t)
		r.announce("172.20.0.0/16")
		r.act()
		time.Sleep(window)
		r.kernel.Refuse(func(fibtest.Request) unix.Errno { return unix.ENOBUFS })
		r.rib.Withdraw(r.source, 0, netip.MustParsePrefix("172.20.0.0/16"))
		r.act()
		r.kernel.Refuse(nil)
		r.announce("172.20.0.0/16")
		r.actFor(2 * time.Second)
		r.want("", "172.20.0.0/16")
	})
}

// The kernel's routes say with which families a life may promise its peers to have kept forwarding: those by its own devices only.
func TestHeldFamilies(t *testing.T) {
	v4, v6 := netip.MustParsePrefix("172.20.0.0/16"), netip.MustParsePrefix("2001:db8:1::/48")
	for _, tt := range []struct {
		routes map[netip.Prefix]string // and their gateways
		want   bgp.Families
	}{
		{nil, 0},
		{map[netip.Prefix]string{v4: "10.0.0.2"}, bgp.IPv4},
		{map[netip.Prefix]string{v6: "fd00::2"}, bgp.IPv6},
		{map[netip.Prefix]string{v4: "10.0.0.2", v6: "fd00::2"}, bgp.IPv4 | bgp.IPv6},
		{map[netip.Prefix]string{v4: "10.0.0.2", v6: "fd09::2"}, bgp.IPv4},
	} {
		r := newFakeRouter(t)
		r.kernel.AddDevice(3, "port1", netip.MustParsePrefix("fd00::/64"))
		r.kernel.AddDevice(9, "other0", netip.MustParsePrefix("fd09::/64"))
		devices := map[string]int{"10.0.0.2": 2, "fd00::2": 3, "fd09::2": 9}
		var changes []fib.Change
		for p, gateway := range tt.routes {
			set, err := r.host.fib.Set([]fib.NextHop{{Gateway: netip.MustParseAddr(gateway), Device: devices[gateway]}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			changes = append(changes, fib.Change{Prefix: p, Set: set})
		}
		for _, res := range r.fib.Apply(t.Context(), changes) {
			if res.Err != nil {
				t.Fatal(res.Err)
			}
		}
		state := link.State{Lines: []link.Device{{Index: 2, Up: true}, {Index: 3, Up: true}}}
		r.adopted = make(map[int]rib.SourceID)
		if r.adoptRoutes(state); r.speakerConfig(state).Restarting != tt.want {
			t.Errorf("%v: restarting with %v, want %v", tt.routes, r.speakerConfig(state).Restarting, tt.want)
		}
	}
}
