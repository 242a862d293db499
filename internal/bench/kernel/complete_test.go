package kernel

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestComplete: a line that lacks anything is not complete.
func TestComplete(t *testing.T) {
	line := Line{Port: "eth0", VLAN: 7, Address: netip.MustParsePrefix("10.0.0.1/30"), VRF: "red", Table: 2000}
	for _, tt := range []struct {
		name string
		do   func(vlan *netlink.Vlan, vrf *netlink.Vrf, addr *netlink.Addr)
		want int
	}{
		{"all", func(*netlink.Vlan, *netlink.Vrf, *netlink.Addr) {}, 1},
		{"no VLAN", func(v *netlink.Vlan, _ *netlink.Vrf, _ *netlink.Addr) { v.Name = "eth0.8" }, 0},
		{"another VLAN", func(v *netlink.Vlan, _ *netlink.Vrf, _ *netlink.Addr) { v.VlanId = 8 }, 0},
		{"another port", func(v *netlink.Vlan, _ *netlink.Vrf, _ *netlink.Addr) { v.ParentIndex = 9 }, 0},
		{"VLAN down", func(v *netlink.Vlan, _ *netlink.Vrf, _ *netlink.Addr) { v.Flags = 0 }, 0},
		{"not in the VRF", func(v *netlink.Vlan, _ *netlink.Vrf, _ *netlink.Addr) { v.MasterIndex = 0 }, 0},
		{"no VRF", func(_ *netlink.Vlan, v *netlink.Vrf, _ *netlink.Addr) { v.Name = "blue" }, 0},
		{"VRF down", func(_ *netlink.Vlan, v *netlink.Vrf, _ *netlink.Addr) { v.Flags = 0 }, 0},
		{"another table", func(_ *netlink.Vlan, v *netlink.Vrf, _ *netlink.Addr) { v.Table = 2001 }, 0},
		{"no address", func(_ *netlink.Vlan, _ *netlink.Vrf, a *netlink.Addr) { a.LinkIndex = 9 }, 0},
		{"another address", func(_ *netlink.Vlan, _ *netlink.Vrf, a *netlink.Addr) { a.IP = net.IPv4(10, 0, 0, 2) }, 0},
		{"another subnet", func(_ *netlink.Vlan, _ *netlink.Vrf, a *netlink.Addr) { a.Mask = net.CIDRMask(24, 32) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "eth0", Index: 2, Flags: net.FlagUp}}
			vrf := &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: "red", Index: 3, Flags: net.FlagUp}, Table: 2000}
			vlan := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "eth0.7", Index: 4, ParentIndex: 2, MasterIndex: 3, Flags: net.FlagUp}, VlanId: 7}
			addr := netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 0, 0, 1), Mask: net.CIDRMask(30, 32)}, LinkIndex: 4}
			tt.do(vlan, vrf, &addr)
			if got := count([]Line{line}, []netlink.Link{port, vrf, vlan}, []netlink.Addr{addr}); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
