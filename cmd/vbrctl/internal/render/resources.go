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
	vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER: {left("Host"), right("AS"), left("Lines"), left("Peers")},
	vbrv1.Kind_KIND_ROUTER_INTERFACE:      {left("Router"), right("VNI"), left("Route Target"), left("Opposite")},
	vbrv1.Kind_KIND_V_ROUTER:              {left("Host"), left("Prefixes"), left("vSwitches")},
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
		own, description = []any{m.GetName(), orDash(m.GetOwner()), orDash(m.GetHost()), orNone(m.LocalAsn), linesOf(m), peersOf(m)}, m.GetDescription()
	case *vbrv1.RouterInterface:
		own, description = []any{m.GetName(), orDash(m.GetOwner()), m.GetRouterId(), orNone(m.Vni), orDash(m.GetRouteTarget()), orDash(m.GetOppositeInterfaceId())}, m.GetDescription()
	case *vbrv1.VRouter:
		own, description = []any{m.GetName(), orDash(m.GetOwner()), orDash(m.GetHost()), strings.Join(m.GetCidrBlocks(), " "), switchesOf(m)}, m.GetDescription()
	case *vbrv1.VbrHa:
		own, description = []any{m.GetName(), orDash(m.GetOwner()), m.GetVbrId(), m.GetPeerVbrId(), orDash(m.GetMode())}, m.GetDescription()
	}
	m := r.GetMetadata()
	return append(own, orDash(m.GetSource()), m.GetGeneration(), m.GetRevision(), p.clock(m.GetModifyTime()), description)
}

// orNone renders a number that may be absent.
func orNone(n *uint32) any {
	if n == nil {
		return "-"
	}
	return *n
}

func switchesOf(m *vbrv1.VRouter) string {
	var out []string
	for _, s := range m.GetVswitches() {
		out = append(out, s.GetName())
	}
	return orDash(strings.Join(out, " "))
}

// linesOf names a router's lines by port and VLAN: "pc-1.100 pc-2.100".
func linesOf(m *vbrv1.VirtualBorderRouter) string {
	out := []string{line(m.GetPhysicalConnectionId(), m.GetVlanId())}
	for _, a := range m.GetAssociatedPhysicalConnections() {
		out = append(out, line(a.GetPhysicalConnectionId(), a.GetVlanId()))
	}
	return strings.Join(out, " ")
}

func line(port string, vlan uint32) string {
	if vlan == 0 {
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
