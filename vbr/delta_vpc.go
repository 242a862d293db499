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
			d.switchesGone = append(d.switchesGone, w)
		case !reflect.DeepEqual(before.link.Switches[i], after.link.Switches[now]):
			d.switchesMoved = append(d.switchesMoved, after.switches[now])
		}
	}
	for _, w := range after.switches {
		if !slices.ContainsFunc(before.switches, func(o vswitch) bool { return o.device == w.device }) {
			d.switchesNew = append(d.switchesNew, w)
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
			d.others = append(d.others, fmt.Sprintf("line %s: %s", l.Device, change("bandwidth", mbits(before.link.Lines[i].Rate.Out), mbits(l.Rate.Out))))
		}
	}
}

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
