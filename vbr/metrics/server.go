package metrics

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// Bounds of the server.
const (
	scrapesAtOnce = 4
	scrapeWithin  = 10 * time.Second
	connections   = 32
	idle          = time.Minute
	headerBytes   = 8 << 10
	endWithin     = time.Second
)

// Listen opens where metrics are served: ADDRESS:PORT, or unix:PATH, a socket of mode 0660.
func Listen(where string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(where, "unix:")
	if !isUnix {
		l, err := net.Listen("tcp", where)
		if err != nil {
			return nil, fmt.Errorf("metrics.listen: %w", err)
		}
		return l, nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket { // a predecessor's; there is one vbrd on a host
		_ = os.Remove(path)
	}
	l, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	return l, nil
}

// Serve serves /metrics until ctx is done. It closes the listener.
func Serve(ctx context.Context, l net.Listener, h Host, version string, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry(h, version), promhttp.HandlerOpts{MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeWithin, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}))
	server := &http.Server{Handler: mux, ReadTimeout: scrapeWithin, WriteTimeout: 2 * scrapeWithin, IdleTimeout: idle, MaxHeaderBytes: headerBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
		defer cancel()
		_ = server.Shutdown(end)
		_ = server.Close()
	})
	defer stop()
	if err := server.Serve(netutil.LimitListener(l, connections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// registry has all that is shown.
func registry(h Host, version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "vbr_build_info", Help: "1, with the version.", ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	r.MustRegister(New(h), info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
