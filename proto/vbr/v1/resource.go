package vbrv1

import "google.golang.org/protobuf/proto"

// Content is what is in a Resource: a message of one of the kinds.
type Content interface {
	proto.Message
	GetName() string
	GetOwner() string
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
