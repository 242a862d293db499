package bfd

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// good is a packet of the wire: Up, all fields different.
func good() []byte {
	return []byte{1<<5 | 3, 3<<6 | 0x20, 5, 24, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0xc3, 0x50, 0, 1, 0x86, 0xa0, 0, 0, 0, 9}
}

// RFC 5880 6.8.6, in its order, as far as decode goes.
func TestDecode(t *testing.T) {
	with := func(at int, b byte) []byte { p := good(); p[at] = b; return p }
	auth := func(length byte, payload int) []byte {
		p := append(with(1, 3<<6|flagAuth), make([]byte, payload-sizeMin)...)
		p[3] = length
		return p
	}
	for _, test := range []struct {
		name string
		in   []byte
		want Reason
	}{
		{"OK", good(), ""},
		{"OK payload longer than the packet", append(good(), 1, 2, 3), ""},
		{"OK Control Plane Independent, Demand", with(1, 3<<6|0x0a), ""},
		{"OK authentication, for demux to refuse", auth(28, 28), ""},
		{"OK reserved diagnostic", with(0, 1<<5|31), ""},
		{"bad empty", nil, DropLength},
		{"bad cut", good()[:23], DropLength},
		{"bad version 0", with(0, 3), DropVersion},
		{"bad version 2", with(0, 2<<5), DropVersion},
		{"bad length 23", with(3, 23), DropLength},
		{"bad length beyond the payload", with(3, 25), DropLength},
		{"bad length with authentication", auth(25, 28), DropLength},
		{"bad multiplier", with(2, 0), DropDetectMult},
		{"bad multipoint", with(1, 3<<6|flagMulti), DropMultipoint},
		{"bad My Discriminator", with(7, 0), DropMyDiscr},
		{"bad Up without Your Discriminator", with(11, 0), DropState},
		{"bad Init without Your Discriminator", slices.Replace(with(11, 0), 1, 2, 2<<6), DropState},
		{"OK Down without Your Discriminator", slices.Replace(with(11, 0), 1, 2, 1<<6), ""},
		{"OK AdminDown without Your Discriminator", slices.Replace(with(11, 0), 1, 2, 0), ""},
		{"bad version goes before bad length", slices.Replace(with(3, 2), 0, 1, 0), DropVersion},
		{"bad length goes before bad multiplier", slices.Replace(with(3, 2), 2, 3, 0), DropLength},
	} {
		if _, got := decode(test.in); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	p, _ := decode(good())
	want := packet{state: Up, diag: DiagNeighborDown, poll: true, mult: 5, my: 7, your: 1, minTx: 50 * time.Millisecond, minRx: 100 * time.Millisecond}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(packet{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if c, _ := decode(with(1, 3<<6|flagControl)); !c.independent {
		t.Error("the C bit is not read")
	}
	b, err := p.encode()
	if diff := cmp.Diff(slices.Replace(good(), 23, 24, 0), b); diff != "" || err != nil { // Echo is 0
		t.Errorf("encode: %v (-want +got)\n%s", err, diff)
	}
}

// FuzzInput: whatever comes, the session keeps its promises.
func FuzzInput(f *testing.F) {
	f.Add(good(), uint16(10))
	f.Add(append(good(), good()...), uint16(1000))
	f.Add([]byte{0x20, 0x40, 3, 24, 0, 0, 0, 7, 0, 0, 0, 0, 0, 15, 0x42, 0x40, 0, 15, 0x42, 0x40, 0, 0, 0, 0}, uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, step uint16) {
		now := start
		m := newFSM(now, config(), 1, noJitter)
		for chunk := range slices.Chunk(b, sizeMin) {
			now = now.Add(time.Duration(step) * time.Millisecond)
			was := m.state
			if p, reason := decode(chunk); reason == "" {
				if reply, ok := m.receive(now, p); ok != p.poll || ok && (!reply.final || reply.poll) {
					t.Fatalf("%+v answered with %+v, %v", p, reply, ok)
				}
				if was == Down && m.state == Up && p.state != Init {
					t.Fatalf("up by %v", p.state)
				}
			}
			if out, ok := m.tick(now); ok {
				if wire, err := out.encode(); err != nil || out.my != 1 || out.state != Up && out.minTx < slow {
					t.Fatalf("sends %+v as %x, %v", out, wire, err)
				}
			}
			if at := m.next(); !at.IsZero() && !at.After(now) {
				t.Fatalf("nothing done at %v, due %v", now, at)
			}
			if m.every < m.cfg.MinTx {
				t.Fatalf("sends every %v", m.every)
			}
		}
	})
}

// FuzzControl: what the kernel says beside a packet.
func FuzzControl(f *testing.F) {
	f.Add(int32(unix.IPPROTO_IP), int32(unix.IP_TTL), []byte{255, 0, 0, 0})
	f.Add(int32(unix.IPPROTO_IP), int32(unix.IP_PKTINFO), []byte{1, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 1})
	f.Add(int32(unix.IPPROTO_IPV6), int32(unix.IPV6_PKTINFO), make([]byte, 20))
	f.Fuzz(func(t *testing.T, level, typ int32, data []byte) {
		d := datagram{ttl: -1}
		if d.control(unix.Cmsghdr{Level: level, Type: typ}, data); d.ttl != -1 && len(data) < 4 {
			t.Fatalf("TTL %d of %x", d.ttl, data)
		}
	})
}
