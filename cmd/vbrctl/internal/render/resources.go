package render

import (
	"fmt"
	"strings"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// columns are the heads of each kind's own columns.
var columns = map[vbrv1.Kind][]table.Column{
	vbrv1.Kind_KIND_PHYSICAL_CONNECTION:   {left("Host"), left("Device")},
	vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER: {left("Host"), right("AS"), left("Lines"), left("Peers"), inWide(left("Status"))},
	vbrv1.Kind_KIND_ROUTER_INTERFACE:      {left("Router"), right("VNI"), left("Route Target"), left("Opposite"), inWide(left("Role")), inWide(left("Spec"))},
	vbrv1.Kind_KIND_V_ROUTER:              {left("Host"), left("CIDR Blocks"), left("vSwitches")},
	vbrv1.Kind_KIND_VBR_HA:                {left("VBR"), left("Peer VBR"), left("Mode")},
}

// Resources shows resources, a table for each kind.
func (p *Page) Resources(list []*vbrv1.Resource) error {
	first := true
	for _, kind := range resource.Kinds() {
		heads := append([]table.Column{left(resource.KindName(kind)), left("Owner")}, columns[kind]...)
		heads = append(heads, left("Source"), inWide(right("Generation")), inWide(right("Revision")), inWide(left("Modified")), inWide(left("Description")))
		t, rows := p.table(heads...), 0
		for _, r := range list {
			if msg, k := vbrv1.Unwrap(r); msg != nil && k == kind {
				if rows == 0 && !first {
					p.line("")
				}
				rows++
				t.Row(p.cells(r)...)
			}
		}
		first = first && rows == 0
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// cells are the values of a resource's row.
func (p *Page) cells(r *vbrv1.Resource) []any {
	var own []any
	description := ""
	switch m, _ := vbrv1.Unwrap(r); m := m.(type) {
	case *vbrv1.PhysicalConnection:
		own, description = []any{m.GetName(), orDash(m.GetOwner()), orDash(m.GetHost()), m.GetDevice()}, m.GetDescription()
	case *vbrv1.VirtualBorderRouter:
		as := any("-")
		if m.LocalAsn != nil {
			as = m.GetLocalAsn()
		}
		own, description = []any{m.GetName(), orDash(m.GetOwner()), orDash(m.GetHost()), as, linesOf(m), peersOf(m), statusOf(m)}, m.GetDescription()
	case *vbrv1.RouterInterface:
		vni := any("-")
		if m.Vni != nil {
			vni = m.GetVni()
		}
		own, description = []any{m.GetName(), orDash(m.GetOwner()), m.GetRouterId(), vni, orDash(m.GetRouteTarget()), orDash(m.GetOppositeInterfaceId()),
			orElse(m.GetRole(), "InitiatingSide"), orDash(m.GetSpec())}, m.GetDescription()
	case *vbrv1.VRouter:
		own, description = []any{m.GetName(), orDash(m.GetOwner()), orDash(m.GetHost()), strings.Join(m.GetCidrBlocks(), " "), switchesOf(m)}, m.GetDescription()
	case *vbrv1.VbrHa:
		own, description = []any{m.GetName(), orDash(m.GetOwner()), m.GetVbrId(), m.GetPeerVbrId(), orElse(m.GetMode(), "ECMP")}, m.GetDescription()
	}
	m := r.GetMetadata()
	return append(own, orDash(m.GetSource()), m.GetGeneration(), m.GetRevision(), p.clock(m.GetModifyTime()), description)
}

// statusOf is what Express Connect calls a VBR's status, as far as it follows from the resource.
func statusOf(m *vbrv1.VirtualBorderRouter) string {
	switch {
	case m.GetTerminationTime() != "":
		return "terminated"
	case m.Confirmed != nil && !m.GetConfirmed():
		return "unconfirmed"
	}
	return "active"
}

// switchesOf names a VPC's vSwitches.
func switchesOf(m *vbrv1.VRouter) string {
	var out []string
	for _, s := range m.GetVswitches() {
		out = append(out, s.GetName())
	}
	return orDash(strings.Join(out, " "))
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// linesOf names a router's lines by port and VLAN: "pc-1.100 pc-2.7.100".
func linesOf(m *vbrv1.VirtualBorderRouter) string {
	out := []string{line(m.GetPhysicalConnectionId(), m.GetOuterVlanId(), m.GetVlanId())}
	for _, a := range m.GetAssociatedPhysicalConnections() {
		out = append(out, line(a.GetPhysicalConnectionId(), a.GetOuterVlanId(), a.GetVlanId()))
	}
	return strings.Join(out, " ")
}

func line(port string, outer, vlan uint32) string {
	switch {
	case outer != 0:
		return fmt.Sprintf("%s.%d.%d", port, outer, vlan)
	case vlan == 0:
		return port
	}
	return fmt.Sprintf("%s.%d", port, vlan)
}

func peersOf(m *vbrv1.VirtualBorderRouter) string {
	var out []string
	for _, peer := range m.GetBgpPeers() {
		out = append(out, peer.GetPeerIpAddress())
	}
	return orDash(strings.Join(out, " "))
}
