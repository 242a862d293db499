package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/internal/lab"
	"github.com/openvbr/openvbr/internal/lab/topo"
)

// TestPolicy: FRR announces more than its quota, prefers a line by a community, and has its routes judged by a policy. The session stays, unless it
// is to be torn down, and the other customer notices nothing.
func TestPolicy(t *testing.T) {
	w := &liveWorld{world: &world{Topology: topo.FirstLight(lab.New(t), topo.Options{Reflector: true}), t: t}}
	self, err := filepath.Abs("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if self, err = os.Readlink(self); err != nil {
		t.Fatal(err)
	}
	w.resource(w.Acme, w.Acme.Lines[:1], retry, retry[:len(retry)-1]+", route_quota: 20}")
	w.vbrd = w.Edge.StartEnv([]string{changing + "=1"}, self, w.Resources, w.StateDir, topo.ReflectorIP)
	for _, c := range w.customers() {
		w.eventually(40*time.Second, c.Name+"'s pings", c.PingBoth)
	}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"quota", w.testQuota}, {"places that become free", w.testPlaces}, {"a flood", w.testFlood}, {"preference", w.testPreference}, {"import policy", w.testImportPolicy},
		{"export policy", w.testExportPolicy}, {"export policies", w.testExportPolicies}, {"teardown", w.testTeardown},
	} {
		if !t.Run(step.name, step.run) {
			t.Logf("log:\n%s", w.vbrd.Log())
			return
		}
	}
}

// retry is the end of a peer in the resources.
const retry = "connect_retry: 1}"

// many are prefixes that acme's first router announces beside its own two, or takes back.
func (w *liveWorld) many(t *testing.T, from, to int, on bool) {
	t.Helper()
	no := map[bool]string{true: "", false: "no "}[on]
	cmds := []string{"configure terminal", fmt.Sprintf("router bgp %d", w.Acme.ASN), "address-family ipv4 unicast"}
	for i := from; i < to; i++ {
		cmds = append(cmds, fmt.Sprintf("%snetwork 10.150.%d.0/24", no, i))
	}
	if _, err := w.Acme.Lines[0].Router.FRR.Ask("bgpd", cmds...); err != nil {
		t.Fatal(err)
	}
}

// installed counts the kernel's routes of those.
func (w *liveWorld) installed(want int) func() error {
	return func() error {
		out := w.Edge.MustRun("ip", "route", "show", "table", tables["acme"], "proto", "86")
		if n := strings.Count(out, "10.150."); n != want {
			return fmt.Errorf("%d of 10.150.0.0/16 in the kernel, want %d", n, want)
		}
		return nil
	}
}

func (w *liveWorld) logged(text string) func() error {
	return func() error {
		if !strings.Contains(w.vbrd.Log(), text) {
			return errors.New("not in the log")
		}
		return nil
	}
}

func (w *liveWorld) testQuota(t *testing.T) {
	w.undisturbed(t, w.customers(), func() {
		w.many(t, 0, 15, true)
		w.eventually(20*time.Second, "80 percent", w.logged("17 IPv4 routes of 20: near route_quota"))
		w.many(t, 15, 40, true)
		w.eventually(20*time.Second, "the quota", w.installed(18)) // acme's own two are first
		w.eventually(20*time.Second, "the word of it", w.logged("42 IPv4 routes of 20: over route_quota; 20 are accepted, 22 wait, 0 are not kept"))
		time.Sleep(2 * time.Second)
		if err := w.installed(18)(); err != nil {
			t.Error(err)
		}
	})
	if n := strings.Count(w.vbrd.Log(), "over route_quota;"); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
}

func (w *liveWorld) testPlaces(t *testing.T) {
	w.undisturbed(t, w.customers(), func() {
		w.many(t, 0, 15, false)
		w.eventually(20*time.Second, "who waited", w.installed(18))
		w.many(t, 18, 40, false)
		w.eventually(20*time.Second, "three are left", w.installed(3))
		w.eventually(20*time.Second, "the word of it", w.logged("well within route_quota again"))
	})
}

// testFlood: of 1,300 more not all are kept; when those that were go, the peer is asked for the others, and no session flaps.
func (w *liveWorld) testFlood(t *testing.T) {
	flood := func(from, to int, no string) {
		cmds := []string{"configure terminal", fmt.Sprintf("router bgp %d", w.Acme.ASN), "address-family ipv4 unicast"}
		for i := from; i < to; i++ {
			cmds = append(cmds, fmt.Sprintf("%snetwork 10.150.%d.%d/32", no, 100+i/250, i%250))
		}
		if _, err := w.Acme.Lines[0].Router.FRR.Ask("bgpd", cmds...); err != nil {
			t.Fatal(err)
		}
	}
	w.undisturbed(t, w.customers(), func() {
		flood(0, 1300, "")
		w.eventually(30*time.Second, "the flood", w.logged("received=1306 accepted=20"))
		flood(0, 1200, "no ")
		w.eventually(30*time.Second, "who is left", w.installed(18))
		w.eventually(10*time.Second, "being asked again", w.logged("routes that were beyond the quota are asked for again"))
		flood(1200, 1300, "no ")
		w.eventually(30*time.Second, "three are left", w.installed(3))
	})
}

// testPreference: a community has the VPC's packets take one line of two (as with Direct Connect, 7300 is high).
func (w *liveWorld) testPreference(t *testing.T) {
	w.resource(w.Acme, w.Acme.Lines, retry, retry[:len(retry)-1]+", route_quota: 20}")
	w.apply()
	w.eventually(20*time.Second, "both lines", w.wantNextHops(topo.IDCPrefix4, 2))
	w.undisturbed(t, w.customers(), func() {
		f, edge := w.Acme.Lines[1].Router.FRR, w.Acme.Lines[1].Local4
		err := f.Configure("route-map HIGH permit 10", fmt.Sprintf("set community %d:7300 additive", topo.VBRASN), "exit",
			fmt.Sprintf("router bgp %d", w.Acme.ASN), "address-family ipv4 unicast", fmt.Sprintf("neighbor %v route-map HIGH out", edge))
		if err != nil {
			t.Fatal(err)
		}
		w.eventually(20*time.Second, "the preferred line, before its standby", func() error {
			hops, err := w.Edge.NextHops(topo.IDCPrefix4, "vrf vbr-acme")
			if err != nil || len(hops) != 2 || !strings.Contains(hops[0], w.Acme.Lines[1].Peer4.String()) {
				return fmt.Errorf("%q, %w", hops, err)
			}
			return nil
		})
	})
}

// policies denies one prefix of the many to come in, and one of the VPC's to go out.
const policies = `route_policies:
  - name: acme-in
    terms:
      - {priority: 10, map_result: Deny, destination_cidr_blocks: [10.150.16.0/24]}
      - {priority: 20, map_result: Permit}
  - name: acme-out
    terms:
      - {priority: 10, map_result: Deny, destination_cidr_blocks: ["` + topo.VPCPrefix4 + `"]}
      - {priority: 20, map_result: Permit, med: 77}
bgp_peers:`

func (w *liveWorld) testImportPolicy(t *testing.T) {
	w.undisturbed(t, w.customers(), func() {
		w.resource(w.Acme, w.Acme.Lines, "bgp_peers:", policies, retry, retry[:len(retry)-1]+", route_quota: 20, import_policy: acme-in}")
		if log := w.apply(); !strings.Contains(log, "session with 10.0.0.2 stays, its routes are judged again: import_policy changes from default-import to acme-in") {
			t.Errorf("plan:\n%s", log)
		}
		w.eventually(20*time.Second, "one denied", w.installed(2))
	})
}

// testExportPolicy: what the customer may not hear is taken back, and given again without the policy.
func (w *liveWorld) testExportPolicy(t *testing.T) {
	learned := w.Acme.Lines[0].Router.Learned
	w.undisturbed(t, w.customers()[1:], func() {
		w.resource(w.Acme, w.Acme.Lines, "bgp_peers:", policies, retry, retry[:len(retry)-1]+", route_quota: 20, export_policy: acme-out}")
		w.apply()
		w.eventually(20*time.Second, "the VPC's prefix leaving", func() error { return absent(learned(topo.VPCPrefix4)) })
		w.resource(w.Acme, w.Acme.Lines, retry, retry[:len(retry)-1]+", route_quota: 20}")
		w.apply()
		w.eventually(20*time.Second, "the VPC's prefix returning", func() error { return learned(topo.VPCPrefix4) })
	})
}

// testExportPolicies: two routers of the customer, on two lines, are told by policies of their own, and no session ends for it. IPv6 has none. A role has
// ONLY_TO_CUSTOMER told to that peer alone.
func (w *liveWorld) testExportPolicies(t *testing.T) {
	const two = `route_policies:
  - {name: near, terms: [{priority: 10, map_result: Permit, med: 50, add_communities: ["45104:50"]}]}
  - {name: far, terms: [{priority: 10, map_result: Permit, med: 150}]}
  - {name: none, terms: [{priority: 10, map_result: Deny}]}
bgp_peers:`
	lines := w.Acme.Lines
	told := func(first, second, wantFirst, wantSecond string) {
		t.Helper()
		address := func(i int) string { return fmt.Sprintf("%q,", lines[i].Peer4) }
		w.resource(w.Acme, lines, "bgp_peers:", two, address(0), address(0)+first, address(1), address(1)+second, retry, retry[:len(retry)-1]+", route_quota: 20}")
		w.apply()
		for i, want := range []string{wantFirst, wantSecond} {
			w.eventually(20*time.Second, "what line "+fmt.Sprint(i)+" is told", func() error {
				if got, err := toldOf(lines[i], topo.VPCPrefix4); err != nil || got != want {
					return fmt.Errorf("%q, want %q, %w", got, want, err)
				}
				return lines[i].Router.Learned(topo.VPCPrefix6)
			})
		}
	}
	before := len(w.vbrd.Log())
	w.undisturbed(t, w.customers()[1:], func() { // acme's second router moves its way over to the first, and may lose a packet
		told("", "", "told", "told")
		told(" export_policy: near,", " export_policy: far,", "told, MED 50, 45104:50", "told, MED 150")
		told(" export_policy: near,", " export_policy: none,", "told, MED 50, 45104:50", "")
		told("", "", "told", "told")
	})
	if log := w.vbrd.Log()[before:]; strings.Contains(log, "session down") {
		t.Errorf("a session flapped:\n%s", log)
	}
	told(" export_policy: near,", " local_role: provider,", "told, MED 50, 45104:50", "told, only to customers of 45104")
	told("", "", "told", "told") // a role that goes resets the session: it is back for what follows
}

// toldOf is what the edge has told a line's router of a prefix; empty for nothing.
func toldOf(ln *topo.Line, prefix string) (string, error) {
	var known struct {
		Paths []struct {
			Metric    *uint32
			OTC       uint32
			Community struct{ String string }
			Peer      struct{ PeerID string }
		}
	}
	if err := ln.Router.FRR.VtyshJSON(&known, "show bgp ipv4 unicast "+prefix+" json"); err != nil {
		return "", err
	}
	for _, p := range known.Paths {
		if p.Peer.PeerID != ln.Local4.String() {
			continue
		}
		text := "told"
		if p.Metric != nil {
			text += fmt.Sprintf(", MED %d", *p.Metric)
		}
		if p.Community.String != "" {
			text += ", " + p.Community.String
		}
		if p.OTC != 0 {
			text += fmt.Sprintf(", only to customers of %d", p.OTC)
		}
		return text, nil
	}
	return "", nil
}

// testTeardown: the session ends for half a minute, and comes back without what was too much.
func (w *liveWorld) testTeardown(t *testing.T) {
	for _, ln := range w.Acme.Lines { // each of them announces too much, and none comes back while the other is down
		w.eventually(20*time.Second, "the sessions as they were before", ln.Router.Established)
	}
	w.undisturbed(t, w.customers()[1:], func() {
		w.resource(w.Acme, w.Acme.Lines, retry, retry[:len(retry)-1]+", route_quota: 20, route_quota_action: Teardown, route_quota_restart: 30}")
		w.apply()
		began := time.Now()
		w.many(t, 20, 60, true)
		w.eventually(20*time.Second, "the end", w.logged("are more than its route_quota of 20: the session ends for 30s"))
		w.eventually(20*time.Second, "the routes gone", w.installed(0))
		w.many(t, 20, 60, false)
		w.eventually(60*time.Second, "the session and three routes", w.installed(3))
		if took := time.Since(began); took < 29*time.Second {
			t.Errorf("back after %v", took)
		}
	})
}
