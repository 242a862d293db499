package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// empty are the alerts whose expression has no result while all is well: nothing is wrong with the host of this test in that way.
var empty = map[string]bool{"KernelRefusesRoutes": true, "KernelDrift": true, "ScrapeIncomplete": true, "NetlinkErrors": true, "RouteQuotaNearlyUsed": true, "BGPSessionFlaps": true, "RouterDegraded": true,
	"RouterInterfaceDown": true}

// TestScraped has a real Prometheus scrape the server, and ask what the dashboard and the alerts ask.
func TestScraped(t *testing.T) {
	target := serveHost(t)
	body := get(t, "http://"+target+"/metrics")
	check := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	check.Stdin = bytes.NewReader(body)
	out, _ := check.CombinedOutput() // promtool exits with 3 for the two names of frr_exporter
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if !strings.HasPrefix(line, "frr_bgp_peer_prefixes_") {
			t.Errorf("promtool check metrics: %s", line)
		}
	}
	prometheus := startPrometheus(t, target)
	ask := func(expr string) int {
		var answer struct {
			Status, Error string
			Data          struct{ Result []any }
		}
		if err := json.Unmarshal(get(t, prometheus+"/api/v1/query?query="+url.QueryEscape(expr)), &answer); err != nil || answer.Status != "success" {
			t.Errorf("%s: %v %s", expr, err, answer.Error)
		}
		return len(answer.Data.Result)
	}
	for end := time.Now().Add(30 * time.Second); ask("count_over_time(vbr_host_problems[1m]) >= 3") == 0; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("Prometheus has not scraped three times in 30 s")
		}
	}
	for _, expr := range panels(t) {
		if ask(expr) == 0 {
			t.Errorf("no data for the panel's query %s", expr)
		}
	}
	rules, err := os.ReadFile("../../examples/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`- alert: (\w+)\n\s+expr: (.*)\n`).FindAllStringSubmatch(string(rules), -1) {
		if n := ask(m[2]); n == 0 != empty[m[1]] {
			t.Errorf("alert %s: %d results of %s", m[1], n, m[2])
		}
	}
}

func serveHost(t *testing.T) string {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, host{names: []string{"vbr-acme"}}, "v1", slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() { cancel(); <-done })
	return l.Addr().String()
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	answer, err := (&http.Client{Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return body
}

// startPrometheus starts one that scrapes the target twice a second, and returns its address when it is ready.
func startPrometheus(t *testing.T, target string) string {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("scrape_configs: [{job_name: vbrd, scrape_interval: 500ms, scrape_timeout: 500ms, static_configs: [{targets: ['%s']}]}]\n", target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=error")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; internal/lab/install.sh installs it", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(30 * time.Second); !strings.Contains(string(get(t, "http://"+address+"/-/ready")), "eady."); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("Prometheus is not ready after 30 s")
		}
	}
	return "http://" + address
}

// panels are the queries of the dashboard, with values for its variables.
func panels(t *testing.T) (exprs []string) {
	text, err := os.ReadFile("../../examples/prometheus/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			exprs = append(exprs, strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$router", ".*", "$vrf", ".*").Replace(q.Expr))
		}
	}
	if len(exprs) < 20 {
		t.Errorf("only %d queries", len(exprs))
	}
	return exprs
}
