package e2e

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

const shopYAML = `---
kind: VRouter
name: vpc-shop
owner: shop
cidr_blocks: [10.110.0.0/16, "2001:db8:110::/48"]
vswitches:
  - {name: vsw-1, cidr_block: 10.110.1.0/24, gateway_ip: 10.110.1.1, ipv6_cidr_block: "2001:db8:110:1::/64", ipv6_gateway_ip: "2001:db8:110:1::1", devices: [vm-shop]}
`

// asks is acme's end of a pair with shop's VPC, accepts is shop's.
const asks = `---
kind: RouterInterface
name: ri-acme-shop
owner: acme
router_id: vpc-acme
opposite_interface_id: ri-shop-acme
opposite_interface_owner_id: shop
`

const accepts = `---
kind: RouterInterface
name: ri-shop-acme
owner: shop
router_id: vpc-shop
role: AcceptingSide
opposite_interface_id: ri-acme-shop
opposite_interface_owner_id: acme
`

// status is what vbrctl says of a router.
func (c *cloud) status(router string) string {
	out, err := c.edge.Run(ctl(c.t), "--socket", c.Dir+"/vbrd.sock", "show", "routers", router, "-o", "yaml")
	if err != nil {
		c.t.Errorf("vbrctl: %v: %s", err, out)
	}
	return out
}

// passes says whether the last events of a router interface are these.
func (c *cloud) passes(ri string, states ...string) func() error {
	return func() error {
		out, err := c.edge.Run(ctl(c.t), "--socket", c.Dir+"/vbrd.sock", "events")
		if err != nil {
			return fmt.Errorf("vbrctl: %w: %s", err, out)
		}
		var its []string
		for line := range strings.Lines(out) {
			if strings.Contains(line, " "+ri+":") {
				its = append(its, line)
			}
		}
		its = its[max(0, len(its)-len(states)):]
		for i, s := range states {
			if i >= len(its) || !strings.Contains(its[i], s) {
				return fmt.Errorf("%q, want %q", its, states)
			}
		}
		return nil
	}
}

// ctl is the vbrctl beside the vbrd under test.
func ctl(t *testing.T) string { return strings.TrimSuffix(binary(t), "vbrd") + "vbrctl" }

// TestVPCToVPC: two VPCs of two owners. Nothing flows before the other accepts, either ends it, and neither is in transit for the IDC.
func TestVPCToVPC(t *testing.T) {
	c := newCloud(t, "backbone: {asn: 64600, router_id: 192.0.2.1, vtep: 192.0.2.1, prefixes: [192.0.2.0/24]}\n")
	c.edge.IP("addr add 192.0.2.1/32 dev lo")
	base := []string{vbrYAML, vpcYAML, ends, shopYAML}
	const reach = "vni: 6001\nroute_target: \"64600:6001\"\n" // shop's VPC may be anywhere as long as it has not accepted
	asks, accepts := asks+reach, accepts+reach
	c.resources(append(base, asks)...)
	lab.Eventually(t, 60*time.Second, "pings between IDC and VPC", c.bothWays)
	between := func() error { return pings(c.machines["acme"], "", "", "10.110.1.10", "2001:db8:110:1::10") }
	quiet := func() error {
		if err := between(); err == nil {
			return fmt.Errorf("packets get through")
		}
		for _, vrf := range []string{"vpc-acme", "vpc-shop"} {
			for _, p := range []string{"10.100.0.0/16", "10.110.0.0/16", "2001:db8:100::/48", "2001:db8:110::/48"} {
				if hops, _ := c.edge.NextHops(p, "vrf "+vrf); len(hops) > 0 && strings.Contains(hops[0], " dev rv") {
					return fmt.Errorf("%s in %s: %v", p, vrf, hops)
				}
			}
		}
		return nil
	}
	if err := quiet(); err != nil {
		t.Errorf("before the other owner accepts: %v", err)
	}
	if s := c.status("vpc-acme"); !strings.Contains(s, "status: Connecting") || !strings.Contains(s, "ri-shop-acme has not shown up") {
		t.Errorf("the state before:\n%s", s)
	}
	c.resources(append(base, asks, accepts)...)
	lab.Eventually(t, 20*time.Second, "VPC to VPC once accepted", between)
	t.Run("no transit", func(t *testing.T) {
		if err := pings(c.machines["shop"], "", "", idcHost4); err == nil {
			t.Error("shop's VPC reaches acme's data centre through acme's VPC")
		}
		out, err := c.frr.Ask("bgpd", "show bgp ipv4 unicast")
		if err != nil || strings.Contains(out, "10.110.") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("transit", func(t *testing.T) { // only if both of the VPC's interfaces say so
		through := func() error { return pings(c.machines["shop"], "", "", idcHost4, idcHost6) }
		one := strings.Replace(asks, "owner: acme\n", "owner: acme\ntransit: true\n", 1)
		c.resources(append(base, one, accepts)...)
		time.Sleep(time.Second)
		if through() == nil {
			t.Error("one interface for transit is enough")
		}
		both := strings.Replace(ends, "name: ri-vpc\n", "name: ri-vpc\ntransit: true\n", 1)
		c.resources(vbrYAML, vpcYAML, both, shopYAML, one, accepts)
		lab.Eventually(t, 20*time.Second, "shop's VPC reaches acme's data centre", through)
		c.resources(append(base, asks, accepts)...)
		lab.Eventually(t, 20*time.Second, "and no longer", func() error {
			if through() == nil {
				return errors.New("it does")
			}
			return c.bothWays()
		})
	})
	for _, off := range []string{"name: ri-shop-acme\n", "name: ri-acme-shop\n"} {
		t.Run("deactivated, "+strings.TrimSpace(off), func(t *testing.T) {
			c.resources(strings.Replace(strings.Join(append(base, asks, accepts), ""), off, off+"deactivated: true\n", 1))
			lab.Eventually(t, 10*time.Second, "nothing flows", quiet)
			if err := c.bothWays(); err != nil {
				t.Errorf("the other pair: %v", err)
			}
			c.resources(append(base, asks, accepts)...)
			lab.Eventually(t, 10*time.Second, "it flows again", between)
		})
	}
	t.Run("another spec", func(t *testing.T) {
		c.resources(append(base, asks+"spec: Large.1\n", accepts)...)
		lab.Eventually(t, 10*time.Second, "the events of a change of spec", c.passes("ri-acme-shop",
			"Modifying, was Active: spec changes from none to Large.1", "Activating, was Modifying", "Active, was Activating"))
		if err := between(); err != nil {
			t.Error(err)
		}
	})
	t.Run("deleted by the accepting owner", func(t *testing.T) {
		c.resources(append(base, asks)...)
		lab.Eventually(t, 10*time.Second, "nothing flows", quiet)
		lab.Eventually(t, 10*time.Second, "the last that is heard of it", c.passes("ri-shop-acme", "Deleting, was Active", "Deleted, was Deleting"))
	})
	t.Run("accepted by the wrong owner", func(t *testing.T) {
		wrong := strings.Replace(accepts, "opposite_interface_owner_id: acme", "opposite_interface_owner_id: beta", 1)
		c.resources(append(base, asks, wrong)...)
		time.Sleep(time.Second)
		if err := quiet(); err != nil {
			t.Error(err)
		}
	})
}

// region is two hosts with a vbrd each and a GoBGP reflector between them: the VBR on one, the VPC on the other.
type region struct {
	*lab.Lab
	t        *testing.T
	edge, gw *lab.NS
	idc, vm  *lab.NS
	frr      *lab.FRR
	up       func(client string) error // is nil when the reflector's session with it is established
	vbrds    map[*lab.NS]*lab.Proc
	api      string // more settings of the API: ", rate: 1000"
	settings string // more than those of serve: "metrics: {listen: 127.0.0.1:9342}\n"
}

const (
	edgeVTEP, gwVTEP, reflectorIP = "192.0.2.1", "192.0.2.2", "192.0.2.100"
	backboneASN                   = 64600
)

func newRegion(t *testing.T, frr bool) *region {
	r := &region{Lab: lab.New(t), t: t, vbrds: make(map[*lab.NS]*lab.Proc)}
	r.edge, r.gw, r.idc, r.vm = r.Namespace("edge"), r.Namespace("gw"), r.Namespace("idc"), r.Namespace("vm-acme")
	underlay := r.Namespace("underlay")
	underlay.IP("link add br0 type bridge", "link set br0 up", "addr add "+reflectorIP+"/24 dev br0")
	for ns, vtep := range map[*lab.NS]string{r.edge: edgeVTEP, r.gw: gwVTEP} {
		r.Veth(ns, "eth0", underlay, ns.Name)
		ns.Forward()
		ns.IP("addr add "+vtep+"/24 dev eth0", "addr add "+vtep+"/32 dev lo")
		underlay.IP("link set " + ns.Name + " master br0")
	}
	if frr {
		rr := underlay.FRR(frrReflectorConf(edgeVTEP, gwVTEP), "bgpd")
		r.up = func(client string) error { return rr.Established("l2vpn evpn", client) }
	} else {
		r.up = underlay.GoBGP(reflectorConf(edgeVTEP, gwVTEP)).Established
	}
	r.Veth(r.edge, "eth1", r.idc, "eth0")
	r.Veth(r.gw, "vm-acme", r.vm, "eth0")
	r.idc.Forward()
	r.idc.IP("link add link eth0 name eth0.100 type vlan id 100", "link set eth0.100 up",
		"addr add 10.0.0.2/30 dev eth0.100", "addr add fd00::2/126 dev eth0.100 nodad",
		"addr add "+idcHost4+"/24 dev lo", "addr add "+idcHost6+"/64 dev lo nodad")
	r.frr = r.idc.FRR(customerConf, "bgpd")
	r.vm.IP("addr add 10.100.1.10/24 dev eth0", "addr add 2001:db8:100:1::10/64 dev eth0 nodad",
		"route add default via 10.100.1.1", "route add ::/0 via 2001:db8:100:1::1")
	return r
}

func frrReflectorConf(clients ...string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("hostname rr\nrouter bgp %d\n bgp router-id %s\n no bgp default ipv4-unicast", backboneASN, reflectorIP)
	for _, a := range clients {
		p(" neighbor %s remote-as %d\n neighbor %s timers 3 9\n neighbor %s timers connect 1\n neighbor %s advertisement-interval 0", a, backboneASN, a, a, a)
	}
	p(" address-family l2vpn evpn")
	for _, a := range clients {
		p("  neighbor %s activate\n  neighbor %s route-reflector-client", a, a)
	}
	p(" exit-address-family\nexit")
	return b.String()
}

func reflectorConf(clients ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[global.config]\nas = %d\nrouter-id = %q\n", backboneASN, reflectorIP)
	for _, a := range clients {
		fmt.Fprintf(&b, `
[[neighbors]]
[neighbors.config]
neighbor-address = %q
peer-as = %d
[neighbors.timers.config]
connect-retry = 1
hold-time = 9
keepalive-interval = 3
idle-hold-time-after-reset = 1
[neighbors.route-reflector.config]
route-reflector-client = true
route-reflector-cluster-id = %q
[neighbors.graceful-restart.config]
enabled = true
restart-time = 120
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "l2vpn-evpn"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true
`, a, backboneASN, reflectorIP)
	}
	return b.String()
}

// serve writes a host's resources and has its vbrd read them, or starts it.
func (r *region) serve(ns *lab.NS, vtep string, resources ...string) {
	r.t.Helper()
	dir := r.Dir + "/" + ns.Name
	r.File(ns.Name+"/resources.d/all.yaml", strings.Join(resources, ""))
	if p := r.vbrds[ns]; p != nil && p.Running() {
		p.Signal(syscall.SIGHUP)
		return
	}
	r.File(ns.Name+"/vbrd.yaml", fmt.Sprintf(`host: %s
resources: %s/resources.d
state_dir: %s/state
key_dir: %[3]s/keys
api: {socket: %s/vbrd.sock%s}
log: {level: debug, format: text}
backbone:
  asn: %d
  router_id: %s
  vtep: %s
  prefixes: [192.0.2.0/24]
  peers:
    - {address: %s, asn: %d, hold: 9, keepalive: 3, connect_retry: 1}
timers: {restart: 120s, deferral: 10s, stale: 40s, audit: 60s}
%s`, ns.Name, dir, dir, dir, r.api, backboneASN, vtep, vtep, reflectorIP, backboneASN, r.settings))
	r.vbrds[ns] = ns.Start(binary(r.t), "--config", dir+"/vbrd.yaml")
}

// far is an end of ends that is reached over the backbone.
func far(end string) string { return end + "vni: 5001\nroute_target: \"64600:5001\"\n" }

var (
	lineEnd, vpcEnd, _ = strings.Cut(strings.TrimPrefix(ends, "---\n"), "---\n")
)

func (r *region) bothWays() error {
	if err := pings(r.vm, "", "", idcHost4, idcHost6); err != nil {
		return err
	}
	return pings(r.idc, idcHost4, idcHost6, "10.100.1.10", "2001:db8:100:1::10")
}

// TestPairOverBackbone: the VBR on one host, the VPC on another, each end told of the other by BGP alone.
func TestPairOverBackbone(t *testing.T) {
	r := newRegion(t, false)
	line, vpc := "---\n"+far(lineEnd), "---\n"+far(vpcEnd)
	r.serve(r.edge, edgeVTEP, vbrYAML, line)
	r.serve(r.gw, gwVTEP, vpcYAML)
	lab.Eventually(t, 40*time.Second, "both sessions with the reflector", r.bothUp)
	if hops, _ := r.edge.NextHops("10.100.0.0/16", "vrf vbr-acme"); len(hops) > 0 && strings.Contains(hops[0], "vx5001") {
		t.Errorf("before the other end is there: %v", hops)
	}
	r.serve(r.gw, gwVTEP, vpcYAML, vpc)
	lab.Eventually(t, 40*time.Second, "pings between IDC and VPC", r.bothWays)
	t.Run("the far end's link address answers", func(t *testing.T) {
		out := r.edge.MustRun("ip", "-o", "-4", "addr", "show", "dev", "vx5001")
		i := strings.Index(out, "169.254.")
		if i < 0 {
			t.Fatalf("no link address:\n%s", out)
		}
		var a, b, odd int
		if _, err := fmt.Sscanf(out[i:], "169.254.%d.%d/31", &a, &b); err != nil {
			t.Fatal(err)
		}
		odd = b ^ 1
		if out, err := r.edge.Run("ip", "vrf", "exec", "vbr-acme", "ping", "-c", "2", "-W", "2", fmt.Sprintf("169.254.%d.%d", a, odd)); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("another owner under the same route target", func(t *testing.T) {
		r.serve(r.gw, gwVTEP, strings.ReplaceAll(vpcYAML, "owner: acme", "owner: mallory"), strings.ReplaceAll(vpc, "owner: acme", "owner: mallory"))
		lab.Eventually(t, 10*time.Second, "the routes leave", r.left)
		out, err := r.edge.Run(ctl(t), "--socket", r.Dir+"/edge/vbrd.sock", "events")
		if err != nil || !strings.Contains(out, "another interface uses route target 64600:5001") {
			t.Errorf("no event says why: %v\n%s", err, out)
		}
		r.serve(r.gw, gwVTEP, vpcYAML, vpc)
		lab.Eventually(t, 20*time.Second, "pings are back", r.bothWays)
	})
	t.Run("deactivated at one end", func(t *testing.T) {
		for range 2 {
			r.serve(r.gw, gwVTEP, vpcYAML, vpc, "deactivated: true\n")
			lab.Eventually(t, 10*time.Second, "the routes leave", r.left)
			r.serve(r.gw, gwVTEP, vpcYAML, vpc)
			lab.Eventually(t, 20*time.Second, "pings are back", r.bothWays)
		}
	})
	t.Run("kill either vbrd", func(t *testing.T) {
		r.testKill(t, r.edge, edgeVTEP, vbrYAML, line)
		r.testKill(t, r.gw, gwVTEP, vpcYAML, vpc)
	})
}

func (r *region) bothUp() error {
	if err := r.up(edgeVTEP); err != nil {
		return err
	}
	return r.up(gwVTEP)
}

// TestPairOverFRR: the same with FRR as the reflector, which has to pass presences on. It keeps nothing over a restart.
func TestPairOverFRR(t *testing.T) {
	r := newRegion(t, true)
	line, vpc := "---\n"+far(lineEnd), "---\n"+far(vpcEnd)
	r.serve(r.edge, edgeVTEP, vbrYAML, line)
	r.serve(r.gw, gwVTEP, vpcYAML, vpc)
	lab.Eventually(t, 40*time.Second, "both sessions with the reflector", r.bothUp)
	lab.Eventually(t, 40*time.Second, "pings between IDC and VPC", r.bothWays)
	r.serve(r.gw, gwVTEP, vpcYAML, vpc, "deactivated: true\n")
	lab.Eventually(t, 10*time.Second, "the routes leave", r.left)
	r.serve(r.gw, gwVTEP, vpcYAML, vpc)
	lab.Eventually(t, 20*time.Second, "pings are back", r.bothWays)
	r.vbrds[r.gw].Signal(syscall.SIGKILL)
	_, _ = r.vbrds[r.gw].Wait(5 * time.Second)
	lab.Eventually(t, 30*time.Second, "without the VPC's host its routes leave", func() error {
		if hops, _ := r.edge.NextHops("10.100.0.0/16", "vrf vbr-acme"); len(hops) > 0 && strings.Contains(hops[0], "vx5001") {
			return fmt.Errorf("still there: %v", hops)
		}
		return nil
	})
	r.serve(r.gw, gwVTEP, vpcYAML, vpc)
	lab.Eventually(t, 60*time.Second, "and come back with it", r.bothWays)
}

// left is nil when neither end has a route of the other's.
func (r *region) left() error {
	for _, x := range []struct {
		ns         *lab.NS
		vrf, route string
	}{{r.edge, "vbr-acme", "10.100.0.0/16"}, {r.gw, "vpc-acme", "172.16.1.0/24"}} {
		if hops, _ := x.ns.NextHops(x.route, "vrf "+x.vrf); len(hops) > 0 && strings.Contains(hops[0], "vx5001") {
			return fmt.Errorf("%s has %v", x.vrf, hops)
		}
	}
	return nil
}

// testKill: 0 packets lost over kill -9 of a vbrd whose reflector keeps its routes.
func (r *region) testKill(t *testing.T, ns *lab.NS, vtep string, resources ...string) {
	t.Helper()
	pingers := []*lab.Pinger{
		r.vm.Pinger(idcHost4, lab.PingOptions{}), r.vm.Pinger(idcHost6, lab.PingOptions{}), r.idc.Pinger("10.100.1.10", lab.PingOptions{Source: idcHost4}),
	}
	time.Sleep(300 * time.Millisecond)
	r.vbrds[ns].Signal(syscall.SIGKILL)
	if _, err := r.vbrds[ns].Wait(5 * time.Second); err == nil {
		t.Log("killed")
	}
	time.Sleep(time.Second)
	before := strings.Count(r.vbrds[ns].Log(), "restart complete")
	r.serve(ns, vtep, resources...)
	lab.Eventually(t, 40*time.Second, "the restart is complete", func() error {
		if strings.Count(r.vbrds[ns].Log(), "restart complete") <= before {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	time.Sleep(2 * time.Second)
	for i, p := range pingers {
		if stats := p.Stop(); stats.Lost() > 0 || stats.Received < 50 {
			t.Errorf("kill of %s, pinger %d: %s", ns.Name, i, stats)
		}
	}
}
