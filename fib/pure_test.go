package fib

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestDecide(t *testing.T) {
	const old, other = entry(7), uint32(8)
	tests := []struct {
		name         string
		held         entry
		known, alive bool
		want         uint32
		action       action
	}{
		{"absent and not wanted", 0, false, false, 0, actNothing},
		{"absent and wanted", 0, false, false, 7, actAdd},
		{"held and wanted", old, true, true, 7, actNothing},
		{"held and wanted otherwise", old, true, true, other, actReplace},
		{"held and not wanted", old, true, true, 0, actRemove},
		{"stale and wanted", old | staleFlag, true, true, 7, actAdopt},
		{"stale and wanted otherwise", old | staleFlag, true, true, other, actReplace},
		{"stale and not wanted", old | staleFlag, true, true, 0, actRemove},
		{"dropped and wanted", old, true, false, other, actAdd},
		{"dropped and not wanted", old, true, false, 0, actForget},
		{"unknown shape and wanted", 0, true, true, 7, actReplace},
		{"unknown shape and not wanted", 0, true, true, 0, actRemove},
	}
	for _, tt := range tests {
		if got := decide(tt.held, tt.known, tt.alive, tt.want); got != tt.action {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.action)
		}
	}
}

// drawPrefix draws any IPv4 or IPv6 prefix.
func drawPrefix(t *rapid.T) netip.Prefix {
	var a netip.Addr
	if rapid.Bool().Draw(t, "v6") {
		a = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "addr")))
	} else {
		a = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "addr")))
	}
	return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
}

// TestPropertyStore: the compact store is a map.
func TestPropertyStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, model := newStore(), map[netip.Prefix]entry{}
		for range rapid.IntRange(0, 50).Draw(t, "n") {
			p := drawPrefix(t)
			if e := entry(rapid.Uint32().Draw(t, "entry")); e%4 == 0 {
				s.delete(p)
				delete(model, p)
			} else {
				s.set(p, e)
				model[p] = e
			}
		}
		n := 0
		for p, e := range s.all() {
			if got, ok := s.get(p); model[p] != e || got != e || !ok {
				t.Fatalf("%s: %v, want %v", p, e, model[p])
			}
			n++
		}
		if n != len(model) || n != len(s.v4)+len(s.v6) {
			t.Fatalf("%d entries, want %d", n, len(model))
		}
	})
}

// TestPropertyRouteMessage: what is encoded is decoded.
func TestPropertyRouteMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := kernelRoute{prefix: drawPrefix(t), table: rapid.Uint32().Draw(t, "table"), metric: rapid.Uint32().Draw(t, "metric"),
			nhid: rapid.Uint32Min(1).Draw(t, "nhid"), protocol: rapid.Byte().Draw(t, "protocol")}
		var e encoder
		e.reset(rapid.Uint32().Draw(t, "seq"))
		cfg := Config{Protocol: want.protocol, Metric: want.metric}
		for range 3 {
			e.route(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, &cfg, want.table, want.prefix, want.nhid)
		}
		b := e.finish()
		for i := range uint32(3) {
			m, rest, err := nextMessage(b)
			if b = rest; err != nil || m.seq != e.base+i || m.kind != unix.RTM_NEWROUTE || (m.flags&unix.NLM_F_ACK != 0) != (i == 2) {
				t.Fatalf("message %d: %+v, %v", i, m, err)
			}
			if got, ok := parseRoute(m.body); !ok || got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
		if len(b) != 0 {
			t.Fatalf("%d bytes left", len(b))
		}
	})
}

// FuzzDecoders: no datagram panics or loops, whatever is in it.
func FuzzDecoders(f *testing.F) {
	var e encoder
	e.route(unix.RTM_NEWROUTE, 0, &Config{Protocol: 86, Metric: 179}, 10001, netip.MustParsePrefix("10.1.0.0/16"), 7)
	hop := &gateway{nh: NextHop{Gateway: netip.MustParseAddr("::ffff:10.0.0.2"), Device: 3, OnLink: true}}
	e.gateway(86, 9, hop.nh)
	e.group(86, 10, 64, []member{{hop, false, 254}, {hop, true, 0}}, true)
	e.dumpRoutes(unix.AF_INET6, 0, 10001)
	f.Add(e.finish())
	f.Add([]byte{20, 0, 0, 0, 2, 0, 0, 2, 1, 0, 0, 0, 1, 0, 0, 0, 0xef, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			m, rest, err := nextMessage(b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatal("no progress")
			}
			b = rest
			_, _ = parseAnswer(m)
			_, _ = parseRoute(m.body)
			_, _ = parseNexthop(m.body)
			_, _ = parseLink(m)
			_, _ = parseAddress(m.body)
		}
	})
}
