package vbr

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// Both ends compute the same two link addresses, whatever their names.
func TestLinkAddressesProperty(t *testing.T) {
	reserved := []netip.Prefix{netip.MustParsePrefix("169.254.0.0/24"), netip.MustParsePrefix("169.254.255.0/24"), netip.MustParsePrefix("169.254.169.254/31")}
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringMatching(`[a-z0-9][-a-z0-9]{0,20}`)
		a := riSpec{name: name.Draw(rt, "a"), opposite: name.Draw(rt, "b")}
		b := riSpec{name: a.opposite, opposite: a.name, accepting: true}
		own, far := linkAddresses(&a)
		own2, far2 := linkAddresses(&b)
		if own.Addr() != far2 || own2.Addr() != far || own.Masked() != own2.Masked() || own.Bits() != 31 {
			rt.Fatalf("%v %v, %v %v", own, far, own2, far2)
		}
		if last := own.Addr().As4()[3]; last%2 != 0 {
			rt.Fatalf("the initiating side has %v", own)
		}
		for _, p := range reserved {
			if p.Overlaps(own.Masked()) {
				rt.Fatalf("%v is in %v", own, p)
			}
		}
	})
}
