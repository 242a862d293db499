package vbr

import (
	"errors"
	"net/netip"

	"github.com/openvbr/openvbr/bgp/evpn"
)

// outbox collects what the far ends of router interfaces are to hear.
type outbox struct {
	backbone letters
	local    map[string]*letters // by the opposite's name
}

// letters are for one far end.
type letters struct {
	gained []evpn.Route
	lost   []evpn.Key
}

func (o *outbox) to(ri *riSpec) *letters {
	if !ri.local() {
		return &o.backbone
	}
	if o.local == nil {
		o.local = make(map[string]*letters)
	}
	l := o.local[ri.opposite]
	if l == nil {
		l = new(letters)
		o.local[ri.opposite] = l
	}
	return l
}

func (o *outbox) tell(ri *riSpec, route evpn.Route) {
	l := o.to(ri)
	l.gained = append(l.gained, route)
}

func (o *outbox) takeBack(ri *riSpec, p netip.Prefix) {
	l := o.to(ri)
	l.lost = append(l.lost, evpn.Key{RD: ri.rd, Prefix: p})
}

// send hands the far ends what is for them.
func (r *router) send(o *outbox) error {
	errs := []error{r.host.backbone.export(o.backbone.gained, o.backbone.lost)}
	for name, l := range o.local {
		errs = append(errs, neighbour{&r.host.mates, name}.export(l.gained, l.lost))
	}
	return errors.Join(errs...)
}
