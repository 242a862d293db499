package vbr

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/probe"
	"github.com/openvbr/openvbr/vbr/rib"
)

// monitored is an observed router with a monitor, and a second router interface that carries the same.
func monitored(t *testing.T) (*observed, *monitor) {
	o := newObserved(t)
	o.host.opts.StateDir = t.TempDir()
	o.host.monitor = newMonitor(o.host)
	o.host.drills = loadDrills(o.host)
	return o, o.host.monitor
}

func checked(probeOnly bool) *healthSpec {
	return &healthSpec{source: netip.MustParseAddr("10.0.0.1"), target: netip.MustParseAddr("10.7.0.1"), interval: time.Second, threshold: 2, probeOnly: probeOnly}
}

// A health check by the book: what is shown, said and done as answers come and stay away.
func TestHealthCheck(t *testing.T) {
	o, m := monitored(t)
	r := o.router
	status := func() string {
		return o.host.RouterStatus("vbr-acme").GetRouterInterfaces()[0].GetHealthCheck().GetHealthCheckStatus()
	}
	if got := status(); got != "NoHealthCheckConfig" {
		t.Errorf("without a check: %s", got)
	}
	r.spec.ris[0].health = checked(false)
	r.record("ri-acme").state = riActive
	now := time.Unix(1_000_000, 0)
	result := func(ok bool) {
		now = now.Add(time.Second)
		m.Result("interface/ri-acme", probe.Result{Sent: now, OK: ok, RTT: 3 * time.Millisecond})
		m.watch(now)
	}
	m.watch(now)
	if len(m.set) != 1 || m.set[0].ID != "interface/ri-acme" || m.set[0].Target != checked(false).target {
		t.Errorf("probes %+v", m.set)
	}
	o.vpcSays("10.7.0.0/16")
	for i, step := range []struct {
		ok      bool
		status  string
		demoted bool
	}{
		{true, "Normal", false}, {false, "Normal", false}, {true, "Normal", false}, {false, "Normal", false}, {false, "NoRedundantRoute", true},
		{true, "NoRedundantRoute", true}, {false, "NoRedundantRoute", true}, {true, "NoRedundantRoute", true}, {true, "Normal", false},
	} {
		result(step.ok)
		if got := status(); got != step.status || r.vpc[0].demoted != step.demoted {
			t.Errorf("step %d: %s, stepped back %v; want %s, %v", i, got, r.vpc[0].demoted, step.status, step.demoted)
		}
	}
	got := o.host.RouterStatus("vbr-acme").GetRouterInterfaces()[0].GetHealthCheck()
	if got.GetLost() != 4 || got.GetRttMs() != 3 || got.GetSourceIp() != "10.0.0.1" || got.GetTargetIp() != "10.7.0.1" {
		t.Errorf("%v", got)
	}
	if said := o.said(vbrv1.Event_TYPE_HEALTH_CHECK); len(said) != 2 || !strings.HasPrefix(said[0], "ri-acme NoRedundantRoute, was Normal: 10.0.0.1 -> 10.7.0.1, 3 of the last 5") {
		t.Errorf("said %q", said)
	}
}

// said are the texts of events of a type.
func (o *observed) said(typ vbrv1.Event_Type) (out []string) {
	all, _ := o.host.events.After(0, 0)
	for _, e := range all {
		if e.GetType() == typ {
			out = append(out, e.GetSubject()+" "+e.GetText())
		}
	}
	return out
}

// vpcSays has the VPC's gateway offer a prefix.
func (o *observed) vpcSays(prefix string) {
	o.router.mu.Lock()
	o.router.rib.Announce(o.vpc, 1, &rib.Attrs{NextHop: gw1}, netip.MustParsePrefix(prefix))
	o.router.mu.Unlock()
}

// With probe_only nothing is changed, and it is said all the same; a check that goes takes back what it did.
func TestHealthCheckWithoutConsequences(t *testing.T) {
	o, m := monitored(t)
	r := o.router
	r.record("ri-acme").state = riActive
	now := time.Unix(1_000_000, 0)
	lose := func(h *healthSpec) {
		r.spec.ris[0].health = h
		for range 3 {
			now = now.Add(time.Second)
			m.watch(now)
			m.Result("interface/ri-acme", probe.Result{Sent: now})
		}
		m.watch(now)
	}
	lose(checked(true))
	if r.vpc[0].demoted {
		t.Error("stepped back in spite of probe_only")
	}
	if said := o.said(vbrv1.Event_TYPE_HEALTH_CHECK); len(said) != 1 || !strings.Contains(said[0], "probe_only") {
		t.Errorf("said %q", said)
	}
	lose(checked(false)) // the same check goes on
	if !r.vpc[0].demoted || m.checks["interface/ri-acme"].sent != 6 {
		t.Errorf("stepped back %v, %d probes", r.vpc[0].demoted, m.checks["interface/ri-acme"].sent)
	}
	r.spec.ris[0].health = nil
	m.watch(now)
	if r.vpc[0].demoted {
		t.Error("still stepped back without a check")
	}
	if got := o.host.RouterStatus("vbr-acme").GetRouterInterfaces()[0].GetHealthCheck().GetHealthCheckStatus(); got != noHealthCheckConfig {
		t.Error(got)
	}
}

// Of an Abnormal VBR the VPC hears with attributes that make it use others; the customer hears as before.
func TestAbnormalVBRStandsBack(t *testing.T) {
	o, m := monitored(t)
	r := o.router
	r.spec.health = checked(false)
	o.up("10.0.0.2")
	o.say("10.0.0.2", "172.20.0.0/16", 65001)
	o.act()
	now := time.Unix(1_000_000, 0)
	m.watch(now)
	for range 2 {
		m.Result("router/vbr-acme", probe.Result{Sent: now})
	}
	m.watch(now)
	if !r.records.retell.Swap(false) {
		t.Error("the VPC is not told again")
	}
	told := func() string {
		var b strings.Builder
		r.rib.Told(func(a rib.Announcement) {
			x := r.route(&r.spec.ris[0], a)
			fmt.Fprintf(&b, "%s %v %d %d\n", x.Prefix, x.HasLocalPref, x.LocalPref, x.MED)
		})
		return b.String()
	}
	if got := told(); got != "10.0.0.0/24 false 0 0\n172.20.0.0/16 true 0 200\n" {
		t.Errorf("told\n%s", got)
	}
	if s := o.host.RouterStatus("vbr-acme").GetHealthCheck(); s.GetHealthCheckStatus() != noRedundantRoute {
		t.Errorf("%v", s)
	}
	for range 2 {
		m.Result("router/vbr-acme", probe.Result{Sent: now, OK: true})
	}
	m.watch(now)
	if got := told(); !r.records.retell.Load() || got != "10.0.0.0/24 false 0 0\n172.20.0.0/16 false 0 0\n" {
		t.Errorf("told\n%s", got)
	}
}

// The target of a router interface's check is reached by that router interface, and nobody is told of the way.
func TestPin(t *testing.T) {
	o, _ := monitored(t)
	r := o.router
	r.spec.ris[0].health = checked(false)
	v := r.vpc[0]
	v.ri, v.up = r.spec.ris[0], true
	target := netip.MustParsePrefix("10.7.0.1/32")
	paths := func() (n int) {
		for _, p := range r.rib.Lookup(target) {
			if p.Verdict == rib.Accepted && p.Source.Device == v.device && p.Attrs.NextHop == gw1 {
				n++
				for _, ri := range []*riSpec{nil, &r.spec.ris[0], {name: "other", transit: true}} {
					if heard(&p.Source, ri) {
						t.Errorf("%v hears of it", ri)
					}
				}
			}
		}
		return n
	}
	r.pinAll()
	if paths() != 0 {
		t.Error("pinned to a gateway that is not known")
	}
	v.refer(gw1, [6]byte{1})
	r.pinAll()
	if paths() != 1 {
		t.Errorf("%d ways to the target", paths())
	}
	v.shut = true
	r.pinAll()
	if paths() != 0 {
		t.Error("still pinned when it is shut")
	}
	v.shut = false
	r.pinAll()
	r.unpin(v)
	if paths() != 0 || v.pinned.source != 0 {
		t.Error("not unpinned")
	}
}

// What was measured is in files, which go with their router interface, and are another owner's not.
func TestMeasuredIsKept(t *testing.T) {
	o, m := monitored(t)
	r := o.router
	r.spec.ris[0].owner = "acme"
	r.record("ri-acme").state = riActive
	now := time.Now()
	m.watch(now)
	m.measured["ri-acme"].probe(probe.Result{Sent: now, OK: true, RTT: time.Millisecond})
	m.metered["ri-acme"].dirty = true
	m.save()
	files := func() string {
		var out []string
		for _, dir := range []string{qualityDir, usageDir} {
			entries, _ := os.ReadDir(filepath.Join(o.host.opts.StateDir, dir))
			for _, e := range entries {
				out = append(out, dir+"/"+strings.Replace(e.Name(), fileName("ri-acme", "acme"), "ACME", 1))
			}
		}
		return strings.Join(out, " ")
	}
	if got := files(); got != "quality/ACME usage/ACME" {
		t.Errorf("files %s", got)
	}
	again := newMonitor(o.host)
	again.watch(now)
	o.host.monitor = again
	q, err := o.host.Quality("ri-acme", now.Add(-time.Hour), 0)
	if err != nil || q.GetObjectives()[0].GetUnknown() || q.GetObjectives()[0].GetMeasured() != 0 {
		t.Errorf("%v %v", q, err)
	}
	path := filepath.Join(o.host.opts.StateDir, usageDir, fileName("ri-acme", "acme"))
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	newMonitor(o.host).watch(now)
	if said := o.said(vbrv1.Event_TYPE_STORE); len(said) != 1 || !strings.Contains(said[0], "its usage until now is lost") {
		t.Errorf("said %q", said)
	}
	if got := files(); got != "quality/ACME usage/ACME.damaged" {
		t.Errorf("files %s", got)
	}
	r.spec.ris[0].owner = "beta" // and nothing of acme's is beta's
	again.watch(now)
	if q, err := o.host.Quality("ri-acme", now.Add(-time.Hour), 0); err != nil || !q.GetObjectives()[0].GetUnknown() {
		t.Errorf("%v %v", q, err)
	}
	if err := again.keep(func(name string) bool { return name == "ri-acme" }); err != nil || files() != "" {
		t.Errorf("files %s, %v", files(), err)
	}
	if _, err := o.host.Quality("ri-nono", time.Time{}, 0); err == nil {
		t.Error("quality of nothing")
	}
}

// What is asked within the minute after a state was noted knows of the time since.
func TestAvailabilityUntilNow(t *testing.T) {
	o, m := monitored(t)
	o.router.record("ri-acme").state = riActive
	o.host.monitor = m
	m.watch(time.Now().Add(-5 * time.Second))
	q, err := o.host.Quality("ri-acme", time.Time{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(q.GetObjectives(), func(x *vbrv1.QualityObjective) bool { return x.GetName() == "availability" })
	if at < 0 || q.GetObjectives()[at].GetUnknown() || q.GetObjectives()[at].GetMeasured() != 100 {
		t.Errorf("%v", q.GetObjectives())
	}
}
