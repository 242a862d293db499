package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// demo is the topology with its vbrd.
type demo struct {
	*stage
	*topo.Topology
	lab    *lab.Lab
	binary string
	vbrd   *lab.Proc
}

func (d *demo) customers() []*topo.Customer { return []*topo.Customer{d.Acme, d.Beta} }

// must ends the demo when f still fails after limit, and returns how long it took.
func (d *demo) must(limit time.Duration, what string, f func() error) time.Duration {
	return lab.Eventually(d.lab, limit, what, f)
}

// tables are those vbrd gives to the customers' VRFs: from table_base, in the order of the resources.
var tables = map[string]string{"acme": "10000", "beta": "10001"}

func (d *demo) start() {
	d.step("Start vbrd on the edge host, tell it the resources with vbrctl, and wait for the sessions")
	d.vbrd = d.StartVbrd(d.binary)
	d.must(10*time.Second, "the API", func() error { _, err := d.Vbrctl(d.binary, "show", "host"); return err })
	d.ctl("plan", "-f", d.Resources)
	d.ctl("apply", "-f", d.Resources, "-m", "first light")
	took := d.WaitBGP(30 * time.Second)
	d.done("all sessions up %.1f s after the apply: 6 with customers (IPv4 and IPv6), 1 with the reflector and its 2 with the gateways (EVPN)", took.Seconds())
	for _, c := range d.customers() {
		took := d.must(20*time.Second, c.Name+"'s pings", c.PingBoth)
		d.done("%s: first pings both ways, IPv4 and IPv6, %.1f s later", c.Name, took.Seconds())
	}
	d.ctl("show", "sessions")
}

// ctl runs vbrctl on the edge host, shows what it printed, and returns it.
func (d *demo) ctl(args ...string) string {
	out, err := d.Vbrctl(d.binary, args...)
	if err != nil {
		d.lab.Fatalf("vbrctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	d.show("edge# vbrctl "+strings.ReplaceAll(strings.Join(args, " "), d.Resources, "resources.d"), out)
	return out
}

// explained shows what vbrctl explains and demands that it says all of want.
func (d *demo) explained(prefix string, want ...string) {
	out := d.ctl("explain", prefix, "-r", "vbr-acme")
	for _, w := range want {
		if !strings.Contains(out, w) {
			d.lab.Fatalf("vbrctl explain %s does not say %q:\n%s", prefix, w, out)
		}
	}
}

func (d *demo) tables() {
	d.step("The kernel has a table for each customer")
	for _, c := range d.customers() {
		vrf := "vbr-" + c.Name
		d.show("edge# ip route show vrf "+vrf, d.Edge.MustRun("ip", "route", "show", "vrf", vrf))
		d.show("edge# ip -6 route show vrf "+vrf+" proto 86", d.Edge.MustRun("ip", "-6", "route", "show", "vrf", vrf, "proto", "86"))
		for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6, topo.VPCPrefix4, topo.VPCPrefix6} {
			if err := d.Edge.HasRoute(p, tables[c.Name]); err != nil {
				d.lab.Fatalf("%v", err)
			}
		}
		d.done("%s has the data centre's and the VPC's prefixes of both families", vrf)
	}
}

func (d *demo) pings() {
	d.step("Packets go both ways")
	for _, c := range d.customers() {
		for _, p := range []struct {
			from     *lab.NS
			dst, src string
		}{
			{c.Host, topo.IDCHost4, ""}, {c.Host, topo.IDCHost6, ""},
			{c.LAN, topo.VPCHost4, topo.IDCHost4}, {c.LAN, topo.VPCHost6, topo.IDCHost6},
		} {
			stats, err := p.from.Ping(p.dst, lab.PingOptions{Source: p.src, Count: 10})
			if err != nil {
				d.lab.Fatalf("%s to %s: %v", p.from.Name, p.dst, err)
			}
			d.done("%-9s -> %-16s %s", p.from.Name, p.dst, stats)
		}
	}
}

// isolation pings within acme and watches every place of beta's that could see it.
func (d *demo) isolation() {
	d.step("acme's traffic never shows up at beta, though all addresses are the same")
	places := []*lab.NS{d.Beta.Lines[0].Router.NS, d.Beta.LAN, d.Beta.Gateway, d.Beta.Host}
	var captures []*lab.Capture
	for _, ns := range places {
		captures = append(captures, ns.Capture("any", lab.EchoFilter))
	}
	seen := d.Acme.Host.Counters("eth0").RxPackets
	if err := d.Acme.PingBoth(); err != nil {
		d.lab.Fatalf("%v", err)
	}
	d.done("acme's own host received %d packets meanwhile", d.Acme.Host.Counters("eth0").RxPackets-seen)
	for i, c := range captures {
		if packets := c.Stop(); len(packets) > 0 {
			d.lab.Fatalf("%s saw acme's packets:\n%s", places[i].Name, strings.Join(packets, "\n"))
		}
		d.done("%-9s saw 0 echo packets", places[i].Name)
	}
}

// explain asks why an accepted prefix is where it is, and why one that acme may not announce is not.
func (d *demo) explain() {
	d.step("vbrd tells why a prefix is, or is not, in the kernel and the VPC")
	d.explained(topo.IDCPrefix4, "ri-acme")
	forbidden := "10.0.0.0/30" // the first line's own subnet
	router := d.Acme.Lines[0].Router
	if err := router.Announce(forbidden); err != nil {
		d.lab.Fatalf("%v", err)
	}
	d.must(10*time.Second, "the rejected path", func() error {
		out, err := d.Vbrctl(d.binary, "explain", forbidden, "-r", "vbr-acme")
		if err == nil && !strings.Contains(out, "link-subnet") {
			err = fmt.Errorf("it does not say link-subnet:\n%s", out)
		}
		return err
	})
	d.explained(forbidden, "link-subnet")
	if err := router.Withdraw(forbidden); err != nil {
		d.lab.Fatalf("%v", err)
	}
	d.done("asked in one call, answered with the rule and the value that offends it")
}

func (d *demo) withdraw() {
	d.step("A prefix withdrawn at the customer leaves the kernel and the VPC's gateway")
	router, prefix := d.Acme.Lines[0].Router, topo.IDCPrefix4B
	for _, ln := range d.Acme.Lines[1:] {
		if err := ln.Router.Withdraw(prefix); err != nil {
			d.lab.Fatalf("%v", err)
		}
	}
	for _, p := range []string{topo.IDCPrefix4B, topo.IDCPrefix6B} {
		d.must(5*time.Second, p+" at the gateway", func() error { return d.Acme.GatewayHas(p) })
	}
	began := time.Now() // before the command that withdraws: vtysh's own time counts
	if err := router.Withdraw(prefix); err != nil {
		d.lab.Fatalf("%v", err)
	}
	d.must(5*time.Second, prefix+" leaving the kernel", func() error { return absent(d.Edge.HasRoute(prefix, tables["acme"])) })
	kernel := time.Since(began)
	d.must(5*time.Second, prefix+" leaving the gateway", func() error { return absent(d.Acme.GatewayHas(prefix)) })
	d.done("%s left the kernel within %v and vpc-acme within %v of the command", prefix, round(kernel), round(time.Since(began)))
	d.explained(prefix, "withdrew it")
	if err := d.Edge.HasRoute(prefix, tables["beta"]); err != nil {
		d.lab.Fatalf("beta lost its own: %v", err)
	}
	d.done("beta's %s is still there", prefix)
	for _, ln := range d.Acme.Lines {
		if err := ln.Router.Announce(prefix); err != nil {
			d.lab.Fatalf("%v", err)
		}
	}
	back := d.must(5*time.Second, prefix+" returning", func() error { return d.Acme.GatewayHas(prefix) })
	d.done("announced again, it is back at vpc-acme after %v", round(back))
}

func (d *demo) multipath() {
	d.step("acme's two lines share the load, and one carries all when the other goes")
	two := func() error {
		hops, err := d.Edge.NextHops(topo.IDCPrefix4, "vrf vbr-acme")
		if err == nil && len(hops) != 2 {
			err = fmt.Errorf("want both lines: %q", hops)
		}
		return err
	}
	d.must(5*time.Second, "two next hops", two)
	d.show("edge# ip nexthop show proto 86    (the routes above name these groups)", d.Edge.MustRun("ip", "nexthop", "show", "proto", "86"))
	hops, err := d.Edge.NextHops(topo.IDCPrefix4, "vrf vbr-acme")
	if err != nil {
		d.lab.Fatalf("%v", err)
	}
	d.done("%s goes %s", topo.IDCPrefix4, strings.Join(hops, " and "))
	pinger := d.Acme.Host.Pinger(topo.IDCHost4, lab.PingOptions{})
	second := d.Acme.Lines[1].Router
	if err := second.FRR.Configure("router bgp 65001", "neighbor 10.0.0.5 shutdown", "neighbor fd00::5 shutdown"); err != nil {
		d.lab.Fatalf("%v", err)
	}
	took := d.must(5*time.Second, "one next hop", func() error { return absent(two()) })
	time.Sleep(time.Second)
	stats := pinger.Stop()
	if stats.Lost() > 0 {
		d.lab.Fatalf("pings lost while the second line went: %s", stats)
	}
	d.done("second session shut: one next hop after %v, host-acme's pings: %s", round(took), stats)
	if err := second.FRR.Configure("router bgp 65001", "no neighbor 10.0.0.5 shutdown", "no neighbor fd00::5 shutdown"); err != nil {
		d.lab.Fatalf("%v", err)
	}
	took = d.must(15*time.Second, "two next hops again", two)
	d.done("session back: two next hops again after %v", round(took))
}

// change gives acme's VBR another description and beta a timer, and takes it back.
func (d *demo) change() {
	d.step("A change is planned, applied and rolled back; no session that it does not concern notices")
	before, err := d.Vbrctl(d.binary, "show", "sessions", "-r", "vbr-beta", "-o", "json")
	if err != nil {
		d.lab.Fatalf("%v", err)
	}
	text := strings.Replace(d.Acme.Resource(""), "keepalive: 3", "keepalive: 2", 1)
	file := d.lab.File("changed.yaml", text)
	d.ctl("plan", "-f", file)
	d.ctl("apply", "-f", file, "--confirm", "5m", "-m", "faster keepalives")
	d.ctl("confirm")
	d.ctl("history")
	d.ctl("rollback", "1")
	after, err := d.Vbrctl(d.binary, "show", "sessions", "-r", "vbr-beta", "-o", "json")
	if err != nil {
		d.lab.Fatalf("%v", err)
	}
	if a, b := established(before), established(after); a != b {
		d.lab.Fatalf("beta's sessions were touched: established %s times before, %s after", a, b)
	}
	d.done("beta's sessions are the same as before")
}

var establishedCount = regexp.MustCompile(`"established_count": *"?(\d+)`)

// established are the sessions' counts of how often they came up, from vbrctl's JSON.
func established(json string) string {
	return fmt.Sprint(establishedCount.FindAllStringSubmatch(json, -1))
}

func (d *demo) crash() {
	d.step("kill -9 of vbrd: traffic flows on, and the next vbrd adopts everything")
	d.Edge.IP("route add 198.51.100.0/24 via 10.0.0.2 vrf vbr-acme proto static metric 50")
	var pingers []*lab.Pinger
	for _, c := range d.customers() {
		pingers = append(pingers, c.Host.Pinger(topo.IDCHost4, lab.PingOptions{}), c.Host.Pinger(topo.IDCHost6, lab.PingOptions{}))
	}
	time.Sleep(time.Second)
	d.vbrd.Signal(syscall.SIGKILL)
	d.done("killed; its routes are still in the kernel:")
	d.show("edge# ip route show vrf vbr-acme proto 86", d.Edge.MustRun("ip", "route", "show", "vrf", "vbr-acme", "proto", "86"))
	time.Sleep(4 * time.Second)
	d.vbrd = d.StartVbrd(d.binary)
	took := d.WaitBGP(30 * time.Second)
	d.done("started again after 4 s; all sessions up %.1f s later", took.Seconds())
	time.Sleep(3 * time.Second)
	for _, p := range pingers {
		stats := p.Stop()
		if stats.Lost() > 0 {
			d.lab.Fatalf("pings lost over the restart: %s", stats)
		}
		d.done("pings over the restart: %s", stats)
	}
	if err := d.Edge.HasRoute("198.51.100.0/24", tables["acme"]); err != nil {
		d.lab.Fatalf("a route that is not ours is gone: %v", err)
	}
	d.done("the operator's own static route in acme's table was not touched")
	d.vbrd.Signal(syscall.SIGTERM)
	began := time.Now()
	if status, err := d.vbrd.Wait(2 * time.Second); err != nil || status != 0 {
		d.lab.Fatalf("SIGTERM: status %d, %v", status, err)
	}
	d.done("SIGTERM ends vbrd in %v with status 0", round(time.Since(began)))
}

// shell gives the user one on the edge host.
func (d *demo) shell() {
	fmt.Fprint(d.out, help)
	cmd := exec.Command("ip", "netns", "exec", "edge", "bash", "--norc", "-i")
	bin, err := filepath.Abs(filepath.Dir(d.binary))
	if err != nil {
		d.lab.Fatalf("%v", err)
	}
	cmd.Env = append(os.Environ(), `PS1=edge# `, "PATH="+bin+":"+os.Getenv("PATH"), "VBRCTL_SOCKET="+d.Socket)
	cmd.Dir = d.lab.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	_ = cmd.Run() // the status is that of the user's last command
}

const help = `
   You are on the edge host, with the topology running. Try:
     vbrctl show sessions                           who speaks with us; docs/guide.md has much more
     vbrctl explain 172.16.1.0/24 -r vbr-acme       why a prefix is where it is
     ip route show vrf vbr-acme                     acme's kernel table
     tail -f edge-vbrd.log                          what vbrd says
     ip netns                                       the other machines
     ip netns exec idc-acme vtysh -N idc-acme       acme's FRR (see: show bgp summary)
     ip netns exec host-acme ping 172.16.1.1        through the VPC into the data centre
     tcpdump -ni eth0 udp port 4789                 the tunnels
   exit ends everything.

`

// absent turns "has" into "has not".
func absent(err error) error {
	if err != nil {
		return nil
	}
	return fmt.Errorf("still there")
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
