package fib_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
)

var ne = binary.NativeEndian

// bystander sees what happens to a table's routes, as any other program could: it counts notifications, and looks prefixes up.
type bystander struct {
	t                    *testing.T
	stays                map[netip.Prefix]bool // those that may not be missing for a moment
	fd                   int
	lost, misses         atomic.Bool
	added, deleted, wild atomic.Int64 // notifications: of routes made or replaced, of routes deleted, of those that touch what they should not
	lookups              atomic.Int64
	ended                sync.WaitGroup
	stop                 chan struct{}
}

// watchOver begins to watch, in this thread's namespace, until the test ends.
func (w *real) watchOver(t *testing.T, stays map[netip.Prefix]bool) *bystander {
	b := &bystander{t: t, stays: stays, stop: make(chan struct{})}
	var err error
	if b.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		unix.SetsockoptInt(b.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 256<<20),
		unix.SetsockoptTimeval(b.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50000}),
		unix.Bind(b.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_IPV4_ROUTE - 1)}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := newProber()
	if err != nil {
		t.Fatal(err)
	}
	b.ended.Go(b.listen)
	b.ended.Go(func() { b.look(p) })
	return b
}

// end stops watching, once all notifications are read.
func (b *bystander) end() {
	close(b.stop)
	b.ended.Wait()
	_ = unix.Close(b.fd)
}

func (b *bystander) listen() {
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(b.fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			select {
			case <-b.stop:
				return
			default:
			}
		case err != nil:
			b.lost.Store(true)
		default:
			b.take(buf[:n])
		}
	}
}

// take reads datagrams of route messages: struct nlmsghdr, struct rtmsg, attributes.
func (b *bystander) take(data []byte) {
	for len(data) >= 28 {
		n := int(ne.Uint32(data))
		m := data[:n]
		data = data[min((n+3)&^3, len(data)):]
		var dst netip.Prefix
		for a := m[28:]; len(a) >= 4; a = a[min((int(ne.Uint16(a))+3)&^3, len(a)):] {
			if ne.Uint16(a[2:]) == unix.RTA_DST && ne.Uint16(a) == 8 {
				dst = netip.PrefixFrom(netip.AddrFrom4([4]byte(a[4:8])), int(m[17]))
			}
		}
		switch deletes := ne.Uint16(m[4:]) == unix.RTM_DELROUTE; {
		case m[21] != fib.Protocol || deletes && b.stays[dst]:
			b.wild.Add(1)
		case deletes:
			b.deleted.Add(1)
		default:
			b.added.Add(1)
		}
	}
}

// look looks up what stays, one prefix after the other.
func (b *bystander) look(p *prober) {
	defer p.close()
	for {
		for dst := range b.stays {
			select {
			case <-b.stop:
				return
			default:
			}
			if device, err := p.device(dst.Addr().Next()); err == nil && device == 0 {
				b.misses.Store(true)
			}
			b.lookups.Add(1)
			if b.lookups.Load()%16 == 0 {
				time.Sleep(time.Millisecond) // leave some of the processor to the others
			}
		}
	}
}

// contents reads the table's IPv4 routes with iproute2: the protocol and the device of each.
func (w *real) contents(table int) map[netip.Prefix]string {
	w.t.Helper()
	devices := map[string]string{} // by id; of a group that of its greatest weight
	nexthops := w.nexthops()
	for id, n := range nexthops {
		dev, weight := n.Dev, uint32(0)
		for i, m := range n.Group {
			if i == 0 || m.Weight > weight {
				dev, weight = nexthops[m.ID].Dev, m.Weight
			}
		}
		devices[fmt.Sprint(id)] = dev
	}
	out, err := exec.Command("ip", "-N", "route", "show", "table", fmt.Sprint(table)).Output()
	if err != nil {
		w.t.Fatal(err)
	}
	all := make(map[netip.Prefix]string)
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		value := map[string]string{}
		for i := 1; i+1 < len(f); i += 2 {
			value[f[i]] = f[i+1]
		}
		dev := value["dev"]
		if id := value["nhid"]; id != "" {
			dev = devices[id]
		}
		all[netip.MustParsePrefix(f[0])] = "proto " + value["proto"] + " dev " + dev
	}
	return all
}

// Numbers of TestKilledPredecessor's routes: of those the predecessor held half stay, some of these with another gateway, and new ones come.
const (
	inherited = 500000
	moved     = 5000
	fresh     = 1000
)

// TestKilledPredecessor: a process that held half a million routes was killed. The next one is told half of them again, a few with another gateway, and
// some new ones: no route that is announced is missing for a moment, nothing else stays, and nothing of others' is touched.
func TestKilledPredecessor(t *testing.T) {
	w := newReal(t)
	w.lookIn(fmt.Sprint(table))
	a := newBench(t, w)
	all := changes(inherited+fresh, nil)
	sets := a.inheritedSets()
	for i := range all[:inherited] {
		all[i].Set = sets[i%2]
	}
	noErrors(t, a.Apply(t.Context(), all[:inherited]))
	w.batch(`
nexthop add id 77 via 10.0.0.9 dev east proto 11
route add 192.0.2.0/24 nhid 77 proto 11 metric 179 table 10001
route add 198.51.100.0/24 via 10.0.0.9 dev east proto 4 metric 20 table 10001`)

	b := a.restart()
	announced, stays, want := b.announcedAgain(all)
	look := w.watchOver(t, stays)
	began := time.Now()
	b.takeOver(announced)
	took := time.Since(began)
	look.end()
	if limit := time.Minute; took > limit {
		t.Errorf("it took %v, more than %v", took, limit)
	}
	t.Logf("%d lookups meanwhile", look.lookups.Load())
	if look.misses.Load() || look.wild.Load() > 0 {
		t.Errorf("lookups missed: %v; %d notifications of what should have stayed", look.misses.Load(), look.wild.Load())
	}
	if added, deleted := look.added.Load(), look.deleted.Load(); !look.lost.Load() && (added != moved+fresh || deleted != inherited/2) {
		t.Errorf("%d routes were written, want %d; %d deleted, want %d", added, moved+fresh, deleted, inherited/2)
	}
	b.compare(w, want)
	b.audit(fib.Drift{Foreign: 1})
}

// inheritedSets are those of even and of odd routes.
func (b *bench) inheritedSets() [2]*fib.Set {
	return [2]*fib.Set{b.set("10.0.0.2 east"), b.set("10.0.1.2 west else 10.0.0.3 east")}
}

// announcedAgain are the routes that the next process is told, those of them that the kernel has had all along, and what the table is to hold in the end.
func (b *bench) announcedAgain(all []fib.Change) (announced []fib.Change, stays map[netip.Prefix]bool, want map[netip.Prefix]string) {
	sets, shown := b.inheritedSets(), [2]string{"proto 86 dev east", "proto 86 dev west"}
	stays = make(map[netip.Prefix]bool, inherited/2)
	want = map[netip.Prefix]string{
		netip.MustParsePrefix("192.0.2.0/24"): "proto 11 dev east", netip.MustParsePrefix("198.51.100.0/24"): "proto 4 dev east",
	}
	for i, c := range all {
		set := i % 2
		switch {
		case i < moved:
			set = 1 - set
		case i >= inherited/2 && i < inherited:
			continue
		}
		if i < inherited {
			stays[c.Prefix] = true
		}
		c.Set, want[c.Prefix] = sets[set], shown[set]
		announced = append(announced, c)
	}
	return announced, stays, want
}

// takeOver is what a router does after a restart.
func (b *bench) takeOver(announced []fib.Change) {
	b.t.Helper()
	began := time.Now()
	b.adopt(inherited)
	adopted := time.Since(began)
	for chunk := range slices.Chunk(announced, 4096) { // as UPDATEs come in
		noErrors(b.t, b.Apply(b.t.Context(), chunk))
	}
	told := time.Since(began)
	b.sweep(inherited / 2)
	if _, err := b.f.Collect(b.t.Context()); err != nil {
		b.t.Error(err)
	}
	b.t.Logf("adopted after %v, told after %v, swept after %v", adopted, told, time.Since(began))
}

// compare compares the table with what it should hold.
func (b *bench) compare(w *real, want map[netip.Prefix]string) {
	b.t.Helper()
	got := w.contents(table)
	wrong := 0
	for p, s := range want {
		if got[p] != s {
			wrong++
			b.t.Logf("%s: %q, want %q", p, got[p], s)
		}
		if wrong > 5 {
			break
		}
	}
	if wrong > 0 || len(got) != len(want) {
		b.t.Errorf("the table has %d routes, want %d", len(got), len(want))
	}
}
