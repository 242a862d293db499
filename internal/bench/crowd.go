package main

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/internal/bench/daemon"
	"github.com/openvbr/openvbr/internal/bench/feed"
	"github.com/openvbr/openvbr/internal/bench/kernel"
)

// crowd is many customers with a table of their own each, all on one port.
type crowd struct {
	vrf    bool // each has a VLAN and a VRF of its own; else all are neighbours of one router in the default VRF
	size   int
	routes int // of each
	seed   uint64
}

const (
	port       = "eth0"
	firstVLAN  = 2
	firstTable = 2000
	firstASN   = 4_200_000_001
	// mostShared is how many customers have room in the subnet of the default VRF.
	mostShared = 250
	// most is a port's VLANs.
	most = 4000
)

// neighbour is the i-th customer as the daemon sees it.
func (c crowd) neighbour(i int) daemon.Neighbour {
	n := daemon.Neighbour{Device: port, ASN: firstASN + uint32(i)}
	if !c.vrf {
		n.Local, n.Remote, n.Bits = netip.AddrFrom4([4]byte{10, 255, 0, 1}), netip.AddrFrom4([4]byte{10, 255, 0, byte(2 + i)}), 24
		return n
	}
	link := func(host int) netip.Addr { return netip.AddrFrom4([4]byte{10, 128, byte(i >> 6), byte(i<<2 | host)}) }
	n.Local, n.Remote, n.Bits = link(1), link(2), 30
	n.VRF = daemon.VRF{Name: fmt.Sprintf("cust-%d", i+1), Table: firstTable + uint32(i), VLAN: firstVLAN + uint16(i)}
	return n
}

func (c crowd) neighbours() (out []daemon.Neighbour) {
	for i := range c.size {
		out = append(out, c.neighbour(i))
	}
	return out
}

// lines are the ends of the customers' lines; with VRFs as the daemon's side has them, without as the customers' does.
func (c crowd) lines(vrfs bool) (out []kernel.Line) {
	for _, n := range c.neighbours() {
		l := kernel.Line{Port: port, VLAN: n.VRF.VLAN, Address: netip.PrefixFrom(n.Remote, n.Bits)}
		if vrfs {
			l.Address, l.VRF, l.Table = netip.PrefixFrom(n.Local, n.Bits), n.VRF.Name, n.VRF.Table
		}
		out = append(out, l)
	}
	return out
}

func (c crowd) tables() []*feed.Table { return feed.Several(c.size, c.routes, c.seed) }

// contents are what the kernel holds in the end.
func (c crowd) contents() (out []kernel.Content) {
	var all []netip.Prefix
	for i, t := range c.tables() {
		if c.vrf {
			out = append(out, kernel.NewContent(c.neighbour(i).VRF.Table, t.Prefixes()...))
		}
		all = append(all, t.Prefixes()...)
	}
	if !c.vrf {
		out = append(out, kernel.NewContent(unix.RT_TABLE_MAIN, all...))
	}
	return out
}

// retry is how long a customer waits before it dials again: a thousand dials a second together, half of that in VRFs, where a single core has to do
// for all. That costs little and makes no daemon wait for long.
func (c crowd) retry() time.Duration {
	if c.vrf {
		return max(50*time.Millisecond, time.Duration(c.size)*2*time.Millisecond)
	}
	return max(10*time.Millisecond, time.Duration(c.size)*time.Millisecond)
}

// rest is the observer's, for the same reason.
func (c crowd) rest() time.Duration {
	if c.vrf {
		return 20 * time.Millisecond
	}
	return time.Millisecond
}
