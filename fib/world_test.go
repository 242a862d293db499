package fib_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/fib/fibtest"
)

// world is a network namespace to test in: devices east (10.0.0.1/24, fd00::1/64), west (10.0.1.1/24, fd00:1::1/64) and vx5001 (a tunnel).
// Every test body runs over the fake and over the real kernel.
type world interface {
	open(t testing.TB, change ...func(*fib.Config)) *fib.FIB
	index(device string) int
	setUp(device string, up bool)
	routes(table uint32) string // as ip route prints them, without ids
	ids() []uint32              // of all nexthop objects, sorted
	plant(table uint32, prefix string, protocol uint8, metric uint32)
	pull(table uint32, prefix string, metric uint32)
	plantNexthop(id uint32, protocol uint8, gateway string, device string)
	pullNexthop(id uint32)
}

// inWorlds runs a body over the fake and over the real kernel.
func inWorlds(t *testing.T, body func(t *testing.T, w world)) {
	t.Run("fake", func(t *testing.T) { body(t, newFake()) })
	t.Run("kernel", func(t *testing.T) { body(t, newReal(t)) })
}

func open(t testing.TB, kernel fib.Kernel, change []func(*fib.Config)) *fib.FIB {
	t.Helper()
	cfg := fib.Config{Kernel: kernel}
	for _, c := range change {
		c(&cfg)
	}
	f, err := fib.Open(cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

type fake struct{ *fibtest.Kernel }

var fakeDevices = map[string]int{"east": 2, "west": 3, "vx5001": 4}

func newFake() *fake {
	k := fibtest.NewKernel()
	k.AddDevice(2, "east", netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64"))
	k.AddDevice(3, "west", netip.MustParsePrefix("10.0.1.0/24"), netip.MustParsePrefix("fd00:1::/64"))
	k.AddDevice(4, "vx5001")
	return &fake{k}
}

func (w *fake) open(t testing.TB, change ...func(*fib.Config)) *fib.FIB {
	return open(t, w.Kernel, change)
}
func (w *fake) index(device string) int      { return fakeDevices[device] }
func (w *fake) setUp(device string, up bool) { w.SetUp(fakeDevices[device], up) }
func (w *fake) routes(table uint32) string   { return w.Routes(table) }
func (w *fake) ids() []uint32                { return w.NexthopIDs() }
func (w *fake) pullNexthop(id uint32)        { w.PullNexthop(id) }

func (w *fake) plant(table uint32, prefix string, protocol uint8, metric uint32) {
	via := "via 10.0.0.9 dev east"
	if strings.Contains(prefix, ":") {
		via = "via fd00::9 dev east"
	}
	w.PlantRoute(table, netip.MustParsePrefix(prefix), protocol, metric, via)
}

func (w *fake) pull(table uint32, prefix string, metric uint32) {
	w.PullRoute(table, netip.MustParsePrefix(prefix), metric)
}

func (w *fake) plantNexthop(id uint32, protocol uint8, gateway, device string) {
	w.PlantNexthop(id, protocol, netip.MustParseAddr(gateway), fakeDevices[device])
}

// real is a fresh network namespace, in which the test's thread stays until it dies with the test.
type real struct{ t testing.TB }

func newReal(t testing.TB) *real {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("a network namespace is needed (run as root): %v", err)
	}
	w := &real{t}
	w.batch(`
link set lo up
link add east type veth peer name eastp
link add west type veth peer name westp
link set eastp up
link set westp up
link set east up
link set west up
addr add 10.0.0.1/24 dev east
addr add 10.0.1.1/24 dev west
addr add fd00::1/64 dev east nodad
addr add fd00:1::1/64 dev west nodad
link add vx5001 type vxlan id 5001 local 10.0.0.1 dstport 4789 nolearning
link set vx5001 addrgenmode none
link set vx5001 up`)
	return w
}

func (w *real) ip(args ...string) string {
	w.t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (w *real) batch(lines string) {
	w.t.Helper()
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.TrimSpace(lines) + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("ip -batch: %v\n%s", err, out)
	}
}

func (w *real) open(t testing.TB, change ...func(*fib.Config)) *fib.FIB { return open(t, nil, change) }

func (w *real) index(device string) int {
	i, err := net.InterfaceByName(device)
	if err != nil {
		w.t.Fatal(err)
	}
	return i.Index
}

// setUp takes a device down and up as an operator does, with the IPv6 addresses that the kernel drops.
func (w *real) setUp(device string, up bool) {
	if !up {
		w.ip("link", "set", device, "down")
		return
	}
	addr := map[string]string{"east": "fd00::1/64", "west": "fd00:1::1/64"}[device]
	w.batch("link set " + device + " up\naddr replace " + addr + " dev " + device + " nodad")
}

func (w *real) plant(table uint32, prefix string, protocol uint8, metric uint32) {
	via := "10.0.0.9"
	if strings.Contains(prefix, ":") {
		via = "fd00::9"
	}
	w.ip("route", "replace", prefix, "via", via, "dev", "east", "table", fmt.Sprint(table), "proto", fmt.Sprint(protocol), "metric", fmt.Sprint(metric))
}

func (w *real) pull(table uint32, prefix string, metric uint32) {
	w.ip("route", "del", prefix, "table", fmt.Sprint(table), "metric", fmt.Sprint(metric))
}

func (w *real) plantNexthop(id uint32, protocol uint8, gateway, device string) {
	w.ip("nexthop", "replace", "id", fmt.Sprint(id), "via", gateway, "dev", device, "proto", fmt.Sprint(protocol))
}

func (w *real) pullNexthop(id uint32) { w.ip("nexthop", "del", "id", fmt.Sprint(id)) }

type ipNexthop struct {
	ID           uint32
	Gateway, Dev string
	Flags        []string
	Type         string
	Group        []ipMember
}

type ipMember struct{ ID, Weight uint32 }

type ipRoute struct {
	Dst, Gateway, Dev, Protocol string
	Metric                      uint32
	Nhid                        uint32
}

func (w *real) nexthops() map[uint32]ipNexthop {
	var list []ipNexthop
	w.decode(w.ip("-N", "-j", "nexthop"), &list)
	m := map[uint32]ipNexthop{}
	for _, n := range list {
		m[n.ID] = n
	}
	return m
}

func (w *real) decode(text string, into any) {
	w.t.Helper()
	if strings.TrimSpace(text) == "" {
		return
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		w.t.Fatalf("%v in %s", err, text)
	}
}

func (w *real) ids() (ids []uint32) {
	for id := range w.nexthops() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// routes reads the kernel with iproute2, independently of what it tests, and prints in fibtest's form.
func (w *real) routes(table uint32) string {
	nexthops := w.nexthops()
	hop := func(n ipNexthop) string {
		s := "via " + n.Gateway + " dev " + n.Dev
		if slices.Contains(n.Flags, "onlink") {
			s += " onlink"
		}
		return s
	}
	var b strings.Builder
	for _, family := range []string{"-4", "-6"} {
		for _, r := range w.dump(family, table) {
			hops := []string{"via " + r.Gateway + " dev " + r.Dev}
			if n, ok := nexthops[r.Nhid]; ok {
				hops = []string{hop(n)}
				if n.Group != nil {
					hops = nil
				}
				active := w.active(n)
				for _, m := range active {
					h := hop(nexthops[m.ID])
					if slices.ContainsFunc(active, func(o ipMember) bool { return o.Weight != m.Weight }) {
						h += fmt.Sprintf(" weight %d", max(m.Weight, 1))
					}
					hops = append(hops, h)
				}
			}
			slices.Sort(hops)
			if len(hops) == 1 {
				fmt.Fprintf(&b, "%s %s proto %s metric %d\n", r.Dst, hops[0], r.Protocol, r.Metric)
				continue
			}
			fmt.Fprintf(&b, "%s proto %s metric %d\n\tnexthop %s\n", r.Dst, r.Protocol, r.Metric, strings.Join(hops, "\n\tnexthop "))
		}
	}
	return b.String()
}

// active are the members of a group that get traffic: TestBuckets shows that it is so.
func (w *real) active(n ipNexthop) []ipMember {
	heavy := slices.DeleteFunc(slices.Clone(n.Group), func(m ipMember) bool { return m.Weight <= 1 }) // ip leaves 1 out
	if n.Type != "resilient" || len(heavy) == 0 {
		return n.Group
	}
	return heavy
}

func (w *real) dump(family string, table uint32) (list []ipRoute) {
	out, err := exec.Command("ip", "-N", "-j", family, "route", "show", "table", fmt.Sprint(table)).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && strings.Contains(string(failed.Stderr), "table does not exist") {
		return nil
	} else if err != nil {
		w.t.Fatalf("ip route show: %v", err)
	}
	w.decode(string(out), &list)
	bits := func(dst string) (netip.Addr, int) {
		if p, err := netip.ParsePrefix(dst); err == nil {
			return p.Addr(), p.Bits()
		}
		a, err := netip.ParseAddr(dst)
		if err != nil {
			return netip.Addr{}, 0 // default
		}
		return a, a.BitLen()
	}
	for i, r := range list {
		if a, n := bits(r.Dst); a.IsValid() {
			list[i].Dst = netip.PrefixFrom(a, n).String()
		}
	}
	slices.SortStableFunc(list, func(x, y ipRoute) int {
		a, n := bits(x.Dst)
		b, m := bits(y.Dst)
		if c := a.Compare(b); c != 0 {
			return c
		}
		if n != m {
			return n - m
		}
		return int(x.Metric) - int(y.Metric)
	})
	return list
}
