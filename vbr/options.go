package vbr

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/rib"
)

// Options are the settings of a Host.
type Options struct {
	// Region is where the host is: it tells routers of the same name apart (see rib.Trail), and traffic of a pair with ends in two regions is
	// metered apart.
	Region string
	// Backbone is nil on a host without one; then router interfaces are refused.
	Backbone *Backbone
	Timers   Timers
	// StateDir holds what must survive a reboot: the ids given to routers and router interfaces.
	StateDir string
	// Keys is where the keys of customers' peers are.
	Keys intent.KeyDir
	// TableBase is the first routing table id given to routers that ask for none.
	TableBase uint32
	// KeepCompatMode leaves net.ipv4.nexthop_compat_mode alone.
	KeepCompatMode bool
	// Partial tells, when Run begins, whether its intent may lack resources that exist. Then nothing that a predecessor left is
	// removed by this Host. nil: it never does.
	Partial func() bool
	// Monitor is told what customers' peers announce; nil: nobody is.
	Monitor *bgp.Monitor
	Log     *slog.Logger
}

// Backbone is how the host reaches the VPCs' gateways.
type Backbone struct {
	ASN            uint32
	RouterID, VTEP netip.Addr
	// Reserved are the provider's own prefixes, the VTEP and the peers among them; customers may not announce them.
	Reserved []netip.Prefix
	Peers    []evpn.Peer
}

// Timers of restarts and audits.
type Timers struct {
	// Restart is the time that peers keep our routes while we are away (RFC 4724 4.1).
	Restart time.Duration
	// Deferral is how long we wait for peers' End-of-RIB before we tell them ours.
	Deferral time.Duration
	// Stale is how long routes of a predecessor or of a restarting peer stay without being announced again.
	Stale time.Duration
	// Audit is the time between comparisons of the kernel's tables with ours.
	Audit time.Duration
}

// privateASN stands for the backbone's where there is none, in marks that never leave the host (RFC 6996).
const privateASN = 4200000086

// trail is a router's mark in the trail of routes in transit.
func (o *Options) trail(router string) [3]uint32 {
	if o.Backbone == nil {
		return rib.Trail(privateASN, o.Region, router)
	}
	return rib.Trail(o.Backbone.ASN, o.Region, router)
}
