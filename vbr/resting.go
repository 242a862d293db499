package vbr

import (
	"context"
	"fmt"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
)

// rest makes a router known that is not to exist on the network: a VBR that waits for its owner's word, or is terminated. It has no
// devices, no sessions and nothing wrong with it.
func (h *Host) rest(in *intent.Router) {
	s := &spec{kind: in.Kind, name: in.Name, owner: in.Owner, asn: in.LocalASN, resting: in.VBRStatus()}
	if r := h.router(in.Name); r != nil && r.unserved && r.spec.resting == s.resting && r.spec.owner == s.owner {
		return
	}
	r := newRouter(h, s)
	r.unserved = true
	r.setReady()
	r.setTried()
	h.keepRouter(r)
}

// restOthers makes the routers known that are not to run.
func (h *Host) restOthers(in *intent.Intent) {
	for i := range in.Routers {
		if r := &in.Routers[i]; !r.Runs() {
			h.rest(r)
		}
	}
}

// clearResting removes what a predecessor left of routers that are not to run. They keep their tables' numbers, for when they come back.
func (h *Host) clearResting(in *intent.Intent) error {
	for i := range in.Routers {
		r := &in.Routers[i]
		id := h.ids.tableOf(r.Name)
		if r.Runs() || id == 0 {
			continue
		}
		if err := h.clear(context.Background(), id, link.Router{Name: r.Name, Table: id}); err != nil {
			return err
		}
	}
	return nil
}

// routerRested is what becomes of a router that runs and is not to.
func routerRested(had *spec, status string, l live) *vbrv1.Effect {
	e := routerDeleted(had, l)
	up, routes := l.established(), l.routes()
	e.Text = fmt.Sprintf("router %s is %s: its devices go, its table %d is kept for it: %s, %s", had.name, status, had.link.Table,
		leave(up, "established session closes", "established sessions close"), leave(routes, "route leaves", "routes leave"))
	return e
}
