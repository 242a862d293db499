package vbr

import (
	"net/netip"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// PrefixHistory tells what happened to a prefix at a router, as far back as its table remembers. The error is a *RequestError for a bad prefix, or wraps
// ErrNoRouter.
func (h *Host) PrefixHistory(router, prefix string) (*vbrv1.GetPrefixHistoryResponse, error) {
	r := h.router(router)
	if r == nil {
		return nil, noRouter(router)
	}
	p, err := netip.ParsePrefix(prefix)
	if err != nil || p.Addr().Is4In6() {
		return nil, &RequestError{"prefix", prefix, "a prefix such as 10.2.3.0/24"}
	}
	r.mu.Lock()
	moments, since := r.rib.History(p)
	r.mu.Unlock()
	out := &vbrv1.GetPrefixHistoryResponse{Router: router, Prefix: p.Masked().String(), Flaps: uint32(rib.Flaps(moments)), CompleteSince: stamp(since)}
	for _, m := range moments {
		out.Events = append(out.Events, prefixEvent(m))
	}
	return out, nil
}

// prefixEvents are the types of events of the API.
var prefixEvents = map[rib.What]vbrv1.PrefixEvent_Type{
	rib.Announced: vbrv1.PrefixEvent_TYPE_ANNOUNCED, rib.Changed: vbrv1.PrefixEvent_TYPE_CHANGED, rib.WentAway: vbrv1.PrefixEvent_TYPE_WITHDRAWN,
	rib.Installed: vbrv1.PrefixEvent_TYPE_INSTALLED, rib.Removed: vbrv1.PrefixEvent_TYPE_REMOVED, rib.Refused: vbrv1.PrefixEvent_TYPE_REFUSED,
	rib.Exported: vbrv1.PrefixEvent_TYPE_EXPORTED, rib.Unexported: vbrv1.PrefixEvent_TYPE_UNEXPORTED,
}

func prefixEvent(m rib.Moment) *vbrv1.PrefixEvent {
	e := &vbrv1.PrefixEvent{Time: stamp(m.At), Type: prefixEvents[m.What], Source: m.Source}
	switch m.What {
	case rib.Announced, rib.Changed:
		e.Detail = m.Verdict.String()
	case rib.WentAway:
		e.Detail = m.How.String()
	}
	return e
}

// noteExports remembers which router interfaces are told of these prefixes, or that they are gone.
func (r *router) noteExports(said []rib.Announcement) {
	if len(said) == 0 || len(r.spec.ris) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := range said {
		a := &said[n]
		for i := range r.spec.ris {
			if !r.tells(i) {
				continue
			}
			ri := &r.spec.ris[i]
			if tell, back := r.spec.turn(a, ri); tell || back {
				r.rib.NoteExport(a.Prefix, ri.name, tell)
			}
		}
	}
}
