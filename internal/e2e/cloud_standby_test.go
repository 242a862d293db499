package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// TestActiveStandby: of two VBRs on two hosts one carries all, in both directions, and the other takes over while its line is cut: by a failover
// group, and by preference. A VRouter and FRR's gateway, FRR and BIRD as the customer's routers, all go by what BGP tells them.
func TestActiveStandby(t *testing.T) {
	c := newTwoRegions(t, func(c *topo.Cloud) []*topo.Host { return []*topo.Host{c.Edge1, c.Edge2, c.GW1} })
	for _, p := range c.fromIDC() {
		lab.Eventually(t, 20*time.Second, "pings", p.Ping)
	}
	first, second := topo.CloudResources("edge-1"), topo.CloudResources("edge-2")
	for _, tt := range []struct {
		name, resources string
		active          int // line
		attributes      []string
	}{
		{"failover group", strings.Replace(first, "mode: ECMP", "mode: ActiveStandby", 1), 0, []string{`"locPrf":60`, `"metric":190`}},
		{"preference", first + "---\n" + second, -1, nil}, // both share again
		{"preference", preferred(first, 20) + "---\n" + second, 1, []string{`"locPrf":70`, `"metric":180`}},
	} {
		file := c.Lab.File("order.yaml", tt.resources)
		if out, err := c.GW1.Ctl("apply", "-f", file); err != nil {
			t.Fatalf("%s: %v %s", tt.name, err, out)
		}
		if tt.active < 0 {
			lab.Eventually(t, 20*time.Second, "both lines", func() error { return c.GW1.Hops("vpc-acme-a", topo.IDCPrefix4, 2) })
			continue
		}
		t.Run(tt.name, func(t *testing.T) { c.takesOver(t, tt.active, tt.attributes) })
	}
}

// preferred gives every router interface of a VBR in the resources a preference.
func preferred(resources string, preference int) string {
	return strings.ReplaceAll(resources, "\nrouter_id: vbr-", fmt.Sprintf("\npreference: %d\nrouter_id: vbr-", preference))
}

// fromIDC are the ways between the data centre and VPCs that both VBRs lead to: behind a VRouter, and behind FRR's gateway.
func (c *twoRegions) fromIDC() []topo.Pair {
	return []topo.Pair{c.IDCWith(c.VPCs["vpc-acme-a"]), c.IDCWithFRR()}
}

// streams starts packets on all ways from the data centre: few, since one line carries all.
func (c *twoRegions) streams() (all []*lab.Duplex) {
	for _, p := range c.fromIDC() {
		both := p.Duplex(lab.StreamOptions{Flows: 1})
		all = append(all, both[:]...)
	}
	time.Sleep(500 * time.Millisecond)
	return all
}

// takesOver cuts the active line and mends it, under traffic.
func (c *twoRegions) takesOver(t *testing.T, active int, attributes []string) {
	defer c.tellFRR(t)
	lab.Eventually(t, 20*time.Second, "the active line carries all", func() error { return c.ledBy(active) })
	said, err := c.FRRGateway.FRR.Ask("bgpd", "show bgp vrf "+topo.VRF+" ipv4 unicast "+topo.IDCPrefix4+" json")
	for _, a := range attributes {
		if err != nil || !strings.Contains(strings.ReplaceAll(said, " ", ""), a) {
			t.Errorf("FRR's gateway has not heard %s: %v %s", a, err, said)
		}
	}
	streams := c.streams()
	c.Cut(active, topo.BothEnds, true)
	time.Sleep(3 * time.Second) // and no looking meanwhile: a process costs the VRF kernel's one processor more than a failover does
	led := c.ledBy(1 - active)
	for _, s := range streams {
		loss := s.Stop()
		if loss.Outage() >= time.Second {
			t.Errorf("the line cut: %v", loss)
		}
		t.Log(loss)
	}
	if led != nil {
		t.Error(led)
	}
	streams = c.streams()
	circles := c.circles()
	c.Cut(active, topo.BothEnds, false)
	time.Sleep(7 * time.Second)
	circled := len(circles.Stop()) > 0
	for _, s := range streams {
		loss := s.Stop()
		if loss.Back.Lost > 0 || loss.There.Lost > 0 && !circled || loss.Outage() >= 500*time.Millisecond {
			t.Errorf("the return of the line: %v", loss)
		}
		t.Logf("the customer's routers sent each other packets in circles: %v; %v", circled, loss)
	}
	lab.Eventually(t, 20*time.Second, "the active line carries all again", func() error { return c.ledBy(active) })
}

// circles captures what the customer's routers send to and fro until it dies (the stream's packets begin with 64 hops): FRR tells the other router of a
// route before zebra has it in the kernel, and that one sends here what is still sent there. It is the customer's own loss, on the way to the VPC.
// FRR's "bgp suppress-fib-pending" is no cure: 8.4 then never tells of what a network statement names.
func (c *twoRegions) circles() *lab.Capture {
	return c.Acme.Lines[0].Router.NS.Capture("lan0", "udp and (ip[8] < 58 or ip6[7] < 58)")
}

// tellFRR logs what FRR's gateway knew when a test has failed.
func (c *twoRegions) tellFRR(t *testing.T) {
	if !t.Failed() {
		return
	}
	for _, ask := range [][2]string{{"bgpd", "show bgp vrf " + topo.VRF + " ipv4 unicast " + topo.IDCPrefix4}, {"zebra", "show ip route vrf " + topo.VRF}} {
		said, err := c.FRRGateway.FRR.Ask(ask[0], ask[1])
		t.Logf("%s: %v\n%s", ask[1], err, said)
	}
}

// ledBy is nil when all lead by one line, in both directions and families: the VRouter and FRR's gateway to its VBR's host, the customer's router at
// its end into it, and the customer's other router to that one.
func (c *twoRegions) ledBy(line int) error {
	vtep := []*topo.Host{c.Edge1, c.Edge2}[line].VTEP
	var errs []error
	only := func(ns *lab.NS, table, prefix, want string) {
		hops, err := ns.NextHops(prefix, table)
		if err == nil && (len(hops) != 1 || !strings.Contains(hops[0], want)) {
			err = fmt.Errorf("%s: %s leads %q, not by %s alone", ns.Name, prefix, hops, want)
		}
		errs = append(errs, err)
	}
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		only(c.FRRGateway.Gateway, "vrf "+topo.VRF, p, vtep)
	}
	for _, to := range []string{"172.16.1.1", "172.16.1.77", "2001:db8:1::1", "2001:db8:1::77"} { // vbrd's groups hold the standby too, without traffic
		out, err := c.GW1.NS.Run("ip", "route", "get", to, "vrf", "vpc-acme-a")
		if want := fmt.Sprintf("dev vx%d ", 6001+line); err == nil && !strings.Contains(out, want) {
			err = fmt.Errorf("gw-1: no %s in: %s", want, out)
		}
		errs = append(errs, err)
	}
	for _, p := range []string{"10.1.0.0/16", "2001:db8:a1::/48", topo.FRRPrefix4, topo.FRRPrefix6} {
		only(c.Acme.Lines[line].Router.NS, "main", p, "dev eth0")
		only(c.Acme.Lines[1-line].Router.NS, "main", p, "dev lan0")
	}
	return errors.Join(errs...)
}
