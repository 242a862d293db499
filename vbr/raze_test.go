package vbr

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openvbr/openvbr/fib"
)

// An ended router puts its next hops back into service, but not those that a router which has its port already has found to have failed as well.
func TestGiveBack(t *testing.T) {
	for _, taken := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newWatchedRouter(t, watchSpec{})
			r.up()
			r.down(false)
			next := newRouter(r.host, &spec{name: "vbr-next"})
			if taken {
				next.sessions = map[netip.Addr]*session{addrOf(peerAddr): {failed: []fib.NextHop{{Gateway: addrOf(peerAddr), Device: 2}}}}
			}
			r.host.routers = make(map[string]*router)
			r.host.keepRouter(next)
			r.host.giveBack(r.router)
			r.announce(prefix)
			r.act()
			if taken {
				r.want("the kernel refuses 1 routes, among them 172.20.0.0/16: add 172.20.0.0/16 table 10001: no route to host: next hop via 10.0.0.2 dev 2: failed, and not restored")
			} else {
				r.want("", prefix)
			}
		})
	}
}

// Without routers nothing of a predecessor's is left either: it died when it had made a nexthop object, before a route was on that.
func TestNoRouters(t *testing.T) {
	s := &site{T: t, dir: t.TempDir()}
	s.write("resources.d/port.yaml", portYAML)
	run(t, "ip link add port0 type veth peer name far0")
	t.Cleanup(func() { run(t, "ip link del port0") })
	run(t, "ip link set far0 up")
	run(t, "ip link set port0 up")
	run(t, "ip addr add 10.0.0.1/30 dev port0")
	run(t, "ip nexthop add id 0x56000001 via 10.0.0.2 dev port0 proto 86")
	s.serve()
	eventually(t, 5*time.Second, "no nexthop object", func() error {
		if out := run(t, "ip nexthop show proto 86"); out != "" {
			return errors.New(out)
		}
		return nil
	})
}
