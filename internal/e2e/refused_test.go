package e2e

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// devices are those of the edge by name and kind.
func (w *world) devices() string { return w.Edge.MustRun("ip", "-d", "-br", "link") }

// testMissingCapability: vbrd without CAP_NET_ADMIN ends with status 1 and names it.
func (w *world) testMissingCapability(t *testing.T) {
	before := w.devices()
	p := w.Edge.Start("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", binary(t), "--config", w.Config)
	status, err := p.Wait(10 * time.Second)
	if err != nil || status != 1 || !strings.Contains(p.Log(), "CAP_NET_ADMIN") {
		t.Errorf("status %d, %v; want 1 and CAP_NET_ADMIN in\n%s", status, err, p.Log())
	}
	if after := w.devices(); after != before {
		t.Errorf("devices before\n%safter\n%s", before, after)
	}
	p.Kill()
}

// testBadResources: every error at once, status 2, and nothing was made, also for the routers without an error.
func (w *world) testBadResources(t *testing.T) {
	before := w.devices()
	bad := w.Lab.File("resources.d/zz-bad.yaml", `kind: VirtualBorderRouter
name: vbr-gamma
physical_connection_id: pc-9
vlan_id: 4095
local_gateway_ip: 10.0.0.1
peer_gateway_ip: 10.0.1.2
peering_subnet_mask: /30
speed: 9
---
kind: PhysicalConnection
name: pc-2
device: eth77
---
kind: RouterInterface
name: ri-gamma
router_id: vbr-acme
vni: 5001
route_target: "64600:5009"
`)
	defer os.Remove(bad)
	p := w.StartVbrd(binary(t))
	status, err := p.Wait(10 * time.Second)
	if err != nil || status != 2 {
		t.Errorf("status %d, %v; want 2", status, err)
	}
	for _, want := range []string{"zz-bad.yaml:4:", "4095", "zz-bad.yaml:8:", "speed", "nothing was applied"} {
		if !strings.Contains(p.Log(), want) {
			t.Errorf("no %q in\n%s", want, p.Log())
		}
	}
	t.Logf("vbrd says:\n%s", p.Log())
	if after := w.devices(); after != before {
		t.Errorf("devices before\n%safter\n%s", before, after)
	}
	if err := os.Truncate(p.LogFile, 0); err != nil {
		t.Error(err)
	}
}

// open is a BGP OPEN (RFC 4271 4.2) of AS 65001 without capabilities: what a stranger who knows the AS would send.
var open = []byte{
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 29, 1, 4,
	65001 >> 8, 65001 & 0xff, 0, 90, 10, 9, 9, 9, 0,
}

// session tries to begin a BGP session from an address and returns what comes back.
func session(ns *lab.NS, from, to string) (answer []byte, err error) {
	err = ns.Do(func() error {
		local, e := net.ResolveTCPAddr("tcp", net.JoinHostPort(from, "0"))
		if e != nil {
			return e
		}
		c, e := (&net.Dialer{LocalAddr: local, Timeout: 2 * time.Second}).Dial("tcp", net.JoinHostPort(to, "179"))
		if e != nil {
			return e
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(2 * time.Second))
		if _, e := c.Write(open); e != nil {
			return e
		}
		answer, e = io.ReadAll(c)
		return e
	})
	return answer, err
}

// testStrangers: nobody but the configured peers gets a session: not another address on the line, not the VPC, not the underlay.
func (w *world) testStrangers(t *testing.T) {
	line := w.Acme.Lines[0].Router
	line.NS.IP("addr add 10.0.0.3/29 dev eth0", "addr add fd00::3/126 dev eth0")
	defer line.NS.IP("addr del 10.0.0.3/29 dev eth0", "addr del fd00::3/126 dev eth0")
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix4B, topo.IDCPrefix6, topo.IDCPrefix6B} { // both lines are in use, and stay so
		w.eventually(20*time.Second, "two next hops of "+p, w.wantNextHops(p, 2))
	}
	sessions, routes := w.sessionsUp(), w.acmeRoutes(t)
	for _, s := range []struct {
		name, from, to string
		ns             *lab.NS
	}{
		{"another address on the line, IPv4", "10.0.0.3", "10.0.0.1", line.NS},
		{"another address on the line, IPv6", "fd00::3", "fd00::1", line.NS},
		{"the customer's LAN", topo.IDCHost4, "10.0.0.1", w.Acme.LAN},
		{"the VPC's host, IPv4", topo.VPCHost4, "10.0.0.1", w.Acme.Host},
		{"the VPC's host, IPv6", topo.VPCHost6, "fd00::1", w.Acme.Host},
		{"the customer to the backbone", "10.0.0.2", topo.EdgeVTEP, line.NS},
		{"a stranger on the underlay", "192.0.2.77", topo.EdgeVTEP, w.underlayStranger()},
	} {
		answer, err := session(s.ns, s.from, s.to)
		t.Logf("%s: %q, %v", s.name, answer, err)
		if len(answer) > 18 && (answer[18] == 1 || answer[18] == 4) { // OPEN, KEEPALIVE
			t.Errorf("%s: vbrd talks BGP to it: %x", s.name, answer)
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() && len(answer) == 0 && !strings.Contains(err.Error(), "dial") {
			t.Errorf("%s: vbrd keeps the connection open", s.name)
		}
	}
	if got := w.sessionsUp(); got != sessions {
		t.Errorf("sessions came or went: %d log lines, before %d", got, sessions)
	}
	if err := w.Sessions(); err != nil {
		t.Error(err)
	}
	if got := w.acmeRoutes(t); got != routes {
		t.Errorf("acme's routes: before\n%safter\n%s", routes, got)
	}
}

func (w *world) underlayStranger() *lab.NS {
	w.Underlay.IP("addr add 192.0.2.77/24 dev br0")
	return w.Underlay
}

// sessionsUp counts the log lines on sessions that came up or went down.
func (w *world) sessionsUp() int {
	return strings.Count(w.vbrd.Log(), "session up") + strings.Count(w.vbrd.Log(), "session down")
}

func (w *world) acmeRoutes(t *testing.T) string {
	t.Helper()
	return w.Edge.MustRun("ip", "route", "show", "vrf", "vbr-acme", "proto", "86") + w.Edge.MustRun("ip", "-6", "route", "show", "vrf", "vbr-acme", "proto", "86")
}
