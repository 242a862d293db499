package vbr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/openvbr/openvbr/vbr/intent"
)

// ownNamespace tells a test binary that it runs in a network namespace of its own.
const ownNamespace = "VBR_TEST_OWN_NAMESPACE"

// TestMain runs the tests in a fresh network namespace: the binary starts itself there.
func TestMain(m *testing.M) {
	if os.Getenv(ownNamespace) != "" {
		goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/eapache/channels.(*InfiniteChannel).infiniteBuffer")) // GoBGP's, never closed
		return
	}
	runtime.LockOSThread() // Pdeathsig is about the thread
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), ownNamespace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	}
	fmt.Fprintln(os.Stderr, "run in a network namespace (root needed):", err)
	os.Exit(1)
}

// run runs a command line to its end and returns its output.
func run(t *testing.T, line string) string {
	t.Helper()
	words := strings.Fields(line)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// start starts a command that ends with the test.
func start(t *testing.T, attr syscall.SysProcAttr, stdout *os.File, words ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	cmd.SysProcAttr = &attr
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %v (root and apt's bird2 needed): %v", words, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func eventually(t *testing.T, limit time.Duration, what string, f func() error) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const customerBIRD = `log stderr { warning, error, fatal };
router id 10.0.0.2;
protocol device { scan time 1; }
protocol static good4 { ipv4; route 172.16.1.0/24 unreachable; }
protocol static more4 { ipv4; route 172.16.2.0/24 unreachable; }
protocol static good6 { ipv6; route 2001:db8:1::/64 unreachable; }
protocol static bad4 { ipv4; route 0.0.0.0/0 unreachable; route 10.0.0.0/30 unreachable; route 169.254.1.0/24 unreachable; }
protocol static bad6 { ipv6; route ::/0 unreachable; route fd00::/126 unreachable; }
template bgp edge { local as 65001; hold time 9; keepalive time 3; connect delay time 1; connect retry time 1; error wait time 1, 2; graceful restart on; ttl security on; password "swordfish-1"; }
protocol bgp edge4 from edge { neighbor 10.0.0.1 as 45104; ipv4 { import none; export where source = RTS_STATIC; }; }
protocol bgp edge6 from edge { neighbor fd00::1 as 45104; ipv6 { import none; export where source = RTS_STATIC; }; }
`

const portYAML = "kind: PhysicalConnection\nname: pc-1\ndevice: port0\n"

const customerYAML = `kind: VirtualBorderRouter
name: vbr-acme
vrf: default
physical_connection_id: pc-1
vlan_id: 0
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: /30
local_ipv6_gateway_ip: fd00::1
peer_ipv6_gateway_ip: fd00::2
peering_ipv6_subnet_mask: /126
bgp_peers:
  - {peer_ip_address: 10.0.0.2, peer_asn: 65001, hold: 9, keepalive: 3, connect_retry: 1, auth_key_file: KEY}
  - {peer_ip_address: "fd00::2", peer_asn: 65001, hold: 9, keepalive: 3, connect_retry: 1, auth_key_file: KEY}
`

// site is a customer's BIRD in a namespace of its own, at the end of a cable to our port0, and a host of ours.
type site struct {
	*testing.T
	dir, ctl string
	customer int // a process in BIRD's namespace
	log      *safeBuffer
	host     *Host // that runs
}

func newSite(t *testing.T) *site {
	s := &site{T: t, dir: t.TempDir()}
	s.ctl = filepath.Join(s.dir, "bird.ctl")
	s.customer = start(t, syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}, nil, "sleep", "infinity").Process.Pid
	run(t, "ip link set lo up")
	run(t, "ip link add port0 type veth peer name eth0 netns "+fmt.Sprint(s.customer))
	t.Cleanup(func() { run(t, "ip link del port0") })
	run(t, "sysctl -qw net.ipv6.conf.port0.accept_dad=0")
	for _, line := range []string{
		"sysctl -qw net.ipv6.conf.eth0.accept_dad=0", "ip link set lo up", "ip link set eth0 up",
		"ip addr add 10.0.0.2/30 dev eth0", "ip addr add fd00::2/126 dev eth0 nodad",
	} {
		run(t, fmt.Sprintf("nsenter -t %d -n %s", s.customer, line))
	}
	s.write("acme/key", "swordfish-1\n")
	s.write("resources.d/port.yaml", portYAML)
	s.write("resources.d/acme.yaml", strings.ReplaceAll(customerYAML, "KEY", filepath.Join(s.dir, "acme/key")))
	conf := s.write("bird.conf", customerBIRD)
	start(t, syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}, nil, "nsenter", "-t", fmt.Sprint(s.customer), "-n", "bird", "-f", "-c", conf, "-s", s.ctl)
	return s
}

// in is the same site for a part of the test.
func (s *site) in(t *testing.T) *site {
	part := *s
	part.T = t
	return &part
}

func (s *site) write(name, text string) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600))
	if err != nil {
		s.Fatal(err)
	}
	return path
}

func (s *site) options() Options {
	s.log = &safeBuffer{}
	return Options{
		StateDir: filepath.Join(s.dir, "state"), TableBase: firstTable, Keys: intent.KeyDir(s.dir),
		Timers: Timers{Restart: time.Minute, Deferral: 3 * time.Second, Stale: 20 * time.Second, Audit: time.Minute},
		Log:    slog.New(slog.NewTextHandler(s.log, nil)),
	}
}

// serve runs a host on the resources and returns what ends it.
func (s *site) serve() (stop func()) {
	s.Helper()
	_, _, stop = s.serveResources()
	return stop
}

// serveHost runs one to the end of the test, and returns it with what it runs.
func (s *site) serveHost() (*Host, *intent.Intent) {
	s.Helper()
	h, in, _ := s.serveResources()
	return h, in
}

func (s *site) serveResources() (h *Host, in *intent.Intent, stop func()) {
	s.Helper()
	in, problems := intent.Load(filepath.Join(s.dir, "resources.d"))
	if len(problems) > 0 {
		s.Fatal(problems)
	}
	h, err := NewHost(s.options())
	if err != nil {
		s.Fatal(err)
	}
	s.host = h
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx, in) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err := errors.Join(err, h.Close()); err != nil {
				s.Error(err)
			}
		case <-time.After(2 * time.Second):
			s.Error("Run does not return within 2 s")
		}
		if s.Failed() {
			s.Logf("log of the host:\n%s", s.log)
		}
	})
	s.Cleanup(stop)
	return h, in, stop
}

// ours are our routes' prefixes in the kernel's main table.
func (s *site) ours() []string {
	s.Helper()
	var prefixes []string
	for _, family := range []string{"-4", "-6"} {
		for line := range strings.Lines(run(s.T, "ip "+family+" route show table main proto 86")) {
			if f := strings.Fields(line); len(f) > 0 && strings.Contains(line, "metric 179") {
				prefixes = append(prefixes, f[0])
			}
		}
	}
	return prefixes
}

func (s *site) wantOurs(limit time.Duration, want ...string) {
	s.Helper()
	eventually(s.T, limit, "our routes in the main table", func() error {
		if got := s.ours(); !slices.Equal(got, want) {
			return fmt.Errorf("(-want +got)\n%s", cmp.Diff(want, got))
		}
		return nil
	})
}

func (s *site) wantLog(limit time.Duration, text string) {
	s.Helper()
	eventually(s.T, limit, "the log", func() error {
		if !strings.Contains(s.log.String(), text) {
			return fmt.Errorf("no %q in\n%s", text, s.log)
		}
		return nil
	})
}

// Without VRF, on any kernel: routes of both families, nothing of what may not be announced, a restart that touches nothing, a withdrawal meanwhile,
// and a router that leaves takes all its own along.
func TestDefaultVRF(t *testing.T) {
	s := newSite(t)
	run(t, "ip link set port0 up")
	run(t, "ip addr add 203.0.113.1/24 dev port0") // the kernel drops all routes of a device that loses its last address
	run(t, "ip route add 198.51.100.0/24 dev port0 proto static metric 179")
	stop := s.serve()
	all := []string{"172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64"}
	s.wantOurs(20*time.Second, all...)
	s.wantLog(10*time.Second, `default-route=1 link-subnet=1"`) // IPv6
	s.wantLog(10*time.Second, `default-route=1 martian=1 link-subnet=1"`)

	t.Run("restart", func(t *testing.T) {
		s := s.in(t)
		monitor, err := os.Create(filepath.Join(s.dir, "monitor"))
		if err != nil {
			t.Fatal(err)
		}
		defer monitor.Close()
		start(t, syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}, monitor, "ip", "monitor", "route", "nexthop")
		stop()
		s.wantOurs(0, all...)
		run(t, "birdc -s "+s.ctl+" disable more4")
		stop = s.serve()
		s.wantLog(20*time.Second, "restart complete")
		s.wantOurs(5*time.Second, "172.16.1.0/24", "2001:db8:1::/64")
		b, err := os.ReadFile(monitor.Name())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "proto 86") && !strings.Contains(line, "172.16.2.0/24") && !strings.HasPrefix(line, "Deleted id") {
				t.Errorf("the restart touched %s", line)
			}
		}
		if !strings.Contains(string(b), "Deleted 172.16.2.0/24") {
			t.Errorf("the monitor did not see the withdrawal:\n%s", b)
		}
	})

	t.Run("router leaves", func(t *testing.T) {
		s := s.in(t)
		stop()
		if err := os.Remove(filepath.Join(s.dir, "resources.d/acme.yaml")); err != nil {
			t.Fatal(err)
		}
		stop = s.serve()
		s.wantOurs(5 * time.Second)
		eventually(t, 5*time.Second, "nothing of the router's", func() error {
			if out := run(t, "ip addr show dev port0") + run(t, "ip nexthop show proto 86"); strings.Contains(out, "10.0.0.1") || strings.Contains(out, "fd00::1") || strings.Contains(out, "proto 86") {
				return fmt.Errorf("it stays:\n%s", out)
			}
			return nil
		})
		stop()
	})
	if out := run(t, "ip route show 198.51.100.0/24"); !strings.Contains(out, "proto static scope link metric 179") {
		t.Errorf("the foreign route: %q", out)
	}
	if out := run(t, "ip addr show dev port0"); !strings.Contains(out, "203.0.113.1/24") {
		t.Errorf("the foreign address: %s", out)
	}
}

// A router that left while no vbrd ran, with a table of its own, takes its routes along; its neighbour's and others' routes in it stay.
func TestOrphanTable(t *testing.T) {
	s := newSite(t)
	run(t, "ip link set port0 up")
	for table, metric := range map[string]string{"10007": "179", "10008": "179", "10009": "50"} {
		run(t, "ip route add 172.16.7.0/24 dev port0 table "+table+" proto 86 metric "+metric)
	}
	run(t, "ip route add 172.16.8.0/24 dev port0 table 10007 proto static metric 179")
	s.write("state/ids.json", `{"tables":{"vbr-gone":10007},"rds":{}}`)
	if err := os.Remove(filepath.Join(s.dir, "resources.d/acme.yaml")); err != nil {
		t.Fatal(err)
	}
	stop := s.serve()
	s.wantLog(5*time.Second, "no longer wanted")
	stop()
	got := run(t, "ip route show table 10007") + run(t, "ip route show table 10008") + run(t, "ip route show table 10009")
	want := "172.16.8.0/24 dev port0 proto static scope link metric 179 \n172.16.7.0/24 dev port0 proto 86 scope link metric 179 \n172.16.7.0/24 dev port0 proto 86 scope link metric 50 \n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	if b, _ := os.ReadFile(filepath.Join(s.dir, "state/ids.json")); strings.Contains(string(b), "gone") {
		t.Errorf("the record still has it: %s", b)
	}
}

// A damaged record of ids stops a host before it touches anything.
func TestHostRefusesDamagedIDs(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ids.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := NewHost(Options{StateDir: dir, TableBase: firstTable, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
}

// The second claim on a network namespace names the holder of the first; what is given back can be claimed again.
func TestLock(t *testing.T) {
	first, err := Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Lock()
	if !errors.Is(err, ErrRunning) || !strings.Contains(fmt.Sprint(err), fmt.Sprintf("pid %d (", os.Getpid())) {
		t.Errorf("second: %v, want ErrRunning and pid %d", err, os.Getpid())
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
