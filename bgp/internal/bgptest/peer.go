// Package bgptest holds what the tests of the speakers need: a BGP peer that sends exactly the
// bytes it is told to, a recorder of handler calls, and addresses that do not clash.
//
// It is for tests only, and it is not a BGP implementation: it has no state machine and checks
// nothing.
package bgptest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// Message types, RFC 4271 4.1 and RFC 2918.
const (
	Open         = 1
	UpdateMsg    = 2
	RouteRefresh = 5
	Notification = 3
	Keepalive    = 4
)

const patience = 10 * time.Second

// Peer is one connection to the speaker under test.
type Peer struct {
	t    testing.TB
	conn net.Conn
}

// Dial connects from the local address, again and again until the speaker lets it: it closes
// connections that come while its session is idle.
func Dial(t testing.TB, local netip.Addr, to netip.AddrPort, asn uint32, caps ...[]byte) *Peer {
	t.Helper()
	return DialHold(t, local, to, asn, 9, caps...)
}

// DialHold is Dial with a hold time in seconds.
func DialHold(t testing.TB, local netip.Addr, to netip.AddrPort, asn uint32, hold uint16, caps ...[]byte) *Peer {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var p *Peer
		if p, err = Connect(t, local, to); err != nil {
			continue
		}
		if err = p.handshake(asn, hold, caps); err == nil {
			return p
		}
		p.Close()
	}
	t.Fatalf("no session from %v to %v: %v", local, to, err)
	return nil
}

// Connect makes one TCP connection.
func Connect(t testing.TB, local netip.Addr, to netip.AddrPort) (*Peer, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0)), Timeout: time.Second}
	c, err := d.Dial("tcp", to.String())
	if err != nil {
		return nil, err
	}
	p := &Peer{t, c}
	t.Cleanup(p.Close)
	return p, nil
}

// Close closes the connection without a NOTIFICATION.
func (p *Peer) Close() { _ = p.conn.Close() }

// Conn is the connection itself.
func (p *Peer) Conn() net.Conn { return p.conn }

// Handshake is the exchange of OPEN, with a hold time of 9 s, and KEEPALIVE on a connection.
func (p *Peer) Handshake(asn uint32, caps ...[]byte) error { return p.handshake(asn, 9, caps) }

func (p *Peer) handshake(asn uint32, hold uint16, caps [][]byte) error {
	if err := p.send(Open, OpenBody(asn, hold, caps...)); err != nil {
		return err
	}
	for _, want := range []byte{Open, Keepalive} {
		typ, _, err := p.read(time.Second)
		if err != nil {
			return err
		}
		if typ != want {
			return fmt.Errorf("message type %d, want %d", typ, want)
		}
		if want == Open {
			if err := p.send(Keepalive, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// OpenBody is an OPEN with router id 192.0.2.99 and the four-octet AS capability before the others.
func OpenBody(asn uint32, hold uint16, caps ...[]byte) []byte {
	as4 := binary.BigEndian.AppendUint32([]byte{65, 4}, asn)
	params := as4
	for _, c := range caps {
		params = append(params, c...)
	}
	short := uint16(23456)
	if asn < 1<<16 {
		short = uint16(asn)
	}
	b := []byte{4}
	b = binary.BigEndian.AppendUint16(b, short)
	b = binary.BigEndian.AppendUint16(b, hold)
	b = append(b, 192, 0, 2, 99, byte(len(params)+2), 2, byte(len(params)))
	return append(b, params...)
}

// MP is the multiprotocol capability (RFC 4760 8).
func MP(afi uint16, safi byte) []byte { return []byte{1, 4, byte(afi >> 8), byte(afi), 0, safi} }

// GR is the graceful restart capability (RFC 4724 3) for families given as afi, safi, flags.
func GR(flags byte, seconds uint16, families ...[3]byte) []byte {
	v := binary.BigEndian.AppendUint16(nil, uint16(flags)<<12|seconds)
	for _, f := range families {
		v = append(v, 0, f[0], f[1], f[2])
	}
	return append([]byte{64, byte(len(v))}, v...)
}

// Send sends one message.
func (p *Peer) Send(typ byte, body []byte) {
	p.t.Helper()
	if err := p.send(typ, body); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

func (p *Peer) send(typ byte, body []byte) error {
	_, err := p.conn.Write(Message(typ, body))
	return err
}

// Message is a whole message with header.
func Message(typ byte, body []byte) []byte {
	b := make([]byte, 16, 19+len(body))
	for i := range b {
		b[i] = 0xff
	}
	b = binary.BigEndian.AppendUint16(b, uint16(19+len(body)))
	return append(append(b, typ), body...)
}

// Update sends an UPDATE.
func (p *Peer) Update(withdrawn, attrs, nlri []byte) {
	p.t.Helper()
	p.Send(UpdateMsg, UpdateBody(withdrawn, attrs, nlri))
}

// UpdateBody is the body of an UPDATE.
func UpdateBody(withdrawn, attrs, nlri []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(withdrawn)))
	b = append(b, withdrawn...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(attrs)))
	b = append(b, attrs...)
	return append(b, nlri...)
}

// Attr is a path attribute with a length of one octet, or two when it needs them.
func Attr(flags, typ byte, value ...byte) []byte {
	if len(value) > 255 {
		return append([]byte{flags | 0x10, typ, byte(len(value) >> 8), byte(len(value))}, value...)
	}
	return append([]byte{flags, typ, byte(len(value))}, value...)
}

// Join concatenates.
func Join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// NLRI encodes prefixes (RFC 4271 4.3).
func NLRI(prefixes ...string) (b []byte) {
	for _, s := range prefixes {
		p := netip.MustParsePrefix(s)
		b = append(b, byte(p.Bits()))
		b = append(b, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)
	}
	return b
}

// ASPath is the attribute with one AS_SEQUENCE of four-octet numbers.
func ASPath(asns ...uint32) []byte {
	v := []byte{2, byte(len(asns))}
	for _, a := range asns {
		v = binary.BigEndian.AppendUint32(v, a)
	}
	return Attr(0x40, 2, v...)
}

// Basic is ORIGIN IGP, an AS_PATH, and NEXT_HOP unless it is the zero address.
func Basic(nextHop netip.Addr, asns ...uint32) []byte {
	b := append(Attr(0x40, 1, 0), ASPath(asns...)...)
	if nextHop.IsValid() {
		b = append(b, Attr(0x40, 3, nextHop.AsSlice()...)...)
	}
	return b
}

// Reach is MP_REACH_NLRI.
func Reach(afi uint16, safi byte, nextHop netip.Addr, nlri []byte) []byte {
	nh := nextHop.AsSlice()
	v := append([]byte{byte(afi >> 8), byte(afi), safi, byte(len(nh))}, nh...)
	v = append(v, 0)
	return Attr(0x80, 14, append(v, nlri...)...)
}

// Unreach is MP_UNREACH_NLRI; without NLRI it is the family's End-of-RIB.
func Unreach(afi uint16, safi byte, nlri []byte) []byte {
	return Attr(0x80, 15, append([]byte{byte(afi >> 8), byte(afi), safi}, nlri...)...)
}

// ErrClosed is what Next returns when the speaker closed the connection without a word.
var ErrClosed = errors.New("connection closed")

// Next is the next message other than a KEEPALIVE. It answers those, so that the session stays.
func (p *Peer) Next(within time.Duration) (typ byte, body []byte, err error) {
	end := time.Now().Add(within)
	for {
		typ, body, err = p.read(time.Until(end))
		if err != nil || typ != Keepalive {
			return typ, body, err
		}
		_ = p.send(Keepalive, nil)
	}
}

// Expect is Next for a message that must come.
func (p *Peer) Expect(typ byte) []byte {
	p.t.Helper()
	got, body, err := p.Next(patience)
	if err != nil || got != typ {
		p.t.Fatalf("got message type %d %x, %v; want type %d", got, body, err, typ)
	}
	return body
}

func (p *Peer) read(within time.Duration) (byte, []byte, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(within))
	var h [19]byte
	if _, err := io.ReadFull(p.conn, h[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			err = ErrClosed
		}
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint16(h[16:]))
	if n < len(h) {
		return 0, nil, fmt.Errorf("message length %d", n)
	}
	body := make([]byte, n-len(h))
	_, err := io.ReadFull(p.conn, body)
	return h[18], body, err
}
