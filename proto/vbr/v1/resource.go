package vbrv1

import "google.golang.org/protobuf/proto"

// Content is what is in a Resource: a message of one of the kinds.
type Content interface {
	proto.Message
	GetName() string
	GetOwner() string
}

// Kinds returns all kinds of resources, in the order of their numbers.
func Kinds() []Kind {
	return []Kind{Kind_KIND_PHYSICAL_CONNECTION, Kind_KIND_VIRTUAL_BORDER_ROUTER, Kind_KIND_ROUTER_INTERFACE, Kind_KIND_V_ROUTER, Kind_KIND_VBR_HA}
}

// New returns an empty resource of a kind; nil for a kind that this program does not know.
func (k Kind) New() Content {
	switch k {
	case Kind_KIND_PHYSICAL_CONNECTION:
		return &PhysicalConnection{}
	case Kind_KIND_VIRTUAL_BORDER_ROUTER:
		return &VirtualBorderRouter{}
	case Kind_KIND_ROUTER_INTERFACE:
		return &RouterInterface{}
	case Kind_KIND_V_ROUTER:
		return &VRouter{}
	case Kind_KIND_VBR_HA:
		return &VbrHa{}
	}
	return nil
}

// KindName returns what `kind:` of a file and problems call a kind: the name of its message, "VirtualBorderRouter". "" for a kind that this
// program does not know.
func KindName(k Kind) string {
	m := k.New()
	if m == nil {
		return ""
	}
	return string(m.ProtoReflect().Descriptor().Name())
}

// KindOf returns the kind of that name; no kind when there is none.
func KindOf(name string) Kind {
	for _, k := range Kinds() {
		if KindName(k) == name {
			return k
		}
	}
	return Kind_KIND_UNSPECIFIED
}

// Wrap makes a message a resource without metadata; nil for a message that is no Content.
func Wrap(m proto.Message) *Resource {
	switch m := m.(type) {
	case *PhysicalConnection:
		return &Resource{Resource: &Resource_PhysicalConnection{PhysicalConnection: m}}
	case *VirtualBorderRouter:
		return &Resource{Resource: &Resource_VirtualBorderRouter{VirtualBorderRouter: m}}
	case *RouterInterface:
		return &Resource{Resource: &Resource_RouterInterface{RouterInterface: m}}
	case *VRouter:
		return &Resource{Resource: &Resource_VRouter{VRouter: m}}
	case *VbrHa:
		return &Resource{Resource: &Resource_VbrHa{VbrHa: m}}
	}
	return nil
}

// Unwrap returns what is in a resource, and its kind; nil and no kind when there is nothing, or nothing that this program knows.
func Unwrap(r *Resource) (Content, Kind) {
	switch {
	case r.GetPhysicalConnection() != nil:
		return r.GetPhysicalConnection(), Kind_KIND_PHYSICAL_CONNECTION
	case r.GetVirtualBorderRouter() != nil:
		return r.GetVirtualBorderRouter(), Kind_KIND_VIRTUAL_BORDER_ROUTER
	case r.GetRouterInterface() != nil:
		return r.GetRouterInterface(), Kind_KIND_ROUTER_INTERFACE
	case r.GetVRouter() != nil:
		return r.GetVRouter(), Kind_KIND_V_ROUTER
	case r.GetVbrHa() != nil:
		return r.GetVbrHa(), Kind_KIND_VBR_HA
	}
	return nil, Kind_KIND_UNSPECIFIED
}
