package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func attr(flags, typ byte, value ...byte) []byte {
	return append([]byte{flags, typ, byte(len(value))}, value...)
}

func body(withdrawn, attrs, nlri []byte) []byte {
	b := append(binary.BigEndian.AppendUint16(nil, uint16(len(withdrawn))), withdrawn...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(attrs))), attrs...)
	return append(b, nlri...)
}

// old is a path of a speaker of two-octet AS numbers, with what it passes on of one of four-octet numbers.
func old(path, path4, by, by4 []byte) []byte {
	var l []byte
	for _, a := range []struct {
		flags, typ byte
		value      []byte
	}{{0x40, origin, []byte{0}}, {0x40, asPath, path}, {0x40, nextHop, []byte{192, 0, 2, 9}}, {0xc0, aggregator, by}, {0xc0, as4Path, path4}, {0xc0, as4Aggregator, by4}} {
		if a.value != nil {
			l = append(l, attr(a.flags, a.typ, a.value...)...)
		}
	}
	return body(nil, l, []byte{16, 10, 1})
}

// TestWiden: AS paths and aggregators of two-octet speakers become what they were: RFC 6793 4.2.3.
func TestWiden(t *testing.T) {
	s := &Session{Families: []Family{IPv4}}
	seq2 := func(asns ...uint16) []byte {
		b := []byte{ASSequence, byte(len(asns))}
		for _, a := range asns {
			b = binary.BigEndian.AppendUint16(b, a)
		}
		return b
	}
	seq4 := func(asns ...uint32) []byte {
		b := []byte{ASSequence, byte(len(asns))}
		for _, a := range asns {
			b = binary.BigEndian.AppendUint32(b, a)
		}
		return b
	}
	set2 := []byte{ASSet, 2, 0, 7, 0, 8}
	for _, c := range []struct {
		name                                 string
		path, path4, aggregator, aggregator4 []byte
		want, wantAggregator                 string
	}{
		{"nothing to widen", seq2(1, 2), nil, []byte{0, 5, 10, 0, 0, 5}, nil, "[{2 [1 2]}]", "5 10.0.0.5"},
		{"all", seq2(ASTrans, ASTrans), seq4(70001, 70002), nil, nil, "[{2 [70001 70002]}]", "0 invalid IP"},
		{"some before", seq2(1, 2, ASTrans), seq4(70001), nil, nil, "[{2 [1 2 70001]}]", "0 invalid IP"},
		{"a set before", append(append([]byte{}, set2...), seq2(ASTrans)...), seq4(70001), nil, nil, "[{1 [7 8]} {2 [70001]}]", "0 invalid IP"},
		{"longer than the path", seq2(1), seq4(70001, 70002), nil, nil, "[{2 [1]}]", "0 invalid IP"},
		{"aggregator", seq2(ASTrans), seq4(70001), []byte{0x5b, 0xa0, 10, 0, 0, 5}, []byte{0, 1, 0x11, 0x71, 10, 0, 0, 6}, "[{2 [70001]}]", "70001 10.0.0.6"},
		{"aggregated by one of two octets", seq2(1, ASTrans), seq4(70001), []byte{0, 5, 10, 0, 0, 5}, []byte{0, 1, 0x11, 0x71, 10, 0, 0, 6}, "[{2 [1 23456]}]", "5 10.0.0.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := old(c.path, c.path4, c.aggregator, c.aggregator4)
			if out, v := s.Update(b); v.Action != Pass || out != nil {
				t.Fatalf("%+v", v)
			}
			r, _ := s.Routes(b)
			if got := fmt.Sprint(r.Attrs.ASPath); got != c.want {
				t.Errorf("AS path %s, want %s", got, c.want)
			}
			if got := fmt.Sprint(r.Attrs.AggregatorASN, " ", r.Attrs.Aggregator); got != c.wantAggregator {
				t.Errorf("aggregator %s, want %s", got, c.wantAggregator)
			}
		})
	}
}

// TestRoutes: prefixes of all four places, each with its next hop, without host bits.
func TestRoutes(t *testing.T) {
	s := &Session{AS4: true, Families: []Family{IPv4, IPv6}}
	must := append(attr(0x40, origin, 0), attr(0x40, asPath)...)
	hop4 := attr(0x40, nextHop, 192, 0, 2, 9)
	global := netip.MustParseAddr("2001:db8::9").AsSlice()
	linkLocal := netip.MustParseAddr("fe80::9").AsSlice()
	reach := func(afi byte, hop []byte, nlri ...byte) []byte {
		return attr(0x80, mpReach, append(append(append([]byte{0, afi, 1, byte(len(hop))}, hop...), 0), nlri...)...)
	}
	join := func(l ...[]byte) (b []byte) {
		for _, x := range l {
			b = append(b, x...)
		}
		return b
	}
	six := []byte{32, 0x20, 1, 0xd, 0xb8}
	for _, c := range []struct {
		name        string
		body        []byte
		classic, mp string
	}{
		{"nothing", body(nil, nil, nil), "<nil> [] []", "<nil> [] []"},
		{"IPv4", body([]byte{8, 10}, join(must, hop4), []byte{12, 172, 31, 0}), "192.0.2.9 [172.16.0.0/12 0.0.0.0/0] [10.0.0.0/8]", "<nil> [] []"},
		{"IPv6", body(nil, join(must, reach(2, append(global, linkLocal...), six...)), nil), "<nil> [] []", "2001:db8::9 [2001:db8::/32] []"},
		{"IPv4 over IPv6", body([]byte{8, 11}, join(must, reach(1, global, 8, 10)), nil), "<nil> [] []", "2001:db8::9 [10.0.0.0/8] [11.0.0.0/8]"},
		{"all", body([]byte{8, 10}, join(must, hop4, reach(2, global, six...), attr(0x80, mpUnreach, 0, 2, 1, 0)), []byte{8, 11}), "192.0.2.9 [11.0.0.0/8] [10.0.0.0/8 ::/0]", "2001:db8::9 [2001:db8::/32] []"},
		{"withdrawn IPv6", body(nil, attr(0x80, mpUnreach, append([]byte{0, 2, 1}, six...)...), nil), "<nil> [] [2001:db8::/32]", "<nil> [] []"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out, v := s.Update(c.body); v.Action != Pass || out != nil {
				t.Fatalf("%+v", v)
			}
			classic, mp := s.Routes(c.body)
			if d := cmp.Diff([]string{c.classic, c.mp}, []string{said(classic), said(mp)}); d != "" {
				t.Error("-want +got", d)
			}
		})
	}
}

func said(r Routes) string {
	hop := "<nil>"
	if r.Attrs != nil {
		hop = r.Attrs.NextHop.String()
	}
	return fmt.Sprint(hop, " ", r.Announced, " ", r.Withdrawn)
}

// TestEndOfRIB: what ends the routes of a family, and what looks like it.
func TestEndOfRIB(t *testing.T) {
	for _, c := range []struct {
		body []byte
		want string
	}{
		{body(nil, nil, nil), "{1 1} true"},
		{body(nil, attr(0x80, mpUnreach, 0, 2, 1), nil), "{2 1} true"},
		{body(nil, []byte{0x90, mpUnreach, 0, 3, 0, 2, 1}, nil), "{2 1} true"},
		{body(nil, attr(0x80, mpUnreach, 0, 2, 1, 0), nil), "{0 0} false"},
		{body([]byte{0}, nil, nil), "{0 0} false"},
		{body(nil, attr(0x40, origin, 0), []byte{0}), "{0 0} false"},
		{body(nil, append(attr(0x80, mpUnreach, 0, 2, 1), attr(0x40, origin, 0)...), nil), "{0 0} false"},
	} {
		f, is := EndOfRIB(c.body)
		if got := fmt.Sprint(f, " ", is); got != c.want {
			t.Errorf("%x: %s, want %s", c.body, got, c.want)
		}
	}
}
