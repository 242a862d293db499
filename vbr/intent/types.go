package intent

import (
	"net/netip"
	"reflect"
	"slices"
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
	Groups              []Group
}

// On returns the part of a host: what names it or no host, with the router interfaces and failover groups of those routers.
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
	for _, g := range in.Groups {
		if here[g.VBR] || here[g.Peer] {
			if g.Alternatives == nil {
				g.Alternatives = in.alternatives(g)
			}
			out.Groups = append(out.Groups, g)
		}
	}
	return out
}

// alternatives finds Group.Alternatives. A pair on the other member's host has no route target: what that member tells under any of its own shows what it has.
func (in *Intent) alternatives(g Group) map[string][]string {
	var members []RouterInterface
	for _, ri := range in.RouterInterfaces {
		if ri.Router == g.VBR || ri.Router == g.Peer {
			members = append(members, ri)
		}
	}
	out := map[string][]string{}
	for i := range members {
		for j := range members {
			if ri, o := &members[i], &members[j]; ri.Router != o.Router && in.leadsTo(ri) == in.leadsTo(o) {
				out[ri.Name] = append(out[ri.Name], shownBy(o, members)...)
			}
		}
	}
	return out
}

// shownBy are the route targets by which others hear what a router interface is told.
func shownBy(ri *RouterInterface, all []RouterInterface) (targets []string) {
	if ri.RouteTarget != "" {
		return []string{ri.RouteTarget}
	}
	for _, o := range all {
		if o.Router == ri.Router && o.RouteTarget != "" {
			targets = append(targets, o.RouteTarget)
		}
	}
	return targets
}

// leadsTo is the router at the other end of a router interface; empty: a gateway that is not ours.
func (in *Intent) leadsTo(ri *RouterInterface) string {
	if ri.Opposite == "" || ri.OppositeRouter != "" {
		return ri.OppositeRouter
	}
	i := slices.IndexFunc(in.RouterInterfaces, func(o RouterInterface) bool { return o.Name == ri.Opposite })
	if i < 0 {
		return ri.Opposite // nobody else's
	}
	return in.RouterInterfaces[i].Router
}

// Equal tells whether two intents want the same of the network, wherever and in whatever order it was written.
func (in *Intent) Equal(o *Intent) bool {
	return sameSet(in.PhysicalConnections, o.PhysicalConnections, func(pc PhysicalConnection) string { return pc.Name }) &&
		sameSet(in.Routers, o.Routers, func(r Router) string { return r.Name }) &&
		sameSet(in.RouterInterfaces, o.RouterInterfaces, func(ri RouterInterface) string { return ri.Name }) &&
		sameSet(in.Groups, o.Groups, func(g Group) string { return g.Name })
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

// Interface returns the router interface of that name, or nil.
func (in *Intent) Interface(name string) *RouterInterface {
	for i := range in.RouterInterfaces {
		if in.RouterInterfaces[i].Name == name {
			return &in.RouterInterfaces[i]
		}
	}
	return nil
}

// PhysicalConnection is a port of this host.
type PhysicalConnection struct {
	Name, Owner, Description string
	Host                     string // it is on; empty: the host that reads it
	Device                   string // network device
	Origin                   *Origin
}

// Kind tells the two kinds of routers apart.
type Kind uint8

// The kinds, with the names that Express Connect's RouterType has for them.
const (
	VBR     Kind = iota // a virtual border router: lines and BGP peers
	VRouter             // the router of a VPC: vSwitches
)

// String is the RouterType.
func (k Kind) String() string {
	if k == VRouter {
		return "VRouter"
	}
	return "VBR"
}

// Router is a virtual border router or the router of a VPC.
type Router struct {
	Kind                     Kind
	Name, Owner, Description string
	Host                     string  // it runs on; empty: the host that reads it
	TableID                  uint32  // 0: vbrd allocates one
	Routes                   []Route // custom routes
	Origin                   *Origin

	// Of a VBR.
	DefaultVRF bool // runs in the main table, without a VRF device (design D11)
	LocalASN   uint32
	Links      []Link // the first line, then the associated ones; at least one
	Peers      []Peer
	Bandwidth  uint64         // of each line and direction, bits per second; 0: no limit
	Networks   []netip.Prefix // what the customer is told; empty: all that the VPC side has
	Confirmed  *bool          // nil: no confirmation is needed
	Terminated time.Time      // zero: it is not
	Health     *HealthCheck   // nil: none
	BFD        BFD            // of the peers that have it
	Policies   []RoutePolicy

	// Of a VRouter.
	CIDRs    []netip.Prefix // at least one
	Switches []Switch
}

// VBRStatus is the status of a VBR as Express Connect names it.
func (r *Router) VBRStatus() string {
	switch {
	case !r.Terminated.IsZero():
		return "terminated"
	case r.Confirmed != nil && !*r.Confirmed:
		return "unconfirmed"
	}
	return "active"
}

// Runs tells whether the router is to exist on the network: it is neither unconfirmed nor terminated.
func (r *Router) Runs() bool { return r.VBRStatus() == "active" }

// VLANHold is how long a terminated VBR's VLANs stay its own.
const VLANHold = 7 * 24 * time.Hour

// Switch is a vSwitch of a VRouter: a bridge.
type Switch struct {
	Name       string
	IPv4, IPv6 netip.Prefix // subnets; zero when the family is off
	GW4, GW6   netip.Addr   // the router's addresses in them
	Devices    []string     // members
}

// Route is a custom route.
type Route struct {
	Prefix      netip.Prefix
	Hops        []RouteHop // at least one
	Priority    uint32     // the lowest counts
	Description string
}

// RouteHop is a next hop of a custom route: one of Interface and Address.
type RouteHop struct {
	Interface string // name of a router interface of the router
	Address   netip.Addr
	Weight    uint16
}

// HealthCheck is a probe from inside a router.
type HealthCheck struct {
	Source    netip.Addr // zero: the router's first address of the family
	Target    netip.Addr
	Interval  time.Duration
	Threshold int
	ProbeOnly bool
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
	OuterVLAN          uint16 // 802.1ad S-tag; 0 = none
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
	AuthKeyFile  string        // holds the key of TCP MD5; see Key
	Credential   string        // the systemd credential that does
	Hold         time.Duration // whole seconds; 0: no hold timer and no keepalives
	Keepalive    time.Duration // whole seconds; 0 only when Hold is
	ConnectRetry time.Duration // whole seconds
	BFD          bool          // it is watched by BFD, single hop
	BFDStrict    bool          // its routes count only while BFD is up
	GTSM         bool          // nothing is taken from it that has passed a router (RFC 5082)
	LongLived    time.Duration // whole seconds; how long routes are held beyond graceful restart (RFC 9494)
	Rules        PeerRules
}

// RouterInterface is one end of the link between two routers, or of a router and a gateway that is not ours.
type RouterInterface struct {
	Name, Owner, Description string
	Router                   string // name of the Router
	VNI                      uint32 // 0: none is given, both ends are on one host
	RouteTarget              string // canonical: "64600:5001", "192.0.2.1:7"; empty with VNI 0
	Accepting                bool   // it is the accepting side
	Opposite                 string // name of the interface at the other end; empty: a gateway that is not ours
	OppositeRouter           string // empty: any
	OppositeOwner            string // the owner that the opposite has to have
	OppositeRegion           string // empty: this host's
	Spec                     string
	Transit, Deactivated     bool
	Preference               uint32
	Health                   *HealthCheck // nil: none
	Origin                   *Origin
}

// Rate is what the interface may carry in each direction in bits per second; 0: no limit (parity.md, Spec).
func (ri *RouterInterface) Rate() uint64 { return specs()[ri.Spec] }

// specs are the rates of Express Connect's specifications in bits per second.
func specs() map[string]uint64 {
	const mega = 1_000_000
	return map[string]uint64{
		"Mini.2": 2 * mega, "Mini.5": 5 * mega, "Small.1": 10 * mega, "Small.2": 20 * mega, "Small.5": 50 * mega,
		"Middle.1": 100 * mega, "Middle.2": 200 * mega, "Middle.5": 500 * mega,
		"Large.1": 1000 * mega, "Large.2": 2000 * mega, "Large.5": 5000 * mega, "Xlarge.1": 10000 * mega,
	}
}

// Equal tells whether two router interfaces want the same, wherever they were written.
func (ri RouterInterface) Equal(o RouterInterface) bool {
	ri.Origin, o.Origin = nil, nil
	return reflect.DeepEqual(ri, o)
}

// Group is a failover group of two VBRs (EC: VbrHa).
type Group struct {
	Name, Owner, Description string
	VBR, Peer                string // names of Routers; VBR is the active one
	Standby                  bool   // Peer carries nothing as long as VBR can
	// Alternatives are, by the name of each router interface of a member's, the route targets of those of the other member's that lead to the same
	// router; what leads to gateways that are not ours is taken to lead to the same VPC. [Intent.On] finds them.
	Alternatives map[string][]string
	Origin       *Origin
}

// Equal tells whether two groups want the same, wherever they were written.
func (g Group) Equal(o Group) bool {
	g.Origin, o.Origin = nil, nil
	return reflect.DeepEqual(g, o)
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
	DefaultPreference   = 50
	DefaultPriority     = 100 // of custom routes
	DefaultWeight       = 100 // of next hops
	DefaultHcRate       = 2 * time.Second
	DefaultHcThreshold  = 8
)

// defaultKeepalive is a third of the hold time, at least a second (RFC 4271 section 4.4), 0 for hold 0.
func defaultKeepalive(hold time.Duration) time.Duration {
	if hold == 0 {
		return 0
	}
	return max(time.Second, (hold / 3).Truncate(time.Second))
}
