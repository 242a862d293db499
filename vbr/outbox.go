package vbr

import "github.com/openvbr/openvbr/bgp/evpn"

// farEnd is who hears what leaves by a router interface: the backbone, or another router of this host. Comparable.
type farEnd interface {
	export(gained []evpn.Route, lost []evpn.Key) error
}

// far is who hears what leaves by the router interface.
func (h *Host) far(ri *riSpec) farEnd {
	if ri.local() {
		return neighbour{&h.mates, ri.opposite}
	}
	return h.backbone
}

// outbox collects what the far ends of router interfaces are to hear.
type outbox map[farEnd]*letters

// letters are for one far end.
type letters struct {
	gained []evpn.Route
	lost   []evpn.Key
}

func (o outbox) to(far farEnd) *letters {
	l := o[far]
	if l == nil {
		l = new(letters)
		o[far] = l
	}
	return l
}

func (o outbox) tell(far farEnd, route evpn.Route) {
	l := o.to(far)
	l.gained = append(l.gained, route)
}

func (o outbox) takeBack(far farEnd, key evpn.Key) {
	l := o.to(far)
	l.lost = append(l.lost, key)
}
