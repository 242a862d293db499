package vbr

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
	"github.com/openvbr/openvbr/vbr/rib"
)

// mainTable is the kernel's table of the default VRF (RT_TABLE_MAIN, linux/rtnetlink.h).
const mainTable = 254

// spec is all that one router's actor has to know.
type spec struct {
	kind     intent.Kind
	name     string
	owner    string
	asn      uint32     // of a VBR, as the next
	routerID netip.Addr // of the BGP speaker
	link     link.Router
	lines    []line // of a VBR
	peers    []peerSpec
	policies []intent.RoutePolicy
	ris      []riSpec
	rules    rib.Rules
	switches []vswitch      // of a VRouter
	cidrs    []netip.Prefix // of a VRouter: what is told through its router interfaces
	routes   []intent.Route // custom ones
	networks []netip.Prefix // what the customer is told; none: what there is
	// group is the failover group that the router is in, and what it is there; both empty for none.
	group, groupRole string
	// resting: a VBR that is not to exist on the network, and its status; such a router has no actor.
	resting string
	// health is the router's own check; nil for none.
	health *healthSpec
	// left is what was left out of the spec, and why; nil for nothing.
	left error
}

// line is one leased line: which device and which subnets.
type line struct {
	device  string
	port    string // name of the PhysicalConnection
	subnets []netip.Prefix
	own     []netip.Addr
}

// peerSpec is one session and the line it runs over.
type peerSpec struct {
	bgp.Peer
	line  int
	watch watchSpec
	rules peerRules
}

// riSpec is one router interface.
type riSpec struct {
	name  string
	owner string
	// Of one whose other end is not on this host: zero otherwise.
	vni    uint32
	rd     evpn.RD
	target evpn.RouteTarget
	mac    net.HardwareAddr // of a local pair's end too
	// transit: what comes by it leaves by others of the router that are for transit too, and the other way round.
	transit bool
	// preference is 1 to 100, higher is better; 0 means 50. See prefer.
	preference uint32

	accepting, deactivated                        bool
	opposite, oppositeOwner, oppositeRegion, size string       // of a pair, but for size, which is its specification
	link                                          netip.Prefix // of a pair: our link address
	far                                           netip.Addr   // of a pair: the opposite's
	cable                                         *cable       // of a pair whose ends are both on this host
	health                                        *healthSpec  // nil: none
}

// newSpecs translates the intent's routers, those first that ask for a table, so that nobody else is given it.
//
// A router that cannot be translated is left out, with the reason under its name: the others go on.
func newSpecs(in *intent.Intent, opts Options, ids *ids) (specs []*spec, refused map[string]error) {
	refused = make(map[string]error)
	known := ids.draft()
	err := ids.together(func() { specs = translate(in, opts, ids, refused) })
	if err == nil {
		return specs, refused
	}
	return slices.DeleteFunc(specs, func(s *spec) bool { // what could not be recorded would be another router's after a restart
		recorded := known.Tables[s.name] == s.link.Table
		for _, ri := range s.ris {
			recorded = recorded && (known.RDs[ri.name] != 0 || ri.vni == 0)
		}
		if !recorded {
			refused[s.name] = err
		}
		return !recorded
	}), refused
}

func translate(in *intent.Intent, opts Options, ids *ids, refused map[string]error) (specs []*spec) {
	for _, asking := range []bool{true, false} {
		for i := range in.Routers {
			r := &in.Routers[i]
			if (r.TableID != 0) != asking {
				continue
			}
			if !r.Runs() {
				continue
			}
			s, err := newSpec(in, r, opts, ids)
			if err != nil {
				refused[r.Name] = err
				continue
			}
			specs = append(specs, s)
		}
	}
	return specs
}

// newSpec translates a router of the intent. Keys are read from their files here, so that a changed key is a changed spec.
func newSpec(in *intent.Intent, r *intent.Router, opts Options, ids *ids) (*spec, error) {
	s := &spec{kind: r.Kind, name: r.Name, owner: r.Owner, asn: r.LocalASN, policies: r.Policies}
	if r.Kind == intent.VBR {
		s.rules.LocalASNs = []uint32{r.LocalASN}
	}
	if opts.Backbone != nil {
		s.rules.Backbone = opts.Backbone.Reserved
	}
	s.rules.Trail = opts.trail(r.Name)
	asked := r.TableID
	if r.DefaultVRF {
		asked = mainTable
	}
	table, err := ids.table(r.Name, asked) // the main table too: the record tells the next vbrd where an orphan's routes are
	if err != nil {
		return nil, err
	}
	s.link = link.Router{Name: r.Name, VRF: r.DeviceName(), Table: table}
	for _, l := range r.Links {
		s.addLine(l, r.Bandwidth)
	}
	for _, p := range r.Peers {
		if err := s.addPeer(r, p, opts); err != nil {
			return nil, err
		}
	}
	s.addVPC(r)
	s.health = s.healthOf(r.Health)
	s.routes, s.networks = r.Routes, r.Networks
	s.addGroup(in)
	for _, ri := range in.InterfacesOf(r.Name) {
		if err := s.addInterface(in, &ri, opts.Backbone, ids); err != nil {
			return nil, err
		}
	}
	s.routerID = s.chooseRouterID(r)
	return s, nil
}

func (s *spec) addLine(l intent.Link, bandwidth uint64) {
	dev := l.DeviceName()
	ln := line{device: dev, port: l.PhysicalConnection}
	ll := link.Line{Port: l.Device, VLAN: l.VLAN, OuterVLAN: l.OuterVLAN, Outer: l.OuterDeviceName(), Device: dev, Rate: link.Rate{Out: bandwidth, In: bandwidth}}
	for _, a := range []intent.Addresses{l.IPv4, l.IPv6} {
		if !a.IsValid() {
			continue
		}
		ll.Addrs = append(ll.Addrs, netip.PrefixFrom(a.Local, a.Subnet.Bits()))
		ln.subnets = append(ln.subnets, a.Subnet)
		ln.own = append(ln.own, a.Local)
		s.rules.Links = append(s.rules.Links, a.Subnet)
	}
	s.lines = append(s.lines, ln)
	s.link.Lines = append(s.link.Lines, ll)
}

func (s *spec) addPeer(r *intent.Router, p intent.Peer, opts Options) error {
	bp := bgp.Peer{
		Address: p.Address, LocalAddress: p.Local, ASN: p.ASN, LocalASN: r.LocalASN,
		HoldTime: p.Hold, KeepaliveInterval: p.Keepalive, ConnectRetry: p.ConnectRetry,
		IPv4: p.Address.Is4(), IPv6: p.Address.Is6(), GTSM: p.GTSM, LongLived: p.LongLived,
		Role: roleOf(p.Rules.Role), StrictRole: p.Rules.RoleStrict,
	}
	key, _, err := opts.Keys.Key(r.Owner, &p)
	if err != nil {
		return fmt.Errorf("peer %s: %w", p.Address, err)
	}
	bp.Password = key
	rules, err := newPeerRules(r, &p, opts.Backbone)
	s.peers = append(s.peers, peerSpec{Peer: bp, line: p.Link, watch: watchSpecOf(r, &p), rules: rules})
	return err
}

func (s *spec) addInterface(in *intent.Intent, ri *intent.RouterInterface, b *Backbone, ids *ids) error {
	x := riSpec{
		name: ri.Name, owner: ri.Owner, transit: ri.Transit, accepting: ri.Accepting, deactivated: ri.Deactivated, size: ri.Spec,
		opposite: ri.Opposite, oppositeOwner: ri.OppositeOwner, oppositeRegion: ri.OppositeRegion, preference: ri.Preference,
		health: s.healthOf(ri.Health),
	}
	if s.groupRole == groupStandby {
		x.preference = max(1, x.preference/5)
	}
	if x.opposite != "" {
		x.link, x.far = linkAddresses(&x)
		if o := s.withLink(x.link); o != nil {
			s.left = errors.Join(s.left, fmt.Errorf("router interface %s is left out: its link address %s is that of %s; rename one of the two", ri.Name, x.link, o.name))
			return nil
		}
	}
	rate := link.Rate{Out: ri.Rate(), In: ri.Rate()}
	switch {
	case s.addCable(in, &x, rate):
	case ri.VNI == 0, b == nil && in.Interface(ri.Opposite) != nil: // the opposite is not there yet, or does not run
	default:
		if err := s.addTunnel(ri, &x, rate, b, ids); err != nil {
			return err
		}
	}
	s.ris = append(s.ris, x)
	return nil
}

// addTunnel gives the router interface what one needs whose other end is not on this host.
func (s *spec) addTunnel(ri *intent.RouterInterface, x *riSpec, rate link.Rate, b *Backbone, ids *ids) error {
	if b == nil {
		return fmt.Errorf("router interface %s: the host has no backbone; set backbone in the daemon's settings", ri.Name)
	}
	target, err := evpn.ParseRouteTarget(ri.RouteTarget)
	if err != nil {
		return fmt.Errorf("router interface %s: %w", ri.Name, err)
	}
	number, err := ids.rd(ri.Name)
	if err != nil {
		return err
	}
	x.vni, x.target, x.rd, x.mac = ri.VNI, target, routeDistinguisher(b.RouterID, number), routerMAC(b.VTEP, ri.VNI)
	t := link.Tunnel{Device: ri.DeviceName(), VNI: ri.VNI, VTEP: b.VTEP, MAC: x.mac, Rate: rate}
	if x.link.IsValid() {
		t.Addrs = []netip.Prefix{x.link}
	}
	s.link.Tunnels = append(s.link.Tunnels, t)
	return nil
}

// chooseRouterID is the first line's IPv4 address: it is unique on the link. Without IPv4 it is made from the name.
func (s *spec) chooseRouterID(r *intent.Router) netip.Addr {
	for _, l := range r.Links {
		if l.IPv4.IsValid() {
			return l.IPv4.Local
		}
	}
	sum := sha256.Sum256([]byte(r.Name))
	return netip.AddrFrom4([4]byte{100, 64 | sum[0]&63, sum[1], sum[2] | 1}) // out of 100.64.0.0/10 (RFC 6598)
}

// routeDistinguisher is the type 1 RD router-id:number (RFC 4364 4.2), unique to a router interface of this host.
func routeDistinguisher(routerID netip.Addr, number uint16) evpn.RD {
	rd := evpn.RD{0, 1}
	ip := routerID.As4()
	copy(rd[2:], ip[:])
	binary.BigEndian.PutUint16(rd[6:], number)
	return rd
}

// routerMAC is the same for the same VTEP and VNI, so that gateways keep their entries when we come back: locally administered, unicast.
func routerMAC(vtep netip.Addr, vni uint32) net.HardwareAddr {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(vtep.AsSlice(), vni))
	mac := net.HardwareAddr(sum[:6])
	mac[0] = mac[0]&^1 | 2
	return slices.Clone(mac)
}
