package evpn

import (
	"net/netip"
	"testing"
)

// What is no address of a host beyond the link is no VTEP. Package wire does not know of links, and lets link-local next hops through.
func TestNextHopIsVTEP(t *testing.T) {
	for address, want := range map[string]error{"192.0.2.1": nil, "2001:db8::1": nil, "169.254.0.1": errNextHop, "fe80::1": errNextHop, "0.0.0.0": errNextHop, "ff02::1": errNextHop} {
		r := good()
		r.NextHop = netip.MustParseAddr(address)
		if err := r.check(); err != want {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
	}
}
