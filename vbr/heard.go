package vbr

import (
	"fmt"

	"github.com/openvbr/openvbr/vbr/rib"
)

// heard says whether a neighbour is told of paths from a source: the customer's peers with a nil ri, or else the other side of that router
// interface. A nil source stands for nothing to tell.
//
//	the path leads      | the customer's peers | the same router interface | another one
//	through none        | no                   |                           | yes
//	through one         | yes                  | no                        | if both are for transit
//
// Connected subnets, static routes and the customer's BGP paths lead through none, but for static routes to a router interface.
func heard(src *rib.Source, ri *riSpec) bool {
	if src == nil {
		return false
	}
	through := src.Through()
	switch {
	case through == inside:
		return false
	case ri == nil:
		return through != ""
	case through == "":
		return true
	}
	return through != ri.name && src.Transit && ri.transit
}

// unheard says why a router interface is not told of paths from a source.
func unheard(src *rib.Source, ri *riSpec) string {
	through := src.Through()
	switch {
	case src.Kind == rib.Static && through == inside:
		return "it is the way of a health check's probes"
	case through == inside:
		return "it is a vSwitch's subnet: the CIDR blocks of the VPC are told instead"
	case through == ri.name:
		return "its packets leave by this router interface, which is not told of its own"
	case !src.Transit:
		return fmt.Sprintf("its packets leave by router interface %s, which is not for transit", through)
	}
	return fmt.Sprintf("its packets leave by router interface %s, and this one is not for transit", through)
}

// notForCustomer says why the customer's peers are not told of paths from a source.
func notForCustomer(src *rib.Source) string {
	if src.Kind == rib.Static {
		return "it is a static route that does not leave by a router interface"
	}
	return "it came from the customer's side, whose routers tell each other"
}

// anyHears says whether any of these router interfaces is told of paths from a source.
func anyHears(src *rib.Source, ris []riSpec) bool {
	for i := range ris {
		if heard(src, &ris[i]) {
			return true
		}
	}
	return false
}

// countHeard is how many prefixes of a family are for a neighbour, ri as with heard; export policies are not asked. r.mu is held.
func (r *router) countHeard(ri *riSpec, six bool) int {
	return r.rib.CountTold(six, func(through string) bool { return heard(r.spec.leading(through), ri) })
}

// countExported is how many prefixes of a family any router interface was told; r.mu is held.
func (r *router) countExported(six bool) int {
	return r.rib.CountTold(six, func(through string) bool { return anyHears(r.spec.leading(through), r.spec.ris) })
}

// leading is a source whose paths lead through the router interface of that name, or through none if it is empty.
func (s *spec) leading(through string) *rib.Source {
	src := rib.Source{Interface: through}
	if ri := s.routerInterface(through); ri != nil {
		src.Transit = ri.transit
	}
	return &src
}

// source is the source of the paths that come by a router interface on a device.
func (ri *riSpec) source(device int) rib.Source {
	return rib.Source{Kind: rib.RouterInterface, Name: ri.name, Transit: ri.transit, Prefer: ri.bias(), Device: device, OnLink: true}
}
