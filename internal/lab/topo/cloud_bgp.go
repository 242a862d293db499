package topo

import (
	"fmt"
	"strings"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
)

// reflectorConf is the i-th reflector's; the other is a peer like any other, not a client.
func reflectorConf(i int, clients []string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("hostname rr-%d", i+1)
	p("router bgp %d", BackboneASN)
	p(" bgp router-id %s\n bgp cluster-id %s", ReflectorAddress(i), ReflectorAddress(0)) // one cluster: no hunting for withdrawn paths at each other
	p(" no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n bgp graceful-restart")
	for _, a := range append(clients, ReflectorAddress(1-i)) {
		p(" neighbor %s remote-as %d\n neighbor %s timers 3 9\n neighbor %s timers connect 1\n neighbor %s advertisement-interval 0", a, BackboneASN, a, a, a)
	}
	p(" address-family l2vpn evpn\n  neighbor %s activate", ReflectorAddress(1-i))
	for _, a := range clients {
		p("  neighbor %s activate\n  neighbor %s route-reflector-client", a, a)
	}
	p(" exit-address-family\nexit")
	return b.String()
}

// Sessions is nil when all of some hosts' with the reflectors are up, those of the reflectors and of FRR's gateway, and, of each edge
// host among them, those with the customer.
func (t *Cloud) Sessions(hosts ...*Host) error {
	for i, rr := range t.Reflectors {
		for _, peer := range append(vteps(hosts), ReflectorAddress(1-i)) {
			if err := rr.Established("l2vpn evpn", peer); err != nil {
				return err
			}
		}
	}
	if err := t.FRRGateway.FRR.Established("l2vpn evpn", ReflectorAddress(0)); err != nil {
		return err
	}
	for i, edge := range []*Host{t.Edge1, t.Edge2} {
		for _, h := range hosts {
			if h != edge {
				continue
			}
			if err := t.Acme.Lines[i].Router.Established(); err != nil {
				return err
			}
		}
	}
	return nil
}

func vteps(hosts []*Host) (all []string) {
	for _, h := range hosts {
		all = append(all, h.VTEP)
	}
	return all
}

// End is a place where a line can be cut.
type End uint8

// The ends of a line.
const (
	BothEnds End = iota // the fibre: both sides lose the carrier
	FarEnd              // the customer's side alone: at the edge host the carrier stays
)

// Cut cuts line i of acme's, or mends it: the far end comes back first, so that nothing is asked of it too early.
func (t *Cloud) Cut(i int, end End, cut bool) {
	t.Lab.Helper()
	ends := []string{t.Acme.Lines[i].switchDev}
	if end == BothEnds {
		ends = append(ends, "edge")
	}
	for _, dev := range ends {
		t.Ports[i].Link(dev, !cut)
	}
}

// Pair is two hosts with addresses of both families.
type Pair struct {
	A, B           *lab.NS
	A4, A6, B4, B6 string
}

// IDCWith is acme's data centre and a VPC's host.
func (t *Cloud) IDCWith(v *VPC) Pair {
	return Pair{t.Acme.LAN, v.Host, IDCHost4, IDCHost6, v.Host4, v.Host6}
}

// IDCWithFRR is acme's data centre and the host behind FRR's gateway.
func (t *Cloud) IDCWithFRR() Pair {
	return Pair{t.Acme.LAN, t.FRRGateway.Host, IDCHost4, IDCHost6, FRRHost4, FRRHost6}
}

// Between is two VPCs' hosts.
func Between(v, w *VPC) Pair { return Pair{v.Host, w.Host, v.Host4, v.Host6, w.Host4, w.Host6} }

// way is one direction in one family.
type way struct {
	from     *lab.NS
	src, dst string
}

func (p Pair) ways() []way {
	return []way{{p.A, p.A4, p.B4}, {p.B, p.B4, p.A4}, {p.A, p.A6, p.B6}, {p.B, p.B6, p.A6}}
}

// Ping is nil when pings get through both ways in both families.
func (p Pair) Ping() error {
	for _, w := range p.ways() {
		if _, err := w.from.Ping(w.dst, lab.PingOptions{Source: w.src}); err != nil {
			return err
		}
	}
	return nil
}

// Silent is nil when no ping gets through, either way, in either family.
func (p Pair) Silent() error {
	for _, w := range p.ways() {
		stats, _ := w.from.Ping(w.dst, lab.PingOptions{Source: w.src, Count: 2, Timeout: silence})
		if stats.Received > 0 {
			return fmt.Errorf("%s reaches %s: %v", w.from.Name, w.dst, stats)
		}
	}
	return nil
}

// silence is how long Silent waits for an answer.
const silence = 200 * time.Millisecond

// Duplex starts packets of both families both ways: IPv4's first.
func (p Pair) Duplex(o lab.StreamOptions) [2]*lab.Duplex {
	return [2]*lab.Duplex{p.A.Duplex(p.A4, p.B, p.B4, o), p.A.Duplex(p.A6, p.B, p.B6, o)}
}
