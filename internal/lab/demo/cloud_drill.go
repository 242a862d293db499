package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// drillOut is how long the drill's router is out of service before the drill is ended: the shortest duration, a minute, is for patient people.
const drillOut = 4 * time.Second

// drill takes acme's first VBR out on purpose. Its probes leave from vpc-acme-ops on the same host; what each direction loses besides, the streams say.
func (d *cloudDemo) drill() {
	d.step("A drill: does %s's neighbour really take over?", vbr1)
	d.refusedAs("acme", d.Edge1, []string{"VirtualBorderRouter"}, "drill", "start", "--router", "vpc-acme-ops")
	d.ctlAs("acme", d.Edge1, "drill", "start", "--router", vbr1, "--dry-run")
	streams := d.IDCWith(d.VPCs[vpcA]).Duplex(lab.StreamOptions{})
	said := d.ctlAs("acme", d.Edge1, append([]string{"drill", "start", "--router", vbr1, "--duration", "1m"}, drillProbes()...)...)
	id := strings.TrimSuffix(strings.Fields(said)[1], ":")
	d.must(20*time.Second, "the router out of service", func() error { return d.GW1.Hops(vpcA, topo.IDCPrefix4, 1) })
	time.Sleep(drillOut)
	only := d.GW1.Hops(vpcA, topo.IDCPrefix4, 1)
	d.ctlAs("acme", d.Edge1, "drill", "stop", id)
	d.must(30*time.Second, "the drill's end", func() error { return d.drillIs(id, "Stopped") })
	for _, s := range streams {
		loss := s.Stop()
		for _, l := range []lab.Loss{loss.There, loss.Back} {
			d.done("%v", l)
		}
	}
	if only != nil {
		d.lab.Fatalf("while the router was out: %v", only)
	}
	d.ctlAs("acme", d.Edge1, "drill", "show", id)
	test, err := d.drillNow(id)
	if err != nil || test.GetVerdict() != "Passed" || len(test.GetMeasurements()) != 2*len(drillTargets) {
		d.lab.Fatalf("%v %v", test, err)
	}
	d.must(10*time.Second, "both lines again", func() error { return d.GW1.Hops(vpcA, topo.IDCPrefix4, 2) })
	d.done("%s, and stored for a year; both lines carry again", test.GetVerdict())
}

// drillTargets are what the drill's probes go to, in the data centre, each from vpc-acme-ops: ECMP spreads them over both VBRs.
var drillTargets = []string{topo.IDCHost4, "172.16.2.1", topo.IDCHost6, "2001:db8:2::1"}

func drillProbes() (args []string) {
	for _, to := range drillTargets {
		from := "10.5.1.253"
		if strings.Contains(to, ":") {
			from = "2001:db8:a5:1::1"
		}
		args = append(args, "--probe", from+"->"+to)
	}
	return args
}

func (d *cloudDemo) drillNow(id string) (*vbrv1.FailoverTest, error) {
	t := new(vbrv1.FailoverTest)
	return t, d.Edge1.Decode(t, "drill", "show", id)
}

// drillIs is nil when a drill has a status.
func (d *cloudDemo) drillIs(id, want string) error {
	t, err := d.drillNow(id)
	if err == nil && t.GetStatus() != want {
		err = fmt.Errorf("%s is %s (%s), not %s", id, t.GetStatus(), strings.Join(t.GetFindings(), "; "), want)
	}
	return err
}
