package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
)

// Complete is how many of the lines are as they are to be: the VLAN and its VRF, with its table, are up, and the VLAN has its address. It is 0 when the
// devices changed while they were dumped: then nothing is known, but for that not all was done.
func (n *Namespace) Complete(lines []Line) (complete int, err error) {
	err = n.Do(func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return fmt.Errorf("dump of devices: %w", err)
		}
		addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
		if err != nil {
			return fmt.Errorf("dump of addresses: %w", err)
		}
		complete = count(lines, links, addrs)
		return nil
	})
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		return 0, nil
	}
	return complete, err
}

// placed is an address of a device.
type placed struct {
	device  int
	address netip.Prefix
}

func count(lines []Line, links []netlink.Link, addrs []netlink.Addr) (complete int) {
	vlans, vrfs, has := map[string]*netlink.Vlan{}, map[string]*netlink.Vrf{}, map[placed]bool{}
	ports := map[string]int{}
	for _, l := range links {
		ports[l.Attrs().Name] = l.Attrs().Index
		if l.Attrs().Flags&net.FlagUp == 0 {
			continue
		}
		switch d := l.(type) {
		case *netlink.Vlan:
			vlans[d.Name] = d
		case *netlink.Vrf:
			vrfs[d.Name] = d
		}
	}
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			ones, _ := a.Mask.Size()
			has[placed{a.LinkIndex, netip.PrefixFrom(ip.Unmap(), ones)}] = true
		}
	}
	for _, l := range lines {
		vlan, vrf := vlans[l.Device()], vrfs[l.VRF]
		if vlan != nil && vrf != nil && vlan.VlanId == int(l.VLAN) && vlan.ParentIndex == ports[l.Port] && vlan.MasterIndex == vrf.Index &&
			vrf.Table == l.Table && has[placed{vlan.Index, l.Address}] {
			complete++
		}
	}
	return complete
}

// lookEvery is how often WaitLines dumps although it has not heard of all addresses.
const lookEvery = 5 * time.Second

// WaitLines waits until all lines are complete. It listens to the kernel's news of addresses, the last thing that a line is given, and dumps the devices
// when there were enough of them. progress is told about every 2 s how many addresses there are.
func (n *Namespace) WaitLines(ctx context.Context, news *Tables, lines []Line, rest time.Duration, progress func(addresses int)) (m Moment, err error) {
	last, told, dumped := time.Now(), time.Now(), time.Now()
	for {
		begin := time.Now()
		heard, wait := news.Heard(), rest
		if heard >= len(lines) || begin.Sub(dumped) > lookEvery {
			complete, err := n.Complete(lines)
			m.At = time.Now()
			dumped, wait = m.At, max(rest, 4*m.At.Sub(begin))
			m.Looks++
			m.Spent += m.At.Sub(begin)
			if err != nil {
				return m, err
			}
			if complete == len(lines) {
				m.Error = m.At.Sub(last)
				return m, nil
			}
		}
		last = begin
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			progress(heard)
		}
		if err := nap(ctx, wait); err != nil {
			return m, fmt.Errorf("%d addresses of %d: %w", heard, len(lines), err)
		}
	}
}
