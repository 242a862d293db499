package topo

import (
	"embed"
	"fmt"
	"path/filepath"

	"github.com/openvbr/openvbr/internal/lab"
)

// The regions' underlays, and who is where in them: .254 is the router between the regions, .250 the reflector, .251 in region 1 etcd.
const (
	Region1Net = "192.0.2."
	Region2Net = "198.51.100."
)

// Accounts of the cloud topology, by the uid whose vbrctl is theirs.
var Accounts = map[string]int{"acme": 4711, "beta": 4712, "carrier": 4713}

// WANDelay is what netem puts on the way between the regions, each way.
const WANDelay = "2ms"

// Cloud is the second topology, built: see the drawing in the package's comment.
type Cloud struct {
	Lab          *lab.Lab
	Resources    string // folder for `vbrctl apply -f`, once, on any host
	Edge1, Edge2 *Host
	GW1, GW2     *Host
	Ports        [2]*lab.NS // switch before each edge host
	Regions      [2]*lab.NS // underlay of each region
	WAN          *lab.NS    // router between them
	Delayed      bool       // WAN adds WANDelay each way: the kernel has netem
	Store        *lab.Proc  // etcd, which all hosts share
	Reflectors   [2]*lab.FRR
	Acme         *Customer       // its data centre: Lines[0] on Edge1 (FRR), Lines[1] on Edge2 (BIRD)
	VPCs         map[string]*VPC // by VRouter
	FRRGateway   *Customer       // the VPC behind FRR's gateway; as Customer it has no lines
}

// VPC is a host in the vSwitch of a VRouter. vbrd makes the vSwitch.
type VPC struct {
	Router       string
	Owner        string
	At           *Host  // where the VRouter runs
	Tap          string // device there that leads to Host
	Host         *lab.NS
	Host4, Host6 string
}

// Hosts are those with a vbrd.
func (t *Cloud) Hosts() []*Host { return []*Host{t.Edge1, t.Edge2, t.GW1, t.GW2} }

//go:embed cloud/*.yaml
var cloudFiles embed.FS

// cloudHosts are the hosts with a vbrd. Each has a file of the resources.
var cloudHosts = []string{"edge-1", "edge-2", "gw-1", "gw-2"}

// CloudResources is a file of the topology's resources: that of a host, by its name, or "gw-1-accept", beta's end of the pair that
// acme asks for.
func CloudResources(name string) string {
	text, err := cloudFiles.ReadFile("cloud/" + name + ".yaml")
	if err != nil {
		panic(err) // embedded: a name that is none
	}
	return string(text)
}

// NewCloud builds the topology up to, and without, vbrd.
func NewCloud(l *lab.Lab) *Cloud {
	t := &Cloud{Lab: l, VPCs: map[string]*VPC{}}
	t.underlay()
	t.startStore()
	t.Resources = filepath.Join(l.Dir, "resources")
	for _, host := range cloudHosts {
		l.File("resources/"+host+".yaml", CloudResources(host))
	}
	t.Edge1, t.Edge2 = t.host("edge-1", 0, 1), t.host("edge-2", 1, 1)
	t.GW1, t.GW2 = t.host("gw-1", 0, 2), t.host("gw-2", 1, 2)
	for i := range t.Reflectors {
		t.Reflectors[i] = t.reflector(i)
	}
	t.dataCentre()
	t.vpc("vpc-acme-a", "acme", t.GW1, "tap-a", 1, "a1")
	t.vpc("vpc-acme-b", "acme", t.GW1, "tap-b", 2, "a2")
	t.vpc("vpc-acme-c", "acme", t.GW2, "tap-c", 3, "a3")
	t.vpc("vpc-beta", "beta", t.GW1, "tap-beta", 4, "b1")
	t.FRRGateway = &Customer{Name: "frr", VNI: 5009, VTEP: frrVTEP, Targets: frrTargets}
	layGateway(l, t.Regions[0], t.FRRGateway, subnets{FRRPrefix4, FRRPrefix6, "10.9.0.1", "2001:db8:a9::1", FRRHost4, FRRHost6}, ReflectorAddress(0))
	t.toOtherRegion(t.FRRGateway.Gateway, 0)
	return t
}

// The VPC behind FRR's gateway.
const (
	FRRPrefix4, FRRHost4 = "10.9.0.0/16", "10.9.0.10"
	FRRPrefix6, FRRHost6 = "2001:db8:a9::/48", "2001:db8:a9::10"
	frrVTEP              = Region1Net + "3"
)

// frrTargets are its route targets at either VBR. FRR 8.4 drops the one that it would derive itself, 64600:5009, when another is configured after it.
var frrTargets = []string{"64600:5010", "64600:5011"}

func regionNet(region int) string { return [2]string{Region1Net, Region2Net}[region] }

// ReflectorAddress is that of the region's reflector.
func ReflectorAddress(region int) string { return regionNet(region) + "250" }
func (t *Cloud) toOtherRegion(n *lab.NS, region int) {
	n.IP("route add " + regionNet(1-region) + "0/24 via " + regionNet(region) + "254")
}

// underlay makes a switch for each region, and the router between them.
func (t *Cloud) underlay() {
	t.WAN = t.Lab.Namespace("wan")
	t.WAN.Forward()
	t.Delayed = true
	for i := range t.Regions {
		region, dev := t.Lab.Namespace(fmt.Sprintf("net-r%d", i+1)), fmt.Sprintf("r%d", i+1)
		region.IP("link add br0 type bridge", "link set br0 up")
		t.Lab.Veth(t.WAN, dev, region, "wan")
		region.IP("link set wan master br0")
		t.WAN.IP("addr add " + regionNet(i) + "254/24 dev " + dev)
		if _, err := t.WAN.Run("tc", "qdisc", "add", "dev", dev, "root", "netem", "delay", WANDelay); err != nil {
			t.Delayed = false // a kernel without netem
		}
		t.Regions[i] = region
	}
}

// attach puts a namespace's eth0 on a region's underlay.
func (t *Cloud) attach(name string, region, number int) *lab.NS {
	n := t.Lab.Namespace(name)
	t.Lab.Veth(n, "eth0", t.Regions[region], name)
	t.Regions[region].IP("link set " + name + " master br0")
	n.IP(fmt.Sprintf("addr add %s%d/24 dev eth0", regionNet(region), number))
	t.toOtherRegion(n, region)
	return n
}

// dataCentre is acme's: one LAN, two lines to two edge hosts, of which either may carry all.
func (t *Cloud) dataCentre() {
	c := newCustomer(t.Lab, "acme", 65001)
	t.Acme = c
	for i, edge := range []*Host{t.Edge1, t.Edge2} {
		t.Ports[i] = t.Lab.Namespace(fmt.Sprintf("port-%d", i+1))
		layPort(t.Lab, t.Ports[i], edge.NS)
		c.Lines = append(c.Lines, layLine(t.Lab, t.Ports[i], c, i, 100+i, Options{BIRD: i == 1}))
	}
	c.LAN.Sysctl("net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1")
	c.LAN.IP("route add default nexthop via "+lanAddr4(0)+" nexthop via "+lanAddr4(1),
		"route add ::/0 nexthop via "+lanAddr6(0)+" nexthop via "+lanAddr6(1))
}

// vpc makes the host that is in a VRouter's only vSwitch.
func (t *Cloud) vpc(router, owner string, at *Host, tap string, net4 int, net6 string) {
	v := &VPC{Router: router, Owner: owner, At: at, Tap: tap, Host: t.Lab.Namespace("host-" + tap[len("tap-"):]),
		Host4: fmt.Sprintf("10.%d.1.10", net4), Host6: "2001:db8:" + net6 + ":1::10"}
	t.Lab.Veth(at.NS, tap, v.Host, "eth0")
	v.Host.IP("addr add "+v.Host4+"/24 dev eth0", "addr add "+v.Host6+"/64 dev eth0",
		fmt.Sprintf("route add default via 10.%d.1.253", net4), "route add ::/0 via 2001:db8:"+net6+":1::1")
	t.VPCs[router] = v
}

// reflector is FRR's, for all who speak EVPN in both regions; the two know each other.
//
// FRR before 10.6 drops EVPN routes with the session they came by, graceful restart or not (FRRouting/frr#9749). Two reflectors
// make up for the loss of either, not for a restart of vbrd, whose sessions with both drop. FRR's gateway speaks with its region's only:
// told a route by both, 8.4 removes the remote router's MAC, neighbour and FDB entry with the first session that drops, though the
// route stays by the other.
func (t *Cloud) reflector(i int) *lab.FRR {
	n := t.attach(fmt.Sprintf("rr-%d", i+1), i, 250)
	clients := vteps(t.Hosts())
	if i == 0 {
		clients = append(clients, frrVTEP)
	}
	return n.FRR(reflectorConf(i, clients), "bgpd")
}
