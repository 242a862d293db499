package gobgp

import (
	"encoding/binary"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// refreshEvery is how often a peer is told all of a family again at its request. GoBGP queues the whole table for each.
const refreshEvery = time.Second

// refreshes keeps a peer from asking too often, or without reading the answer. The reader's goroutine owns it.
type refreshes struct {
	last    map[wire.Family]time.Time
	pending map[wire.Family]bool
}

// ask judges a ROUTE-REFRESH (RFC 2918). One that comes too early is kept until later, and several of these are one; one for a family that
// the session does not have is ignored.
func (r *refreshes) ask(body []byte, session *wire.Session, busy bool, now time.Time) wire.Verdict {
	f := wire.Family{AFI: binary.BigEndian.Uint16(body), SAFI: body[3]}
	if !session.Has(f) {
		return wire.Verdict{Action: wire.Ignore, Why: "route refresh of a family that the session does not have"}
	}
	if busy || now.Sub(r.last[f]) < refreshEvery {
		if r.pending == nil {
			r.pending = map[wire.Family]bool{}
		}
		r.pending[f] = true
		return wire.Verdict{Action: wire.Ignore}
	}
	if r.last == nil {
		r.last = map[wire.Family]time.Time{}
	}
	r.last[f] = now
	return wire.Verdict{}
}

// due is a ROUTE-REFRESH that was kept and can be handed on now; nil when there is none.
func (r *refreshes) due(busy bool, now time.Time) []byte {
	if busy {
		return nil
	}
	for f := range r.pending {
		if now.Sub(r.last[f]) >= refreshEvery {
			delete(r.pending, f)
			r.last[f] = now
			return wire.Refresh(f)
		}
	}
	return nil
}
