package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
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

// drill takes the first VBR out, as a failure would, for the shortest time there is.
func (d *cloudDemo) drill() {
	d.step("A drill: %s is taken out for a minute, and comes back", vbr1)
	streams := d.IDCWith(d.VPCs[vpcA]).Duplex(lab.StreamOptions{Interval: 50 * time.Millisecond})
	d.ctl(d.Edge1, "drill", "start", "--router", vbr1, "--duration", "1m")
	var test *vbrv1.FailoverTest
	d.must(90*time.Second, "the verdict", func() error {
		var list vbrv1.ListFailoverTestsResponse
		if err := d.Edge1.Decode(&list, "drill", "list", "--router", vbr1); err != nil {
			return err
		}
		if len(list.GetTests()) != 1 || list.GetTests()[0].GetVerdict() == "" {
			return fmt.Errorf("not yet: %v", list.GetTests())
		}
		test = list.GetTests()[0]
		return nil
	})
	d.ctl(d.Edge1, "drill", "show", test.GetId())
	if test.GetVerdict() != "Passed" || len(test.GetMeasurements()) == 0 {
		d.lab.Fatalf("the drill: %v", test)
	}
	for _, s := range streams {
		loss := s.Stop()
		if loss.Outage() > time.Second {
			d.lab.Fatalf("the drill: %v", loss)
		}
		d.done("measured from outside: %v", loss)
	}
	d.done("verdict %s", test.GetVerdict())
}

func (d *cloudDemo) quality() {
	d.step("How good the way across regions has been, against the published figures")
	out := d.ctl(d.GW1, "quality", "ri-a-c")
	var q vbrv1.GetQualityResponse
	if err := d.GW1.Decode(&q, "quality", "ri-a-c"); err != nil {
		d.lab.Fatalf("%v", err)
	}
	for _, name := range []string{"loss", "jitter", "encapsulation_success", "availability"} {
		if !strings.Contains(out, name) {
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
			return d.lab.File("resources/"+vbr1+"-"+name+".yaml", document+more)
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
