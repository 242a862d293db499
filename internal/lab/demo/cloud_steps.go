package main

import (
	"strings"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// The names that steps speak of most.
const (
	vpcA, vpcB, vpcC, vpcBeta = "vpc-acme-a", "vpc-acme-b", "vpc-acme-c", "vpc-beta"
	vbr1                      = "vbr-acme-1"
)

func (d *cloudDemo) idcToVPC() {
	d.step("acme's data centre and its VPC, over two lines at two edge hosts in two regions")
	d.pings(d.IDCWith(d.VPCs[vpcA]))
	for _, p := range []string{topo.IDCPrefix4, topo.IDCPrefix6} {
		d.must(10*time.Second, "both ways to "+p, func() error { return d.GW1.Hops(vpcA, p, 2) })
	}
	d.ctl(d.GW1, "show", "router", vpcA)
	d.ctl(d.GW1, "explain", topo.IDCPrefix4, "-r", vpcA)
	for _, ri := range []string{"ri-a-vbr1", "ri-a-vbr2"} {
		if err := d.GW1.InterfaceIs(vpcA, ri, "Active"); err != nil {
			d.lab.Fatalf("%v", err)
		}
	}
	d.done("%s has the data centre's prefixes of both families by both VBRs, in the kernel; both pairs are Active", vpcA)
}

func (d *cloudDemo) frrGateway() {
	d.step("The same data centre and a VPC behind an FRR gateway, at both VBRs")
	d.pings(d.IDCWithFRR())
}

func (d *cloudDemo) vpcToVPC() {
	d.step("VPC to VPC on one host")
	d.pings(topo.Between(d.VPCs[vpcA], d.VPCs[vpcB]))
	if err := d.GW1.InterfaceIs(vpcB, "ri-b-a", "Active"); err != nil {
		d.lab.Fatalf("%v", err)
	}
	d.done("the pair is a veth pair: no tunnel, no VNI")
}

func (d *cloudDemo) acrossRegions() {
	d.step("VPC to VPC across regions")
	d.pings(topo.Between(d.VPCs[vpcA], d.VPCs[vpcC]))
	d.must(5*time.Second, "the pair", func() error { return d.GW2.InterfaceIs(vpcC, "ri-c-a", "Active") })
	d.ctl(d.GW2, "show", "router", vpcC)
	d.done("the pair is Active at both ends: each learned of the other through the reflectors")
}

// accept: nothing flows before beta says yes, nobody else can say it, all flows then.
func (d *cloudDemo) accept() {
	d.step("beta is asked by acme, and accepts")
	pair := topo.Between(d.VPCs[vpcA], d.VPCs[vpcBeta])
	d.must(5*time.Second, "the state before", func() error { return d.GW1.InterfaceIs(vpcA, "ri-a-beta", "Connecting") })
	d.ctlAs("acme", d.GW1, "show", "router", vpcA)
	d.silent(pair, "ri-a-beta is Connecting")
	accept := d.lab.File("gw-1-accept.yaml", topo.CloudResources("gw-1-accept"))
	d.refusedAs("acme", d.GW1, []string{"beta"}, "apply", "-f", accept)
	d.done("acme cannot accept for beta")
	d.ctlAs("beta", d.GW1, "apply", "-f", accept, "-m", "we know them")
	for router, ri := range map[string]string{vpcA: "ri-a-beta", vpcBeta: "ri-beta-a"} {
		d.must(5*time.Second, ri, func() error { return d.GW1.InterfaceIs(router, ri, "Active") })
	}
	d.pings(pair)
}

// transit: what vpc-acme-a learns by one router interface leaves by no other.
func (d *cloudDemo) transit() {
	d.step("No transit: %s does not carry others' traffic", vpcA)
	d.silent(d.IDCWith(d.VPCs[vpcB]), "the data centre's routes are not told to "+vpcB)
	d.silent(topo.Between(d.VPCs[vpcB], d.VPCs[vpcC]), "both are joined with "+vpcA+" only")
	out := d.ctl(d.GW1, "explain", topo.IDCPrefix4, "-r", vpcA)
	if !strings.Contains(out, "transit") || !strings.Contains(out, "ri-a-b") {
		d.lab.Fatalf("explain does not say why ri-a-b is not told of %s:\n%s", topo.IDCPrefix4, out)
	}
	d.done("explain tells whom it is not told, and why")
}

// bandwidth offers twice what Mini.5 lets through.
func (d *cloudDemo) bandwidth() {
	d.step("A router interface of Mini.5 carries 5 Mbit/s, each way")
	a, c := d.VPCs[vpcA], d.VPCs[vpcC]
	d.pings(topo.Between(a, c))
	for _, way := range [][2]*topo.VPC{{a, c}, {c, a}} {
		d.done("%s -> %s: 10 Mbit/s offered, %.2f arrive", way[0].Host.Name, way[1].Host.Name, d.rate(way[0], way[1], 5e6)/1e6)
	}
}

// rate measures until at most 5 % of a limit are missing, three times at most: a busy machine sends late. More than 5 % beyond is never right.
func (d *cloudDemo) rate(from, to *topo.VPC, limit float64) (rate float64) {
	for range 3 {
		var err error
		rate, err = from.Host.Rate(to.Host, to.Host4, lab.RateOptions{Offer: int(2 * limit)})
		if err != nil || rate > 1.05*limit {
			d.lab.Fatalf("%s to %s: %.2f Mbit/s, %v", from.Host.Name, to.Host.Name, rate/1e6, err)
		}
		if rate >= 0.95*limit {
			return rate
		}
	}
	d.lab.Fatalf("%s to %s: only %.2f Mbit/s", from.Host.Name, to.Host.Name, rate/1e6)
	return rate
}

// lineCut cuts the first line under traffic and mends it.
func (d *cloudDemo) lineCut() {
	d.step("acme's first line is cut under traffic: what each direction loses, and what the return loses")
	const objective = time.Second
	way := d.IDCWith(d.VPCs[vpcA])
	streams := way.Duplex(lab.StreamOptions{})
	time.Sleep(time.Second)
	d.Cut(0, topo.BothEnds, true)
	time.Sleep(3 * time.Second) // and no looking meanwhile: a process costs the VRF kernel's one processor more than a failover does
	only := d.GW1.Hops(vpcA, topo.IDCPrefix4, 1)
	for _, s := range streams {
		loss := s.Stop()
		for _, l := range []lab.Loss{loss.There, loss.Back} {
			if l.Outage >= objective {
				d.lab.Fatalf("the line cut: %v", l)
			}
			d.done("%v", l)
		}
	}
	if only != nil {
		d.lab.Fatalf("%v", only)
	}
	d.refusedAs("acme", d.Edge2, []string{topo.IDCPrefix4}, "drill", "start", "--router", "vbr-acme-2", "--dry-run")
	d.done("no drill of the line that carries all alone")
	streams = way.Duplex(lab.StreamOptions{})
	d.Cut(0, topo.BothEnds, false)
	time.Sleep(5 * time.Second)
	for _, s := range streams {
		if loss := s.Stop(); loss.Lost() > 0 {
			d.lab.Fatalf("the return of the line: %v", loss)
		}
	}
	d.must(20*time.Second, "both lines again", func() error { return d.GW1.Hops(vpcA, topo.IDCPrefix4, 2) })
	d.done("mended: both lines carry again, and nothing was lost over that")
}
