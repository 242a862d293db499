package vbr

import (
	"crypto/sha256"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
)

// cable is what a pair whose ends are both on this host has between them: a veth pair, and routes that go from router to router.
type cable struct {
	router    string // at the other end
	foreign   bool   // that is another owner's
	farMAC    net.HardwareAddr
	device    string
	farDevice string
}

// farRouter is what the router's owner is told of the router at the other end: of another owner's not even its name.
func (c *cable) farRouter() string {
	if c.foreign {
		return "of another owner"
	}
	return c.router
}

// paired says whether the router interface is one of a pair.
func (ri *riSpec) paired() bool { return ri.opposite != "" }

// local says whether both ends are on this host.
func (ri *riSpec) local() bool { return ri.cable != nil }

// remote says whether the other end is reached over the backbone.
func (ri *riSpec) remote() bool { return ri.vni != 0 }

// addCable gives the router interface its veth device, if the opposite is on this host too, names this one back and its router runs.
func (s *spec) addCable(in *intent.Intent, x *riSpec, rate link.Rate) bool {
	if x.opposite == "" {
		return false
	}
	o := in.Interface(x.opposite)
	if o == nil || o.Opposite != x.name {
		return false
	}
	r := in.Router(o.Router)
	if r == nil || !r.Runs() {
		return false
	}
	x.cable = &cable{
		router: r.Name, foreign: r.Owner != s.owner, device: intent.VethDeviceName(x.name, x.opposite), farDevice: intent.VethDeviceName(x.opposite, x.name), farMAC: vethMAC(x.opposite, x.name),
	}
	x.mac = vethMAC(x.name, x.opposite)
	s.link.Pairs = append(s.link.Pairs, link.Pair{
		Device: x.cable.device, Peer: x.cable.farDevice, PeerRouter: r.Name, MAC: x.mac, PeerMAC: x.cable.farMAC,
		Addrs: []netip.Prefix{x.link}, Rate: rate,
	})
	return true
}

// pairHash stands for one end of a pair.
func pairHash(kind, name, opposite string) [sha256.Size]byte {
	return sha256.Sum256([]byte(kind + "\x00" + name + "\x00" + opposite))
}

// vethMAC is the same for the same pair, so that neighbour entries stay right: locally administered, unicast.
func vethMAC(name, opposite string) net.HardwareAddr {
	h := pairHash("mac", name, opposite)
	mac := net.HardwareAddr(h[:6:6])
	mac[0] = mac[0]&^1 | 2
	return mac
}

// linkAddresses are the two ends' of a pair: a /31 (RFC 3021) out of 169.254.0.0/16 that both compute from the two names, the initiating
// side's even, the accepting side's odd. They are for probes, told to nobody, and not out of what RFC 3927 2.1 reserves, nor 169.254.169.254/31,
// where clouds have their metadata.
func linkAddresses(ri *riSpec) (own netip.Prefix, far netip.Addr) {
	first, second := ri.name, ri.opposite
	if ri.accepting {
		first, second = second, first
	}
	h := pairHash("link", first, second)
	n := binary.BigEndian.Uint64(h[:]) % (254 * 128)
	even := [4]byte{169, 254, byte(1 + n/128), byte(n % 128 * 2)}
	if even[2] == 169 && even[3] == 254 {
		even[3] = 252
	}
	a := netip.AddrFrom4(even)
	if ri.accepting {
		return netip.PrefixFrom(a.Next(), 31), a
	}
	return netip.PrefixFrom(a, 31), a.Next()
}

// withLink is the router interface that has a link address out of the same two, nil for none.
func (s *spec) withLink(p netip.Prefix) *riSpec {
	for i := range s.ris {
		if s.ris[i].link.IsValid() && s.ris[i].link.Overlaps(p) {
			return &s.ris[i]
		}
	}
	return nil
}

// position is where the device of router interface i is in the list of its kind: link.Router's Pairs or Tunnels.
func (s *spec) position(i int) (at int, local, has bool) {
	ri := &s.ris[i]
	for j := range s.ris[:i] {
		if o := &s.ris[j]; o.local() == ri.local() && o.hasDevice() {
			at++
		}
	}
	return at, ri.local(), ri.hasDevice()
}

// hasDevice says whether the router interface has one: not as long as its opposite is not on this host and it has no VNI.
func (ri *riSpec) hasDevice() bool { return ri.local() || ri.remote() || !ri.paired() }

// riDevice is that of router interface i as the kernel has it; Index 0 for none.
func (s *spec) riDevice(i int, state link.State) link.Device {
	at, local, has := s.position(i)
	list := state.Tunnels
	if local {
		list = state.Pairs
	}
	if !has || at >= len(list) {
		return link.Device{}
	}
	return list[at]
}

// riDeviceName is that of router interface i, empty for none.
func (s *spec) riDeviceName(i int) string {
	at, local, has := s.position(i)
	switch {
	case !has:
		return ""
	case local:
		return s.link.Pairs[at].Device
	case at < len(s.link.Tunnels):
		return s.link.Tunnels[at].Device
	}
	return ""
}

// onBackbone says whether anything of the router's comes over the backbone.
func (s *spec) onBackbone() bool {
	return slices.ContainsFunc(s.ris, func(ri riSpec) bool { return !ri.local() && ri.hasDevice() })
}

// hasNeighbour says whether any of the router's pairs has both ends on this host.
func (s *spec) hasNeighbour() bool {
	return slices.ContainsFunc(s.ris, func(ri riSpec) bool { return ri.local() })
}
