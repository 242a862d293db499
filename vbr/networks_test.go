package vbr

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/rib"
)

// memory is a speaker that remembers what the customer holds.
type memory struct {
	mute
	holds map[netip.Prefix]bgp.Advertisement
}

func (m *memory) Advertise(_ string, ads []bgp.Advertisement) error {
	for _, ad := range ads {
		m.holds[ad.Prefix] = ad
	}
	return nil
}

func (m *memory) Withdraw(_ string, prefixes []netip.Prefix) error {
	for _, p := range prefixes {
		delete(m.holds, p)
	}
	return nil
}

// Whatever comes and goes from the VPC side, and whatever bgp_networks becomes meanwhile, the customer holds what it should, in a new life too.
func TestNetworksProperty(t *testing.T) {
	choices := [][]netip.Prefix{nil, {mustPrefix("10.96.0.0/11"), mustPrefix("192.168.0.0/16")}, {mustPrefix("10.100.0.0/16")}, {mustPrefix("10.100.1.0/24")}}
	routes := []netip.Prefix{mustPrefix("10.100.0.0/16"), mustPrefix("10.101.0.0/16"), mustPrefix("192.160.0.0/12")}
	rapid.Check(t, func(rt *rapid.T) {
		o := newObserved(t)
		o.spec.ris[0].mac = routerMAC(gw1, 7)
		m := &memory{holds: make(map[netip.Prefix]bgp.Advertisement)}
		there := make(map[netip.Prefix]bool)
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			p := rapid.SampledFrom(routes).Draw(rt, "route")
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				o.rib.Announce(o.vpc, 0, &rib.Attrs{NextHop: gw1, Communities: []uint32{uint32(rapid.IntRange(0, 1).Draw(rt, "c"))}}, p)
				there[p] = true
			case 1:
				o.rib.Withdraw(o.vpc, 0, p)
				delete(there, p)
			case 2:
				s := *o.spec
				s.networks = rapid.SampledFrom(choices).Draw(rt, "networks")
				o.router.spec = &s
				o.changeNetworks(m)
			case 3:
				m = &memory{holds: make(map[netip.Prefix]bgp.Advertisement)}
				o.retell(m)
			}
			o.rib.NextWindow()
			o.flush(t.Context(), m)
		}
		want := there
		if n := o.router.spec.networks; len(n) > 0 {
			want = make(map[netip.Prefix]bool)
			for _, x := range n {
				for p := range there {
					if x.Overlaps(p) {
						want[x] = true
					}
				}
			}
		}
		got := make(map[netip.Prefix]bool)
		for p, ad := range m.holds {
			got[p] = true
			if len(o.router.spec.networks) > 0 && (len(ad.ASPath) > 0 || ad.Origin != rib.OriginIncomplete) {
				rt.Fatalf("%s tells more than it should: %+v", p, ad)
			}
		}
		if !maps.Equal(got, want) {
			rt.Fatalf("with %v of %v the customer holds %v", o.router.spec.networks, there, got)
		}
	})
}

// With networks, the routes behind them are explained as not told, and the networks listed as told.
func TestNetworksAreShown(t *testing.T) {
	o := newObserved(t)
	o.spec.ris[0].mac = routerMAC(gw1, 7)
	o.up("10.0.0.2")
	o.spec.networks = []netip.Prefix{mustPrefix("10.96.0.0/11")}
	o.changeNetworks(mute{})
	o.rib.Announce(o.vpc, 0, &rib.Attrs{NextHop: gw1}, mustPrefix("10.100.0.0/16"))
	o.act()
	e, err := o.host.Explain("vbr-acme", "10.100.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	why := ""
	for _, x := range e.Told {
		why += x.Why + "\n"
	}
	if !strings.Contains(why, "bgp_networks instead: 10.96.0.0/11") {
		t.Errorf("%s", why)
	}
	if n := o.host.RouterStatus("vbr-acme").GetRoutes().GetAdvertised(); n != 1 {
		t.Errorf("%d advertised", n)
	}
	if n := o.networkRoutes(&rib.Filter{Prefix: mustPrefix("10.0.0.0/8"), Longer: true}, o.waysTold("")); len(n) != 1 || n[0].GetPrefix() != "10.96.0.0/11" {
		t.Errorf("%v", n)
	}
	if n := o.networkRoutes(&rib.Filter{Family: 6}, o.waysTold("")); len(n) != 0 {
		t.Errorf("%v", n)
	}
}
