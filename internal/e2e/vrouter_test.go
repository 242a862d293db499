package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// cloud is a vbrd without a backbone that runs a VBR with an FRR customer and VRouters, each with a machine on a vSwitch.
type cloud struct {
	*lab.Lab
	t         *testing.T
	edge, idc *lab.NS
	frr       *lab.FRR
	machines  map[string]*lab.NS
	vbrd      *lab.Proc
}

// The addresses of the cloud. The customer announces 172.16.1.0/24 and 2001:db8:1::/64, and has the first address of each.
const (
	idcHost4, idcHost6 = "172.16.1.1", "2001:db8:1::1"
)

func newCloud(t *testing.T, backbone string) *cloud {
	c := &cloud{Lab: lab.New(t), t: t, machines: make(map[string]*lab.NS)}
	c.edge, c.idc = c.Namespace("edge"), c.Namespace("idc")
	c.Veth(c.edge, "eth1", c.idc, "eth0")
	c.edge.Forward()
	c.idc.Forward()
	c.idc.IP("link add link eth0 name eth0.100 type vlan id 100", "link set eth0.100 up",
		"addr add 10.0.0.2/30 dev eth0.100", "addr add fd00::2/126 dev eth0.100 nodad",
		"addr add "+idcHost4+"/24 dev lo", "addr add "+idcHost6+"/64 dev lo nodad")
	c.frr = c.idc.FRR(customerConf, "bgpd")
	c.machine("acme", "10.100.1.10/24", "10.100.1.1", "2001:db8:100:1::10/64", "2001:db8:100:1::1")
	c.machine("shop", "10.110.1.10/24", "10.110.1.1", "2001:db8:110:1::10/64", "2001:db8:110:1::1")
	c.File("vbrd.yaml", fmt.Sprintf("host: edge1\nresources: %s\nstate_dir: %s\napi: {socket: %s}\nlog: {level: debug, format: text}\ntimers: {restart: 120s, deferral: 10s, stale: 30s, audit: 60s}\n%s",
		c.Dir+"/resources.d", c.Dir+"/state", c.Dir+"/vbrd.sock", backbone))
	return c
}

const customerConf = `hostname idc
router bgp 65001
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp default ipv4-unicast
 bgp graceful-restart
 neighbor 10.0.0.1 remote-as 45104
 neighbor 10.0.0.1 ttl-security hops 1
 neighbor 10.0.0.1 timers 3 9
 neighbor 10.0.0.1 timers connect 1
 neighbor 10.0.0.1 advertisement-interval 0
 neighbor fd00::1 remote-as 45104
 neighbor fd00::1 ttl-security hops 1
 neighbor fd00::1 timers 3 9
 neighbor fd00::1 timers connect 1
 neighbor fd00::1 advertisement-interval 0
 address-family ipv4 unicast
  network 172.16.1.0/24
  neighbor 10.0.0.1 activate
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:1::/64
  neighbor fd00::1 activate
 exit-address-family
exit
`

// machine is a machine of a VPC: a namespace at the end of a veth that a vSwitch has.
func (c *cloud) machine(name, addr4, gw4, addr6, gw6 string) {
	m := c.Namespace("vm-" + name)
	c.Veth(c.edge, "vm-"+name, m, "eth0")
	m.IP("addr add "+addr4+" dev eth0", "addr add "+addr6+" dev eth0 nodad", "route add default via "+gw4, "route add ::/0 via "+gw6)
	c.machines[name] = m
}

const vbrYAML = `kind: PhysicalConnection
name: pc-1
device: eth1
---
kind: VirtualBorderRouter
name: vbr-acme
owner: acme
physical_connection_id: pc-1
vlan_id: 100
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: /30
local_ipv6_gateway_ip: fd00::1
peer_ipv6_gateway_ip: fd00::2
peering_ipv6_subnet_mask: /126
bgp_peers:
  - {peer_ip_address: 10.0.0.2, peer_asn: 65001, hold: 9, keepalive: 3, connect_retry: 1}
  - {peer_ip_address: "fd00::2", peer_asn: 65001, hold: 9, keepalive: 3, connect_retry: 1}
`

const vpcYAML = `---
kind: VRouter
name: vpc-acme
owner: acme
cidr_blocks: [10.100.0.0/16, "2001:db8:100::/48"]
vswitches:
  - {name: vsw-1, cidr_block: 10.100.1.0/24, gateway_ip: 10.100.1.1, ipv6_cidr_block: "2001:db8:100:1::/64", ipv6_gateway_ip: "2001:db8:100:1::1", devices: [vm-acme]}
`

// ends are the two ends of a pair of acme's between the VBR and its VPC.
const ends = `---
kind: RouterInterface
name: ri-line
owner: acme
router_id: vbr-acme
opposite_interface_id: ri-vpc
---
kind: RouterInterface
name: ri-vpc
owner: acme
router_id: vpc-acme
role: AcceptingSide
opposite_interface_id: ri-line
`

// resources writes the resources and has vbrd read them if it runs.
func (c *cloud) resources(text ...string) {
	c.t.Helper()
	c.File("resources.d/all.yaml", strings.Join(text, ""))
	if c.vbrd == nil {
		c.start()
		return
	}
	c.vbrd.Signal(syscall.SIGHUP)
}

func (c *cloud) start() { c.vbrd = c.edge.Start(binary(c.t), "--config", c.Dir+"/vbrd.yaml") }

// pings is nil when both families get through from a namespace to these addresses.
func pings(from *lab.NS, source4, source6 string, to ...string) error {
	for _, a := range to {
		source := source4
		if strings.Contains(a, ":") {
			source = source6
		}
		if _, err := from.Ping(a, lab.PingOptions{Source: source}); err != nil {
			return err
		}
	}
	return nil
}

func (c *cloud) bothWays() error {
	if err := pings(c.machines["acme"], "", "", idcHost4, idcHost6); err != nil {
		return err
	}
	return pings(c.idc, idcHost4, idcHost6, "10.100.1.10", "2001:db8:100:1::10")
}

// TestVRouter: an IDC and a VPC on one host, joined by a local pair.
func TestVRouter(t *testing.T) {
	c := newCloud(t, "")
	c.resources(vbrYAML, vpcYAML, ends)
	lab.Eventually(t, 60*time.Second, "pings between IDC and VPC", c.bothWays)
	t.Run("the customer hears the VPC's CIDR blocks, not its vSwitches", func(t *testing.T) {
		out, err := c.frr.Ask("bgpd", "show bgp ipv4 unicast")
		if err != nil || !strings.Contains(out, "10.100.0.0/16") || strings.Contains(out, "10.100.1.0/24") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("no server for BGP in the VPC's VRF", func(t *testing.T) {
		if out := c.edge.MustRun("ss", "-Hltn"); strings.Contains(out, "%vpc-acme") {
			t.Errorf("listeners:\n%s", out)
		}
	})
	t.Run("kill and adopt", c.testKill)
	t.Run("deactivated at one end", func(t *testing.T) {
		for _, off := range []string{"name: ri-line\n", "name: ri-vpc\n"} {
			c.resources(vbrYAML, vpcYAML, strings.Replace(ends, off, off+"deactivated: true\n", 1))
			lab.Eventually(t, 10*time.Second, "the routes leave", func() error { return c.empty("10.100.0.0/16", "172.16.1.0/24") })
			c.resources(vbrYAML, vpcYAML, ends)
			lab.Eventually(t, 10*time.Second, "and come back", c.bothWays)
		}
	})
	t.Run("custom routes", c.testStatics)
	t.Run("BGP networks", c.testNetworks)
	t.Run("terminated and recovered", c.testTerminated)
	t.Run("the VPC's end is deleted", func(t *testing.T) {
		c.resources(vbrYAML, vpcYAML)
		lab.Eventually(t, 10*time.Second, "the routes leave", func() error { return c.empty("10.100.0.0/16", "172.16.1.0/24") })
		lab.Eventually(t, 5*time.Second, "the devices leave", func() error {
			if out := c.edge.MustRun("ip", "-br", "link", "show", "type", "veth"); strings.Contains(out, "rv") {
				return fmt.Errorf("still there:\n%s", out)
			}
			return nil
		})
	})
}

// empty is nil when neither of acme's routers has a route of ours for these prefixes.
func (c *cloud) empty(prefixes ...string) error {
	for _, p := range prefixes {
		for _, vrf := range []string{"vbr-acme", "vpc-acme"} {
			hops, _ := c.edge.NextHops(p, "vrf "+vrf)
			for _, h := range hops {
				if strings.Contains(h, " dev rv") {
					return fmt.Errorf("%s in %s: %s", p, vrf, h)
				}
			}
		}
	}
	return nil
}

// testKill: 0 packets lost over kill -9, and nothing is left behind.
func (c *cloud) testKill(t *testing.T) {
	pingers := []*lab.Pinger{
		c.machines["acme"].Pinger(idcHost4, lab.PingOptions{}), c.machines["acme"].Pinger(idcHost6, lab.PingOptions{}),
		c.idc.Pinger("10.100.1.10", lab.PingOptions{Source: idcHost4}),
	}
	c.vbrd.Signal(syscall.SIGKILL)
	if _, err := c.vbrd.Wait(5 * time.Second); err == nil {
		t.Log("killed")
	}
	time.Sleep(time.Second)
	c.start()
	lab.Eventually(t, 40*time.Second, "the restart is complete", func() error {
		if n := strings.Count(c.vbrd.Log(), "restart complete"); n < 2 {
			return fmt.Errorf("%d routers have swept", n)
		}
		return nil
	})
	time.Sleep(time.Second)
	for i, p := range pingers {
		if stats := p.Stop(); stats.Lost() > 0 || stats.Received < 50 {
			t.Errorf("pinger %d: %s", i, stats)
		}
	}
}

// testStatics: a custom route of the VPC to a machine of its own, and one of the VBR into the VPC that customers hear of; both follow the state of what
// they lead through.
func (c *cloud) testStatics(t *testing.T) {
	vm := c.machines["acme"]
	vm.IP("addr add 192.168.7.1/32 dev lo")
	const routes = "route_entries: [{destination_cidr_block: %s, next_hop_list: [{next_hop_type: %s, next_hop_id: %s, weight: 10}]}]\n"
	vpc := vpcYAML + fmt.Sprintf(routes, "192.168.7.0/24", "IpAddress", "10.100.1.10")
	vbr := vbrYAML + fmt.Sprintf(routes, "192.168.0.0/16", "RouterInterface", "ri-line")
	c.resources(vbr, vpc, ends)
	lab.Eventually(t, 10*time.Second, "the customer hears of both", func() error {
		out, err := c.frr.Ask("bgpd", "show bgp ipv4 unicast")
		if err == nil && (!strings.Contains(out, "192.168.7.0/24") || !strings.Contains(out, "192.168.0.0/16")) {
			err = fmt.Errorf("not yet:\n%s", out)
		}
		return err
	})
	lab.Eventually(t, 5*time.Second, "pings to the machine's other address", func() error { return pings(c.idc, idcHost4, idcHost6, "192.168.7.1") })
	off := "name: ri-line\n"
	c.resources(vbr, vpc, strings.Replace(ends, off, off+"deactivated: true\n", 1))
	lab.Eventually(t, 10*time.Second, "both leave", func() error {
		out, err := c.frr.Ask("bgpd", "show bgp ipv4 unicast")
		if err == nil && strings.Contains(out, "192.168.") {
			err = fmt.Errorf("still there:\n%s", out)
		}
		return err
	})
	out, err := c.edge.Run(ctl(t), "--socket", c.Dir+"/vbrd.sock", "explain", "192.168.0.0/16", "-r", "vbr-acme")
	if err != nil || !strings.Contains(out, "interface-not-active") {
		t.Errorf("%v\n%s", err, out)
	}
	c.resources(vbrYAML, vpcYAML, ends)
	lab.Eventually(t, 10*time.Second, "pings", c.bothWays)
}

// testNetworks: the customer hears what bgp_networks says, as long as something of it is there, and no session resets for it.
func (c *cloud) testNetworks(t *testing.T) {
	heard := func(want, not string) func() error {
		return func() error {
			out, err := c.frr.Ask("bgpd", "show bgp ipv4 unicast")
			if err == nil && (!strings.Contains(out, want) || strings.Contains(out, not)) {
				err = fmt.Errorf("want %s and not %s:\n%s", want, not, out)
			}
			return err
		}
	}
	up := c.edge.MustRun(ctl(t), "--socket", c.Dir+"/vbrd.sock", "show", "sessions", "-o", "json")
	c.resources(vbrYAML, "bgp_networks: [10.96.0.0/11, 10.200.0.0/16]\n", vpcYAML, ends)
	lab.Eventually(t, 10*time.Second, "the network instead of the route", heard("10.96.0.0/11", "10.100.0.0/16"))
	if err := heard("10.96.0.0/11", "10.200.")(); err != nil {
		t.Error(err)
	}
	if err := pings(c.idc, idcHost4, idcHost6, "10.100.1.10"); err != nil {
		t.Error(err)
	}
	off := "name: ri-line\n"
	c.resources(vbrYAML, "bgp_networks: [10.96.0.0/11, 10.200.0.0/16]\n", vpcYAML, strings.Replace(ends, off, off+"deactivated: true\n", 1))
	lab.Eventually(t, 10*time.Second, "it goes with its last route", heard("172.16.1.0/24", "10.96.0.0/11"))
	c.resources(vbrYAML, vpcYAML, ends)
	lab.Eventually(t, 10*time.Second, "the route instead of the network", heard("10.100.0.0/16", "10.96.0.0/11"))
	now := c.edge.MustRun(ctl(t), "--socket", c.Dir+"/vbrd.sock", "show", "sessions", "-o", "json")
	if a, b := sinceOf(up), sinceOf(now); a != b || a == "" {
		t.Errorf("sessions were reset: since %s, then %s", a, b)
	}
}

// sinceOf are the lines of vbrctl's JSON that say since when sessions are up.
func sinceOf(out string) (all string) {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "since") {
			all += line
		}
	}
	return all
}

// testTerminated: a terminated VBR has nothing on the network and nothing wrong with it; recovered, it is as before. The VPC waits meanwhile.
func (c *cloud) testTerminated(t *testing.T) {
	c.resources(vbrYAML, "termination_time: 2026-01-31T12:00:00Z\n", vpcYAML, ends)
	lab.Eventually(t, 10*time.Second, "its devices leave", func() error {
		if out := c.edge.MustRun("ip", "-br", "link"); strings.Contains(out, "vbr-acme") || strings.Contains(out, "eth1.100") {
			return fmt.Errorf("still there:\n%s", out)
		}
		return nil
	})
	if s := c.status("vbr-acme"); !strings.Contains(s, "vbr_status: terminated") || strings.Contains(s, "DEGRADED") {
		t.Errorf("status:\n%s", s)
	}
	if s := c.status("vpc-acme"); !strings.Contains(s, "status: AcceptingConnecting") || strings.Contains(s, "DEGRADED") {
		t.Errorf("status of the VPC:\n%s", s)
	}
	c.resources(vbrYAML, vpcYAML, ends)
	lab.Eventually(t, 20*time.Second, "it is as before", c.bothWays)
}
