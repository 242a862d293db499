package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/bench/feed"
	"github.com/openvbr/openvbr/internal/lab"
)

// testMetrics: a series is about one tenant at most, all have the same, and what one announces moves its own alone.
func (m *matrix) testMetrics(t *testing.T) {
	for _, vtep := range []string{edgeVTEP, gwVTEP} {
		count := make(map[string]int)
		for line := range strings.Lines(m.scrape(t, vtep)) {
			series, _, _ := strings.Cut(line, "} ") // a value may look like an AS
			names := m.marks(series)
			if len(names) > 1 {
				t.Errorf("%s has a series of %q: %s", vtep, names, line)
			}
			for _, name := range names {
				count[name]++
			}
		}
		for _, n := range m.tenants[1:] {
			if count[n.name] < 10 || count[n.name] != count[m.tenants[1].name] {
				t.Errorf("%s has %d series of %s, %d of %s", vtep, count[n.name], n.name, count[m.tenants[1].name], m.tenants[1].name)
			}
		}
	}
	one := m.tenants[tenantCount/2]
	was := m.received(t)
	more := feed.Table{Groups: []feed.Group{{Communities: []uint32{one.community}, Prefixes: []netip.Prefix{netip.MustParsePrefix("172.16.3.0/24")}}}}
	if err := one.session.Send(more.Updates(one.asn, netip.MustParseAddr("10.0.0.2"), 0)); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("vbr_routes{router=\"vbr-%s\",stage=\"received\"} ", one.name)
	for i, line := range was {
		if count, ok := strings.CutPrefix(line, want); ok {
			n, err := strconv.Atoi(count)
			if err != nil {
				t.Fatal(err)
			}
			was[i] = fmt.Sprint(want, n+1)
		}
	}
	lab.Eventually(t, 20*time.Second, "one route more of "+one.name, func() error {
		if is := m.received(t); !slices.Equal(is, was) {
			return fmt.Errorf("%q, want %q", is, was)
		}
		return nil
	})
}

// received are the series of what the edge host's routers have received.
func (m *matrix) received(t *testing.T) (lines []string) {
	t.Helper()
	for line := range strings.Lines(m.scrape(t, edgeVTEP)) {
		if strings.HasPrefix(line, "vbr_routes{") && strings.Contains(line, `stage="received"`) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) != tenantCount+1 {
		t.Fatalf("%d series of received routes, want %d: %q", len(lines), tenantCount+1, lines)
	}
	return lines
}

// scrape asks a host for its metrics, from the underlay.
func (m *matrix) scrape(t *testing.T, vtep string) string {
	t.Helper()
	var text []byte
	err := m.underlay().Do(func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(vtep, fmt.Sprint(metricsPort)), 5*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, "GET /metrics HTTP/1.0\r\n\r\n"); err != nil {
			return err
		}
		text, err = io.ReadAll(c)
		return err
	})
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.0 200") {
		t.Fatalf("%s: %.200s: %v", vtep, text, err)
	}
	return string(text)
}
