package vbr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openvbr/openvbr/fib"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

var (
	customer4 = netip.MustParseAddr("10.0.0.2")
	customer6 = netip.MustParseAddr("fd00::2")
)

// running is a site with a host that serves it and can be changed.
type running struct {
	*site
	host *Host
	in   *intent.Intent // what it runs
}

func newRunning(t *testing.T) *running {
	r := &running{site: newSite(t)}
	r.write("acme/key", "swordfish-1\n")
	r.host, r.in = r.serveHost()
	r.wantOurs(20*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
	return r
}

// edited is the customer's resource with replacements, pairs of old and new.
func (r *running) edited(pairs ...string) *intent.Intent {
	r.Helper()
	text := strings.ReplaceAll(customerYAML, "KEY", filepath.Join(r.dir, "acme/key"))
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			r.Fatalf("no %q to replace", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return parsed(r.T, portYAML+"---\n"+text)
}

// apply plans and applies, and compares the plan: "TYPE SUBJECT[ disruptive]: a part of the text".
func (r *running) apply(in *intent.Intent, want ...string) {
	r.Helper()
	effects := r.host.Effects(r.in, in)
	wantEffects(r.T, effects, want...)
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	if err := r.host.Apply(ctx, in); err != nil {
		r.Fatalf("apply: %v", err)
	}
	r.in = in
	if again := r.host.Effects(in, in); len(again) > 0 {
		r.Errorf("applied, and still something to do: %v", again)
	}
}

func wantEffects(t *testing.T, effects []*vbrv1.Effect, want ...string) {
	t.Helper()
	if len(effects) != len(want) {
		t.Errorf("%d effects, want %d: %v", len(effects), len(want), effects)
		return
	}
	for i, e := range effects {
		head, text, _ := strings.Cut(want[i], ": ")
		got := strings.TrimPrefix(e.GetType().String(), "TYPE_") + " " + e.GetSubject()
		if e.GetDisruptive() {
			got += " disruptive"
		}
		if e.GetRoutes() > 0 {
			got += fmt.Sprintf(" routes=%d", e.GetRoutes())
		}
		if got != head || !strings.Contains(e.GetText(), text) {
			t.Errorf("effect %d is %q: %q; want %q", i, got, e.GetText(), want[i])
		}
	}
}

// ups is how often the session came up, and whether it is up now.
func (r *running) ups(peer netip.Addr) (n uint32, up bool) {
	for _, s := range r.host.Sessions("vbr-acme") {
		if s.PeerIpAddress == peer.String() {
			return s.EstablishedCount, s.BgpStatus == established
		}
	}
	return 0, false
}

func (r *running) wantUps(peer netip.Addr, want uint32) {
	r.Helper()
	eventually(r.T, 20*time.Second, fmt.Sprintf("session %d with %s", want, peer), func() error {
		if n, up := r.ups(peer); n != want || !up {
			return fmt.Errorf("came up %d times, is up: %v", n, up)
		}
		return nil
	})
}

const peer6YAML = "  - {peer_ip_address: \"fd00::2\", peer_asn: 65001, hold: 9, keepalive: 3, connect_retry: 1, auth_key_file: "

// One session changes in every way there is; the other one, whose configuration stays, never flaps.
func TestApplyPeers(t *testing.T) {
	r := newRunning(t)
	all := []string{"172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64"}
	r.wantUps(customer4, 1)
	r.wantUps(customer6, 1)
	key := filepath.Join(r.dir, "acme/key")

	r.apply(r.edited(peer6YAML+key+"}\n", ""), "SESSION_DELETED fd00::2 disruptive routes=1: 1 route leaves or moves")
	r.wantOurs(5*time.Second, all[:2]...)
	eventually(t, 5*time.Second, "the customer hears the goodbye", func() error {
		if out := run(t, "birdc -s "+r.ctl+" show protocols all edge6"); !strings.Contains(out, "Received: Peer de-configured") {
			return errors.New(out)
		}
		return nil
	})
	r.apply(r.edited(), "SESSION_CREATED fd00::2: AS 65001")
	r.wantOurs(20*time.Second, all...)
	r.wantUps(customer6, 2)

	hold := r.edited("\"fd00::2\", peer_asn: 65001, hold: 9, keepalive: 3", "\"fd00::2\", peer_asn: 65001, hold: 12, keepalive: 4")
	r.apply(hold, "SESSION_CHANGED fd00::2: hold changes from 9s to 12s, keepalive changes from 3s to 4s, from its next")
	r.apply(r.edited("\"fd00::2\", peer_asn: 65001", "\"fd00::2\", peer_asn: 65009"),
		"SESSION_RESET fd00::2 disruptive routes=1: resets: peer_asn changes from 65001 to 65009, hold changes")
	r.wantOurs(5*time.Second, all[:2]...)
	r.apply(r.edited(), "SESSION_RESET fd00::2: which is not established, changes: peer_asn")
	r.wantOurs(20*time.Second, all...)

	r.write("acme/key2", "swordfish-2\n")
	last := strings.LastIndex(customerYAML, "KEY")
	other := strings.ReplaceAll(customerYAML[:last], "KEY", key) + key + "2" + customerYAML[last+3:]
	r.apply(parsed(t, portYAML+"---\n"+other), "SESSION_CHANGED fd00::2: stays: its authentication key changes")
	if strings.Contains(r.log.String(), "swordfish") {
		t.Error("a key in the log")
	}
	r.apply(r.edited(), "SESSION_CHANGED fd00::2: stays: its authentication key changes") // within the hold time: as if both ends had changed
	r.wantOurs(20*time.Second, all...)
	r.wantUps(customer6, 3)

	r.apply(r.edited("name: vbr-acme\n", "name: vbr-acme\nowner: acme\ndescription: gold\n"), "NONE vbr-acme: nothing on the network")
	if s := r.host.RouterStatus("vbr-acme"); s.GetOwner() != "acme" {
		t.Errorf("owner %q", s.GetOwner())
	}
	r.wantUps(customer4, 1)
}

// What all sessions rest on changes: a new life of the router, in which the kernel's routes stay.
func TestApplyNewLife(t *testing.T) {
	r := newRunning(t)
	all := []string{"172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64"}
	r.wantUps(customer4, 1)
	six := r.edited("local_ipv6_gateway_ip: fd00::1\npeer_ipv6_gateway_ip: fd00::2\npeering_ipv6_subnet_mask: /126\n", "",
		peer6YAML+filepath.Join(r.dir, "acme/key")+"}\n", "")
	r.apply(six, "ROUTER_RESTARTED vbr-acme disruptive: lines change", "LINE_DELETED port0 disruptive", "LINE_CREATED port0: 10.0.0.1/30", "SESSION_DELETED fd00::2 disruptive routes=1")
	r.wantOurs(20*time.Second, all[:2]...)
	r.wantUps(customer4, 2)
	if out := run(t, "ip addr show dev port0"); strings.Contains(out, "fd00::1") {
		t.Errorf("the address stays: %s", out)
	}
	r.apply(r.edited(), "ROUTER_RESTARTED vbr-acme disruptive", "LINE_DELETED port0 disruptive", "LINE_CREATED port0: fd00::1/126", "SESSION_CREATED fd00::2")
	r.wantOurs(20*time.Second, all...)
	r.wantUps(customer4, 3)

	r.apply(r.edited("vrf: default\n", "vrf: default\nlocal_asn: 65444\n"), "ROUTER_RESTARTED vbr-acme disruptive: local_asn changes from 45104 to 65444")
	r.apply(r.edited(), "ROUTER_RESTARTED vbr-acme: local_asn changes from 65444 to 45104")
	r.wantOurs(20*time.Second, all...)
}

// A router that goes leaves nothing and comes back; what is not ours stays.
func TestApplyRemoves(t *testing.T) {
	r := newRunning(t)
	run(t, "ip addr add 203.0.113.1/24 dev port0")
	run(t, "ip route add 198.51.100.0/24 dev port0 proto static metric 179")
	port := parsed(t, portYAML)
	r.apply(port, "ROUTER_DELETED vbr-acme disruptive routes=3: 2 established sessions close, 3 routes leave")
	r.wantOurs(0)
	if out := run(t, "ip addr show dev port0"); strings.Contains(out, "10.0.0.1/30") || strings.Contains(out, "fd00::1/126") || !strings.Contains(out, "203.0.113.1/24") {
		t.Errorf("addresses: %s", out)
	}
	if out := run(t, "ip route show 198.51.100.0/24"); !strings.Contains(out, "proto static scope link metric 179") {
		t.Errorf("the foreign route: %q", out)
	}
	if out := run(t, "birdc -s "+r.ctl+" show protocols all edge4"); !strings.Contains(out, "Received: ") || strings.Contains(out, "Neighbor graceful restart active") {
		t.Errorf("no goodbye: %s", out)
	}
	if names := r.host.RouterNames(); len(names) != 0 {
		t.Errorf("routers: %v", names)
	}
	if b, _ := os.ReadFile(filepath.Join(r.dir, "state/ids.json")); strings.Contains(string(b), "acme") {
		t.Errorf("the record still has it: %s", b)
	}
	r.apply(r.edited(), "ROUTER_CREATED vbr-acme: with 1 line, 2 sessions and 0 router interfaces")
	r.wantOurs(20*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
}

// What a router took out of service is no burden to who has its port next: the session was lost, and then the router is deleted, or begins anew.
func TestRetiredRouterGivesBackItsNextHops(t *testing.T) {
	r := newRunning(t)
	for _, how := range []string{"deleted", "anew"} {
		r.wantUps(customer4, 1)
		x := r.host.router("vbr-acme")
		run(t, "birdc -s "+r.ctl+" disable edge4")
		eventually(t, 5*time.Second, how+": the next hop is out of service", func() error {
			failed := make(map[fib.NextHop]bool)
			if x.addFailed(failed); len(failed) != 1 {
				return fmt.Errorf("%v", failed)
			}
			return nil
		})
		if how == "anew" { // what serve does then
			r.host.retire(x)
			<-r.host.launch(newRouter(r.host, x.target())).tried
		} else {
			r.apply(parsed(t, portYAML), "ROUTER_DELETED vbr-acme disruptive routes=1")
			r.apply(r.edited(), "ROUTER_CREATED vbr-acme")
		}
		run(t, "birdc -s "+r.ctl+" enable edge4")
		r.wantOurs(20*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
	}
}

// A router that cannot be what it should goes on as it is and says why; one that never was is shown.
func TestApplyRefused(t *testing.T) {
	r := newRunning(t)
	r.wantUps(customer4, 1)
	bad := r.edited(filepath.Join(r.dir, "acme/key"), "/nonexistent/key")
	wantEffects(t, r.host.Effects(r.in, bad), "NONE vbr-acme: stays as it is, degraded: peer 10.0.0.2")
	if err := r.host.Apply(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	if s := r.host.RouterStatus("vbr-acme"); s.GetState() != vbrv1.RouterStatus_STATE_DEGRADED || !strings.Contains(strings.Join(s.GetReasons(), ""), "/nonexistent/key") {
		t.Errorf("status: %v", s)
	}
	if err := r.host.Apply(t.Context(), r.edited()); err != nil {
		t.Fatal(err)
	}
	if s := r.host.RouterStatus("vbr-acme"); s.GetState() != vbrv1.RouterStatus_STATE_READY {
		t.Errorf("status: %v", s)
	}
	r.wantUps(customer4, 1)
	r.apply(parsed(t, portYAML), "ROUTER_DELETED vbr-acme disruptive routes=3")
	wantEffects(t, r.host.Effects(r.in, bad), "ROUTER_CREATED vbr-acme: degraded and serves nothing: peer 10.0.0.2")
	if err := r.host.Apply(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	if s := r.host.RouterStatus("vbr-acme"); s.GetState() != vbrv1.RouterStatus_STATE_DEGRADED {
		t.Errorf("status: %v", s)
	}
	r.apply(r.edited(), "ROUTER_CREATED vbr-acme")
	r.wantOurs(20*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
}

// Many Applies at once end in the last one; Apply needs a running host and returns with its context.
func TestApplyMany(t *testing.T) {
	r := newRunning(t)
	port := parsed(t, portYAML)
	done := make(chan error)
	const n = 20
	for i := range n {
		in := r.edited()
		if i%2 == 0 {
			in = port
		}
		go func() { done <- r.host.Apply(t.Context(), in) }()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	r.apply(r.edited(), wantNothingOr(r)...)
	r.wantOurs(20*time.Second, "172.16.1.0/24", "172.16.2.0/24", "2001:db8:1::/64")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.host.Apply(ended, port); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	other, err := NewHost(r.options())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Apply(ended, port); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "does not serve yet") {
		t.Errorf("a host that does not serve yet: %v", err)
	}
	wantEffects(t, other.Effects(nil, r.in), "ROUTER_CREATED vbr-acme")
	wantEffects(t, other.Effects(r.in, port), "ROUTER_DELETED vbr-acme: 0 established sessions close, 0 routes leave")
}

// wantNothingOr are the effects of bringing the router back, which depend on which of many Applies was the last.
func wantNothingOr(r *running) []string {
	if r.host.router("vbr-acme") != nil {
		r.in = r.edited()
		return nil
	}
	r.in = &intent.Intent{}
	return []string{"ROUTER_CREATED vbr-acme"}
}
