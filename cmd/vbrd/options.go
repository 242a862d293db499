package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"golang.org/x/term"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/vbr"
	"github.com/openvbr/openvbr/vbr/config"
	"github.com/openvbr/openvbr/vbr/intent"
)

// newLogger writes text to a terminal and JSON elsewhere, unless the settings say which.
func newLogger(l config.Log, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: l.Level}
	text := l.Format == "text"
	if f, ok := w.(*os.File); ok && l.Format == "auto" {
		text = term.IsTerminal(int(f.Fd()))
	}
	if text {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// tune sets up the garbage collector.
func tune(r config.Runtime) {
	debug.SetGCPercent(r.GCPercent)
	if r.MemoryLimit > 0 {
		debug.SetMemoryLimit(r.MemoryLimit)
	}
}

// hostOptions are the settings as package vbr wants them, with the backbone's keys read.
func hostOptions(s *config.Settings, log *slog.Logger) (vbr.Options, error) {
	opts := vbr.Options{
		Region: s.Region, StateDir: s.StateDir, Keys: intent.KeyDir(s.KeyDir), TableBase: s.TableBase, KeepCompatMode: s.KeepNexthopCompat, Log: log,
		Timers: vbr.Timers{Restart: s.Timers.Restart, Deferral: s.Timers.Deferral, Stale: s.Timers.Stale, Audit: s.Timers.Audit},
	}
	if m := (bgp.MRT{Directory: s.MRT.Directory, Interval: s.MRT.Interval, Keep: s.MRT.Keep, Size: s.MRT.Size}); len(s.Collectors) > 0 || m.Directory != "" {
		opts.Monitor = bgp.NewMonitor(bgp.MonitorConfig{Collectors: s.Collectors, Name: s.Host, Description: "OpenVBR " + version, MRT: m, Log: log})
	}
	if s.Backbone == nil {
		return opts, nil
	}
	b := &vbr.Backbone{ASN: s.Backbone.ASN, RouterID: s.Backbone.RouterID, VTEP: s.Backbone.VTEP, Reserved: s.Reserved()}
	for _, p := range s.Backbone.Peers {
		ep := evpn.Peer{
			Address: p.Address, LocalAddress: b.VTEP, ASN: p.ASN, HoldTime: p.Hold, KeepaliveInterval: p.Keepalive,
			ConnectRetry: p.ConnectRetry, Multihop: p.Multihop, Passive: p.Passive,
		}
		if p.AuthKeyFile != "" && s.Action != config.Cleanup {
			key, err := intent.ReadKey(p.AuthKeyFile)
			if err != nil {
				return opts, fmt.Errorf("backbone peer %s: %w", p.Address, err)
			}
			ep.Password = key
		}
		b.Peers = append(b.Peers, ep)
	}
	opts.Backbone = b
	return opts, nil
}
