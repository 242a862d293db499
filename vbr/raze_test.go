package vbr

import (
	"net/netip"
	"testing"
	"testing/synctest"

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
