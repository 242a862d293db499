package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openvbr/openvbr/bgp/evpn"
	"github.com/openvbr/openvbr/internal/lab/topo"
	"github.com/openvbr/openvbr/vbr"
	"github.com/openvbr/openvbr/vbr/intent"
)

// changing is in the environment of a process that serves a folder of resources, as vbrd does, and applies what is in it
// again with every SIGHUP.
const changing = "E2E_CHANGING"

// serveChanging is that process.
func serveChanging() error {
	dir, state, peers := os.Args[1], os.Args[2], os.Args[3]
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	vtep := netip.MustParseAddr(topo.EdgeVTEP)
	b := &vbr.Backbone{ASN: topo.BackboneASN, RouterID: vtep, VTEP: vtep, Reserved: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	for a := range strings.SplitSeq(peers, ",") {
		b.Peers = append(b.Peers, evpn.Peer{Address: netip.MustParseAddr(a), LocalAddress: vtep, ASN: topo.BackboneASN,
			HoldTime: 9 * time.Second, KeepaliveInterval: 3 * time.Second, ConnectRetry: time.Second})
	}
	h, err := vbr.NewHost(vbr.Options{Backbone: b, StateDir: state, TableBase: 10000, Log: log, Timers: vbr.Timers{
		Restart: 2 * time.Minute, Deferral: 15 * time.Second, Stale: time.Minute, Audit: time.Minute}})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	in, problems := intent.Load(dir)
	if len(problems) > 0 {
		return problems[0]
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	go func() {
		for n := 1; ; n++ {
			<-again
			next, problems := intent.Load(dir)
			if len(problems) > 0 {
				log.Error("applied", "n", n, "err", problems[0])
				continue
			}
			for _, e := range h.Effects(in, next) {
				log.Info("planned", "n", n, "effect", e.GetText(), "disruptive", e.GetDisruptive(), "routes", e.GetRoutes())
			}
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			began := time.Now()
			err := h.Apply(ctx, next)
			cancel()
			log.Info("applied", "n", fmt.Sprintf("%d;", n), "err", err, "took", time.Since(began))
			in = next
		}
	}()
	return h.Run(ctx, in)
}

func TestMain(m *testing.M) {
	if os.Getenv(changing) != "" {
		if err := serveChanging(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	labMain(m)
}
