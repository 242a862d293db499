package gobgp

import (
	"encoding/binary"
	"time"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// refreshEvery is how often a peer is told all of a family again at its request.
const refreshEvery = time.Second

// refreshes keeps a peer from asking too often, or without reading the answer. The reader's goroutine owns it.
type refreshes struct {
	last    map[wire.Family]time.Time
	pending map[wire.Family]bool
}

// ask judges a ROUTE-REFRESH (RFC 2918) of a family. One that comes too early is kept until later, and several of these are one; one for a family that
// the session does not have is ignored. Pass: it is to be answered now.
func (r *refreshes) ask(f wire.Family, session *wire.Session, busy bool, now time.Time) wire.Verdict {
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

// due is the family of a ROUTE-REFRESH that was kept and can be answered now.
func (r *refreshes) due(busy func(wire.Family) bool, now time.Time) (wire.Family, bool) {
	for f := range r.pending {
		if now.Sub(r.last[f]) >= refreshEvery && !busy(f) {
			delete(r.pending, f)
			r.last[f] = now
			return f, true
		}
	}
	return wire.Family{}, false
}

// askedAgain takes in a peer's ROUTE-REFRESH. GoBGP, which has nothing to tell, does not get it.
func (c *conn) askedAgain(body []byte) wire.Verdict {
	c.heard.refreshes.Add(1)
	f := wire.Family{AFI: binary.BigEndian.Uint16(body), SAFI: body[3]}
	v := c.refreshes.ask(f, &c.session, c.telling(f), time.Now())
	if v.Action == wire.Pass {
		c.again(f)
	}
	v.Action = wire.Ignore
	return v
}

// tellKept answers a ROUTE-REFRESH that was kept.
func (c *conn) tellKept() {
	if len(c.refreshes.pending) > 0 {
		if f, ok := c.refreshes.due(c.telling, time.Now()); ok {
			c.again(f)
		}
	}
}
