package admin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMetrics scrapes a vbrd with a customer and a VPC: the counts are those of routes that were learnt, and what took time has been timed.
func TestMetrics(t *testing.T) {
	s := newSite(t, 100)
	settings, err := os.ReadFile(s.path("vbrd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, s.path("vbrd.yaml"), string(settings)+"metrics: {listen: \"unix:"+s.path("metrics.sock")+"\"}\n")
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.path("metrics.sock"))
	}}}
	put(t, s.path("resources.d/acme.yaml"), wanted(0))
	s.customer(0)
	s.startVPC()
	s.start()
	eventually(t, "the customer's routes are in the metrics", func() error {
		answer, err := client.Get("http://vbrd/metrics")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		out, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		for _, want := range []string{`frr_bgp_peer_state{.*peer="10.0.0.2".*} 1`, `vbr_routes{router="vbr-acme",stage="best"} 104`, `vbr_routes{router="vbr-acme",stage="kernel"} 104`,
			`vbr_convergence_seconds_count [1-9]`, `vbr_reconcile_seconds_count [1-9]`, `vbr_queue_depth{queue="kernel"} 0`, `vbr_netlink_errors_total{errno="ENOBUFS",operation="route"} 0`} {
			if !regexp.MustCompile("(?m)^" + want).Match(out) {
				at := strings.Join(regexp.MustCompile("(?m)^vbr_(routes|conv|rec|queue).*").FindAllString(string(out), -1), "\n")
				return fmt.Errorf("no %s in\n%s", want, at)
			}
		}
		return nil
	})
}
