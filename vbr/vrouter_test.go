package vbr

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

const vpcYAML = `kind: VRouter
name: vpc-acme
owner: acme
cidr_blocks: [10.100.0.0/16, "2001:db8:100::/48"]
vswitches:
  - {name: vsw-1, cidr_block: 10.100.1.0/24, gateway_ip: 10.100.1.1, ipv6_cidr_block: "2001:db8:100:1::/64", ipv6_gateway_ip: "2001:db8:100:1::1", devices: [tap1]}
  - {name: vsw-2, cidr_block: 10.100.2.0/24}
---
kind: RouterInterface
name: ri-vpc
owner: acme
router_id: vpc-acme
role: AcceptingSide
opposite_interface_id: ri-line
---
kind: RouterInterface
name: ri-line
owner: acme
router_id: vbr-acme
opposite_interface_id: ri-vpc
`

const lineYAML = `---
kind: PhysicalConnection
name: pc-1
device: eth1
---
kind: VirtualBorderRouter
name: vbr-acme
owner: acme
physical_connection_id: pc-1
vlan_id: 100
outer_vlan_id: 7
bandwidth: 50
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: /30
bgp_peers: [{peer_ip_address: 10.0.0.2, peer_asn: 65001}]
`

// specsIn translates resources on a host without a backbone, by name.
func specsIn(t *testing.T, yaml string) map[string]*spec {
	t.Helper()
	opts := testOptions()
	opts.Backbone = nil
	specs, refused := newSpecs(parsed(t, yaml), opts, loadedIDs(t, t.TempDir()))
	if len(refused) > 0 {
		t.Fatal(refused)
	}
	return byName(specs)
}

func byName(specs []*spec) map[string]*spec {
	return named(specs, func(s *spec) string { return s.name })
}

func TestSpecVRouter(t *testing.T) {
	all := specsIn(t, vpcYAML+lineYAML)
	s, v := all["vpc-acme"], all["vbr-acme"]
	if s.kind != intent.VRouter || len(s.lines)+len(s.peers)+len(s.rules.LocalASNs) != 0 || len(s.cidrs) != 2 || s.link.VRF != "vpc-acme" {
		t.Errorf("%+v", s)
	}
	w := s.link.Switches
	if len(w) != 2 || w[0].Device != intent.SwitchDeviceName("vpc-acme", "vsw-1") || w[0].Addrs[0].String() != "10.100.1.1/24" ||
		w[0].Addrs[1].String() != "2001:db8:100:1::1/64" || w[0].Ports[0] != "tap1" || w[1].Addrs[0].String() != "10.100.2.253/24" {
		t.Errorf("vSwitches: %+v", w)
	}
	if len(s.rules.Links) != 3 || len(s.rules.CIDRs) != 2 {
		t.Errorf("rules: %+v", s.rules)
	}
	a, b := v.link.Pairs[0], s.link.Pairs[0]
	if a.Device != b.Peer || a.Peer != b.Device || a.MAC.String() != b.PeerMAC.String() || a.PeerMAC.String() != b.MAC.String() ||
		a.PeerRouter != "vpc-acme" || b.PeerRouter != "vbr-acme" || a.Addrs[0].Masked() != b.Addrs[0].Masked() || a.Addrs[0] == b.Addrs[0] {
		t.Errorf("the two ends: %+v, %+v", a, b)
	}
	if l := v.link.Lines[0]; l.OuterVLAN != 7 || l.Outer == "" || l.Rate.Out != 50_000_000 || l.Rate.In != 50_000_000 {
		t.Errorf("line: %+v", l)
	}
	if s.rules.Trail == ([3]uint32{}) || s.rules.Trail == v.rules.Trail {
		t.Error("routers without a backbone have no marks of their own")
	}
}

// A pair whose opposite is not here and has no VNI waits without a device; one with a VNI has a tunnel.
func TestSpecWaitingPair(t *testing.T) {
	ri := riSpec{name: "ri", opposite: "x"}
	s := &spec{ris: []riSpec{{name: "a", vni: 1}, ri, {name: "b", vni: 2}}}
	s.link.Tunnels = append(s.link.Tunnels, specTunnel("vx1"), specTunnel("vx2"))
	if got := []string{s.riDeviceName(0), s.riDeviceName(1), s.riDeviceName(2)}; got[0] != "vx1" || got[1] != "" || got[2] != "vx2" {
		t.Errorf("%q", got)
	}
	less := s.without(func(claim string) bool { return claim == "vx1" })
	if got := less.riDeviceName(1); len(less.ris) != 2 || len(less.link.Tunnels) != 1 || got != "vx2" {
		t.Errorf("%+v, %q", less, got)
	}
}

// Two pairs of a router with the same link addresses: the second is left out, and the router says so.
func TestSpecLinkClash(t *testing.T) {
	s := &spec{ris: []riSpec{{name: "ri-a", opposite: "ri-b"}}}
	s.ris[0].link, s.ris[0].far = linkAddresses(&riSpec{name: "ri-c", opposite: "ri-d"})
	err := s.addInterface(&intent.Intent{}, &intent.RouterInterface{Name: "ri-c", Opposite: "ri-d"}, nil, nil)
	if err != nil || len(s.ris) != 1 || s.left == nil || !strings.Contains(s.left.Error(), "ri-c") || !strings.Contains(s.left.Error(), "ri-a") {
		t.Errorf("%v, %v", err, s.left)
	}
}

// What a change of a VPC's parts, of a pair or of a bandwidth does is said, and whether packets may be lost.
func TestCompareVPC(t *testing.T) {
	base := vpcYAML + lineYAML
	for _, tt := range []struct {
		name, old, new, router string
		want                   []string
	}{
		{"gateway", "gateway_ip: 10.100.1.1,", "gateway_ip: 10.100.1.2,", "vpc-acme",
			[]string{"V_SWITCH_CHANGED vsw-1 disruptive: stays: its gateway 10.100.1.1/24 goes, its gateway 10.100.1.2/24 comes"}},
		{"member joins", "devices: [tap1]", "devices: [tap1, tap2]", "vpc-acme", []string{"V_SWITCH_CHANGED vsw-1: stays: tap2 joined"}},
		{"member leaves", ", devices: [tap1]", "", "vpc-acme", []string{"V_SWITCH_CHANGED vsw-1 disruptive: stays: tap1 cut off"}},
		{"vSwitch goes", "  - {name: vsw-2, cidr_block: 10.100.2.0/24}\n", "", "vpc-acme", []string{"V_SWITCH_DELETED vsw-2: (10.100.2.0/24) is deleted"}},
		{"vSwitch with another name", "name: vsw-1", "name: vsw-9", "vpc-acme", []string{"V_SWITCH_DELETED vsw-1 disruptive: is deleted: tap1 cut off", "V_SWITCH_CREATED vsw-9: with tap1"}},
		{"CIDR", "cidr_blocks: [10.100.0.0/16,", "cidr_blocks: [10.100.0.0/15,", "vpc-acme", []string{"ROUTER_CHANGED vpc-acme: stays: cidr_blocks changes from 10.100.0.0/16"}},
		{"more bandwidth", "bandwidth: 50", "bandwidth: 60", "vbr-acme", []string{"LINE_CHANGED eth1.7.100: stays: bandwidth changes from 50 Mbit/s to 60 Mbit/s"}},
		{"less bandwidth", "bandwidth: 50", "bandwidth: 40", "vbr-acme", []string{"LINE_CHANGED eth1.7.100 disruptive: to 40 Mbit/s; what exceeds it either way is dropped"}},
		{"networks", "bandwidth: 50", "bandwidth: 50\nbgp_networks: [10.96.0.0/11]", "vbr-acme", []string{"ROUTER_CHANGED vbr-acme: bgp_networks changes from none to 10.96.0.0/11"}},
		{"custom route", "bandwidth: 50", "bandwidth: 50\nroute_entries: [{destination_cidr_block: 10.7.0.0/16, next_hop_list: [{next_hop_id: ri-line}]}]", "vbr-acme",
			[]string{"ROUTER_CHANGED vbr-acme: route_entries changes from none to 10.7.0.0/16"}},
		{"deactivated", "name: ri-line\n", "name: ri-line\ndeactivated: true\n", "vbr-acme",
			[]string{"ROUTER_INTERFACE_CHANGED ri-line: stays: deactivated changes from false to true; no route passes it any more"}},
		{"preference", "name: ri-line\n", "name: ri-line\npreference: 60\n", "vbr-acme", []string{"ROUTER_INTERFACE_CHANGED ri-line: preference changes from 50 to 60"}},
		{"spec", "name: ri-line\n", "name: ri-line\nspec: Mini.2\n", "vbr-acme",
			[]string{"ROUTER_INTERFACE_CHANGED ri-line disruptive: spec changes from none to Mini.2; what exceeds 2 Mbit/s either way is dropped"}},
		{"nothing", "", "", "vbr-acme", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, after := specsIn(t, base)[tt.router], specsIn(t, strings.Replace(base, tt.old, tt.new, 1))[tt.router]
			d := compare(before, after)
			if d.scope > scopeLive {
				t.Errorf("scope %d", d.scope)
			}
			wantEffects(t, routerChanged(after, d, live{}), tt.want...)
			back := compare(after, before) // what is taken back is said too
			if tt.name == "deactivated" {
				wantEffects(t, routerChanged(before, back, live{}), "ROUTER_INTERFACE_CHANGED ri-line: from true to false; routes pass it again as soon as its other end agrees")
			}
			if tt.name == "spec" {
				wantEffects(t, routerChanged(before, back, live{}), "ROUTER_INTERFACE_CHANGED ri-line: spec changes from Mini.2 to none")
			}
		})
	}
}

// A router interface that is deactivated or deleted takes the routes through it along.
func TestInterfaceEffects(t *testing.T) {
	o, _ := monitored(t)
	o.vpcSays("10.7.0.0/16")
	o.act()
	before := o.router.spec
	after := *before
	after.ris = slices.Clone(before.ris)
	after.ris[0].deactivated = true
	l := o.host.live("vbr-acme")
	wantEffects(t, routerChanged(&after, compare(before, &after), l), "ROUTER_INTERFACE_CHANGED ri-acme disruptive routes=1: no route passes it any more; 1 route leaves or moves")
	after.ris = nil
	wantEffects(t, routerChanged(&after, compare(before, &after), l), "ROUTER_INTERFACE_DELETED ri-acme disruptive routes=1: is deleted; 1 route leaves or moves")
	c := newCouple(t) // the other end is on this host: what goes there is said too
	c.say(netip.MustParsePrefix("172.20.0.0/16"))
	c.act(t)
	before = c.vbr.spec
	after = *before
	after.ris = slices.Clone(before.ris)
	after.ris[0].deactivated = true
	wantEffects(t, routerChanged(&after, compare(before, &after), c.vbr.host.live("vbr-acme")),
		"ROUTER_INTERFACE_CHANGED ri-line disruptive routes=1: 1 route leaves or moves; at its other end, ri-vpc of vpc-acme, 1 route too")
}

// Custom routes lead over lines, vSwitches and router interfaces; what they lead through decides who hears of them and whether they hold.
func TestStatics(t *testing.T) {
	c := newCouple(t)
	s := *c.vbr.spec
	s.routes = []intent.Route{
		{Prefix: mustPrefix("192.168.0.0/16"), Priority: 100, Hops: []intent.RouteHop{{Interface: "ri-line", Weight: 10}}},
		{Prefix: mustPrefix("2001:db8:9::/48"), Priority: 100, Hops: []intent.RouteHop{{Interface: "ri-line", Weight: 10}}},
	}
	c.vbr.mu.Lock()
	c.vbr.arrange(&s, c.vbr.state)
	c.vbr.vpc[0].mated = true
	c.vbr.mu.Unlock()
	c.act(t)
	verdicts := func(prefix string) (all []string) {
		for _, p := range c.vbr.rib.Lookup(mustPrefix(prefix)) {
			all = append(all, p.Source.Name+" "+p.Attrs.NextHop.String()+" "+p.Verdict.String())
		}
		return all
	}
	far := c.vbr.vpc[0].ri.far.String()
	if diff := cmp.Diff([]string{"route via ri-line " + far + " accepted"}, verdicts("192.168.0.0/16")); diff != "" {
		t.Errorf("IPv4 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"route via ri-line ::ffff:" + far + " accepted"}, verdicts("2001:db8:9::/48")); diff != "" {
		t.Errorf("IPv6 (-want +got):\n%s", diff)
	}
	if src := c.vbr.rib.Lookup(mustPrefix("192.168.0.0/16"))[0].Source; !heard(&src, nil) || heard(&src, &c.vbr.spec.ris[0]) {
		t.Errorf("the customer hears of it, the VPC does not: %+v", src)
	}
	c.vbr.demote("ri-line", true)
	c.act(t)
	if got := verdicts("192.168.0.0/16"); got[0] != "route via ri-line "+far+" interface-not-active" {
		t.Errorf("demoted: %v", got)
	}
	c.vbr.demote("ri-line", false)
	c.turnOff(c.vpc, true)
	c.act(t)
	if got := verdicts("192.168.0.0/16"); got[0] != "route via ri-line "+far+" interface-not-active" {
		t.Errorf("deactivated: %v", got)
	}
	e, err := c.vbr.host.Explain("vbr-acme", "192.168.0.0/16")
	if err != nil || !strings.Contains(e.Summary, "ri-line is not Active") {
		t.Errorf("%v %v", err, e)
	}
}

// A resting router is known, has nothing wrong and nothing on the network, and comes back with the table it had.
func TestResting(t *testing.T) {
	ids := loadedIDs(t, t.TempDir())
	confirmed, waiting := parsed(t, vpcYAML+lineYAML), parsed(t, vpcYAML+lineYAML+"confirmed: false\n")
	opts := testOptions()
	specs, _ := newSpecs(confirmed, opts, ids)
	table := byName(specs)["vbr-acme"].link.Table
	specs, _ = newSpecs(waiting, opts, ids)
	all := byName(specs)
	if all["vbr-acme"] != nil || len(all) != 1 || all["vpc-acme"].ris[0].local() {
		t.Errorf("%v", all)
	}
	f := newFakeRouter(t)
	h := f.router.host
	h.routers, h.ids = make(map[string]*router), ids
	h.restOthers(waiting)
	s := h.RouterStatus("vbr-acme")
	if s.GetVbrStatus() != "unconfirmed" || s.GetRouterType() != "VBR" || len(s.GetReasons()) != 0 || s.GetState() != vbrv1.RouterStatus_STATE_READY {
		t.Errorf("%v", s)
	}
	specs, _ = newSpecs(confirmed, opts, ids)
	if got := byName(specs)["vbr-acme"].link.Table; got != table {
		t.Errorf("table %d, was %d", got, table)
	}
}

// A standby's router interfaces are used last.
func TestFailoverGroup(t *testing.T) {
	in := parsed(t, vpcYAML+lineYAML)
	in.Groups = []intent.Group{{Name: "ha", VBR: "other", Peer: "vbr-acme", Standby: true}}
	opts := testOptions()
	specs, _ := newSpecs(in, opts, loadedIDs(t, t.TempDir()))
	if s := byName(specs)["vbr-acme"]; s.group != "ha" || s.groupRole != groupStandby || s.ris[0].preference != 10 || s.standby(&rib.Source{Kind: rib.RouterInterface, Name: "ri-line"}) != 10 {
		t.Errorf("%+v", s)
	}
	in.Groups[0].VBR, in.Groups[0].Peer = "vbr-acme", "other"
	specs, _ = newSpecs(in, opts, loadedIDs(t, t.TempDir()))
	if s := byName(specs)["vbr-acme"]; s.groupRole != groupActive || s.ris[0].preference != intent.DefaultPreference {
		t.Errorf("%+v", s)
	}
}

func mustPrefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func specTunnel(device string) link.Tunnel { return link.Tunnel{Device: device} }
