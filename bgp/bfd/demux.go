package bfd

import "net/netip"

// datagram is what came to one of BFD's ports of a device.
type datagram struct {
	from, to netip.Addr
	multihop bool // by RFC 5883's port
	ttl      int  // or hop limit; -1: unknown
	payload  []byte
}

// ttlOut is what a packet leaves with, and must arrive with: so it crossed no router (RFC 5881 5, RFC 5082).
const ttlOut = 255

// deliver finds the session of what came over a device and hands it over, or counts why not.
func (e *Engine) deliver(device string, d datagram) {
	e.count.received.Add(1)
	if reason := e.dispatch(device, d); reason != "" {
		e.drops[reason].Add(1)
	}
}

func (e *Engine) dispatch(device string, d datagram) Reason {
	if d.ttl != ttlOut { // RFC 5881 5
		return DropTTL
	}
	p, reason := decode(d.payload)
	if reason != "" {
		return reason
	}
	p.multihop = d.multihop
	s, reason := e.lookup(device, d, p)
	switch {
	case reason != "":
		return reason
	case p.auth: // RFC 5880 6.8.6: present, but not in use here
		return DropAuthentication
	case !s.deliver(p):
		return DropOverflow
	}
	return ""
}

// lookup finds the session by Your Discriminator or, where it is 0, by the neighbour and the link (RFC 5880 6.8.6, RFC 5881 3). Who guessed a
// discriminator gets nowhere from another address or device.
func (e *Engine) lookup(device string, d datagram, p packet) (*session, Reason) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	from := key{d.from, device}
	s := e.running[from]
	if p.your != 0 {
		s = e.byDiscr[p.your]
	}
	switch {
	case s == nil:
		return nil, DropNoSession
	case s.key != from || s.local != d.to:
		return nil, DropStranger
	}
	return s, ""
}
