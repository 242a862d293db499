package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// cloudDemo is the cloud topology with its vbrds.
type cloudDemo struct {
	*stage
	*topo.Cloud
	lab    *lab.Lab
	binary string
}

// cloudStep is one step by its name on the command line.
type cloudStep struct {
	name string
	play func()
}

func (d *cloudDemo) steps() []cloudStep {
	return []cloudStep{
		{"idc", d.idcToVPC}, {"frr", d.frrGateway}, {"vpc", d.vpcToVPC}, {"regions", d.acrossRegions}, {"accept", d.accept}, {"transit", d.transit},
		{"bandwidth", d.bandwidth}, {"cut", d.lineCut}, {"drill", d.drill}, {"usage", d.usage}, {"quality", d.quality}, {"terminate", d.terminate},
	}
}

// playCloud builds the topology, brings the vbrds up, and goes through the steps, or those named.
func (s *stage) playCloud(l *lab.Lab, vbrd, only string) {
	s.step("Build the topology: 2 regions, 2 reflectors and a VPC gateway (FRR), 2 customer routers (FRR and BIRD), 5 VPC hosts")
	fmt.Fprint(s.out, cloudPicture)
	d := &cloudDemo{stage: s, Cloud: topo.NewCloud(l), lab: l, binary: vbrd}
	between := topo.WANDelay + " each way between the regions"
	if !d.Delayed {
		between = "no delay between the regions: this kernel has no netem"
	}
	s.done("FRR runs in 4 namespaces, BIRD in one; %s", between)
	d.start()
	chosen := strings.Split(only, ",")
	for _, step := range d.steps() {
		if only == "" || slices.Contains(chosen, step.name) {
			step.play()
		}
	}
}

const cloudPicture = `
              region r1                                          region r2
   carrier's port-1                                   carrier's port-2
      | VLAN 100, acme's                                 | VLAN 101, acme's
   edge-1: vbr-acme-1   gw-1: vpc-acme-a (10.1/16)    edge-2: vbr-acme-2   gw-2: vpc-acme-c (10.3/16)
      |  vpc-acme-ops       | vpc-acme-b (10.2/16)       |                    |
      |  (10.5/16)          | vpc-beta   (10.4/16)       |                    |
      +--- underlay, rr-1 --+--------- wan --------------+--- underlay, rr-2 -+
      |
      +- vpc-frr (10.9/16): FRR's EVPN gateway, at both VBRs
      +- store: etcd, shared by all four hosts

   acme's data centre, 172.16.1.0/24, has one router at each port: FRR at port-1, BIRD at port-2.
   vpc-acme-a and vpc-acme-ops are joined with both VBRs, which are a failover group; vpc-acme-a is joined
   with vpc-acme-b, with vpc-acme-c over the backbone, and, once beta agrees, with vpc-beta.

`

// start brings up vbrd on all hosts, and applies their resources on one of them.
func (d *cloudDemo) start() {
	d.step("Start vbrd on four hosts that share one store (etcd), apply all resources on one of them, and wait for the sessions")
	for _, h := range d.Hosts() {
		h.Start(d.binary)
	}
	d.ctl(d.Edge2, "apply", "-f", d.Resources)
	took := d.must(40*time.Second, "sessions", func() error { return d.Sessions(d.Hosts()...) })
	d.done("all sessions up %.1f s after that: 4 with the customer (IPv4 and IPv6), 8 of the hosts with the reflectors", took.Seconds())
	d.ctl(d.Edge1, "show", "sessions")
	d.ctl(d.GW1, "show", "routers")
}

// must ends the demo when f still fails after limit, and returns how long it took.
func (d *cloudDemo) must(limit time.Duration, what string, f func() error) time.Duration {
	return lab.Eventually(d.lab, limit, what, f)
}

// ctl runs a host's vbrctl as its administrator, shows what it printed, and returns it.
func (d *cloudDemo) ctl(h *topo.Host, args ...string) string {
	out, err := h.Ctl(args...)
	d.told(h.Name+"#", out, err, args)
	return out
}

// ctlAs is ctl as one of the accounts.
func (d *cloudDemo) ctlAs(account string, h *topo.Host, args ...string) string {
	out, err := h.CtlAs(account, args...)
	d.told(account+"@"+h.Name+"$", out, err, args)
	return out
}

// told shows a command and its output, or ends the demo by its error.
func (d *cloudDemo) told(prompt, out string, err error, args []string) {
	line := strings.ReplaceAll(strings.Join(args, " "), d.lab.Dir+"/", "")
	if err != nil {
		d.lab.Fatalf("%s vbrctl %s: %v", prompt, line, err)
	}
	d.show(prompt+" vbrctl "+line, out)
}

// refusedAs shows that a command of an account's is refused, with all these words.
func (d *cloudDemo) refusedAs(account string, h *topo.Host, words []string, args ...string) {
	out, err := h.CtlAs(account, args...)
	if err == nil {
		d.lab.Fatalf("%s may vbrctl %s:\n%s", account, strings.Join(args, " "), out)
	}
	text := err.Error()
	for _, w := range words {
		if !strings.Contains(text, w) {
			d.lab.Fatalf("the refusal does not say %q: %s", w, text)
		}
	}
	d.show(account+"@"+h.Name+"$ vbrctl "+strings.ReplaceAll(strings.Join(args, " "), d.lab.Dir+"/", ""), strings.ReplaceAll(afterStatus(text), d.lab.Dir+"/", ""))
}

// afterStatus is what a command said, without which command it was.
func afterStatus(text string) string {
	if _, said, ok := strings.Cut(text, "exit status "); ok {
		if _, said, ok = strings.Cut(said, ": "); ok {
			return said
		}
	}
	return text
}

// pings shows that two hosts reach each other, both ways, both families.
func (d *cloudDemo) pings(p topo.Pair) {
	took := d.must(20*time.Second, p.A.Name+" and "+p.B.Name, p.Ping)
	d.done("%s and %s reach each other both ways, IPv4 and IPv6, after %.1f s", p.A.Name, p.B.Name, took.Seconds())
}

// silent shows that they do not.
func (d *cloudDemo) silent(p topo.Pair, why string) {
	if err := p.Silent(); err != nil {
		d.lab.Fatalf("%s: %v", why, err)
	}
	d.done("nothing passes between %s and %s: %s", p.A.Name, p.B.Name, why)
}
