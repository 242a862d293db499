package vbr

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/rib"
)

// countersWithin is how long a look at sessions may wait for GoBGP's counters.
const countersWithin = 200 * time.Millisecond

// Status is what the host knows of itself: routers, sessions, routes in the kernel, the backbone's sessions, and what is wrong with the
// host. Its name, version, store and revision are for others to fill in.
func (h *Host) Status() *vbrv1.GetHostResponse {
	s := &vbrv1.GetHostResponse{StartTime: timestamppb.New(h.started)}
	for _, r := range h.allRouters() {
		s.Routers++
		s.Routes += uint64(r.fib.Len())
		r.mu.Lock()
		if len(r.reasons) > 0 {
			s.RoutersDegraded++
		}
		all, up := r.countSessions()
		r.mu.Unlock()
		s.Sessions += all
		s.SessionsEstablished += up
	}
	s.BackboneSessions = h.backbone.sessions()
	for _, b := range s.BackboneSessions {
		if b.BgpStatus != established {
			s.Problems = append(s.Problems, fmt.Sprintf("backbone session with %s: %s: %s", b.PeerIpAddress, b.BgpStatus, orUnknown(b.LastError)))
		}
	}
	for _, text := range []string{h.backbone.troubleNow(), h.drains.trouble()} {
		if text != "" {
			s.Problems = append(s.Problems, text)
		}
	}
	s.Problems = append(s.Problems, h.opts.Monitor.Problems()...)
	return s
}

func orUnknown(reason string) string {
	if reason == "" {
		return "not up yet"
	}
	return reason
}

// RouterNames are the routers of this host, sorted, those included that cannot be served.
func (h *Host) RouterNames() []string {
	var names []string
	for _, r := range h.allRouters() {
		names = append(names, r.name)
	}
	return names
}

// RouterStatus is how a router is; nil if there is none of that name.
func (h *Host) RouterStatus(name string) *vbrv1.RouterStatus {
	r := h.router(name)
	if r == nil {
		return nil
	}
	backboneUp := h.backbone.anyUp()
	refused := r.refused.size()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noteState()
	s := &vbrv1.RouterStatus{
		Name: r.name, Owner: r.spec.owner, State: r.records.state, Since: stamp(r.records.since),
		LocalAsn: r.spec.asn, Vrf: r.spec.link.VRF, RouteTableId: r.spec.link.Table, Drift: r.records.drift, Drained: r.records.drained.Load(),
		Lines: r.lineStatus(), RouterInterfaces: r.interfaceStatus(backboneUp), Routes: r.counts(backboneUp, refused),
	}
	for _, what := range slices.Sorted(maps.Keys(r.reasons)) {
		s.Reasons = append(s.Reasons, what+": "+r.reasons[what])
	}
	s.RouterType = r.spec.kind.String()
	if r.spec.kind == intent.VBR {
		s.VbrStatus = cmp.Or(r.spec.resting, "active")
		h.vbrs.fill(s)
	}
	s.Vswitches, s.VbrHa, s.VbrHaRole = r.switchStatus(), r.spec.group, r.spec.groupRole
	s.HealthCheck = h.monitor.routerHealth(r.name)
	if r.spec.routerID.IsValid() && r.spec.kind == intent.VBR {
		s.RouterId = r.spec.routerID.String()
	}
	s.Sessions, s.SessionsEstablished = r.countSessions()
	return s
}

// countSessions counts the router's sessions, and those established; r.mu is held.
func (r *router) countSessions() (all, up uint32) {
	for _, p := range r.spec.peers {
		all++
		if s := r.sessions[p.Address]; s != nil && s.up {
			up++
		}
	}
	return all, up
}

// lineStatus needs r.mu.
func (r *router) lineStatus() []*vbrv1.LineStatus {
	var out []*vbrv1.LineStatus
	for i, l := range r.spec.lines {
		k := r.spec.link.Lines[i]
		s := &vbrv1.LineStatus{PhysicalConnectionId: l.port, Device: l.device, VlanId: uint32(k.VLAN), Addresses: texts(k.Addrs)}
		s.Up = i < len(r.state.Lines) && r.state.Lines[i].Up
		out = append(out, s)
	}
	return out
}

// interfaceStatus needs r.mu.
func (r *router) interfaceStatus(backboneUp bool) []*vbrv1.RouterInterfaceStatus {
	var out []*vbrv1.RouterInterfaceStatus
	for i, ri := range r.spec.ris {
		s := &vbrv1.RouterInterfaceStatus{Name: ri.name, Device: r.spec.riDeviceName(i), Vni: ri.vni}
		r.describe(s, i)
		if (backboneUp || ri.local()) && r.tells(i) {
			s.Exported = uint32(r.countHeard(&ri, false) + r.countHeard(&ri, true))
		}
		if i < len(r.vpc) {
			v := r.vpc[i]
			s.Imported = uint32(r.rib.Counts(v.source).Received)
			s.Gateways = texts(v.gateways())
		}
		out = append(out, s)
	}
	return out
}

// counts are the router's routes by stage; r.mu is held.
func (r *router) counts(backboneUp bool, refused int) *vbrv1.RouteCounts {
	out := &vbrv1.RouteCounts{Rejected: make(map[string]uint32), Kernel: uint32(r.fib.Len()), Refused: uint32(refused)}
	add := func(id rib.SourceID) {
		c := r.rib.Counts(id)
		out.Received += uint32(c.Received)
		out.Accepted += uint32(c.Accepted)
		out.Stale += uint32(c.Stale)
		for v, n := range c.Rejected {
			out.Rejected[v.String()] += uint32(n)
		}
	}
	for _, s := range r.sessions {
		add(s.source)
	}
	for _, v := range r.vpc {
		add(v.source)
	}
	ways := r.waysTold("")
	for _, six := range []bool{false, true} {
		out.Advertised += uint32(r.countAdvertised(six, ways[boolIndex(six)]))
		if backboneUp || r.spec.hasNeighbour() {
			out.Exported += uint32(r.countExported(six))
		}
	}
	return out
}

// carries says whether prefixes of a family go over the session.
func (p *peerSpec) carries(six bool) bool {
	if six {
		return p.IPv6
	}
	return p.IPv4
}

// stamp is a time as the API has it, nil for the zero time.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func texts[T fmt.Stringer](l []T) []string {
	out := make([]string, 0, len(l))
	for _, x := range l {
		out = append(out, x.String())
	}
	return out
}

func familyNames(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
