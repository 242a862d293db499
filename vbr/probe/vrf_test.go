//go:build vrf

package probe

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests need VRF: run them by `make test-vrf`.

func run(t *testing.T, command string) {
	t.Helper()
	args := strings.Fields(command)
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// tenant makes a VRF with one line, and behind the line a customer in a namespace of its own. All tenants have the same addresses.
func tenant(t *testing.T, name string) {
	t.Helper()
	t.Cleanup(func() {
		exec.Command("ip", "link", "del", "l-"+name).Run()
		exec.Command("ip", "link", "del", name).Run()
		exec.Command("ip", "netns", "del", "ns-"+name).Run()
	})
	table := 100 + int(name[len(name)-1])
	run(t, fmt.Sprintf("ip link add %s type vrf table %d", name, table))
	run(t, "ip link set "+name+" up")
	run(t, "ip netns add ns-"+name)
	run(t, fmt.Sprintf("ip link add l-%s type veth peer name eth0 netns ns-%s", name, name))
	run(t, fmt.Sprintf("ip link set l-%s master %s up", name, name))
	for _, a := range []string{"10.0.0.1/24", "10.0.0.9/24", "fd00::1/64", "fd00::9/64"} {
		nodad(t, "", a, "l-"+name)
	}
	run(t, "ip -n ns-"+name+" link set eth0 up")
	run(t, "ip -n ns-"+name+" link set lo up")
	nodad(t, "-n ns-"+name, "10.0.0.2/24", "eth0")
	nodad(t, "-n ns-"+name, "fd00::2/64", "eth0")
}

func nodad(t *testing.T, where, address, device string) {
	t.Helper()
	opt := ""
	if strings.Contains(address, ":") {
		opt = " nodad"
	}
	run(t, "ip "+where+" addr add "+address+" dev "+device+opt)
}

// probing runs a Prober with the checks.
func probing(t *testing.T, checks ...Check) *tally {
	t.Helper()
	h := &tally{}
	p := New(h, slog.New(slog.NewTextHandler(t.Output(), nil)))
	set(t, p, checks...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h
}

func check(id, device, target string) Check {
	return Check{ID: id, Device: device, Target: netip.MustParseAddr(target), Interval: 100 * time.Millisecond}
}

// await waits until n results in a row of a check are (ok and without an error) or (not ok, with an error that contains why).
func (h *tally) await(t *testing.T, id string, ok bool, why string, n int) {
	t.Helper()
	var all []Result
	var last Result
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, r := range h.take(id) {
			all, last = append(all, r), r
			if r.OK != ok || !strings.Contains(r.Err, why) {
				all = nil
			}
		}
		if len(all) >= n {
			return
		}
	}
	t.Fatalf("%s: not %d results in a row with ok=%t %q; last %+v", id, n, ok, why, last)
}

// kinds runs a test once with raw sockets and once with datagram sockets.
func kinds(t *testing.T, body func(t *testing.T)) {
	const sysctl = "/proc/sys/net/ipv4/ping_group_range"
	for name, groups := range map[string]string{"raw": "1 0", "datagram": "0 2147483647"} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(sysctl, []byte(groups), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, v4 := range []bool{true, false} {
				fd, plain, err := newSocket(v4)
				if err != nil || plain != (name == "raw") {
					t.Fatalf("%s socket (v4 %t): plain %t, %v", name, v4, plain, err)
				}
				syscall.Close(fd)
			}
			body(t)
		})
	}
}

// The tenants' addresses are the same. One customer falls silent: the other's replies do not count for it.
func TestVRFSameAddressesInTwoVRFs(t *testing.T) {
	kinds(t, func(t *testing.T) {
		tenant(t, "vrf-a")
		tenant(t, "vrf-b")
		var checks []Check
		for _, vrf := range []string{"vrf-a", "vrf-b"} {
			checks = append(checks, check(vrf+"-4", vrf, "10.0.0.2"), check(vrf+"-6", vrf, "fd00::2"), check(vrf+"-line", "l-"+vrf, "10.0.0.2"))
		}
		checks = append(checks, check("unbound", "", "10.0.0.2"))
		h := probing(t, checks...)
		for _, c := range checks[:6] {
			h.await(t, c.ID, true, "", 3)
		}
		h.await(t, "unbound", false, "unreachable", 3)
		run(t, "ip -n ns-vrf-b link set eth0 down")
		for _, id := range []string{"vrf-b-4", "vrf-b-6", "vrf-b-line"} {
			h.await(t, id, false, "", 10)
		}
		for _, id := range []string{"vrf-a-4", "vrf-a-6", "vrf-a-line"} {
			h.await(t, id, true, "", 10)
		}
	})
}

func TestVRFSourceIsUsed(t *testing.T) {
	kinds(t, func(t *testing.T) {
		tenant(t, "vrf-a")
		run(t, "ip netns exec ns-vrf-a ip route add blackhole 10.0.0.1/32")
		run(t, "ip netns exec ns-vrf-a ip -6 route add blackhole fd00::1/128")
		four, six := check("4 from 9", "vrf-a", "10.0.0.2"), check("6 from 9", "vrf-a", "fd00::2")
		four.Source, six.Source = netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fd00::9")
		four1, six1 := check("4 from 1", "vrf-a", "10.0.0.2"), check("6 from 1", "vrf-a", "fd00::2")
		four1.Source, six1.Source = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
		foreign4, foreign6 := check("foreign 4", "vrf-a", "10.0.0.2"), check("foreign 6", "vrf-a", "fd00::2")
		foreign4.Source, foreign6.Source = netip.MustParseAddr("10.0.0.77"), netip.MustParseAddr("fd00::77")
		h := probing(t, four, six, four1, six1, foreign4, foreign6)
		h.await(t, four.ID, true, "", 3)
		h.await(t, six.ID, true, "", 3)
		h.await(t, four1.ID, false, "timeout", 3)
		h.await(t, six1.ID, false, "timeout", 3)
		h.await(t, foreign4.ID, false, "cannot assign", 3)
		h.await(t, foreign6.ID, false, "cannot assign", 3)
		run(t, "ip addr add 10.0.0.77/24 dev l-vrf-a")
		h.await(t, foreign4.ID, true, "", 3)
	})
}

func TestVRFDeviceMadeAnew(t *testing.T) {
	kinds(t, func(t *testing.T) {
		h := probing(t, check("4", "vrf-a", "10.0.0.2"), check("6", "vrf-a", "fd00::2"))
		for range 2 {
			for _, id := range []string{"4", "6"} {
				h.await(t, id, false, "no such device", 2)
			}
			t.Run("made", func(t *testing.T) {
				tenant(t, "vrf-a")
				for _, id := range []string{"4", "6"} {
					h.await(t, id, true, "", 3)
				}
			})
		}
	})
}

func TestVRFLinkLocalTarget(t *testing.T) {
	kinds(t, func(t *testing.T) {
		tenant(t, "vrf-a")
		run(t, "ip -n ns-vrf-a addr add fe80::2/64 dev eth0 nodad")
		h := probing(t, check("by line", "l-vrf-a", "fe80::2"), check("by zone", "vrf-a", "fe80::2%l-vrf-a"))
		h.await(t, "by line", true, "", 3)
		h.await(t, "by zone", true, "", 3)
	})
}
