package topo

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
)

// BFD is how the customers' sessions with the edge are watched over; the zero value: not at all.
type BFD struct {
	Interval int    // milliseconds, at both ends; the multiplier is 3
	Only     string // the customer that has it; empty: all

	// ControlPlane is FRR's "bfd check-control-plane-failure": BFD that fails while the edge restarts gracefully is no failure, as long as the
	// edge's packets do not carry the C bit.
	ControlPlane bool
}

// profile is the name of FRR's profile with the timers; a change of it changes the sessions.
const profile = "edge"

func (b BFD) has(c *Customer) bool { return b.Interval > 0 && (b.Only == "" || b.Only == c.Name) }

// daemons are FRR's beside zebra.
func (b BFD) daemons() []string {
	if b.Interval == 0 {
		return []string{"bgpd"}
	}
	return []string{"bgpd", "bfdd"} // for who has it, and for who will
}

// frr is what FRR's configuration has of it.
func (b BFD) frr(c *Customer, ln *Line) string {
	if !b.has(c) {
		return ""
	}
	text := fmt.Sprintf("bfd\n profile %s\n  detect-multiplier 3\n  receive-interval %d\n  transmit-interval %d\n exit\nexit\nrouter bgp %d\n",
		profile, b.Interval, b.Interval, c.ASN)
	for _, a := range []netip.Addr{ln.Local4, ln.Local6} {
		text += fmt.Sprintf(" neighbor %v bfd\n neighbor %v bfd profile %s\n", a, a, profile)
		if b.ControlPlane {
			text += fmt.Sprintf(" neighbor %v bfd check-control-plane-failure\n", a)
		}
	}
	return text + "exit\n"
}

// bird is the same of BIRD's; its sessions have "bfd on".
func (b BFD) bird(c *Customer) string {
	if !b.has(c) {
		return ""
	}
	return fmt.Sprintf("protocol bfd { interface \"eth0\" { min rx interval %[1]d ms; min tx interval %[1]d ms; idle tx interval 1 s; multiplier 3; }; }\n", b.Interval)
}

// fields are those of the customer's VBR.
func (b BFD) fields(c *Customer) string {
	if !b.has(c) {
		return ""
	}
	return fmt.Sprintf("min_tx_interval: %d\nmin_rx_interval: %d\n", b.Interval, b.Interval)
}

// WithBFD writes the customer's resources anew: its peers are watched over, with these fields, such as "enable_bfd: true", or not.
func (t *Topology) WithBFD(c *Customer, interval int, fields string) {
	b := BFD{Interval: interval}
	text := c.Resource("")
	text = strings.Replace(text, "bgp_peers:\n", b.fields(c)+"bgp_peers:\n", 1)
	if fields != "" {
		text = strings.ReplaceAll(text, "connect_retry: 1}", "connect_retry: 1, "+fields+"}")
	}
	t.Lab.File("resources.d/"+c.Name+".yaml", text)
}

// SetInterval changes the interval, in milliseconds, at both ends of a customer's sessions. The edge reads it at its next SIGHUP.
func (t *Topology) SetInterval(c *Customer, interval int) {
	t.Lab.Helper()
	t.WithBFD(c, interval, "enable_bfd: true")
	for _, ln := range c.Lines {
		if err := t.setInterval(ln.Router, interval); err != nil {
			t.Lab.Fatalf("%v", err)
		}
	}
}

func (t *Topology) setInterval(r *Router, interval int) error {
	if r.FRR != nil {
		return r.FRR.Configure("bfd", "profile "+profile, fmt.Sprintf("receive-interval %d", interval), fmt.Sprintf("transmit-interval %d", interval))
	}
	file := t.path(r.NS.Name + "-bird.conf")
	conf, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	conf = regexp.MustCompile(`(min [rt]x interval) \d+`).ReplaceAll(conf, fmt.Appendf(nil, "$1 %d", interval))
	if err := os.WriteFile(file, conf, 0o644); err != nil {
		return err
	}
	_, err = r.BIRD.Birdc("configure")
	return err
}

// SetBFD switches BFD with the edge on or off, without a word of BGP.
func (r *Router) SetBFD(on bool) error {
	return r.FRR.Configure("bfd", "profile "+profile, map[bool]string{true: "no shutdown", false: "shutdown"}[on])
}

// BFDUp is nil when BFD with the edge is up in both families.
func (r *Router) BFDUp() error {
	for _, a := range []netip.Addr{r.line.Local4, r.line.Local6} {
		if r.BIRD != nil {
			out, err := r.BIRD.Birdc("show", "bfd", "sessions")
			if line := lineWith(out, a.String()+" "); err != nil || !strings.Contains(line, " Up ") {
				return fmt.Errorf("%s: BFD with %v: %q, %w", r.NS.Name, a, line, err)
			}
			continue
		}
		if p, err := r.FRR.BFD(a.String()); err != nil || p.Status != "up" {
			return fmt.Errorf("%s: BFD with %v: %+v, %w", r.NS.Name, a, p, err)
		}
	}
	return nil
}

func lineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			return line
		}
	}
	return ""
}

// Cut drops what goes over a line in both directions, inside the provider's switch: no carrier is lost, nobody is told. Mend ends it.
func (t *Topology) Cut(ln *Line) {
	t.Port.MustRun("bridge", "vlan", "del", "dev", ln.switchDev, "vid", fmt.Sprint(ln.VLAN))
}

// Mend is Cut's reverse.
func (t *Topology) Mend(ln *Line) {
	t.Port.MustRun("bridge", "vlan", "add", "dev", ln.switchDev, "vid", fmt.Sprint(ln.VLAN), "pvid", "untagged")
}
