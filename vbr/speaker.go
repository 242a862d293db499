package vbr

import (
	"context"
	"net/netip"
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
func (mute) Close(bool) error                                { return nil }

// startSpeaker starts what speaks with the router's customer.
func (r *router) startSpeaker(ctx context.Context, state link.State) (speaker, error) {
	if r.spec.kind == intent.VRouter {
		r.listening = nil
		return mute{}, nil
	}
	return bgp.Start(ctx, r.speakerConfig(state), (*customer)(r))
}
