package vbr

import (
	"context"
	"net/netip"
	"os"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/link"
)

// speaker is what a router needs of its BGP speaker (*bgp.Speaker).
type speaker interface {
	Advertise(table string, ads []bgp.Advertisement) error
	Withdraw(table string, prefixes []netip.Prefix) error
	SetPeers([]bgp.Peer) error
	Status(within time.Duration) []bgp.PeerStatus
	Reset(ctx context.Context, peer netip.Addr, why string) error
	Refresh(context.Context, netip.Addr) error
	Tell(context.Context, netip.Addr) error
	Untold(peer netip.Addr, prefix netip.Prefix) string
	Close(goodbye bool) error
}

// mute is a VRouter's: it has no BGP peers, and a server for none would cost a megabyte.
type mute struct{}

func (mute) Advertise(string, []bgp.Advertisement) error     { return nil }
func (mute) Withdraw(string, []netip.Prefix) error           { return nil }
func (mute) SetPeers([]bgp.Peer) error                       { return nil }
func (mute) Status(time.Duration) []bgp.PeerStatus           { return nil }
func (mute) Reset(context.Context, netip.Addr, string) error { return bgp.ErrNotUp }
func (mute) Refresh(context.Context, netip.Addr) error       { return bgp.ErrNotUp }
func (mute) Tell(context.Context, netip.Addr) error          { return nil }
func (mute) Untold(netip.Addr, netip.Prefix) string          { return "" }
func (mute) Close(bool) error                                { return nil }

// startSpeaker starts what speaks with the router's customer.
func (r *router) startSpeaker(ctx context.Context, state link.State) (speaker, error) {
	if r.spec.kind == intent.VRouter {
		r.listening = nil
		return mute{}, nil
	}
	return bgp.Start(ctx, r.speakerConfig(state), (*customer)(r))
}

func (r *router) speakerConfig(state link.State) bgp.Config {
	c := bgp.Config{
		Router: r.spec.name, ASN: r.spec.asn, RouterID: r.spec.routerID, Device: r.spec.link.VRF,
		RestartTime: r.host.opts.Timers.Restart, DeferralTime: r.host.opts.Timers.Deferral,
		Restarting: r.held, Log: r.host.log, Monitor: r.host.opts.Monitor,
	}
	if r.spec.link.VRF != "" {
		c.Table = r.spec.link.Table
	}
	c.Listen = listenOn(r.spec, state)
	r.listening = c.Listen
	return c
}

// listenOn is where a router's speaker listens: on all its VRF has, so that a line may come later; in the default VRF, where others
// listen too, on its lines' addresses.
func listenOn(s *spec, state link.State) (addrs []netip.Addr) {
	if s.kind == intent.VRouter {
		return nil
	}
	if s.link.VRF != "" {
		addrs = []netip.Addr{netip.IPv4Unspecified()}
		if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
			addrs = append(addrs, netip.IPv6Unspecified())
		}
		return addrs
	}
	for i, l := range s.lines {
		if state.Lines[i].Index != 0 {
			addrs = append(addrs, l.own...)
		}
	}
	return addrs
}

func (s *spec) bgpPeers() []bgp.Peer {
	peers := make([]bgp.Peer, 0, len(s.peers))
	for _, p := range s.peers {
		p.Export = p.rules.table()
		peers = append(peers, p.Peer)
	}
	return peers
}

func (r *router) closeSpeaker(s speaker) {
	if err := s.Close(r.isLeaving()); err != nil {
		r.log.Warn("the BGP speaker is slow to end", "err", err)
	}
}
