package vbr

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// Of a pair between two owners neither is told the name of the other's router.
func TestForeignRouterOfPair(t *testing.T) {
	const one, two = "owner: acme\nrouter_id: vpc-acme\nrole: AcceptingSide\n", "owner: acme\nrouter_id: vbr-acme\n"
	text := strings.NewReplacer(
		"name: vpc-acme\nowner: acme", "name: vpc-acme\nowner: shop",
		one, strings.Replace(one, "acme", "shop", 1)+"opposite_interface_owner_id: acme\n", two, two+"opposite_interface_owner_id: shop\n",
	).Replace(vpcYAML) + lineYAML
	for yaml, want := range map[string]string{
		vpcYAML + lineYAML: ", paired with ri-vpc of router vpc-acme on this host",
		text:               ", paired with ri-vpc of router of another owner on this host",
	} {
		s := specsIn(t, yaml)["vbr-acme"]
		if got := reach(&s.ris[0]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The same is so in the states of the interface, and where redundancy is looked for.
func TestForeignRouterIsNotNamed(t *testing.T) {
	for foreign, want := range map[bool]struct{ state, refusal, by string }{
		false: {"router vpc-acme with interface ri-vpc is not up", "router vpc-acme has them by no other router interface than ri-vpc", "vpc-acme ri-other"},
		true:  {"router of another owner with interface ri-vpc is not up", "router of another owner has them by no other router interface than ri-vpc", "another router"},
	} {
		c := newCouple(t)
		h := c.vbr.host
		h.monitor = newMonitor(h)
		h.opts.StateDir = t.TempDir()
		h.drills = loadDrills(h)
		c.vbr.spec.ris[0].cable.foreign = foreign
		c.vbr.mu.Lock()
		_, why := c.vbr.oppositeOf(c.vbr.vpc[0])
		c.vbr.mu.Unlock()
		if why != want.state {
			t.Errorf("%q, want %q", why, want.state)
		}
		p := netip.MustParsePrefix("172.20.0.0/16")
		c.say(p)
		c.act(t)
		_, err := h.StartFailoverTest(&vbrv1.StartFailoverTestRequest{Router: "vbr-acme"}, anyOwner)
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(refused.Why, want.refusal) || strings.Contains(refused.Why, "vpc-acme") == foreign {
			t.Errorf("%v, want %q", err, want.refusal)
		}
		c.vpc.mu.Lock()
		other := c.vpc.rib.AddSource(rib.Source{Kind: rib.RouterInterface, Name: "ri-other", Device: 9, OnLink: true})
		c.vpc.rib.SetLinkUp(other, true)
		c.vpc.rib.Announce(other, 1, &rib.Attrs{NextHop: gw1}, p)
		c.vpc.mu.Unlock()
		if lost, by := h.unbacked(c.vbr); len(lost) > 0 || !slices.Equal(by, []string{want.by}) {
			t.Errorf("lost %v, by %q, want %q", lost, by, want.by)
		}
	}
}

// A router with the same route target is named to its own owner only.
func TestForeignRouterWithTheTarget(t *testing.T) {
	for owner, want := range map[string]string{"acme": "vbr-2", "beta": "another router"} {
		o, route := spared(t)
		o.host.backbone.mu.Lock()
		o.host.backbone.replace(rr1, route.Key, nil)
		o.host.backbone.mu.Unlock()
		r := newRouter(o.host, &spec{name: "vbr-2", owner: owner, ris: []riSpec{{name: "ri-2", vni: 7, target: target(t, 7)}}})
		line := r.rib.AddSource(rib.Source{Kind: rib.BGP, Name: "10.0.0.6", Device: 9, Subnets: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/30")}})
		r.rib.SetLinkUp(line, true)
		r.rib.Announce(line, 0, &rib.Attrs{NextHop: netip.MustParseAddr("10.0.0.6")}, route.Prefix)
		o.host.keepRouter(r)
		if lost, by := o.host.unbacked(o.router); len(lost) > 0 || !slices.Equal(by, []string{want}) {
			t.Errorf("owner %q: lost %v, by %q, want %q", owner, lost, by, want)
		}
	}
}
