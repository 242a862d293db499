package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openvbr/openvbr/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m, func() error { return goleak.Find() }) }

// The kernel has all that the product and its tests create.
func TestKernel(t *testing.T) {
	n := lab.New(t).Namespace("kernel")
	for _, test := range []struct{ what, command string }{
		{"vrf", "ip link add vrf1 type vrf table 10001 && ip link set vrf1 up"},
		{"dummy", "ip link add d0 type dummy && ip link set d0 up"},
		{"vlan in vrf", "ip link add link d0 name d0.100 type vlan id 100 && ip link set d0.100 master vrf1 up && ip addr add 10.0.0.1/30 dev d0.100 && ip -6 addr add fd00::1/126 dev d0.100"},
		{"vxlan in vrf", "ip link add vx1 address 02:00:00:00:00:01 type vxlan id 1 local 192.0.2.1 dstport 4789 nolearning && ip link set vx1 addrgenmode none master vrf1 up"},
		{"bridge with vlans", "ip link add br0 type bridge vlan_filtering 1 && ip link add v0 type veth peer name v1 && ip link set v0 master br0 && bridge vlan add dev v0 vid 100 pvid untagged"},
		{"nexthop objects", "ip nexthop add id 1 via 10.0.0.2 dev d0.100 && ip nexthop add id 2 via 192.0.2.9 dev vx1 onlink && ip nexthop add id 3 group 1/2 && ip route add 172.16.0.0/16 nhid 3 table 10001 metric 179 proto 86"},
		{"ipv6 over a mapped next hop", "ip nexthop add id 4 via ::ffff:192.0.2.9 dev vx1 onlink && ip -6 route add 2001:db8::/32 nhid 4 table 10001"},
		{"rp_filter and nexthop_compat_mode", "echo 0 >/proc/sys/net/ipv4/nexthop_compat_mode && echo 1 >/proc/sys/net/ipv4/conf/d0.100/rp_filter && echo 0 >/proc/sys/net/ipv4/tcp_l3mdev_accept"},
		{"netem", "tc qdisc add dev d0 root netem delay 10ms loss 1%"},
		{"tbf and police", "tc qdisc add dev v1 root tbf rate 10mbit burst 10k latency 10ms && tc qdisc add dev v1 clsact && tc filter add dev v1 ingress matchall action police rate 10mbit burst 10k"},
		{"flower", "tc filter add dev v1 ingress protocol ip flower dst_ip 10.0.0.1 action drop"},
		{"nftables", "command -v nft || exit 0; nft add table inet t && nft add chain inet t c '{ type filter hook input priority 0; }'"},
		{"blackhole and unreachable", "ip route add unreachable default metric 4278198272 table 10001 && ip route add unreachable ::/0 metric 4278198272 table 10001"},
		{"ip netns", "ip netns add inner && ip netns exec inner true && ip netns del inner"},
		{"shared memory, terminals, cgroups", "touch /dev/shm/x && test -c /dev/ptmx && test -d /sys/fs/cgroup"},
	} {
		if _, err := n.Run("sh", "-c", "set -e; "+test.command); err != nil {
			t.Errorf("%s: %v", test.what, err)
		}
	}
}

func TestHasRoute(t *testing.T) {
	n := lab.New(t).Namespace("routes")
	n.IP("link add d0 type dummy", "link set d0 up", "addr add 10.0.0.1/24 dev d0",
		"link add blue type vrf table 10001", "link set blue up",
		"route add 172.16.0.0/16 via 10.0.0.2 table 10001 proto 86", "route add unreachable 2001:db8::/32 table 10001")
	for _, test := range []struct {
		name, prefix, table string
		proto               []string
		want                bool
	}{
		{"OK main", "10.0.0.0/24", "main", nil, true},
		{"OK number", "172.16.0.0/16", "10001", nil, true},
		{"OK vrf", "172.16.0.0/16", "vrf blue", []string{"proto", "86"}, true},
		{"OK protocol by name", "10.0.0.0/24", "main", []string{"proto", "kernel"}, true},
		{"OK IPv6", "2001:db8::/32", "vrf blue", nil, true},
		{"bad prefix", "172.17.0.0/16", "10001", nil, false},
		{"bad table", "172.16.0.0/16", "main", nil, false},
		{"bad protocol", "172.16.0.0/16", "10001", []string{"proto", "bgp"}, false},
		{"bad vrf", "172.16.0.0/16", "vrf red", nil, false},
		{"bad word", "172.16.0.0/16", "10001", []string{"metric"}, false},
	} {
		if err := n.HasRoute(test.prefix, test.table, test.proto...); (err == nil) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// FRR and BIRD peer with MD5 keys in both families, exchange a route and take
// it back.
func TestFRRandBIRD(t *testing.T) {
	l := lab.New(t)
	a, b := l.Namespace("r-frr"), l.Namespace("r-bird")
	l.Veth(a, "eth0", b, "eth0")
	a.Forward()
	a.IP("addr add 10.0.0.1/30 dev eth0", "addr add fd00::1/126 dev eth0", "addr add 172.16.1.1/24 dev lo")
	b.IP("addr add 10.0.0.2/30 dev eth0", "addr add fd00::2/126 dev eth0")
	f := a.FRR(`router bgp 65001
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp default ipv4-unicast
 neighbor 10.0.0.2 remote-as 65002
 neighbor 10.0.0.2 password secret
 neighbor 10.0.0.2 timers connect 1
 neighbor 10.0.0.2 advertisement-interval 0
 neighbor fd00::2 remote-as 65002
 neighbor fd00::2 password secret
 neighbor fd00::2 timers connect 1
 address-family ipv4 unicast
  network 172.16.1.0/24
  neighbor 10.0.0.2 activate
 exit-address-family
 address-family ipv6 unicast
  neighbor fd00::2 activate
 exit-address-family
`, "bgpd", "staticd")
	r := b.BIRD(`router id 10.0.0.2;
protocol device { scan time 1; }
protocol kernel { ipv4 { export all; }; }
template bgp edge { local as 65002; password "secret"; connect delay time 1; connect retry time 1; error wait time 1, 2; }
protocol bgp four from edge { neighbor 10.0.0.1 as 65001; ipv4 { import all; export none; }; }
protocol bgp six from edge { neighbor fd00::1 as 65001; ipv6 { import all; export none; }; }
`)
	took := lab.Eventually(t, 30*time.Second, "sessions up", func() error {
		return errors.Join(f.Established("ipv4 unicast", "10.0.0.2"), f.Established("ipv6 unicast", "fd00::2"),
			r.Established("four"), r.Established("six"))
	})
	t.Logf("sessions up after %v", took)
	has := func() error { return b.HasRoute("172.16.1.0/24", "main", "proto", "bird") }
	lab.Eventually(t, 10*time.Second, "route at bird", has)
	if _, err := b.Ping("172.16.1.1", lab.PingOptions{}); err != nil {
		t.Error(err)
	}
	if err := f.Configure("router bgp 65001", "address-family ipv4 unicast", "no network 172.16.1.0/24"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 10*time.Second, "route gone", func() error {
		if has() == nil {
			return errors.New("still there")
		}
		return nil
	})
	if err := f.Configure("router bgp 65009"); err == nil {
		t.Error("bad FRR command: no error")
	}
	if out, err := f.Ask("bgpd", "configure terminal", "router bgp 65001", "neighbour 1.2.3.4 remote-as 1"); err == nil {
		t.Errorf("bad command to bgpd: no error, %q", out)
	}
	if err := f.Load("router bgp 65001\n neighbour 1.2.3.4 remote-as 1\n"); err == nil {
		t.Error("bad FRR configuration: no error")
	}
}

// Losses are counted to the packet, in both families.
func TestPinger(t *testing.T) {
	l := lab.New(t)
	a, b := l.Namespace("a"), l.Namespace("b")
	l.Veth(a, "eth0", b, "eth0")
	a.IP("addr add 10.0.0.1/30 dev eth0", "addr add fd00::1/126 dev eth0")
	b.IP("addr add 10.0.0.2/30 dev eth0", "addr add fd00::2/126 dev eth0")
	for _, dst := range []string{"10.0.0.2", "fd00::2"} {
		seen := b.Capture("eth0", "icmp or icmp6")
		before := b.Counters("eth0")
		p := a.Pinger(dst, lab.PingOptions{})
		time.Sleep(time.Second)
		if s := p.Stop(); s.Lost() != 0 || s.Sent < 20 || s.Duplicates != 0 {
			t.Errorf("OK link to %s: %v", dst, s)
		}
		if n := b.Counters("eth0").RxPackets - before.RxPackets; n < 20 {
			t.Errorf("counter moved by %d", n)
		}
		lab.Eventually(t, 5*time.Second, "capture", func() error {
			if lines := seen.Packets(); len(lines) < 40 {
				return fmt.Errorf("%d packets", len(lines))
			}
			return nil
		})
		seen.Stop()

		p = a.Pinger(dst, lab.PingOptions{Timeout: 200 * time.Millisecond})
		time.Sleep(500 * time.Millisecond)
		a.MustRun("tc", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", "100%")
		time.Sleep(300 * time.Millisecond)
		a.MustRun("tc", "qdisc", "del", "dev", "eth0", "root")
		time.Sleep(500 * time.Millisecond)
		s := p.Stop()
		if s.Lost() == 0 || s.Received == 0 || s.LongestGap < 250*time.Millisecond {
			t.Errorf("lossy link to %s: %v", dst, s)
		}
		t.Logf("lossy link to %s: %v", dst, s)
	}
	if s, err := a.Ping("10.9.9.9", lab.PingOptions{Timeout: 50 * time.Millisecond}); err == nil || s.Received != 0 {
		t.Errorf("bad destination: %v, %v", s, err)
	}
}

func TestProc(t *testing.T) {
	n := lab.New(t).Namespace("p")
	p := n.Start("sh", "-c", "echo hello; sleep 100")
	lab.Eventually(t, 5*time.Second, "log", func() error {
		if !strings.Contains(p.Log(), "hello") {
			return errors.New("no hello")
		}
		return nil
	})
	if _, err := p.Wait(10 * time.Millisecond); !errors.Is(err, lab.ErrStillRunning) {
		t.Errorf("Wait: %v", err)
	}
	p.Signal(syscall.SIGTERM)
	if status, err := p.Wait(5 * time.Second); err != nil || status != 128+15 {
		t.Errorf("after SIGTERM: %d, %v", status, err)
	}
	if status, err := n.Start("sh", "-c", "exit 3").Wait(5 * time.Second); err != nil || status != 3 {
		t.Errorf("exit 3: %d, %v", status, err)
	}
	p = n.Start("sleep", "100")
	p.Kill()
	if p.Running() {
		t.Error("runs after Kill")
	}
	if out, err := n.Run("sh", "-c", "echo out; echo err >&2; exit 4"); err == nil || out != "out\n" || !strings.Contains(err.Error(), "err") {
		t.Errorf("Run: %q, %v", out, err)
	}
}

// A program's Lab ends like a test's: Fatalf becomes the error, everything is
// taken down.
func TestRun(t *testing.T) {
	var log bytes.Buffer
	var p *lab.Proc
	err := lab.Run(context.Background(), "demo", &log, func(l *lab.Lab) {
		n := l.Namespace("demo")
		p = n.Start("sleep", "100")
		l.Logf("step %d", 1)
		n.MustRun("false")
		t.Error("went on after Fatalf")
	})
	if err == nil || !strings.Contains(err.Error(), "demo: false: exit status 1") || !strings.Contains(log.String(), "step 1") {
		t.Errorf("error %v, log %q", err, log.String())
	}
	if p.Running() {
		t.Error("process left")
	}
	if _, err := os.Stat("/run/netns/demo"); err == nil {
		t.Error("namespace left")
	}
	if err := lab.Run(context.Background(), "demo", &log, func(*lab.Lab) {}); err != nil {
		t.Error(err)
	}
}
