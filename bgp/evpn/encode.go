package evpn

import (
	"slices"
	"strings"
	"unique"

	"github.com/openvbr/openvbr/bgp/internal/out"
)

// key is what the route is told by.
func (k Key) key() out.Key { return out.Key{Prefix: k.Prefix.Masked(), RD: k.RD} }

// encoder makes what announces routes. Routes in a row with the same attributes share them.
type encoder struct {
	last  *Route
	attrs unique.Handle[out.Attrs]
}

func (e *encoder) encode(r *Route) (out.Route, error) {
	if err := r.check(); err != nil {
		return out.Route{}, err
	}
	if e.last == nil || !e.last.sameAttributes(r) {
		a, err := r.attributes()
		if err != nil {
			return out.Route{}, err
		}
		e.last, e.attrs = r, a
	}
	return out.Route{Key: r.Key.key(), Label: r.VNI, Attrs: e.attrs}, nil
}

func (r *Route) sameAttributes(o *Route) bool {
	return r.NextHop == o.NextHop && r.RouterMAC == o.RouterMAC && r.Origin == o.Origin &&
		r.MED == o.MED && r.HasMED == o.HasMED && r.LocalPref == o.LocalPref && r.HasLocalPref == o.HasLocalPref &&
		slices.Equal(r.Targets, o.Targets) && slices.Equal(r.ASPath, o.ASPath) && slices.Equal(r.Communities, o.Communities) &&
		slices.Equal(r.LargeCommunities, o.LargeCommunities)
}

func (r *Route) attributes() (unique.Handle[out.Attrs], error) {
	extended, err := r.extended()
	a := out.Attrs{
		NextHop: r.NextHop, Origin: r.Origin, Path: out.Words(r.ASPath...), HasMED: r.HasMED, HasLocalPref: r.HasLocalPref,
		Communities: out.Words(r.Communities...), Extended: extended, Large: out.Triples(r.LargeCommunities),
	}
	if r.HasMED {
		a.MED = r.MED
	}
	if r.HasLocalPref {
		a.LocalPref = r.LocalPref
	}
	return unique.Make(a), err
}

// extended is the extended communities: the targets, VXLAN as encapsulation (RFC 9012 4.1), the router's MAC address (RFC 9135 8.1).
func (r *Route) extended() (string, error) {
	var b strings.Builder
	for _, rt := range r.Targets {
		if !rt.IsValid() {
			return "", errNoTarget
		}
		b.Write(rt[:])
	}
	b.Write([]byte{ecEncapsulation >> 8, ecEncapsulation & 0xff, 0, 0, 0, 0, 0, encapsulationVXLAN, ecRouterMAC >> 8, ecRouterMAC & 0xff})
	b.Write(r.RouterMAC[:])
	return b.String(), nil
}
