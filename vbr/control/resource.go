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

// kindNames are the kinds as files and problems call them.
func kindNames() map[vbrv1.Kind]string {
	return map[vbrv1.Kind]string{
		vbrv1.Kind_KIND_PHYSICAL_CONNECTION:   "PhysicalConnection",
		vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER: "VirtualBorderRouter",
		vbrv1.Kind_KIND_ROUTER_INTERFACE:      "RouterInterface",
	}
}

func kindOf(name string) vbrv1.Kind {
	for k, n := range kindNames() {
		if n == name {
			return k
		}
	}
	return vbrv1.Kind_KIND_UNSPECIFIED
}

// String is the resource's label: "VirtualBorderRouter/vbr-acme". What cannot be a name is quoted and cut.
func (k key) String() string {
	name := k.name
	if len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		name = source.Quote(name)
	}
	return kindNames()[k.kind] + "/" + name
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

// refersTo lists what a resource refers to.
func refersTo(r *vbrv1.Resource) []key {
	switch m := content(r).(type) {
	case *vbrv1.VirtualBorderRouter:
		out := []key{{vbrv1.Kind_KIND_PHYSICAL_CONNECTION, m.GetPhysicalConnectionId()}}
		for _, a := range m.GetAssociatedPhysicalConnections() {
			out = append(out, key{vbrv1.Kind_KIND_PHYSICAL_CONNECTION, a.GetPhysicalConnectionId()})
		}
		return out
	case *vbrv1.RouterInterface:
		return []key{{vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER, m.GetRouterId()}}
	}
	return nil
}

// same tells whether two resources say the same; metadata does not count.
func same(a, b *vbrv1.Resource) bool { return proto.Equal(content(a), content(b)) }
