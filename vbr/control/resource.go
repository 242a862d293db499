package control

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// key names a resource: names are unique in their kind.
type key struct {
	kind vbrv1.Kind
	name string
}

// String is the resource's label: "VirtualBorderRouter/vbr-acme". What cannot be a name is quoted and cut.
func (k key) String() string {
	name := k.name
	if len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		name = source.Quote(name)
	}
	return vbrv1.KindName(k.kind) + "/" + name
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.kind, o.kind), cmp.Compare(k.name, o.name))
}

// sorted lists the keys of a map in order of kind and name.
func sorted[V any](m map[key]V) []key {
	out := make([]key, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, key.compare)
	return out
}

// content is the resource itself, nil when there is none.
func content(r *vbrv1.Resource) vbrv1.Content {
	c, _ := vbrv1.Unwrap(r)
	return c
}

// keyOfResource names the resource; a resource without content has the zero key.
func keyOfResource(r *vbrv1.Resource) key {
	c, kind := vbrv1.Unwrap(r)
	if c == nil {
		return key{}
	}
	return key{kind, c.GetName()}
}

func ownerOf(r *vbrv1.Resource) string { return content(r).GetOwner() }

// hostOf is the host field of a resource; router interfaces have none.
func hostOf(r *vbrv1.Resource) string {
	if m, ok := content(r).(interface{ GetHost() string }); ok {
		return m.GetHost()
	}
	return ""
}

// refersTo lists what a resource refers to and cannot be without. Of a router's name it lists both kinds of routers. The other end of a pair
// is not listed: either end may go.
func refersTo(r *vbrv1.Resource) (out []key) {
	switch m := content(r).(type) {
	case *vbrv1.VirtualBorderRouter:
		return append(lines(m), throughInterfaces(m.GetRouteEntries())...)
	case *vbrv1.VRouter:
		return throughInterfaces(m.GetRouteEntries())
	case *vbrv1.RouterInterface:
		return routers(m.GetRouterId())
	case *vbrv1.VbrHa:
		return []key{{vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER, m.GetVbrId()}, {vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER, m.GetPeerVbrId()}}
	}
	return nil
}

func routers(name string) []key {
	return []key{{vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER, name}, {vbrv1.Kind_KIND_V_ROUTER, name}}
}

// lines lists the ports of a VBR.
func lines(m *vbrv1.VirtualBorderRouter) []key {
	out := []key{{vbrv1.Kind_KIND_PHYSICAL_CONNECTION, m.GetPhysicalConnectionId()}}
	for _, a := range m.GetAssociatedPhysicalConnections() {
		out = append(out, key{vbrv1.Kind_KIND_PHYSICAL_CONNECTION, a.GetPhysicalConnectionId()})
	}
	return out
}

// throughInterfaces lists the next hops of custom routes that are router interfaces.
func throughInterfaces(routes []*vbrv1.RouteEntry) (out []key) {
	for _, e := range routes {
		for _, h := range e.GetNextHopList() {
			if h.GetNextHopType() != "IpAddress" {
				out = append(out, key{vbrv1.Kind_KIND_ROUTER_INTERFACE, h.GetNextHopId()})
			}
		}
	}
	return out
}

// leansOn lists what the checks of a resource look for elsewhere: what it refers to, and of a pair what says where the other end is.
func leansOn(r *vbrv1.Resource) []key {
	out := refersTo(r)
	if m, ok := content(r).(*vbrv1.RouterInterface); ok {
		out = append(append(out, key{vbrv1.Kind_KIND_ROUTER_INTERFACE, m.GetOppositeInterfaceId()}), routers(m.GetOppositeRouterId())...)
		out = append(out, key{name: m.GetRouteTarget()}, key{name: number(uint64(m.GetVni()))}, key{name: m.GetOppositeInterfaceOwnerId()})
	}
	return out
}

// same tells whether two resources say the same; metadata does not count.
func same(a, b *vbrv1.Resource) bool { return proto.Equal(content(a), content(b)) }
