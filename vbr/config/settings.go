package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// Action is what the command line asks vbrd to do.
type Action uint8

// The actions; at most one of their flags may be given.
const (
	Run     Action = iota // no flag
	Check                 // --check: validate settings and resources, then exit
	Cleanup               // --cleanup: remove everything vbrd owns on this host, then exit
	Version               // --version
	Help                  // --help
)

// Settings is what vbrd runs with. It holds no secrets.
type Settings struct {
	File   string // settings file that was read; empty when there was none
	Action Action

	Host      string // name of this host
	Region    string // the host is in
	Resources string // file or folder of the resources
	StateDir  string // what must outlive a reboot
	KeyDir    string // of the keys of customers' peers, with a subfolder for each owner; see intent.KeyDir
	Log       Log
	Backbone  *Backbone // nil: this host has no router interfaces
	Timers    Timers

	KeepNexthopCompat bool   // leave net.ipv4.nexthop_compat_mode alone instead of setting it to 0
	TableBase         uint32 // first kernel table to allocate to VRFs
	Runtime           Runtime

	API     API
	Metrics string // where metrics are served, as metrics.Listen takes it; empty: nowhere
	Glass   string // where the looking glass is served, as api.Server's Door takes it; empty: nowhere
	Store   Store

	Collectors []netip.AddrPort // of BMP
	MRT        MRT
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // "auto", "text" or "json"; auto is text on a terminal
}

// Backbone is this host's place among the gateways.
type Backbone struct {
	ASN      uint32
	RouterID netip.Addr     // IPv4
	VTEP     netip.Addr     // IPv4, an address of this host
	Prefixes []netip.Prefix // masked; what no customer may announce, beside the VTEP and the peers
	Peers    []BackbonePeer
}

// BackbonePeer is an EVPN session with a gateway or route reflector.
type BackbonePeer struct {
	Address      netip.Addr
	ASN          uint32
	AuthKeyFile  string        // empty: no TCP MD5
	Hold         time.Duration // 0: no hold timer and no keepalives
	Keepalive    time.Duration
	ConnectRetry time.Duration
	Multihop     uint8 // TTL of an eBGP session; 0: directly connected
	Passive      bool  // wait for the peer to dial
}

// Timers of restart and repair.
type Timers struct {
	Restart  time.Duration // graceful-restart time told to peers (RFC 4724)
	Deferral time.Duration // how long to wait for peers' End-of-RIB after a restart
	Stale    time.Duration // how long adopted routes may stay unconfirmed
	Audit    time.Duration // between comparisons of the kernel's tables with what should be there
}

// Runtime is how the garbage collector trades memory for time (package runtime/debug).
type Runtime struct {
	GCPercent   int   // the heap may grow by so much between two collections
	MemoryLimit int64 // bytes; beyond, the collector works harder. 0: no limit
}

// String renders the settings as the YAML that would give them.
func (s *Settings) String() string {
	compat := "0"
	if s.KeepNexthopCompat {
		compat = "keep"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "host: %s\nregion: %s\nresources: %s\nstate_dir: %s\nkey_dir: %s\n", quote(s.Host), quote(s.Region), quote(s.Resources), quote(s.StateDir),
		quote(s.KeyDir))
	fmt.Fprintf(&b, "log: {level: %s, format: %s}\n", strings.ToLower(s.Log.Level.String()), s.Log.Format)
	if s.Backbone != nil {
		b.WriteString(s.Backbone.yaml())
	}
	fmt.Fprintf(&b, "timers: {restart: %v, deferral: %v, stale: %v, audit: %v}\n", s.Timers.Restart, s.Timers.Deferral, s.Timers.Stale, s.Timers.Audit)
	fmt.Fprintf(&b, "nexthop_compat_mode: %s\ntable_base: %d\nruntime: {gc_percent: %d, memory_limit: %d}\n", compat, s.TableBase,
		s.Runtime.GCPercent, s.Runtime.MemoryLimit>>20)
	b.WriteString(s.API.yaml())
	if s.Metrics != "" {
		fmt.Fprintf(&b, "metrics: {listen: %s}\n", quote(s.Metrics))
	}
	if s.Glass != "" {
		fmt.Fprintf(&b, "glass: {listen: %s}\n", quote(s.Glass))
	}
	b.WriteString(s.Store.yaml())
	b.WriteString(monitorYAML(s.Collectors, s.MRT))
	return b.String()
}

func (bb *Backbone) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "backbone:\n  asn: %d\n  router_id: %s\n  vtep: %s\n", bb.ASN, bb.RouterID, bb.VTEP)
	for i, p := range bb.Prefixes {
		if i == 0 {
			b.WriteString("  prefixes:\n")
		}
		fmt.Fprintf(&b, "    - '%s'\n", p)
	}
	for i, p := range bb.Peers {
		if i == 0 {
			b.WriteString("  peers:\n")
		}
		b.WriteString("    - " + p.yaml() + "\n")
	}
	return b.String()
}

func (p BackbonePeer) yaml() string {
	keepalive := ""
	if p.Keepalive > 0 {
		keepalive = fmt.Sprintf("keepalive: %d, ", int(p.Keepalive.Seconds()))
	}
	return fmt.Sprintf("{address: '%s', asn: %d, auth_key_file: %s, hold: %d, %sconnect_retry: %d, multihop: %d, passive: %t}", p.Address, p.ASN,
		quote(p.AuthKeyFile), int(p.Hold.Seconds()), keepalive, int(p.ConnectRetry.Seconds()), p.Multihop, p.Passive)
}

// quote renders text for YAML.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
