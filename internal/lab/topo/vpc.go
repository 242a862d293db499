package topo

import (
	"fmt"
	"strings"

	"github.com/openvbr/openvbr/internal/lab"
)

// VRF is the name of the VPC's VRF at each gateway, and its table.
const (
	VRF      = "vpc"
	VRFTable = "1000"
)

// subnets is what a VPC's addresses are.
type subnets struct {
	prefix4, prefix6   string
	gateway4, gateway6 string
	host4, host6       string
}

// vpc builds a customer's VPC: a gateway that speaks EVPN type-5 over the
// underlay and a host behind it.
func (t *Topology) vpc(c *Customer) {
	layGateway(t.Lab, t.Underlay, c, subnets{VPCPrefix4, VPCPrefix6, "10.100.0.1", "2001:db8:100::1", VPCHost4, VPCHost6}, t.gatewayPeer())
}

// layGateway makes an FRR gateway on an underlay, with sessions to peers, and a host in its one subnet.
func layGateway(l *lab.Lab, underlay *lab.NS, c *Customer, s subnets, peers ...string) {
	c.Gateway, c.Host = l.Namespace("vpc-"+c.Name), l.Namespace("host-"+c.Name)
	gw := c.Gateway
	l.Veth(gw, "eth0", underlay, "vpc-"+c.Name)
	l.Veth(gw, "vsw0", c.Host, "eth0")
	underlay.IP("link set vpc-" + c.Name + " master br0")
	gw.Forward()
	bits4, bits6 := s.prefix4[strings.Index(s.prefix4, "/"):], s.prefix6[strings.Index(s.prefix6, "/"):]
	// The bridge and its MAC are the EVPN router MAC; there is no address on
	// it. Addresses come after enslaving, which drops IPv6 ones.
	gw.IP("addr add "+c.VTEP+"/24 dev eth0",
		"link add "+VRF+" type vrf table "+VRFTable,
		"link set "+VRF+" up",
		"route add unreachable default metric 4278198272 table "+VRFTable,
		"route add unreachable ::/0 metric 4278198272 table "+VRFTable,
		"link add brl3 address "+routerMAC(c)+" type bridge",
		"link set brl3 addrgenmode none master "+VRF,
		fmt.Sprintf("link add vx%d type vxlan id %d local %s dstport 4789 nolearning", c.VNI, c.VNI, c.VTEP),
		fmt.Sprintf("link set vx%d addrgenmode none master brl3", c.VNI),
		fmt.Sprintf("link set vx%d up", c.VNI),
		"link set brl3 up",
		"link set vsw0 master "+VRF,
		"addr add "+s.gateway4+bits4+" dev vsw0",
		"addr add "+s.gateway6+bits6+" dev vsw0")
	c.Host.IP("addr add "+s.host4+bits4+" dev eth0", "addr add "+s.host6+bits6+" dev eth0",
		"route add default via "+s.gateway4, "route add ::/0 via "+s.gateway6)
	c.FRR = gw.FRR(gatewayConf(c, s, peers), "bgpd")
}

func routerMAC(c *Customer) string { return fmt.Sprintf("02:00:00:00:%02x:%02x", c.VNI>>8, c.VNI&0xff) }

func gatewayConf(c *Customer, s subnets, peers []string) string {
	var sessions, active strings.Builder
	for _, peer := range peers {
		fmt.Fprintf(&sessions, ` neighbor %s remote-as %d
 neighbor %s timers 3 9
 neighbor %s timers connect 1
 neighbor %s advertisement-interval 0
`, peer, BackboneASN, peer, peer, peer)
		fmt.Fprintf(&active, "  neighbor %s activate\n  neighbor %s soft-reconfiguration inbound\n", peer, peer)
	}
	targets := c.Targets
	if len(targets) == 0 {
		targets = []string{fmt.Sprintf("%d:%d", BackboneASN, c.VNI)}
	}
	var routeTargets strings.Builder
	for _, t := range targets {
		fmt.Fprintf(&routeTargets, "  route-target import %s\n  route-target export %s\n", t, t)
	}
	return strings.NewReplacer("NAME", c.Gateway.Name, "VTEP", c.VTEP, "SESSIONS\n", sessions.String(), "ACTIVE\n", active.String(), "TARGETS\n", routeTargets.String(),
		"ASN", fmt.Sprint(BackboneASN), "VNI", fmt.Sprint(c.VNI), "PREFIX4", s.prefix4, "PREFIX6", s.prefix6, "VRF", VRF).
		Replace(`hostname NAME
vrf VRF
 vni VNI
exit-vrf
router bgp ASN
 bgp router-id VTEP
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp graceful-restart
SESSIONS
 address-family l2vpn evpn
ACTIVE
  advertise-all-vni
 exit-address-family
exit
router bgp ASN vrf VRF
 bgp router-id VTEP
 no bgp network import-check
 address-family ipv4 unicast
  network PREFIX4
 exit-address-family
 address-family ipv6 unicast
  network PREFIX6
 exit-address-family
 address-family l2vpn evpn
  rd VTEP:VNI
TARGETS
  advertise ipv4 unicast
  advertise ipv6 unicast
 exit-address-family
exit
`)
}

// Announce makes the VPC's gateway announce a prefix to the edge.
func (c *Customer) Announce(prefix string) error { return c.network(prefix, true) }

// Withdraw takes it back.
func (c *Customer) Withdraw(prefix string) error { return c.network(prefix, false) }

func (c *Customer) network(prefix string, on bool) error {
	return network(c.FRR, fmt.Sprintf("router bgp %d vrf %s", BackboneASN, VRF), prefix, on)
}

// GatewayHas is nil when the VPC's gateway forwards to prefix by a route that
// EVPN brought.
func (c *Customer) GatewayHas(prefix string) error {
	return c.Gateway.HasRoute(prefix, VRFTable, "proto", "bgp")
}
