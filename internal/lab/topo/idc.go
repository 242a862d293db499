package topo

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/openvbr/openvbr/internal/lab"
)

// Router is a customer's router: FRR or BIRD, whose other is nil.
type Router struct {
	NS   *lab.NS
	FRR  *lab.FRR
	BIRD *lab.BIRD
	line *Line
	asn  uint32
}

func startRouter(c *Customer, ns *lab.NS, ln *Line, i int, o Options) *Router {
	r := &Router{NS: ns, line: ln, asn: c.ASN}
	if o.BIRD {
		r.BIRD = ns.BIRD(birdConf(c, ln, i, o))
	} else {
		r.FRR = ns.FRR(frrConf(c, ln, i, o), o.BFD.daemons()...)
	}
	return r
}

// frrConf is a customer router's: sessions to the edge in both families, to
// the customer's other router over the LAN, graceful restart on.
func frrConf(c *Customer, ln *Line, i int, o Options) string {
	other4, other6 := lanAddr4(1-i), lanAddr6(1-i)
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("hostname %s", ln.rName)
	p("router bgp %d", c.ASN)
	p(" bgp router-id %s", lanAddr4(i))
	p(" no bgp ebgp-requires-policy\n no bgp network import-check\n no bgp default ipv4-unicast\n bgp graceful-restart")
	neighbor := func(a any, asn uint32) {
		p(" neighbor %v remote-as %d\n neighbor %v timers 3 9\n neighbor %v timers connect 1\n neighbor %v advertisement-interval 0", a, asn, a, a, a)
	}
	for _, a := range []netip.Addr{ln.Local4, ln.Local6} {
		neighbor(a, VBRASN)
		p(" neighbor %v ttl-security hops 1", a)
		if o.Keys != "" {
			p(" neighbor %v password %s", a, o.Keys)
		}
	}
	neighbor(other4, c.ASN) // stays idle where there is no other
	neighbor(other6, c.ASN)
	family := func(name string, local netip.Addr, other string, prefixes ...string) {
		p(" address-family %s unicast", name)
		for _, prefix := range prefixes {
			p("  network %s", prefix)
		}
		p("  neighbor %v activate\n  neighbor %v soft-reconfiguration inbound", local, local)
		p("  neighbor %s activate\n  neighbor %s next-hop-self\n exit-address-family", other, other)
	}
	family("ipv4", ln.Local4, other4, IDCPrefix4, IDCPrefix4B)
	family("ipv6", ln.Local6, other6, IDCPrefix6, IDCPrefix6B)
	p("exit")
	b.WriteString(o.BFD.frr(c, ln))
	return b.String()
}

// birdConf is the same for BIRD 2, with one static protocol per prefix so
// that each can be withdrawn. The LAN's own prefix is a direct route, which is
// preferred over the static one and stays announced.
func birdConf(c *Customer, ln *Line, i int, o Options) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("log stderr all;\nrouter id %s;\nprotocol device { scan time 1; }\nprotocol direct { ipv4; ipv6; interface \"eth0\", \"lan0\"; }", lanAddr4(i))
	b.WriteString(o.BFD.bird(c))
	for _, f := range []string{"ipv4", "ipv6"} {
		p("protocol kernel { %s { import none; export where source = RTS_BGP || source = RTS_STATIC; }; merge paths on; }", f)
	}
	for _, prefix := range []string{IDCPrefix4, IDCPrefix4B, IDCPrefix6, IDCPrefix6B} {
		family, via := "ipv4", IDCHost4
		if strings.Contains(prefix, ":") {
			family, via = "ipv6", IDCHost6
		}
		p("protocol static %s { %s { preference 50; }; route %s via %s; }", staticName(prefix), family, prefix, via)
	}
	session := func(name, family string, local, peer any, asn uint32, key string) {
		p("protocol bgp %s {\n local %v as %d; neighbor %v as %d; hold time 9; keepalive time 3; connect delay time 1; connect retry time 1; error wait time 1, 2; graceful restart on;", name, local, c.ASN, peer, asn)
		if key != "" {
			p(" password %q;", key)
		}
		nhs := ""
		if asn == c.ASN {
			nhs = "next hop self; "
		} else {
			p(" ttl security on;\n check link;") // the latter as FRR does by itself (bgp fast-external-failover)
			if o.BFD.has(c) {
				p(" bfd on;")
			}
		}
		p(" %s { %simport all; export where source = RTS_STATIC || source = RTS_BGP || (source = RTS_DEVICE && ifname = \"lan0\"); };\n}", family, nhs)
	}
	session("edge4", "ipv4", ln.Peer4, ln.Local4, VBRASN, o.Keys)
	session("edge6", "ipv6", ln.Peer6, ln.Local6, VBRASN, o.Keys)
	session("lan4", "ipv4", lanAddr4(i), lanAddr4(1-i), c.ASN, "")
	session("lan6", "ipv6", lanAddr6(i), lanAddr6(1-i), c.ASN, "")
	return b.String()
}

func staticName(prefix string) string {
	return "s_" + strings.NewReplacer(".", "_", ":", "_", "/", "_").Replace(prefix)
}

// Established is nil when the sessions to the edge are up, both families.
func (r *Router) Established() error {
	if r.BIRD != nil {
		if err := r.BIRD.Established("edge4"); err != nil {
			return err
		}
		return r.BIRD.Established("edge6")
	}
	if err := r.FRR.Established("ipv4 unicast", r.line.Local4.String()); err != nil {
		return err
	}
	return r.FRR.Established("ipv6 unicast", r.line.Local6.String())
}

// Announce makes the router announce a prefix; with BIRD only those that it
// starts with.
func (r *Router) Announce(prefix string) error { return r.network(prefix, true) }

// Withdraw takes an announcement back.
func (r *Router) Withdraw(prefix string) error { return r.network(prefix, false) }

func (r *Router) network(prefix string, on bool) error {
	if r.BIRD != nil {
		_, err := r.BIRD.Birdc(map[bool]string{true: "enable", false: "disable"}[on], staticName(prefix))
		return err
	}
	return network(r.FRR, fmt.Sprintf("router bgp %d", r.asn), prefix, on)
}

// network adds or takes a network statement of FRR's, in the BGP instance
// that the first command enters.
func network(f *lab.FRR, enter, prefix string, on bool) error {
	family, no := "ipv4", "no "
	if strings.Contains(prefix, ":") {
		family = "ipv6"
	}
	if on {
		no = ""
	}
	_, err := f.Ask("bgpd", "configure terminal", enter, "address-family "+family+" unicast", no+"network "+prefix)
	return err
}

// Learned is nil when the router has forwarding for prefix from BGP.
func (r *Router) Learned(prefix string) error {
	protocol := "bgp"
	if r.BIRD != nil {
		protocol = "bird"
	}
	return r.NS.HasRoute(prefix, "main", "proto", protocol)
}
