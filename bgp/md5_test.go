package bgp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/bgp/internal/bgptest"
)

// dialMD5 makes one TCP connection signed with the key (RFC 2385), or without when it is empty.
func dialMD5(from netip.Addr, to netip.AddrPort, key string) error {
	d := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)),
		Timeout:   600 * time.Millisecond,
		Control: func(_, _ string, c syscall.RawConn) (err error) {
			if key == "" {
				return nil
			}
			sig := unix.TCPMD5Sig{Keylen: uint16(len(key))}
			sig.Addr.Family = unix.AF_INET
			a := to.Addr().As4()
			copy(sig.Addr.Data[2:], a[:])
			copy(sig.Key[:], key)
			e := c.Control(func(fd uintptr) {
				err = unix.SetsockoptTCPMD5Sig(int(fd), unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig)
			})
			if e != nil {
				return e
			}
			return err
		},
	}
	c, err := d.DialContext(context.Background(), "tcp", to.String())
	if err == nil {
		_ = c.Close()
	}
	return err
}

func TestKeys(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	const old, fresh = "old-secret-key", "new-secret-key"
	a, b := startNode(t, 65001), startNode(t, 65002)
	pair(t, a, b, []func(*Peer){password(old)}, []func(*Peer){password(old)})

	// b's listener answers only to a's address with the right key.
	accepts := func(key string, want bool) {
		t.Helper()
		if err := dialMD5(a.addr, b.at(), key); (err == nil) != want {
			t.Errorf("key %q: %v, want accepted %v", key, err, want)
		}
	}
	accepts(old, true)
	accepts("", false)
	accepts(fresh, false)

	ma, mb := a.rec.Len(), b.rec.Len()
	must(t, b.SetPeers([]Peer{a.as(from(b), passive, password(fresh))}))
	accepts(old, false)
	accepts("", false)
	accepts(fresh, true)
	must(t, b.Advertise("", []Advertisement{{Prefix: prefix("10.1.0.0/16")}}))
	time.Sleep(time.Second)
	a.rec.Never(t, ma, "+[10.1.0.0/16]") // signed with a key that a does not know yet
	must(t, a.SetPeers([]Peer{b.as(from(a), password(fresh))}))
	a.rec.Wait(t, ma, "+[10.1.0.0/16]")
	time.Sleep(10 * time.Second) // longer than the hold time
	a.rec.Never(t, ma, "up=false")
	b.rec.Never(t, mb, "up=false")
	testRotatedKeyIsDialledWith(t, a, b)

	must(t, b.SetPeers(nil))
	b.rec.Wait(t, mb, append(down(a), "state=removed")...)
	must(t, b.SetPeers([]Peer{a.as(from(b), passive)})) // no key is left on the listener
	accepts("", true)
	accepts(old, false)
	accepts(fresh, false)

	for _, n := range []*node{a, b} {
		for _, text := range append(n.rec.Lines(), n.log.String(), fmt.Sprintf("%+v", n.Status(5*time.Second))) {
			if strings.Contains(text, "secret") {
				t.Errorf("a key is told: %s", text)
			}
		}
	}
}

// testRotatedKeyIsDialledWith ends the session: it comes up again with the new key.
func testRotatedKeyIsDialledWith(t *testing.T, a, b *node) {
	t.Helper()
	m := b.rec.Len()
	must(t, b.Reset(t.Context(), a.addr, "test"))
	m = b.rec.Wait(t, m, down(a)...)
	b.rec.Wait(t, m, up(a)...)
}

func TestKeyTakenOff(t *testing.T) {
	n := startNode(t, 65001)
	a := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{rawPeer(a, password("secret"))}))
	if err := dialMD5(a, n.at(), ""); err == nil {
		t.Error("accepted without the key")
	}
	must(t, n.SetPeers([]Peer{rawPeer(a)}))
	redial(t, n, a)
	if st := n.Status(5 * time.Second); len(st) != 1 || st[0].Authenticated {
		t.Errorf("peers: %+v", st)
	}
}

// TestWhyNotUp: what keeps a session from coming up is told once, not at each attempt.
func TestWhyNotUp(t *testing.T) {
	if inOwnProcess(t, 0) {
		return
	}
	n := startNode(t, 65001)
	dead := bgptest.Loopback()
	must(t, n.SetPeers([]Peer{{Address: dead, Port: bgptest.FreePort(t, dead), ASN: peerASN, ConnectRetry: time.Second}}))
	m := n.rec.Wait(t, 0, fmt.Sprintf("peer=%v up=false", dead), "cannot connect", "connection refused")
	time.Sleep(5 * time.Second)
	n.rec.Never(t, m, "cannot connect")
	if st := n.Status(5 * time.Second); len(st) != 1 || !strings.Contains(st[0].Reason, "connection refused") {
		t.Errorf("peers: %+v", st)
	}
}
