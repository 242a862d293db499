package admin

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// With a memory limit below what it holds vbrd is slower and nothing else: all routes are there, it answers, and the session stays.
func TestMemoryLimit(t *testing.T) {
	const routes = 50_000
	e := newEdge(t, "edge1", "runtime: {memory_limit: 64}\n")
	var table strings.Builder
	for i := range routes {
		fmt.Fprintf(&table, "route 20.%d.%d.0/24 unreachable;\n", i>>8, i&255)
	}
	conf := put(t, e.path("bird.conf"), `log stderr { warning, error, fatal };
router id 10.0.0.2;
protocol device { scan time 1; }
protocol static lan { ipv4; `+table.String()+` }
protocol bgp edge { local 10.0.0.2 as 65001; neighbor 10.0.0.1 as 45104; ttl security on; hold time 240; connect delay time 1; connect retry time 1;
  ipv4 { import none; export all; }; }
`)
	start(t, e.log, "ip", "netns", "exec", "idc-"+e.host, "bird", "-f", "-c", conf, "-s", e.path("bird.ctl"), "-P", e.path("bird.pid"))
	e.start()
	e.mustApply("acme.yaml", acme("bgp_peers: [{peer_ip_address: 10.0.0.2, peer_asn: 65001, connect_retry: 1, route_quota: 100000}]\n"))
	eventually(t, "all routes in the kernel", func() error {
		if n := strings.Count(e.ip("route show proto 86"), "\n"); n != routes {
			return fmt.Errorf("%d of %d", n, routes)
		}
		return nil
	})
	since := e.since()
	if h := e.status(); h.Routes != routes || h.SessionsEstablished != 1 || len(h.Problems) > 0 {
		t.Errorf("vbrd says: %v", h)
	}
	if !e.since().Equal(since) {
		t.Error("the session was lost")
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.cmd.Process.Pid))
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if err != nil || m == nil {
		t.Fatalf("%v: %s", err, text)
	}
	kB, _ := strconv.Atoi(string(m[1]))
	t.Logf("at most %d MiB resident with %d routes", kB/1024, routes)
}
