package vbr

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/fib"
	"github.com/openvbr/openvbr/internal/bench/feed"
)

const feedYAML = `kind: VirtualBorderRouter
name: vbr-acme
vrf: default
physical_connection_id: pc-1
vlan_id: 0
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.0.2
peering_subnet_mask: /29
bgp_peers:
  - {peer_ip_address: 10.0.0.2, peer_asn: 65001, hold: 90}
  - {peer_ip_address: 10.0.0.3, peer_asn: 65002, hold: 90}
`

// newFeedSite is a site without BIRD: its two peers are sessions of the test's own, which can say anything at any rate.
func newFeedSite(t *testing.T) *site {
	s := &site{T: t, dir: t.TempDir()}
	s.customer = start(t, syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}, nil, "sleep", "infinity").Process.Pid
	run(t, "ip link set lo up")
	run(t, "ip link add port0 type veth peer name eth0 netns "+fmt.Sprint(s.customer))
	t.Cleanup(func() { run(t, "ip link del port0") })
	run(t, "ip link set port0 up")
	for _, line := range []string{
		"ip link set lo up", "ip link set eth0 up", "ip addr add 10.0.0.2/29 dev eth0", "ip addr add 10.0.0.3/29 dev eth0",
	} {
		run(t, fmt.Sprintf("nsenter -t %d -n %s", s.customer, line))
	}
	s.write("resources.d/port.yaml", portYAML)
	s.write("resources.d/acme.yaml", feedYAML)
	return s
}

// peer opens the session of the peer with the last octet 2 or 3.
func (s *site) peer(octet byte) *feed.Session {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	p := feed.Peer{ASN: 64999 + uint32(octet), Local: netip.AddrFrom4([4]byte{10, 0, 0, octet}), Remote: netip.MustParseAddr("10.0.0.1")}
	session, err := p.Dial(ctx, s.inCustomer)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(session.Close)
	s.say(session, feed.EndOfRIB())
	return session
}

func (s *site) say(session *feed.Session, b []byte) {
	s.Helper()
	if err := session.Send(b); err != nil {
		s.Fatal(err)
	}
}

// inCustomer runs do in the customer's network namespace. The thread comes back: processes that it started end with it.
func (s *site) inCustomer(do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	there, err := os.Open(filepath.Join("/proc", fmt.Sprint(s.customer), "ns/net"))
	if err != nil {
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	return errors.Join(do(), unix.Setns(int(home.Fd()), unix.CLONE_NEWNET))
}

// announcement is an UPDATE (RFC 4271 4.3) of an AS for prefixes whose length is a multiple of eight.
func announcement(asn uint32, nextHop string, prefixes ...string) []byte {
	attrs := []byte{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1} // ORIGIN IGP, AS_PATH
	attrs = binary.BigEndian.AppendUint32(attrs, asn)
	attrs = append(attrs, 0x40, 3, 4) // NEXT_HOP
	return update(nil, append(attrs, netip.MustParseAddr(nextHop).AsSlice()...), nlri(prefixes))
}

func withdrawal(prefixes ...string) []byte { return update(nlri(prefixes), nil, nil) }

func update(withdrawn, attrs, announced []byte) []byte {
	var b []byte
	for range 16 {
		b = append(b, 0xff)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(19+4+len(withdrawn)+len(attrs)+len(announced)))
	b = append(b, 2)
	b = binary.BigEndian.AppendUint16(b, uint16(len(withdrawn)))
	b = append(b, withdrawn...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attrs)))
	return append(append(b, attrs...), announced...)
}

func nlri(prefixes []string) (b []byte) {
	for _, text := range prefixes {
		p := netip.MustParsePrefix(text)
		b = append(append(b, byte(p.Bits())), p.Addr().AsSlice()[:p.Bits()/8]...)
	}
	return b
}

// writes counts what happens to our routes in the kernel, by prefix, as notifications tell.
type writes struct {
	fd    int
	ended sync.WaitGroup
	mu    sync.Mutex
	at    map[string][]time.Time
	lost  bool
}

// watchWrites listens from now on until the test ends.
func watchWrites(t *testing.T) *writes {
	w := &writes{at: map[string][]time.Time{}}
	var err error
	if w.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE); err != nil {
		t.Fatal(err)
	}
	wake := unix.Timeval{Usec: 50000}
	for _, err := range []error{
		unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20),
		unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wake),
		unix.Bind(w.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_IPV4_ROUTE - 1)}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	w.ended.Go(func() { w.read(stop) })
	t.Cleanup(func() {
		close(stop)
		w.ended.Wait()
		_ = unix.Close(w.fd)
	})
	return w
}

func (w *writes) read(stop chan struct{}) {
	buf := make([]byte, 1<<16)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, err := unix.Read(w.fd, buf)
		if err != nil {
			w.mu.Lock()
			w.lost = w.lost || errors.Is(err, unix.ENOBUFS)
			w.mu.Unlock()
			continue
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			continue
		}
		for _, m := range messages {
			w.take(m, time.Now())
		}
	}
}

func (w *writes) take(m syscall.NetlinkMessage, now time.Time) {
	if len(m.Data) < unix.SizeofRtMsg || m.Data[5] != fib.Protocol {
		return
	}
	attrs, err := syscall.ParseNetlinkRouteAttr(&m)
	if err != nil {
		return
	}
	for _, a := range attrs {
		if a.Attr.Type == unix.RTA_DST && len(a.Value) == 4 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte(a.Value)), int(m.Data[1])).String()
			w.mu.Lock()
			w.at[p] = append(w.at[p], now)
			w.mu.Unlock()
		}
	}
}

// of returns when a prefix was written or deleted.
func (w *writes) of(t *testing.T, prefix string) []time.Time {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost {
		t.Fatal("notifications were lost: nothing can be said")
	}
	return slices.Clone(w.at[prefix])
}
