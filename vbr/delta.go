package vbr

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// scope is how far a change of a router's spec reaches.
type scope int

const (
	// scopeNone: nothing changes on the network.
	scopeNone scope = iota
	// scopeLive: the router lives on, and only what differs changes.
	scopeLive
	// scopeLife: the router begins a new life: all its sessions reset; devices and routes stay.
	scopeLife
	// scopeAnew: the router ends with all it has and begins again elsewhere.
	scopeAnew
)

// delta is what differs between two specs of one router. It is the one judgement that plan and apply share.
type delta struct {
	scope scope
	why   string // of scopeLife and scopeAnew

	linesGone, linesNew, linesMoved []line // moved: the same device with other addresses, as they will be
	peersGone, peersNew             []peerSpec
	peersReset, peersLater          []peerChange // later: from the next establishment on
	peersWatched                    []peerChange // watched over otherwise, from now on
	peersRuled                      []peerChange // their routes are judged otherwise
	risGone, risNew                 []riChange
	risRetold                       []riChange // the same on the network, and told something else
	risChanged                      []riChange // other changes that no route leaves for, unless it becomes deactivated
	switchesGone, switchesNew       []switchChange
	switchesMoved                   []switchChange // other addresses or members, as they will be
	rates                           []rateChange   // of lines
	others                          []string       // what else changes, live
	networks                        bool           // what the customer is told changes, see others
}

// peerChange is a peer as it will be, and what changes.
type peerChange struct {
	peerSpec
	why   string
	moved bool // to another line or local address: the old session has to end before
}

// riChange is a router interface that goes, comes or changes; why is empty when it is not the same one that goes and comes.
type riChange struct {
	riSpec
	why           string
	stops, starts bool // routes pass it no longer, or again: it is deactivated or activated
	slower        bool // it may carry less than before
}

// compare says what has to change for a router to become what after says.
func compare(before, after *spec) delta {
	var d delta
	d.compareLines(before, after)
	d.comparePeers(before, after)
	d.compareInterfaces(before, after)
	d.compareVPC(before, after)
	d.compareRates(before, after)
	if had, now := before.health.text(), after.health.text(); had != now {
		d.others = append(d.others, change("health_check", had, now))
	}
	d.compareRoutes(before, after)
	rules := before.rules.Equal(after.rules)
	if len(d.linesGone)+len(d.linesNew)+len(d.linesMoved)+len(d.peersGone)+len(d.peersNew)+len(d.peersReset)+len(d.peersLater)+len(d.peersWatched)+len(d.peersRuled)+
		len(d.risGone)+len(d.risNew)+len(d.risRetold)+len(d.risChanged)+
		len(d.switchesGone)+len(d.switchesNew)+len(d.switchesMoved)+len(d.rates)+len(d.others) > 0 || !rules {
		d.scope = scopeLive
	}
	d.compareRouters(before, after)
	return d
}

func (d *delta) compareRouters(before, after *spec) {
	switch {
	case before.link.VRF != after.link.VRF:
		d.scope, d.why = scopeAnew, change("vrf", vrfName(before), vrfName(after))
	case before.link.Table != after.link.Table:
		d.scope, d.why = scopeAnew, change("route_table_id", before.link.Table, after.link.Table)
	case before.asn != after.asn:
		d.scope, d.why = scopeLife, change("local_asn", before.asn, after.asn)
	case before.routerID != after.routerID:
		d.scope, d.why = scopeLife, change("the router id", before.routerID, after.routerID)
	case after.link.VRF == "" && len(d.linesGone)+len(d.linesNew)+len(d.linesMoved) > 0:
		d.scope, d.why = scopeLife, "lines change, and in the default VRF a speaker listens on fixed addresses"
	}
}

func vrfName(s *spec) string {
	if s.link.VRF == "" {
		return "default"
	}
	return s.link.VRF
}

// change says what a field was and will be.
func change(field string, before, after any) string {
	return fmt.Sprintf("%s changes from %v to %v", field, before, after)
}

func (d *delta) compareLines(before, after *spec) {
	for _, l := range before.lines {
		if after.lineOn(l.device) == nil {
			d.linesGone = append(d.linesGone, l)
		}
	}
	for _, l := range after.lines {
		switch had := before.lineOn(l.device); {
		case had == nil:
			d.linesNew = append(d.linesNew, l)
		case !slices.Equal(had.own, l.own) || !slices.Equal(had.subnets, l.subnets):
			d.linesMoved = append(d.linesMoved, l)
		}
	}
}

// lineOn returns the line of that device, nil if there is none.
func (s *spec) lineOn(device string) *line {
	for i := range s.lines {
		if s.lines[i].device == device {
			return &s.lines[i]
		}
	}
	return nil
}

func (s *spec) peer(a netip.Addr) *peerSpec {
	for i := range s.peers {
		if s.peers[i].Address == a {
			return &s.peers[i]
		}
	}
	return nil
}

func (s *spec) device(p *peerSpec) string { return s.lines[p.line].device }

func (d *delta) compareInterfaces(before, after *spec) {
	for _, ri := range before.ris {
		now := after.routerInterface(ri.name)
		if now == nil {
			d.risGone = append(d.risGone, riChange{riSpec: ri})
			continue
		}
		if ri.same(now) {
			if why := toldOtherwise(&ri, now); len(why) > 0 {
				d.risRetold = append(d.risRetold, riChange{riSpec: *now, why: strings.Join(why, ", ")})
			}
			if why := ri.changes(now); why != "" {
				d.risChanged = append(d.risChanged, riChange{riSpec: *now, why: why, stops: now.deactivated && !ri.deactivated, starts: ri.deactivated && !now.deactivated,
					slower: slower(ri.rate(), now.rate())})
			}
			continue
		}
		var why []string
		if ri.vni != now.vni {
			why = append(why, change("vni", ri.vni, now.vni))
		}
		if ri.target != now.target {
			why = append(why, change("route_target", ri.target, now.target))
		}
		if ri.rd != now.rd {
			why = append(why, change("its route distinguisher", ri.rd, now.rd))
		}
		if ri.opposite != now.opposite {
			why = append(why, change("opposite_interface_id", orNone(ri.opposite), orNone(now.opposite)))
		}
		if ri.accepting != now.accepting {
			why = append(why, change("role", role(&ri), role(now)))
		}
		if ri.local() != now.local() {
			why = append(why, change("where the opposite is", place(&ri), place(now)))
		}
		text := strings.Join(why, ", ")
		d.risGone = append(d.risGone, riChange{riSpec: ri, why: text})
		d.risNew = append(d.risNew, riChange{riSpec: *now, why: text})
	}
	for _, ri := range after.ris {
		if before.routerInterface(ri.name) == nil {
			d.risNew = append(d.risNew, riChange{riSpec: ri})
		}
	}
}

// toldOtherwise are the differences that change what neighbours are told, and nothing else.
func toldOtherwise(before, after *riSpec) (why []string) {
	if before.transit != after.transit {
		why = append(why, change("transit", before.transit, after.transit))
	}
	if before.preference != after.preference {
		why = append(why, change("preference", before.preference, after.preference))
	}
	return why
}

func (s *spec) routerInterface(name string) *riSpec {
	for i := range s.ris {
		if s.ris[i].name == name {
			return &s.ris[i]
		}
	}
	return nil
}

// same says whether two specs of a router interface are the same on the network.
func (ri *riSpec) same(o *riSpec) bool {
	return ri.name == o.name && ri.vni == o.vni && ri.target == o.target && ri.rd == o.rd &&
		ri.opposite == o.opposite && ri.accepting == o.accepting && ri.local() == o.local() && (!ri.local() || ri.cable.router == o.cable.router)
}

// changes are what differs of two that are the same on the network, but for what toldOtherwise has.
func (ri *riSpec) changes(o *riSpec) string {
	var why []string
	for _, f := range []struct {
		name          string
		before, after any
	}{
		{"owner", orNone(ri.pairOwner()), orNone(o.pairOwner())}, {"opposite_interface_owner_id", orNone(ri.oppositeOwner), orNone(o.oppositeOwner)},
		{"opposite_region_id", orNone(ri.oppositeRegion), orNone(o.oppositeRegion)},
		{"deactivated", ri.deactivated, o.deactivated}, {"spec", orNone(ri.size), orNone(o.size)},
		{"health_check", ri.health.text(), o.health.text()},
	} {
		if f.before != f.after {
			why = append(why, change(f.name, f.before, f.after))
		}
	}
	return strings.Join(why, ", ")
}

// pairOwner is the owner, which counts of a pair only.
func (ri *riSpec) pairOwner() string {
	if !ri.paired() {
		return ""
	}
	return ri.owner
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// role is the side of a router interface, as Express Connect has it.
func role(ri *riSpec) string {
	if ri.accepting {
		return "AcceptingSide"
	}
	return "InitiatingSide"
}

func place(ri *riSpec) string {
	switch {
	case ri.local():
		return "this host"
	case ri.remote():
		return "the backbone"
	}
	return "nowhere yet"
}

// heir is after with what it inherits from the running spec: the router id, as long as it is still one of the router's addresses
// or none of them ever was. So an added line changes nothing for the others.
func heir(running, after *spec) *spec {
	derived := true
	for _, l := range running.lines {
		derived = derived && !slices.Contains(l.own, running.routerID)
	}
	keep := derived && running.name == after.name
	for _, l := range after.lines {
		keep = keep || slices.Contains(l.own, running.routerID)
	}
	if !keep {
		return after
	}
	s := *after
	s.routerID = running.routerID
	return &s
}

// without is the spec less the lines, with their sessions, and the router interfaces whose claims are taken.
func (s *spec) without(taken func(claim string) bool) *spec {
	out := *s
	out.lines, out.peers, out.ris, out.link.Lines, out.link.Tunnels, out.link.Pairs = nil, nil, nil, nil, nil, nil
	out.link.Switches = withoutPorts(s.link.Switches, taken)
	position := make(map[int]int)
	for i, l := range s.lines {
		if !taken(l.device) {
			position[i] = len(out.lines)
			out.lines, out.link.Lines = append(out.lines, l), append(out.link.Lines, s.link.Lines[i])
		}
	}
	for _, p := range s.peers {
		if at, ok := position[p.line]; ok {
			p.line = at
			out.peers = append(out.peers, p)
		}
	}
	for i, ri := range s.ris {
		if taken(s.riDeviceName(i)) || taken(ri.claim()) {
			continue
		}
		out.ris = append(out.ris, ri)
		switch at, local, has := s.position(i); {
		case local:
			out.link.Pairs = append(out.link.Pairs, s.link.Pairs[at])
		case has:
			out.link.Tunnels = append(out.link.Tunnels, s.link.Tunnels[at])
		}
	}
	return &out
}

// claims are the names of what only one router can have: devices, and the route distinguishers of router interfaces.
func (s *spec) claims() (all []string) {
	for _, l := range s.lines {
		all = append(all, l.device)
	}
	for i, ri := range s.ris {
		if d := s.riDeviceName(i); d != "" {
			all = append(all, d)
		}
		all = append(all, ri.claim())
	}
	for _, w := range s.link.Switches {
		all = append(all, w.Ports...)
	}
	return all
}

func (ri *riSpec) claim() string { return "router interface " + ri.name }
