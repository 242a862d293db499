package vbr

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
)

// vswitch is one subnet of a VRouter: a bridge.
type vswitch struct {
	name    string
	device  string
	subnets []netip.Prefix
	own     []netip.Addr // the gateways in them
}

// addVPC translates what a VRouter has and a VBR has not.
func (s *spec) addVPC(r *intent.Router) {
	s.cidrs = r.CIDRs
	s.rules.CIDRs = r.CIDRs
	for _, w := range r.Switches {
		v := vswitch{name: w.Name, device: switchName(r.Name, w.Name)}
		l := link.Switch{Device: v.device, Ports: w.Devices}
		for _, f := range []struct {
			subnet  netip.Prefix
			gateway netip.Addr
		}{{w.IPv4, w.GW4}, {w.IPv6, w.GW6}} {
			if !f.subnet.IsValid() {
				continue
			}
			l.Addrs = append(l.Addrs, netip.PrefixFrom(f.gateway, f.subnet.Bits()))
			v.subnets, v.own = append(v.subnets, f.subnet), append(v.own, f.gateway)
			s.rules.Links = append(s.rules.Links, f.subnet)
		}
		s.switches, s.link.Switches = append(s.switches, v), append(s.link.Switches, l)
	}
}

// switchName is the bridge of a vSwitch: "vs" and 12 hex digits, for vSwitches of two VPCs may have the same name.
func switchName(router, name string) string {
	h := sha256.Sum256([]byte(router + "\x00" + name))
	return "vs" + hex.EncodeToString(h[:6])
}
