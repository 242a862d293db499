package vbr

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
)

// startBackbone starts the speaker to the VPCs; dialBackbone gives it its peers.
func (h *Host) startBackbone(ctx context.Context, restarting bool) error {
	b := h.opts.Backbone
	if b == nil {
		return nil
	}
	for _, p := range b.Peers {
		h.backbone.unsynced[p.Address] = true
	}
	speaker, err := evpn.Start(ctx, evpn.Config{
		ASN: b.ASN, RouterID: b.RouterID, VTEP: b.VTEP, Listen: []netip.Addr{b.VTEP},
		RestartTime: h.opts.Timers.Restart, DeferralTime: h.opts.Timers.Deferral, Restarting: restarting, Log: h.log,
	}, h.backbone)
	if err != nil {
		return fmt.Errorf("vbr: start the backbone speaker: %w", err)
	}
	h.backbone.speaker = speaker
	return nil
}

// dialBackbone lets the backbone's peers in, when there is no reason to wait any longer.
func (h *Host) dialBackbone(ctx context.Context) {
	if h.opts.Backbone == nil {
		return
	}
	h.awaitCustomers(ctx)
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, retryLimit) {
		err := h.backbone.speaker.SetPeers(h.opts.Backbone.Peers)
		h.backbone.setTrouble(err)
		if err == nil {
			return
		}
		h.log.Error("backbone peers not set; trying again", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// awaitCustomers waits until every router has exported what it adopted, and then, for at most the deferral time, until every customer has been
// heard out. Till then the backbone's peers hold what our predecessor told them (RFC 4724), and so they hear each route
// once, with its true attributes.
func (h *Host) awaitCustomers(ctx context.Context) {
	began := time.Now()
	for _, r := range h.allRouters() {
		if !h.wait(ctx, adoptLimit-time.Since(began), r.hasExported) {
			h.log.Warn("not waiting for slow routers any longer", "router", r.name)
		}
	}
	for _, r := range h.allRouters() {
		if !h.wait(ctx, h.opts.Timers.Deferral-time.Since(began), r.caughtUp) {
			h.log.Warn("not waiting for slow customers any longer; the VPC hears of their routes as a last resort, without AS paths, until they come", "router", r.name)
		}
	}
}
