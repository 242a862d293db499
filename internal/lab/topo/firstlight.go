package topo

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// Numbers of the first-light topology.
const (
	BackboneASN = 64600
	VBRASN      = 45104 // vbrd's towards customers
	EdgeVTEP    = "192.0.2.1"
	ReflectorIP = "192.0.2.254"

	VPCPrefix4 = "10.100.0.0/16"
	VPCPrefix6 = "2001:db8:100::/48"
	VPCHost4   = "10.100.0.10"
	VPCHost6   = "2001:db8:100::10"

	// IDCHost is a machine in the customer's data centre, reached over any
	// of its lines; the prefixes are what the customer announces.
	IDCHost4    = "172.16.1.1"
	IDCHost6    = "2001:db8:1::1"
	IDCPrefix4  = "172.16.1.0/24"
	IDCPrefix6  = "2001:db8:1::/64"
	IDCPrefix4B = "172.16.2.0/24" // behind IDCHost, which has 172.16.2.1
	IDCPrefix6B = "2001:db8:2::/64"
)

// Options of FirstLight; all may be left out.
type Options struct {
	BIRD bool   // BIRD instead of FRR as the customers' routers
	Keys string // MD5 password of every customer session

	// Reflector puts a route reflector (GoBGP) between the edge and the
	// gateways. FRR before 10.6 drops EVPN routes when their session drops,
	// graceful restart or not (FRRouting/frr#9749); GoBGP keeps them. With it
	// the VPC's traffic survives kill -9 of vbrd.
	Reflector bool

	BFD BFD

	// Stored leaves the resources out of vbrd's settings: they are there for `vbrctl apply -f`.
	Stored bool
}

// Topology is FirstLight, built.
type Topology struct {
	Lab            *lab.Lab
	Edge           *lab.NS    // where vbrd runs: eth0 underlay, eth1 trunk
	Port, Underlay *lab.NS    // switches
	Reflector      *lab.GoBGP // nil without Options.Reflector
	Acme, Beta     *Customer
	Config         string // vbrd's settings file
	Resources      string // folder with vbrd's resources
	StateDir       string
	Socket         string // vbrd's API

	options Options
}

// Customer is one tenant: a data centre with lines, and a VPC.
type Customer struct {
	Name    string
	ASN     uint32
	VNI     uint32
	Lines   []*Line
	LAN     *lab.NS // IDCHost4, IDCHost6
	Gateway *lab.NS // the VPC's router
	FRR     *lab.FRR
	VTEP    string
	Targets []string // the gateway's route targets; empty: one of the VNI's number
	Host    *lab.NS  // VPCHost4, VPCHost6
}

// Line is a customer's line: a VLAN on the port and the router at its end.
type Line struct {
	VLAN             int
	Router           *Router
	Local4, Peer4    netip.Addr // /30; Local is the edge's side
	Local6, Peer6    netip.Addr // /126
	switchDev, rName string
}

// FirstLight builds the topology up to, and without, vbrd.
func FirstLight(l *lab.Lab, o Options) *Topology {
	t := &Topology{Lab: l, options: o, Edge: l.Namespace("edge"), Port: l.Namespace("port"), Underlay: l.Namespace("underlay")}
	t.switches()
	if o.Reflector {
		t.startReflector("192.0.2.11", "192.0.2.12")
	}
	t.Acme = t.customer("acme", 65001, 5001, "192.0.2.11", 100, 101)
	t.Beta = t.customer("beta", 65002, 5002, "192.0.2.12", 200)
	t.writeConfig()
	return t
}

// switches makes the edge, the customers' port and the underlay.
func (t *Topology) switches() {
	t.Underlay.IP("link add br0 type bridge", "link set br0 up")
	t.Lab.Veth(t.Edge, "eth0", t.Underlay, "edge")
	layPort(t.Lab, t.Port, t.Edge)
	t.Edge.Forward()
	t.Edge.IP("addr add "+EdgeVTEP+"/24 dev eth0", "addr add "+EdgeVTEP+"/32 dev lo")
	t.Underlay.IP("link set edge master br0")
}

// layPort makes the switch between an edge host's trunk, eth1, and the lines.
func layPort(l *lab.Lab, port, edge *lab.NS) {
	port.IP("link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0", "link set br0 up")
	l.Veth(edge, "eth1", port, "edge")
	port.IP("link set edge master br0")
}

func (t *Topology) customer(name string, asn, vni uint32, vtep string, vlans ...int) *Customer {
	c := newCustomer(t.Lab, name, asn)
	c.VNI, c.VTEP = vni, vtep
	for i, vlan := range vlans {
		c.Lines = append(c.Lines, layLine(t.Lab, t.Port, c, i, vlan, t.options))
	}
	c.LAN.IP("route add default via 172.16.1.2", "route add ::/0 via 2001:db8:1::2")
	t.vpc(c)
	return c
}

// newCustomer makes the data centre's LAN, without lines.
func newCustomer(l *lab.Lab, name string, asn uint32) *Customer {
	c := &Customer{Name: name, ASN: asn, LAN: l.Namespace("lan-" + name)}
	c.LAN.IP("link add br0 type bridge", "link set br0 up",
		"addr add "+IDCHost4+"/24 dev br0", "addr add "+IDCHost6+"/64 dev br0",
		"addr add 172.16.2.1/24 dev lo", "addr add 2001:db8:2::1/64 dev lo")
	return c
}

// layLine lays line i of a customer to a port: addresses 10.0.0.4i/30 and fd00::4i/126, the same for every customer.
func layLine(l *lab.Lab, port *lab.NS, c *Customer, i, vlan int, o Options) *Line {
	suffix := ""
	if i > 0 {
		suffix = fmt.Sprint(i + 1)
	}
	ln := &Line{VLAN: vlan, rName: "idc-" + c.Name + suffix, switchDev: c.Name + suffix,
		Local4: addr("10.0.0.%d", 4*i+1), Peer4: addr("10.0.0.%d", 4*i+2),
		Local6: addr("fd00::%d", 4*i+1), Peer6: addr("fd00::%d", 4*i+2)}
	ns := l.Namespace(ln.rName)
	l.Veth(ns, "eth0", port, ln.switchDev)
	l.Veth(ns, "lan0", c.LAN, ln.rName)
	ns.Forward()
	ns.IP(fmt.Sprintf("addr add %s/30 dev eth0", ln.Peer4), fmt.Sprintf("addr add %s/126 dev eth0", ln.Peer6),
		fmt.Sprintf("addr add %s/24 dev lan0", lanAddr4(i)), fmt.Sprintf("addr add %s/64 dev lan0", lanAddr6(i)))
	if !o.BIRD { // BIRD has them as static routes
		ns.IP("route add "+IDCPrefix4B+" via "+IDCHost4, "route add "+IDCPrefix6B+" via "+IDCHost6)
	}
	c.LAN.IP("link set " + ln.rName + " master br0")
	port.IP("link set " + ln.switchDev + " master br0")
	port.MustRun("bridge", "vlan", "add", "dev", ln.switchDev, "vid", fmt.Sprint(vlan), "pvid", "untagged")
	port.MustRun("bridge", "vlan", "add", "dev", "edge", "vid", fmt.Sprint(vlan))
	ln.Router = startRouter(c, ns, ln, i, o)
	return ln
}

func addr(format string, n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf(format, n)) }

// lanAddr is router i's in the customer's LAN.
func lanAddr4(i int) string { return fmt.Sprintf("172.16.1.%d", i+2) }
func lanAddr6(i int) string { return fmt.Sprintf("2001:db8:1::%d", i+2) }

// WaitBGP waits until every customer session and both backbone sessions are
// up and returns how long that took.
func (t *Topology) WaitBGP(limit time.Duration) time.Duration {
	t.Lab.Helper()
	return lab.Eventually(t.Lab, limit, "all BGP sessions up", t.Sessions)
}

// Sessions is nil when all are up.
func (t *Topology) Sessions() error {
	for _, c := range []*Customer{t.Acme, t.Beta} {
		for _, ln := range c.Lines {
			if err := ln.Router.Established(); err != nil {
				return err
			}
		}
		if err := c.FRR.Established("l2vpn evpn", t.gatewayPeer()); err != nil {
			return err
		}
	}
	if t.Reflector != nil {
		return t.Reflector.Established(EdgeVTEP)
	}
	return nil
}

// PingBoth pings, in both families, from the VPC's host to the data centre
// and back.
func (c *Customer) PingBoth() error {
	for _, p := range []struct {
		from     *lab.NS
		dst, src string
	}{
		{c.Host, IDCHost4, ""}, {c.Host, IDCHost6, ""},
		{c.LAN, VPCHost4, IDCHost4}, {c.LAN, VPCHost6, IDCHost6},
	} {
		if _, err := p.from.Ping(p.dst, lab.PingOptions{Source: p.src}); err != nil {
			return err
		}
	}
	return nil
}

// StartVbrd starts a vbrd in the edge's namespace on the topology's settings.
func (t *Topology) StartVbrd(binary string, args ...string) *lab.Proc {
	t.Lab.Helper()
	return t.Edge.Start(append([]string{binary, "--config", t.Config}, args...)...)
}

// RunVbrd runs one to its end (--check, --cleanup) and returns its output.
func (t *Topology) RunVbrd(binary string, args ...string) (string, error) {
	return t.Edge.Run(append([]string{binary, "--config", t.Config}, args...)...)
}

// Vbrctl runs the vbrctl beside a vbrd binary on the edge host and returns its output.
func (t *Topology) Vbrctl(vbrd string, args ...string) (string, error) {
	return t.Edge.Run(append([]string{filepath.Join(filepath.Dir(vbrd), "vbrctl"), "--socket", t.Socket}, args...)...)
}

func (t *Topology) path(name string) string { return filepath.Join(t.Lab.Dir, name) }
