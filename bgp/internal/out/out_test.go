package out

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"unique"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// listener is a peer: it takes in what a session says, and remembers it.
type listener struct {
	session   wire.Session
	s         *Session
	holds     map[string]string // by prefix, or a type-5 route's octets without its label: AS path, or label
	heard     []string
	endOfRIBs int
}

func listen(r *RIB, table string, waits bool, families ...wire.Family) *listener {
	l := &listener{session: wire.Session{AS4: true, Families: families}, holds: map[string]string{}}
	l.s = r.Open(Peer{Session: l.session, ASN: 65001, Local: netip.MustParseAddr("192.0.2.1")}, table, waits)
	return l
}

// hear takes in up to so many batches, and fails when they are no good UPDATEs.
func (l *listener) hear(t interface{ Fatalf(string, ...any) }, batches int) {
	for ; batches > 0; batches-- {
		b := l.s.Next()
		if b == nil {
			return
		}
		for len(b) > 0 {
			typ, n, v := wire.Header(b[:wire.HeaderLen], false)
			if v.Action == wire.Reset || typ != wire.Update || n > len(b) {
				t.Fatalf("header: %+v", v)
			}
			body := b[wire.HeaderLen:n]
			if again, v := l.session.Update(bytes.Clone(body)); again != nil || v.Action != wire.Pass {
				t.Fatalf("%x: %+v", body, v)
			}
			l.update(body)
			b = b[n:]
		}
	}
}

func (l *listener) update(body []byte) {
	if _, is := wire.EndOfRIB(body); is {
		l.endOfRIBs++
		l.heard = append(l.heard, "end")
		return
	}
	if l.session.Families[0] == wire.EVPN {
		l.type5(body)
		return
	}
	classic, mp := l.session.Routes(body)
	for _, r := range []wire.Routes{classic, mp} {
		for _, p := range r.Withdrawn {
			delete(l.holds, p.String())
			l.heard = append(l.heard, "-"+p.String())
		}
		for _, p := range r.Announced {
			l.holds[p.String()] = fmt.Sprint(r.Attrs.ASPath[0].ASNs[1:])
			l.heard = append(l.heard, "+"+p.String())
		}
	}
}

// type5 takes in an UPDATE of IPv4 type-5 routes, of which each has 36 octets, in its first attribute.
func (l *listener) type5(body []byte) {
	attr := body[4:]
	n := int(binary.BigEndian.Uint16(attr[2:]))
	gone := attr[1] == mpUnreach
	routes := attr[4+3 : 4+n]
	if !gone {
		routes = routes[1+4+1:]
	}
	for ; len(routes) > 0; routes = routes[36:] {
		key, label := string(routes[:33]), fmt.Sprintf("%x", routes[33:36])
		if gone {
			delete(l.holds, key)
			l.heard = append(l.heard, "-")
		} else {
			l.holds[key] = label
			l.heard = append(l.heard, "+"+label)
		}
	}
}

func route(i int, path ...uint32) Route {
	return Route{
		Key:   Key{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)},
		Attrs: unique.Make(Attrs{Path: Words(path...)}),
	}
}

// has is what a table's peers must know in the end.
func (r *RIB) has(name string, families ...wire.Family) map[string]string {
	m := map[string]string{}
	for _, f := range families {
		if t := r.tables[tableKey{name, f}]; t != nil {
			for k, e := range t.entries {
				if e.live() {
					a := e.Attrs.Value()
					var path []uint32
					for p := a.Path; p != ""; p = p[4:] {
						path = append(path, binary.BigEndian.Uint32([]byte(p)))
					}
					m[k.Prefix.String()] = fmt.Sprint(path)
				}
			}
		}
	}
	return m
}

// Whatever changes in two tables while peers come, read a little, are told again, get the other table and go: in the end each knows what its table has,
// and nothing is kept that no one has a use for.
func TestEveryPeerKnowsItsTable(t *testing.T) {
	for seed := range uint64(3000) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		r := New()
		names := []string{"", "a"}
		peers := map[int]*listener{}
		ops := []string{"announce", "announce", "announce", "withdraw", "withdraw", "one", "one", "one", "one", "all", "again", "use", "use", "tell", "close"}
		for range 10 + rnd.IntN(100) {
			name, i, who := names[rnd.IntN(2)], rnd.IntN(4), rnd.IntN(2)
			p := peers[who]
			switch op := ops[rnd.IntN(len(ops))]; {
			case op == "announce":
				r.Announce(name, []Route{route(i, uint32(1+rnd.IntN(2)))})
			case op == "withdraw":
				r.Withdraw(name, []Key{route(i).Key})
			case p == nil:
				p = listen(r, name, rnd.IntN(3) == 0, wire.IPv4)
				peers[who] = p
				p.s.Begin(wire.IPv4, true)
			case op == "one":
				// One change at a time is the worst case.
				for out := takeOne(p.s); len(out) > 0; {
					n := int(binary.BigEndian.Uint16(out[16:]))
					p.update(out[wire.HeaderLen:n])
					out = out[n:]
				}
			case op == "all":
				p.hear(t, 1000)
			case op == "again":
				p.s.Again(wire.IPv4)
			case op == "use":
				p.s.Use(name)
			case op == "tell":
				p.s.Tell()
			default:
				p.s.Close()
				delete(peers, who)
			}
		}
		kept := 0
		for _, p := range peers {
			p.s.Tell()
			p.hear(t, 1000)
			if diff := cmp.Diff(r.has(p.s.table, wire.IPv4), p.holds); diff != "" {
				t.Fatalf("seed %d: (-want +got)\n%s", seed, diff)
			}
			if p.heard[len(p.heard)-1] != "end" && p.endOfRIBs == 0 {
				t.Fatalf("no End-of-RIB: %v", p.heard)
			}
		}
		for _, x := range r.tables {
			for _, e := range x.entries {
				if !e.live() {
					kept++
				}
			}
		}
		if kept > 0 {
			t.Fatalf("%d withdrawals are kept for nobody", kept)
		}
		for _, p := range peers {
			p.s.Close()
		}
		for _, name := range names {
			for i := range 6 {
				r.Withdraw(name, []Key{route(i).Key})
			}
		}
		if len(r.tables) > 0 {
			t.Fatalf("%d tables are left", len(r.tables))
		}
	}
}

// takeOne is Next of one change at most.
func takeOne(s *Session) []byte {
	feed := s.feeds[0]
	if feed.t == nil {
		return s.Next()
	}
	changes, ended := feed.take(1, nil)
	b := s.enc.updates(nil, feed.family, changes)
	if ended {
		b = endOfRIB(b, feed.family)
	}
	return b
}

// A prefix that changes a thousand times while a peer does not read is told once; what comes and goes meanwhile is not told, and one that it knows is
// withdrawn once.
func TestChangesAreToldOnce(t *testing.T) {
	r := New()
	p := listen(r, "", false, wire.IPv4)
	r.Announce("", []Route{route(1, 1), route(2, 1)})
	p.s.Begin(wire.IPv4, true)
	p.hear(t, 9)
	p.heard = nil
	for i := range 1000 {
		r.Announce("", []Route{route(1, uint32(i))})
		r.Announce("", []Route{route(3, uint32(i))})
		r.Withdraw("", []Key{route(3).Key, route(2).Key})
	}
	p.hear(t, 9)
	if got := strings.Join(p.heard, " "); got != "-10.0.2.0/24 +10.0.1.0/24" {
		t.Errorf("%s", got)
	}
	r.Announce("", []Route{route(1, 999)}) // equal
	if b := p.s.Next(); b != nil {
		t.Errorf("%x", b)
	}
}

// A peer that waits hears the End-of-RIB, and after Tell all, and the End-of-RIB again.
func TestWaits(t *testing.T) {
	r := New()
	r.Announce("", []Route{route(1, 1)})
	p := listen(r, "", true, wire.IPv4, wire.IPv6)
	p.hear(t, 9)
	p.s.Begin(wire.IPv4, true)
	p.s.Begin(wire.IPv4, true)
	p.s.Again(wire.IPv4)
	p.hear(t, 9)
	if p.s.Begun() {
		t.Error("IPv6 has begun")
	}
	p.s.Tell()
	p.s.Begin(wire.IPv6, false)
	p.hear(t, 9)
	if got := strings.Join(p.heard, " "); got != "end +10.0.1.0/24 end" || !p.s.Begun() {
		t.Errorf("%s", got)
	}
}

// The table is put into as few messages as it fits into, none too long, and the End-of-RIB follows.
func TestPacking(t *testing.T) {
	r := New()
	var l []Route
	for i := range 10_000 {
		l = append(l, Route{Key: Key{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)}, Attrs: route(0, 1, 2).Attrs})
	}
	r.Announce("", l)
	p := listen(r, "", false, wire.IPv4)
	p.s.Begin(wire.IPv4, true)
	messages := 0
	for b := p.s.Next(); b != nil; b = p.s.Next() {
		for len(b) > 0 {
			n := int(binary.BigEndian.Uint16(b[16:]))
			messages++
			p.update(b[wire.HeaderLen:n])
			b = b[n:]
		}
	}
	if messages > 21 || len(p.holds) != 10_000 || p.heard[len(p.heard)-1] != "end" { // 10 batches
		t.Errorf("%d messages of %d prefixes", messages, len(p.holds))
	}
}

// What fits into no message is withdrawn, once it has been told otherwise, and reported; the rest is told.
func TestUnfit(t *testing.T) {
	r := New()
	p := listen(r, "", false, wire.IPv4)
	unfit := 0
	p.s.peer.Unfit = func(n int, _ *Attrs, why string) {
		if unfit += n; why != TooLong {
			t.Error(why)
		}
	}
	p.s.Begin(wire.IPv4, false)
	r.Announce("", []Route{route(1, 1), route(2, 2)})
	p.hear(t, 9)
	huge := route(1)
	huge.Attrs = unique.Make(Attrs{Communities: Words(make([]uint32, 20_000)...)})
	r.Announce("", []Route{huge, route(3, 3)})
	p.hear(t, 9)
	if unfit != 1 || fmt.Sprint(p.holds) != "map[10.0.2.0/24:[2] 10.0.3.0/24:[3]]" {
		t.Errorf("%d unfit, holds %v", unfit, p.holds)
	}
	if why := p.s.Untold(huge.Key); why != TooLong {
		t.Errorf("asked: %q", why)
	}
	for _, k := range []Key{route(2).Key, route(9).Key} { // told, and not there
		if why := p.s.Untold(k); why != "" {
			t.Errorf("%v: %q", k, why)
		}
	}
}

// IPv4 prefixes with an IPv6 next hop, of their own or the session's, are told to a peer that says that it takes them (RFC 8950 4). Another one is told
// that they are gone.
func TestHopSix(t *testing.T) {
	for _, takes := range []bool{false, true} {
		r := New()
		p := listen(r, "", false, wire.IPv4)
		p.s.peer.HopSix = takes
		reasons := map[string]int{}
		p.s.peer.Unfit = func(n int, _ *Attrs, why string) { reasons[why] += n }
		p.s.Begin(wire.IPv4, false)
		via := func(hop string) Route {
			x := route(1)
			x.Attrs = unique.Make(Attrs{NextHop: netip.MustParseAddr(hop), Path: Words(7)})
			return x
		}
		r.Announce("", []Route{via("192.0.2.7"), route(2, 2)})
		p.hear(t, 9)
		r.Announce("", []Route{via("2001:db8::7")})
		p.hear(t, 9)
		want, why := "map[10.0.2.0/24:[2]]", map[string]int{HopUnknown: 1}
		if takes {
			want, why = "map[10.0.1.0/24:[7] 10.0.2.0/24:[2]]", map[string]int{}
		}
		if fmt.Sprint(p.holds) != want || fmt.Sprint(reasons) != fmt.Sprint(why) {
			t.Errorf("%v: holds %v, %v", takes, p.holds, reasons)
		}
		if why := p.s.Untold(route(1).Key); (why == HopUnknown) == takes {
			t.Errorf("%v: asked: %q", takes, why)
		}
		p.s.peer.Local = netip.MustParseAddr("2001:db8::1")
		p.s.Again(wire.IPv4)
		if p.hear(t, 9); !takes {
			want = "map[]"
		}
		if fmt.Sprint(p.holds) != want {
			t.Errorf("%v, over IPv6: holds %v", takes, p.holds)
		}
	}
}

// Type-5 routes obey RFC 1997; those of other families have been asked before their export policy, which may have added the community. What is stale for
// long is for peers that know what that is.
func TestKept(t *testing.T) {
	const noExport, noAdvertise, noExportSubconfed = 0xffffff01, 0xffffff02, 0xffffff03
	for _, tt := range []struct {
		f         wire.Family
		internal  bool
		community uint32
		why       string // a part of it; empty: it is told
	}{
		{wire.EVPN, false, 65001, ""},
		{wire.EVPN, false, noExport, "NO_EXPORT (RFC 1997)"},
		{wire.EVPN, false, noExportSubconfed, "NO_EXPORT_SUBCONFED"},
		{wire.EVPN, false, noAdvertise, "NO_ADVERTISE"},
		{wire.EVPN, true, noExport, ""},
		{wire.EVPN, true, noExportSubconfed, ""},
		{wire.EVPN, true, noAdvertise, "NO_ADVERTISE"},
		{wire.EVPN, true, llgrStale, ""},
		{wire.IPv4, false, noExport, ""},
		{wire.IPv4, false, noAdvertise, ""},
		{wire.IPv4, false, llgrStale, "RFC 9494"},
	} {
		r := New()
		p := listen(r, "", false, tt.f)
		p.s.peer.IBGP = tt.internal
		p.session.IBGP = tt.internal
		p.s.peer.Unfit = func(int, *Attrs, string) { t.Errorf("%+v is reported", tt) }
		p.s.Begin(tt.f, false)
		x := route(1)
		if tt.f == wire.EVPN {
			x.RD[7] = 1
		}
		mark := func(community uint32) {
			x.Attrs = unique.Make(Attrs{Path: Words(7), Communities: Words(1, community)})
			r.Announce("", []Route{x})
			p.hear(t, 9)
		}
		mark(2)
		mark(tt.community)
		if len(p.holds) != map[bool]int{true: 1}[tt.why == ""] {
			t.Errorf("%+v: holds %v", tt, p.holds)
		}
		if why := p.s.Untold(x.Key); (why == "") != (tt.why == "") || !strings.Contains(why, tt.why) {
			t.Errorf("%+v: asked: %q", tt, why)
		}
	}
}

// A type-5 route that gets another label is withdrawn first, also when it changes again, or was withdrawn meanwhile, before that is told.
func TestLabel(t *testing.T) {
	r := New()
	p := listen(r, "", false, wire.EVPN)
	p.s.Begin(wire.EVPN, false)
	tell := func(label uint32, path ...uint32) {
		x := route(1, path...)
		x.RD, x.Label = [8]byte{1: 1, 7: 1}, label
		r.Announce("", []Route{x})
	}
	expect := func(want string) {
		t.Helper()
		p.heard = nil
		p.hear(t, 9)
		if got := strings.Join(p.heard, " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	tell(1)
	expect("+000001")
	tell(1, 2)
	expect("+000001")
	tell(2, 2)
	tell(2, 3)
	expect("- +000002")
	tell(5, 3)
	other := route(2, 1)
	other.RD = [8]byte{1: 1, 7: 1}
	r.Announce("", []Route{other})
	tell(5, 4)
	takeOne(p.s) // the other one
	expect("- +000005")
	r.Withdraw("", []Key{other.Key})
	expect("-")
	k := route(1).Key
	k.RD = [8]byte{1: 1, 7: 1}
	r.Withdraw("", []Key{k})
	tell(3, 3)
	expect("- +000003")
	p.s.Again(wire.EVPN)
	expect("+000003")
	r.Withdraw("", []Key{k})
	expect("-")
	if len(p.holds) != 0 {
		t.Errorf("%v", p.holds)
	}
}
