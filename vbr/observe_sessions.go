package vbr

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/openvbr/openvbr/bgp"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// established is the state's name (RFC 4271 8.2.2).
const established = "established"

// Sessions are a router's BGP sessions with its customer, sorted by peer; none if there is no such router.
func (h *Host) Sessions(router string) []*vbrv1.BgpSession {
	r := h.router(router)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	speaker := r.speaker
	r.mu.Unlock()
	live := make(map[netip.Addr]bgp.PeerStatus)
	if speaker != nil {
		for _, p := range speaker.Status(countersWithin) {
			live[p.Peer] = p
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*vbrv1.BgpSession
	peers := slices.SortedFunc(slices.Values(r.spec.peers), func(a, b peerSpec) int { return a.Address.Compare(b.Address) })
	for i := range peers {
		out = append(out, r.sessionStatus(&peers[i], live[peers[i].Address]))
	}
	return out
}

// sessionStatus joins what the configuration, the speaker, the router's own record and the rib know of a session; r.mu is held.
func (r *router) sessionStatus(p *peerSpec, live bgp.PeerStatus) *vbrv1.BgpSession {
	b := liveSession(live)
	b.Router, b.Owner, b.PeerIpAddress, b.PeerAsn = r.name, r.spec.owner, p.Address.String(), p.ASN
	if b.LocalAsn = p.LocalASN; b.LocalAsn == 0 {
		b.LocalAsn = r.spec.asn
	}
	if b.LocalIpAddress == "" && p.LocalAddress.IsValid() {
		b.LocalIpAddress = p.LocalAddress.String()
	}
	if b.Hold == 0 {
		b.Hold, b.Keepalive = seconds(p.HoldTime), seconds(p.KeepaliveInterval)
	}
	b.Device, b.Bfd = r.spec.lines[p.line].device, r.bfdStatus(p)
	if x, ok := r.records.sessions[p.Address]; ok {
		b.EstablishedCount, b.LastError = x.count, x.lastError
		if !x.since.IsZero() {
			b.Since = stamp(x.since)
		}
	}
	s := r.sessions[p.Address]
	if s == nil {
		return b
	}
	r.quotaStatus(b, s)
	c := r.rib.Counts(s.source)
	b.ReceivedRouteCount, b.AcceptedRouteCount, b.StaleRouteCount = uint32(c.Received), uint32(c.Accepted), uint32(c.Stale)
	if len(c.Rejected) > 0 {
		b.Rejected = make(map[string]uint32, len(c.Rejected))
	}
	for v, n := range c.Rejected {
		b.Rejected[v.String()] = uint32(n)
	}
	for _, six := range []bool{false, true} {
		if w := r.wayOf(p, six); w != nil && s.up && !s.untold {
			b.AdvertisedRouteCount += uint32(r.countAdvertised(six, []*way{w}))
		}
	}
	return b
}

// liveSession is what the speaker knows of a session; the zero status is that of a session without a speaker.
func liveSession(p bgp.PeerStatus) *vbrv1.BgpSession {
	if p.State == "" {
		return &vbrv1.BgpSession{BgpStatus: "idle"}
	}
	b := &vbrv1.BgpSession{
		PeerIpAddress: p.Peer.String(), PeerAsn: p.ASN, LocalAsn: p.LocalASN, BgpStatus: p.State, Since: stamp(p.Since), LastError: p.Reason,
		EstablishedCount: uint32(p.Sessions), Hold: seconds(p.HoldTime), Keepalive: seconds(p.KeepaliveInterval),
		Families: familyNames(p.Families.String()), GracefulRestart: p.GracefulRestart.Families != 0,
		PeerRole: p.PeerRole.String(), MessagesReceived: p.Received.Total, MessagesSent: p.Sent.Total, UpdatesReceived: p.Received.Updates, UpdatesSent: p.Sent.Updates,
	}
	if p.LocalAddress.IsValid() {
		b.LocalIpAddress = p.LocalAddress.String()
	}
	if p.RouterID.IsValid() {
		b.PeerRouterId = p.RouterID.String()
	}
	return b
}

func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }

// sessions are the backbone's, sorted by peer; none on a host without backbone.
func (b *backbone) sessions() []*vbrv1.BgpSession {
	b.mu.Lock()
	speaker := b.speaker
	b.mu.Unlock()
	if speaker == nil {
		return nil
	}
	var out []*vbrv1.BgpSession
	live := speaker.Status(countersWithin)
	b.mu.Lock()
	defer b.mu.Unlock()
	stale := make(map[netip.Addr]uint32)
	if len(b.stale) > 0 { // some peer is restarting
		for _, p := range b.paths {
			for _, o := range p.offers {
				if o.stale {
					stale[o.peer]++
				}
			}
		}
	}
	for _, p := range live {
		s := liveSession(p)
		s.ReceivedRouteCount, s.StaleRouteCount = uint32(b.received[p.Peer]), stale[p.Peer]
		s.AcceptedRouteCount = s.ReceivedRouteCount // others are not kept
		out = append(out, s)
	}
	slices.SortFunc(out, func(x, y *vbrv1.BgpSession) int { return strings.Compare(x.PeerIpAddress, y.PeerIpAddress) })
	return out
}

// anyUp says whether the backbone has an established session.
func (b *backbone) anyUp() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(slices.Collect(maps.Values(b.up)), true)
}
