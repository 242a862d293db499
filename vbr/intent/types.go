package intent

import (
	"net/netip"
	"reflect"
	"time"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// Errors is everything wrong with a set of resources, sorted by file and line.
type Errors = source.Problems

// Intent is a checked set of resources, each kind in the order of the files.
type Intent struct {
	PhysicalConnections []PhysicalConnection
	Routers             []Router
	RouterInterfaces    []RouterInterface
}

// On returns the part of a host: what names it or no host, with the router interfaces of those routers.
func (in *Intent) On(host string) *Intent {
	out, here := &Intent{}, map[string]bool{}
	for _, pc := range in.PhysicalConnections {
		if pc.Host == "" || pc.Host == host {
			out.PhysicalConnections = append(out.PhysicalConnections, pc)
		}
	}
	for i := range in.Routers {
		if r := &in.Routers[i]; r.Host == "" || r.Host == host {
			out.Routers = append(out.Routers, *r)
			here[r.Name] = true
		}
	}
	for _, ri := range in.RouterInterfaces {
		if here[ri.Router] {
			out.RouterInterfaces = append(out.RouterInterfaces, ri)
		}
	}
	return out
}

// Equal tells whether two intents want the same of the network, wherever and in whatever order it was written.
func (in *Intent) Equal(o *Intent) bool {
	return sameSet(in.PhysicalConnections, o.PhysicalConnections, func(pc PhysicalConnection) string { return pc.Name }) &&
		sameSet(in.Routers, o.Routers, func(r Router) string { return r.Name }) &&
		sameSet(in.RouterInterfaces, o.RouterInterfaces, func(ri RouterInterface) string { return ri.Name })
}

// sameSet compares resources by name.
func sameSet[T interface{ Equal(T) bool }](a, b []T, name func(T) string) bool {
	if len(a) != len(b) {
		return false
	}
	byName := make(map[string]T, len(a))
	for _, t := range a {
		byName[name(t)] = t
	}
	for _, t := range b {
		if was, ok := byName[name(t)]; !ok || !was.Equal(t) {
			return false
		}
	}
	return true
}

// Router returns the router of that name, or nil.
func (in *Intent) Router(name string) *Router {
	for i := range in.Routers {
		if in.Routers[i].Name == name {
			return &in.Routers[i]
		}
	}
	return nil
}

// InterfacesOf returns the router interfaces of a router.
func (in *Intent) InterfacesOf(router string) []RouterInterface {
	var out []RouterInterface
	for _, ri := range in.RouterInterfaces {
		if ri.Router == router {
			out = append(out, ri)
		}
	}
	return out
}

// PhysicalConnection is a port of this host.
type PhysicalConnection struct {
	Name, Owner, Description string
	Host                     string // it is on; empty: the host that reads it
	Device                   string // network device
	Origin                   *Origin
}

// Router is a virtual border router.
type Router struct {
	Name, Owner, Description string
	Host                     string // it runs on; empty: the host that reads it
	DefaultVRF               bool   // runs in the main table, without a VRF device (design D11)
	TableID                  uint32 // 0: vbrd allocates one
	LocalASN                 uint32
	Links                    []Link // the first line, then the associated ones; at least one
	Peers                    []Peer
	Origin                   *Origin
}

// Equal tells whether two routers want the same, wherever they were written.
func (r Router) Equal(o Router) bool {
	r.Origin, o.Origin = nil, nil
	return reflect.DeepEqual(r, o)
}

// Link is one line of a router: a VLAN on a port, with addresses of one family or both.
type Link struct {
	PhysicalConnection string // name of the resource
	Device             string // network device of that port
	VLAN               uint16 // 0 = untagged
	IPv4, IPv6         Addresses
}

// Addresses are the two ends of a link in one family. The zero value means that the family is off.
type Addresses struct {
	Local, Peer netip.Addr
	Subnet      netip.Prefix // masked
}

// IsValid tells whether the family is on.
func (a Addresses) IsValid() bool { return a.Local.IsValid() && a.Peer.IsValid() && a.Subnet.IsValid() }

// Peer is one BGP session of a router.
type Peer struct {
	Address      netip.Addr
	Local        netip.Addr // our address on the peer's link
	Link         int        // index into Router.Links of that link
	ASN          uint32
	AuthKeyFile  string        // empty: no TCP MD5; see ReadKey
	Hold         time.Duration // whole seconds; 0: no hold timer and no keepalives
	Keepalive    time.Duration // whole seconds; 0 only when Hold is
	ConnectRetry time.Duration // whole seconds
}

// RouterInterface joins a router to its VPC.
type RouterInterface struct {
	Name, Owner, Description string
	Router                   string // name of the Router
	VNI                      uint32
	RouteTarget              string // canonical: "64600:5001", "192.0.2.1:7"
	Origin                   *Origin
}

// Equal tells whether two router interfaces want the same, wherever they were written.
func (ri RouterInterface) Equal(o RouterInterface) bool {
	ri.Origin, o.Origin = nil, nil
	return ri == o
}

// Equal tells whether two physical connections want the same, wherever they were written.
func (pc PhysicalConnection) Equal(o PhysicalConnection) bool {
	pc.Origin, o.Origin = nil, nil
	return pc == o
}

// Defaults of optional fields; the .proto documents them.
const (
	DefaultLocalASN     = 45104
	DefaultHold         = 30 * time.Second
	DefaultConnectRetry = 5 * time.Second
)

// defaultKeepalive is a third of the hold time, at least a second (RFC 4271 section 4.4), 0 for hold 0.
func defaultKeepalive(hold time.Duration) time.Duration {
	if hold == 0 {
		return 0
	}
	return max(time.Second, (hold / 3).Truncate(time.Second))
}
