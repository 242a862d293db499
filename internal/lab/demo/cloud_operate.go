package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/openvbr/openvbr/internal/lab/topo"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// usage: what the steps before have sent is counted, per router interface.
func (d *cloudDemo) usage() {
	d.step("What each router interface has carried, across regions and not")
	d.ctl(d.GW1, "usage")
	var list vbrv1.ListUsageResponse
	if err := d.GW1.Decode(&list, "usage"); err != nil {
		d.lab.Fatalf("%v", err)
	}
	seen := map[string]*vbrv1.Usage{}
	for _, u := range list.GetUsages() {
		seen[u.GetRouterInterface()] = u
	}
	for ri, across := range map[string]bool{"ri-a-vbr1": false, "ri-a-vbr2": true, "ri-a-b": false, "ri-a-c": true} {
		u := seen[ri]
		if u.GetTxBytes() == 0 || u.GetRxBytes() == 0 || u.GetCrossRegion() != across {
			d.lab.Fatalf("%s: %v", ri, u)
		}
	}
	d.done("both directions of every pair are counted; those to r2 are cross-region")
}

func (d *cloudDemo) quality() {
	d.step("How good the way across regions has been, against the published figures")
	out := d.ctl(d.GW1, "quality", "ri-a-c")
	var q vbrv1.GetQualityResponse
	if err := d.GW1.Decode(&q, "quality", "ri-a-c"); err != nil {
		d.lab.Fatalf("%v", err)
	}
	for _, name := range []string{"loss", "jitter", "encapsulation_success", "availability"} {
		if !strings.Contains(out, strings.ReplaceAll(name, "_", " ")) {
			d.lab.Fatalf("the report says nothing of %s", name)
		}
	}
	for _, o := range q.GetObjectives() {
		if o.GetUnknown() {
			d.lab.Fatalf("%s was not measured", o.GetName())
		}
	}
	d.done("%d figures, %d samples", len(q.GetObjectives()), len(q.GetSamples()))
}

// terminate: the port's owner takes acme's first VBR away and gives it back.
func (d *cloudDemo) terminate() {
	d.step("carrier, the port's owner, terminates %s and recovers it; the other line carries acme meanwhile", vbr1)
	way := d.IDCWith(d.VPCs[vpcA])
	d.ctlAs("carrier", d.Edge1, "apply", "-f", d.firstVBR("terminated", "termination_time: "+time.Now().UTC().Format(time.RFC3339)+"\n"), "-m", "unpaid")
	d.must(10*time.Second, "the VBR's end", func() error { return d.vbrStatus(vbr1, "terminated") })
	d.must(10*time.Second, "one line", func() error { return d.GW1.Hops(vpcA, topo.IDCPrefix4, 1) })
	d.must(5*time.Second, "the end at the customer", func() error { return absent(d.Acme.Lines[0].Router.Established()) })
	d.pings(way)
	d.ctl(d.Edge1, "show", "routers")
	d.ctlAs("carrier", d.Edge1, "apply", "-f", d.firstVBR("recovered", ""), "-m", "paid")
	took := d.must(30*time.Second, "the VBR's return", func() error {
		if err := d.vbrStatus(vbr1, "active"); err != nil {
			return err
		}
		return d.GW1.Hops(vpcA, topo.IDCPrefix4, 2)
	})
	d.done("recovered: both lines carry again %.1f s later", took.Seconds())
	d.pings(way)
}

// firstVBR is a file with acme's first VBR alone, and more about it.
func (d *cloudDemo) firstVBR(name, more string) string {
	for _, document := range strings.Split(topo.CloudResources("edge-1"), "---\n") {
		if strings.Contains(document, "name: "+vbr1+"\n") {
			return d.lab.File(vbr1+"-"+name+".yaml", document+more)
		}
	}
	d.lab.Fatalf("edge-1's resources have no %s", vbr1)
	return ""
}

// vbrStatus is nil when a VBR of edge-1 has a status.
func (d *cloudDemo) vbrStatus(name, want string) error {
	r, err := d.Edge1.Router(name)
	if err == nil && r.GetVbrStatus() != want {
		err = fmt.Errorf("%s is %s, not %s", name, r.GetVbrStatus(), want)
	}
	return err
}
