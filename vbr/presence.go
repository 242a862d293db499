package vbr

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/bgp/evpn"
)

// Presence is how the two ends of a pair on two hosts find each other without a side channel: each exports one type-5 route under its
// route distinguisher and the pair's route target, for an address that nobody has (RFC 7600 7), with these large communities (RFC 8092):
//
//	4200000086:1:FLAGS    bits 31-16 the version, bit 1 it is the accepting side, bit 0 it is deactivated
//	4200000086:2:DIGEST   the upper half
//	4200000086:3:DIGEST   the lower half
//
// The digest is over both names and both owners, as the sender has them: who expects another does not take it for its opposite.
const (
	presenceAdmin   = privateASN
	presenceVersion = 1

	presenceFlags, presenceHigh, presenceLow = 1, 2, 3

	flagDeactivated = 1 << 0
	flagAccepting   = 1 << 1
)

// presencePrefix never enters a rib.
var presencePrefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 0, 8}), 32)

// presence is what one end of a pair says of itself.
type presence struct {
	version     uint16
	accepting   bool
	deactivated bool
	digest      uint64
}

// communities are the presence on the wire.
func (p presence) communities() [][3]uint32 {
	flags := uint32(p.version) << 16
	if p.accepting {
		flags |= flagAccepting
	}
	if p.deactivated {
		flags |= flagDeactivated
	}
	return [][3]uint32{
		{presenceAdmin, presenceFlags, flags}, {presenceAdmin, presenceHigh, uint32(p.digest >> 32)}, {presenceAdmin, presenceLow, uint32(p.digest)},
	}
}

// parsePresence reads what communities say; others among them are let pass. False: a part is missing or there twice.
func parsePresence(large [][3]uint32) (p presence, ok bool) {
	var parts [presenceLow + 1]uint32
	var seen [presenceLow + 1]int
	for _, c := range large {
		if c[0] == presenceAdmin && c[1] >= presenceFlags && c[1] <= presenceLow {
			parts[c[1]] = c[2]
			seen[c[1]]++
		}
	}
	if seen[presenceFlags] != 1 || seen[presenceHigh] != 1 || seen[presenceLow] != 1 {
		return presence{}, false
	}
	flags := parts[presenceFlags]
	return presence{
		version: uint16(flags >> 16), accepting: flags&flagAccepting != 0, deactivated: flags&flagDeactivated != 0,
		digest: uint64(parts[presenceHigh])<<32 | uint64(parts[presenceLow]),
	}, true
}

// pairDigest stands for the two ends of a pair as one of them has them.
func pairDigest(name, owner, opposite, oppositeOwner string) uint64 {
	var b []byte
	for _, s := range []string{name, owner, opposite, oppositeOwner} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// presence is what the router interface says of itself.
func (ri *riSpec) presence() presence {
	return presence{
		version: presenceVersion, accepting: ri.accepting, deactivated: ri.deactivated,
		digest: pairDigest(ri.name, ri.owner, ri.opposite, ri.oppositeOwner),
	}
}

// judge says what a presence makes of the opposite, and why it is refused.
func (ri *riSpec) judge(p presence) (riOpposite, string) {
	switch {
	case p.version != presenceVersion:
		return oppositeRefused, fmt.Sprintf("the opposite speaks version %d of presence, this host version %d", p.version, presenceVersion)
	case p.digest != pairDigest(ri.opposite, ri.oppositeOwner, ri.name, ri.owner):
		return oppositeRefused, ri.stranger()
	case p.accepting == ri.accepting:
		return oppositeRefused, fmt.Sprintf("interface %s has the same role as this one", ri.opposite)
	case p.deactivated:
		return oppositeDeactivated, ""
	}
	return oppositePresent, ""
}

// stranger says that somebody else is where the opposite should be.
func (ri *riSpec) stranger() string {
	where := "another interface uses route target " + ri.target.String()
	if ri.local() {
		where = "interface " + ri.opposite + " names another opposite or owner"
	}
	return fmt.Sprintf("%s; expected is %s of owner %q with %s of owner %q as its opposite", where, ri.opposite, ri.oppositeOwner, ri.name, ri.owner)
}

// presenceRoute is the presence as a type-5 route.
func (r *router) presenceRoute(ri *riSpec) evpn.Route {
	return evpn.Route{
		Key: evpn.Key{RD: ri.rd, Prefix: presencePrefix}, NextHop: r.host.vtep(), VNI: ri.vni,
		RouterMAC: evpn.MAC(ri.mac), Targets: []evpn.RouteTarget{ri.target}, LargeCommunities: ri.presence().communities(),
	}
}

// isPresence says whether a type-5 route is one.
func isPresence(route *evpn.Route) bool { return route != nil && route.Prefix == presencePrefix }

// seen is a presence that a path brought, and who is there.
type seen struct {
	presence
	vtep netip.Addr
	mac  evpn.MAC
}

// see takes in what path id says of the opposite; a nil route, or one that says nothing, takes it back. r.mu is held.
func (r *router) see(v *vpcSide, id uint32, route *evpn.Route) {
	if !v.ri.paired() {
		return // a gateway's own business
	}
	if old, ok := v.seen[id]; ok {
		v.release(old.vtep)
		delete(v.seen, id)
	}
	if route != nil {
		if p, ok := parsePresence(route.LargeCommunities); ok {
			v.seen[id] = seen{p, route.NextHop, route.RouterMAC}
			v.refer(route.NextHop, route.RouterMAC)
		}
	}
	r.unsettled, v.mated = true, false
}

// opposite is what all the presences together say: one that is meant is enough, for a reflector may repeat an old one of another.
func (v *vpcSide) opposite() (o riOpposite, why string) {
	why = fmt.Sprintf("interface %s has not shown up", v.ri.opposite)
	for _, id := range slices.Sorted(maps.Keys(v.seen)) {
		if now, text := v.ri.judge(v.seen[id].presence); now > o {
			o, why = now, text
		}
	}
	return o, why
}

// meeting is an opposite whose link address the kernel has to learn, for probes and for what a local pair tells.
type meeting struct {
	device int
	addr   netip.Addr
	mac    net.HardwareAddr
}

// meetings are those to come; r.mu is held.
func (r *router) meetings() (ms []meeting) {
	for _, v := range r.vpc {
		if !v.ri.paired() || v.mated || v.device == 0 {
			continue
		}
		if v.ri.local() {
			ms = append(ms, meeting{v.device, v.ri.far, v.ri.cable.farMAC})
			v.mated = true
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(v.seen)) {
			if s := v.seen[id]; v.ri.means(s.presence) {
				ms = append(ms, meeting{v.device, v.ri.far, s.mac[:]})
				v.mated = true
				break
			}
		}
	}
	return ms
}

// means says whether the presence is that of the opposite.
func (ri *riSpec) means(p presence) bool {
	o, _ := ri.judge(p)
	return o >= oppositeDeactivated
}

// meet tells the kernel the link addresses of opposites. What fails is tried again at the next inspection.
func (r *router) meet(ms []meeting) {
	if len(ms) == 0 {
		return
	}
	var errs []error
	for _, m := range ms {
		errs = append(errs, r.host.links.SetNeighbour(m.device, m.addr, m.mac))
	}
	r.degrade("opposites", errors.Join(errs...))
}
