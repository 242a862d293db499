package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// NS is a network namespace, by its name also for `ip netns exec`.
type NS struct {
	Name   string
	lab    *Lab
	handle netns.NsHandle
	view   *os.File // of the file system; nil: the lab's
}

// namespaceDefaults make addresses usable at once (no duplicate address
// detection) and keep the kernel from dropping what the tests send.
var namespaceDefaults = []string{
	"net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
	"net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0",
	"net.ipv6.conf.default.accept_ra=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv4.conf.all.rp_filter=0",
}

// Namespace returns the namespace of that name and makes it if need be.
func (l *Lab) Namespace(name string) *NS {
	l.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.names[name]; ok {
		return n
	}
	n := &NS{Name: name, lab: l}
	err := onThread(func() (err error) {
		n.handle, err = netns.NewNamed(name)
		return err
	})
	if err == nil {
		err = n.Do(func() error {
			lo, err := netlink.LinkByName("lo")
			if err != nil {
				return err
			}
			return netlink.LinkSetUp(lo)
		})
	}
	if err != nil {
		l.Fatalf("namespace %s: %v", name, err)
	}
	l.names[name] = n
	n.Sysctl(namespaceDefaults...)
	return n
}

func (n *NS) close() {
	_ = n.handle.Close()
	_ = netns.DeleteNamed(n.Name)
	if n.view != nil {
		_ = n.view.Close()
	}
}

// onThread runs f on a thread of its own, which ends with it, so that
// whatever namespace f enters is left behind.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := errors.New("ended early")
		defer func() { done <- err }()
		err = f()
	}()
	return <-done
}

// Do runs f on a thread in the namespace. Sockets, netlink handles and
// processes that f makes stay in it; goroutines that f starts are not.
func (n *NS) Do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(n.handle); err != nil {
			return fmt.Errorf("enter namespace %s: %w", n.Name, err)
		}
		if err := n.enter(); err != nil {
			return fmt.Errorf("enter the view of %s: %w", n.Name, err)
		}
		return f()
	})
}

// Run runs a command and returns its output; an error has both streams.
func (n *NS) Run(args ...string) (string, error) { return n.RunInput("", args...) }

// RunInput is Run with text on standard input.
func (n *NS) RunInput(input string, args ...string) (string, error) {
	var stdout, stderr strings.Builder
	err := n.Do(func() error {
		cmd := exec.CommandContext(n.lab.Context(), args[0], args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
		return cmd.Run()
	})
	if err != nil {
		err = fmt.Errorf("%s: %s: %w: %s", n.Name, strings.Join(args, " "), err,
			strings.TrimSpace(stderr.String()+stdout.String()))
	}
	return stdout.String(), err
}

// MustRun is Run where a failure ends the test.
func (n *NS) MustRun(args ...string) string {
	n.lab.Helper()
	out, err := n.Run(args...)
	if err != nil {
		n.lab.Fatalf("%v", err)
	}
	return out
}

// JSON runs a command and decodes its output.
func (n *NS) JSON(v any, args ...string) error {
	out, err := n.Run(args...)
	if err != nil {
		return err
	}
	if strings.TrimSpace(out) == "" {
		out = "[]" // what ip -j prints when there is nothing
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		return fmt.Errorf("%s: %s: %w", n.Name, strings.Join(args, " "), err)
	}
	return nil
}

// IP runs lines of the ip command in one process ("link set eth0 up"): a
// process costs 50 ms in user-mode-linux.
func (n *NS) IP(lines ...string) {
	n.lab.Helper()
	if _, err := n.RunInput(strings.Join(lines, "\n")+"\n", "ip", "-batch", "-"); err != nil {
		n.lab.Fatalf("%v", err)
	}
}

// Sysctl sets variables ("net.ipv4.ip_forward=1"); slashes stand for
// themselves, for devices with a dot in their name.
func (n *NS) Sysctl(settings ...string) {
	n.lab.Helper()
	err := n.Do(func() error {
		for _, s := range settings {
			key, value, _ := strings.Cut(s, "=")
			if !strings.Contains(key, "/") {
				key = strings.ReplaceAll(key, ".", "/")
			}
			if err := os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.lab.Fatalf("%s: sysctl: %v", n.Name, err)
	}
}

// Forward makes the namespace a router of both families, hashing ECMP by
// addresses and ports.
func (n *NS) Forward() {
	n.lab.Helper()
	n.Sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
		"net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1")
}

// Veth lays a cable between two namespaces, both ends up.
func (l *Lab) Veth(a *NS, aDev string, b *NS, bDev string) {
	l.Helper()
	err := a.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = aDev
		err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: bDev, PeerNamespace: netlink.NsFd(int(b.handle))})
		if err != nil {
			return err
		}
		return linkUp(aDev)
	})
	if err == nil {
		err = b.Do(func() error { return linkUp(bDev) })
	}
	if err != nil {
		l.Fatalf("cable %s/%s to %s/%s: %v", a.Name, aDev, b.Name, bDev, err)
	}
}

func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// Link takes a device up or down.
func (n *NS) Link(dev string, up bool) {
	n.lab.Helper()
	err := n.Do(func() error {
		link, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		if up {
			return netlink.LinkSetUp(link)
		}
		return netlink.LinkSetDown(link)
	})
	if err != nil {
		n.lab.Fatalf("%s: %s: %v", n.Name, dev, err)
	}
}

// Counters are a device's since it was made.
type Counters struct{ RxPackets, TxPackets, RxBytes, TxBytes, RxDropped, TxDropped uint64 }

// Counters reads those of a device.
func (n *NS) Counters(dev string) Counters {
	n.lab.Helper()
	var c Counters
	err := n.Do(func() error {
		link, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		if s := link.Attrs().Statistics; s != nil {
			c = Counters{s.RxPackets, s.TxPackets, s.RxBytes, s.TxBytes, s.RxDropped, s.TxDropped}
		}
		return nil
	})
	if err != nil {
		n.lab.Fatalf("%s: counters of %s: %v", n.Name, dev, err)
	}
	return c
}

// Route is a kernel route as ip prints it.
type Route struct {
	Dst      string `json:"dst"`
	Gateway  string `json:"gateway"`
	Dev      string `json:"dev"`
	Protocol string `json:"protocol"`
	Metric   int    `json:"metric"`
	NHID     int    `json:"nhid"`
	Nexthops []struct {
		Gateway string `json:"gateway"`
		Dev     string `json:"dev"`
	} `json:"nexthops"`
}

// Routes lists a family's ("4" or "6") routes of a table ("main", "10001",
// or "vrf NAME"), narrowed by more words of ip route ("proto 86").
func (n *NS) Routes(family, table string, more ...string) ([]Route, error) {
	var routes []Route
	where := []string{"table", table}
	if strings.HasPrefix(table, "vrf ") {
		where = strings.Fields(table)
	}
	args := slices.Concat([]string{"ip", "-j", "-N", "-" + family, "route", "show"}, where, more)
	err := n.JSON(&routes, args...)
	return routes, err
}

// HasRoute is nil when a table ("main", its number, or "vrf NAME") holds a route to
// prefix, of one protocol if "proto", NAME or NUMBER follow. It starts no
// process: for looking often.
func (n *NS) HasRoute(prefix, table string, proto ...string) error {
	want, err := netip.ParsePrefix(prefix)
	if err != nil {
		return err
	}
	family := netlink.FAMILY_V4
	if want.Addr().Is6() {
		family = netlink.FAMILY_V6
	}
	var routes []netlink.Route
	err = n.Do(func() error {
		filter, mask, err := routeFilter(table, proto)
		if err != nil {
			return err
		}
		routes, err = netlink.RouteListFiltered(family, filter, mask)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: list routes: %w", n.Name, err)
	}
	var have []string
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		if have = append(have, r.Dst.String()); r.Dst.String() == want.Masked().String() {
			return nil
		}
	}
	return fmt.Errorf("%s: no route to %s in table %s, only to %v", n.Name, prefix, table, have)
}

// routeFilter is run in the namespace.
func routeFilter(table string, proto []string) (*netlink.Route, uint64, error) {
	number, err := tableNumber(table)
	if err != nil {
		return nil, 0, err
	}
	filter, mask := &netlink.Route{Table: number}, netlink.RT_FILTER_TABLE
	if len(proto) == 0 {
		return filter, mask, nil
	}
	if len(proto) != 2 || proto[0] != "proto" {
		return nil, 0, fmt.Errorf("filter %q: legal: proto NAME", proto)
	}
	// Names as in rtnetlink.h.
	p, ok := map[string]int{"bgp": 186, "bird": 12, "kernel": 2, "static": 4, "zebra": 11}[proto[1]]
	if !ok {
		if p, err = strconv.Atoi(proto[1]); err != nil {
			return nil, 0, fmt.Errorf("protocol %q: legal: a number, bgp, bird, kernel, static, zebra", proto[1])
		}
	}
	filter.Protocol = netlink.RouteProtocol(p)
	return filter, mask | netlink.RT_FILTER_PROTOCOL, nil
}

func tableNumber(table string) (int, error) {
	if table == "main" {
		return 254, nil
	}
	if name, ok := strings.CutPrefix(table, "vrf "); ok {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return 0, fmt.Errorf("vrf %s: %w", name, err)
		}
		if vrf, ok := link.(*netlink.Vrf); ok {
			return int(vrf.Table), nil
		}
		return 0, fmt.Errorf("vrf %s: the device is a %s", name, link.Type())
	}
	number, err := strconv.Atoi(table)
	if err != nil {
		return 0, fmt.Errorf("table %q: legal: main, a number, vrf NAME", table)
	}
	return number, nil
}
