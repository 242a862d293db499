package vbr

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
)

// compareVPC says what changes of a VRouter's own.
func (d *delta) compareVPC(before, after *spec) {
	for i, w := range before.switches {
		now := slices.IndexFunc(after.switches, func(o vswitch) bool { return o.device == w.device })
		switch {
		case now < 0:
			d.switchesGone = append(d.switchesGone, switchChange{vswitch: w, cut: before.link.Switches[i].Ports})
		case !reflect.DeepEqual(before.link.Switches[i], after.link.Switches[now]):
			d.switchesMoved = append(d.switchesMoved, switchMoved(after.switches[now], &before.link.Switches[i], &after.link.Switches[now]))
		}
	}
	for i, w := range after.switches {
		if !slices.ContainsFunc(before.switches, func(o vswitch) bool { return o.device == w.device }) {
			d.switchesNew = append(d.switchesNew, switchChange{vswitch: w, why: members(after.link.Switches[i].Ports)})
		}
	}
	if !slices.Equal(before.cidrs, after.cidrs) {
		d.others = append(d.others, change("cidr_blocks", list(before.cidrs), list(after.cidrs)))
	}
}

// compareRoutes says what changes of the custom routes, of what the customer is told, and of the failover group.
func (d *delta) compareRoutes(before, after *spec) {
	if !reflect.DeepEqual(before.routes, after.routes) && len(before.routes)+len(after.routes) > 0 {
		d.others = append(d.others, change("route_entries", routeList(before.routes), routeList(after.routes)))
	}
	if !slices.Equal(before.networks, after.networks) {
		d.networks = true
		d.others = append(d.others, change("bgp_networks", list(before.networks), list(after.networks)))
	}
	if before.group != after.group || before.groupRole != after.groupRole {
		d.others = append(d.others, change("its part in a failover group", orNone(before.groupRole), orNone(after.groupRole)))
	}
}

// routeList is short: whoever wants more has the diff.
func routeList(routes []intent.Route) string {
	var all []netip.Prefix
	for _, r := range routes {
		all = append(all, r.Prefix)
	}
	return list(all)
}

// compareRates says what changes of the lines' bandwidth.
func (d *delta) compareRates(before, after *spec) {
	for _, l := range after.link.Lines {
		i := slices.IndexFunc(before.link.Lines, func(o link.Line) bool { return o.Device == l.Device })
		if i >= 0 && before.link.Lines[i].Rate != l.Rate {
			had := before.link.Lines[i].Rate.Out
			d.rates = append(d.rates, rateChange{l.Device, change("bandwidth", mbits(had), mbits(l.Rate.Out)), slower(had, l.Rate.Out)})
		}
	}
}

// switchChange is a vSwitch that goes, comes or changes.
type switchChange struct {
	vswitch
	why   string
	cut   []string // members that leave it
	moved bool     // a gateway address goes: its hosts have to take another one
}

// switchMoved says what two vSwitches of one name differ by.
func switchMoved(now vswitch, before, after *link.Switch) switchChange {
	c := switchChange{vswitch: now, cut: without(before.Ports, after.Ports)}
	var why []string
	if gone := without(before.Addrs, after.Addrs); len(gone) > 0 {
		c.moved, why = true, append(why, "its gateway "+list(gone)+" goes")
	}
	if come := without(after.Addrs, before.Addrs); len(come) > 0 {
		why = append(why, "its gateway "+list(come)+" comes")
	}
	if len(c.cut) > 0 {
		why = append(why, strings.Join(c.cut, ", ")+" cut off")
	}
	if come := without(after.Ports, before.Ports); len(come) > 0 {
		why = append(why, strings.Join(come, ", ")+" joined")
	}
	if len(why) == 0 {
		why = []string{"in another order"}
	}
	c.why = strings.Join(why, ", ")
	return c
}

// without are those of a that are not in b.
func without[T comparable](a, b []T) []T {
	return slices.DeleteFunc(slices.Clone(a), func(x T) bool { return slices.Contains(b, x) })
}

func members(ports []string) string {
	if len(ports) == 0 {
		return "no members"
	}
	return strings.Join(ports, ", ")
}

// rateChange is a line with another bandwidth.
type rateChange struct {
	device, why string
	slower      bool
}

// slower says whether a limit in bits per second, 0 for none, lets less pass than one before.
func slower(before, after uint64) bool { return after != 0 && (before == 0 || after < before) }

// rate is what a router interface may carry each way in bits per second, 0 without a limit.
func (ri *riSpec) rate() uint64 { return (&intent.RouterInterface{Spec: ri.size}).Rate() }

func mbits(rate uint64) string {
	if rate == 0 {
		return "no limit"
	}
	return fmt.Sprintf("%d Mbit/s", rate/1_000_000)
}

func list(prefixes []netip.Prefix) string {
	if len(prefixes) == 0 {
		return "none"
	}
	return strings.Join(texts(prefixes), ", ")
}

// withoutPorts are the vSwitches less the members that are taken.
func withoutPorts(switches []link.Switch, taken func(claim string) bool) (out []link.Switch) {
	for _, w := range switches {
		w.Ports = slices.DeleteFunc(slices.Clone(w.Ports), taken)
		out = append(out, w)
	}
	return out
}
