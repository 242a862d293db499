package vbr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/vbr/intent"
)

// changed are the specs before and after replacements in acme's resources, pairs of old and new, by one record of ids.
func changed(t *testing.T, pairs ...string) (before, after *spec) {
	t.Helper()
	text := strings.ReplaceAll(acmeYAML, ", auth_key_file: KEY", "")
	edited := text
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(edited, pairs[i]) {
			t.Fatalf("no %q to replace", pairs[i])
		}
		edited = strings.ReplaceAll(edited, pairs[i], pairs[i+1])
	}
	ids := loadedIDs(t, t.TempDir())
	var out []*spec
	for _, y := range []string{text, edited} {
		specs, refused := newSpecs(parsed(t, y), testOptions(), ids)
		if len(refused) > 0 {
			t.Fatal(refused)
		}
		out = append(out, specs[0])
	}
	return out[0], heir(out[0], out[1])
}

const secondLine = `associated_physical_connections:
  - physical_connection_id: pc-1
    vlan_id: 0
    local_gateway_ip: 10.0.0.5
    peer_gateway_ip: 10.0.0.6
    peering_subnet_mask: /30
`

const secondPeer = "  - {peer_ip_address: 10.0.0.6, peer_asn: 65001}\n"

// Each change has its effects, and no others.
func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		name  string
		edits []string
		scope scope
		want  []string // effects of a router that has no sessions up
	}{
		{"nothing", nil, scopeNone, nil},
		{"a description", []string{"name: vbr-acme\n", "name: vbr-acme\ndescription: gold\nowner: acme\n"}, scopeNone, nil},
		{"peers in another order", []string{secondPeer, "", "bgp_peers:\n", "bgp_peers:\n" + secondPeer}, scopeNone, nil},
		{"timers", []string{"hold: 9, keepalive: 3, connect_retry: 1", "hold: 30, connect_retry: 5"}, scopeLive,
			[]string{"SESSION_CHANGED 10.0.0.2: hold changes from 9s to 30s, keepalive changes from 3s to 10s, connect_retry changes from 1s to 5s"}},
		{"BFD", []string{"10.0.0.6, peer_asn: 65001", "10.0.0.6, peer_asn: 65001, enable_bfd: true"}, scopeLive,
			[]string{"SESSION_CHANGED 10.0.0.6: stays: enable_bfd changes from false to true"}},
		{"intervals of a BFD that nobody has", []string{"name: vbr-acme\n", "name: vbr-acme\nmin_tx_interval: 100\n"}, scopeNone, nil},
		{"BFD and a peer's AS", []string{"10.0.0.6, peer_asn: 65001", "10.0.0.6, peer_asn: 65009, enable_bfd: true"}, scopeLive,
			[]string{"SESSION_RESET 10.0.0.6: peer_asn changes from 65001 to 65009, enable_bfd changes from false to true"}},
		{"GTSM", []string{"10.0.0.6, peer_asn: 65001", "10.0.0.6, peer_asn: 65001, ttl_security: false"}, scopeLive,
			[]string{"SESSION_RESET 10.0.0.6: ttl_security changes from true to false"}},
		{"long-lived graceful restart", []string{"10.0.0.6, peer_asn: 65001", "10.0.0.6, peer_asn: 65001, long_lived_stale_time: 3600"}, scopeLive,
			[]string{"SESSION_RESET 10.0.0.6: long_lived_stale_time changes from 0s to 1h0m0s"}},
		{"a peer's export policy", []string{secondPeer, "  - {peer_ip_address: 10.0.0.6, peer_asn: 65001, export_policy: far}\n",
			"name: vbr-acme\n", "name: vbr-acme\nroute_policies: [{name: far, terms: [{priority: 10, map_result: Permit, med: 150}]}]\n"}, scopeLive,
			[]string{"SESSION_CHANGED 10.0.0.6: stays, its routes are judged again: export_policy changes from default-export to far"}},
		{"a peer's AS", []string{"10.0.0.6, peer_asn: 65001", "10.0.0.6, peer_asn: 65009"}, scopeLive,
			[]string{"SESSION_RESET 10.0.0.6: peer_asn changes from 65001 to 65009"}},
		{"a peer less", []string{secondPeer, ""}, scopeLive, []string{"SESSION_DELETED 10.0.0.6"}},
		{"a peer more", []string{secondPeer, secondPeer + "  - {peer_ip_address: 10.0.0.3, peer_asn: 65003}\n", "/30\nlocal_ipv6", "/29\nlocal_ipv6", "10.0.0.5", "10.0.0.9", "10.0.0.6", "10.0.0.10"}, scopeLive,
			[]string{"LINE_DELETED eth1.100 disruptive", "LINE_CREATED eth1.100: 10.0.0.1/29", "LINE_DELETED eth1 disruptive", "LINE_CREATED eth1: 10.0.0.9/30",
				"SESSION_DELETED 10.0.0.6", "SESSION_CREATED 10.0.0.10", "SESSION_CREATED 10.0.0.3: AS 65003"}},
		{"a line less", []string{secondLine, "", secondPeer, ""}, scopeLive, []string{"LINE_DELETED eth1: 10.0.0.5/30", "SESSION_DELETED 10.0.0.6"}},
		{"a line on another VLAN", []string{"vlan_id: 100", "vlan_id: 101"}, scopeLive, []string{"LINE_DELETED eth1.100", "LINE_CREATED eth1.101",
			"SESSION_RESET 10.0.0.2: its line changes from eth1.100 to eth1.101", "SESSION_RESET fd00::2: its line changes"}},
		{"another address of ours", []string{"local_gateway_ip: 10.0.0.5", "local_gateway_ip: 10.0.0.4", "peering_subnet_mask: /30\nbgp", "peering_subnet_mask: /29\nbgp",
			"local_gateway_ip: 10.0.0.1", "local_gateway_ip: 10.0.1.1", "peer_gateway_ip: 10.0.0.2", "peer_gateway_ip: 10.0.1.2", "peer_ip_address: 10.0.0.2", "peer_ip_address: 10.0.1.2"}, scopeLife,
			[]string{"ROUTER_RESTARTED vbr-acme: the router id changes from 10.0.0.1 to 10.0.1.1", "LINE_DELETED eth1.100 disruptive", "LINE_CREATED eth1.100",
				"LINE_DELETED eth1 disruptive", "LINE_CREATED eth1", "SESSION_DELETED 10.0.0.2", "SESSION_CREATED 10.0.1.2", "SESSION_RESET 10.0.0.6: its local address changes from 10.0.0.5 to 10.0.0.4"}},
		{"VNI", []string{"vni: 5001", "vni: 5003"}, scopeLive, []string{"ROUTER_INTERFACE_DELETED ri-acme: made again: vni changes from 5001 to 5003", "ROUTER_INTERFACE_CREATED ri-acme: VNI 5003 and route target 64600:5001"}},
		{"route target", []string{"\"64600:5001\"", "\"64600:9\""}, scopeLive, []string{"ROUTER_INTERFACE_DELETED ri-acme: route_target changes from 64600:5001 to 64600:9", "ROUTER_INTERFACE_CREATED ri-acme"}},
		{"our AS", []string{"name: vbr-acme\n", "name: vbr-acme\nlocal_asn: 64999\n"}, scopeLife, []string{"ROUTER_RESTARTED vbr-acme: local_asn changes from 45104 to 64999"}},
		{"table", []string{"name: vbr-acme\n", "name: vbr-acme\nroute_table_id: 7777\n"}, scopeAnew, []string{"ROUTER_RESTARTED vbr-acme: route_table_id changes from 10000 to 7777"}},
		{"VRF", []string{"name: vbr-acme\n", "name: vbr-acme\nvrf: default\n"}, scopeAnew, []string{"ROUTER_RESTARTED vbr-acme: vrf changes from vbr-acme to default"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, after := changed(t, tt.edits...)
			d := compare(before, after)
			if d.scope != tt.scope {
				t.Errorf("scope %d, want %d: %+v", d.scope, tt.scope, d)
			}
			wantEffects(t, routerChanged(after, d, live{}), tt.want...)
		})
	}
}

// How a peer is watched over changes with its session up.
func TestCompareWatches(t *testing.T) {
	on := watchSpec{on: true, minTx: 300 * time.Millisecond, minRx: 300 * time.Millisecond, multiplier: 3}
	fast := watchSpec{on: true, strict: true, minTx: 100 * time.Millisecond, minRx: 50 * time.Millisecond, multiplier: 5}
	for _, tt := range []struct {
		before, after watchSpec
		want          string
	}{
		{on, on, ""},
		{on, watchSpec{}, "enable_bfd changes from true to false"},
		{on, fast, "bfd_strict changes from false to true, min_tx_interval changes from 300ms to 100ms, " +
			"min_rx_interval changes from 300ms to 50ms, detect_multiplier changes from 3 to 5"},
	} {
		if got := strings.Join(watchChanges(tt.before, tt.after), ", "); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// The first key resets the session, one in place of another does not unless more changes; neither is told.
func TestCompareKeys(t *testing.T) {
	before, after := changed(t)
	after.peers[0].Password = "swordfish"
	effects := routerChanged(after, compare(before, after), live{})
	wantEffects(t, effects, "SESSION_RESET 10.0.0.2: it gets an authentication key")
	if strings.Contains(fmt.Sprint(effects), "swordfish") {
		t.Errorf("the key is told: %v", effects)
	}
	before, after = changed(t)
	before.peers[0].Password, after.peers[0].Password = "swordfish", "halibut"
	effects = routerChanged(after, compare(before, after), live{})
	wantEffects(t, effects, "SESSION_CHANGED 10.0.0.2: stays: its authentication key changes, and the old one is dead at once")
	after.peers[0].HoldTime++
	effects = routerChanged(after, compare(before, after), live{})
	if text := fmt.Sprint(effects); !strings.Contains(text, "TYPE_SESSION_RESET") || strings.Contains(text, "halibut") {
		t.Errorf("with another hold time: %s", text)
	}
}

// The router id stays as long as it is one of the router's addresses.
func TestHeir(t *testing.T) {
	before, after := changed(t, secondLine, "", secondPeer, "", "vlan_id: 100\nlocal_gateway_ip: 10.0.0.1\npeer_gateway_ip: 10.0.0.2\npeering_subnet_mask: /30\n",
		"vlan_id: 102\nlocal_gateway_ip: 10.0.2.1\npeer_gateway_ip: 10.0.2.2\npeering_subnet_mask: /30\n", "bgp_peers:\n", `associated_physical_connections:
  - physical_connection_id: pc-1
    vlan_id: 100
    local_gateway_ip: 10.0.0.1
    peer_gateway_ip: 10.0.0.2
    peering_subnet_mask: /30
bgp_peers:
`)
	if after.routerID != before.routerID || compare(before, after).scope != scopeLive {
		t.Errorf("router id %v, was %v", after.routerID, before.routerID)
	}
}

// What others are to have is taken out of a spec, with the sessions that rest on it.
func TestWithout(t *testing.T) {
	before, _ := changed(t)
	s := before.without(func(c string) bool { return c == "eth1.100" || c == "router interface ri-acme" })
	var got []string
	for i, l := range s.lines {
		got = append(got, l.device, s.link.Lines[i].Device)
	}
	for i := range s.peers {
		got = append(got, s.peers[i].Address.String(), s.device(&s.peers[i]))
	}
	if diff := cmp.Diff([]string{"eth1", "eth1", "10.0.0.6", "eth1"}, got); diff != "" || len(s.ris)+len(s.link.Tunnels) != 0 || len(before.lines) != 2 {
		t.Errorf("(-want +got):\n%s\n%+v", diff, s.ris)
	}
	wantEffects(t, routerChanged(s, compare(before, s), live{}), "LINE_DELETED eth1.100", "SESSION_DELETED 10.0.0.2", "SESSION_DELETED fd00::2", "ROUTER_INTERFACE_DELETED ri-acme")
}

// Effects of a host that does not run compare the two intents, and give no ids away.
func TestEffectsOfIntents(t *testing.T) {
	text := strings.ReplaceAll(acmeYAML, ", auth_key_file: KEY", "")
	h := &Host{opts: testOptions(), ids: loadedIDs(t, t.TempDir())}
	in := parsed(t, text)
	wantEffects(t, h.Effects(nil, in), "ROUTER_CREATED vbr-acme: 2 lines, 3 sessions and 1 router interface")
	wantEffects(t, h.Effects(in, &intent.Intent{}), "ROUTER_DELETED vbr-acme: 0 established sessions close, 0 routes leave")
	wantEffects(t, h.Effects(in, parsed(t, strings.ReplaceAll(text, "name: ri-acme\n", "name: ri-acme\nowner: you\n"))), "NONE ri-acme: nothing")
	wantEffects(t, h.Effects(in, parsed(t, strings.ReplaceAll(text, "name: pc-1\n", "name: pc-1\nowner: you\n"))), "NONE pc-1: nothing")
	wantEffects(t, h.Effects(in, in))
	if len(h.ids.Tables)+len(h.ids.RDs) > 0 {
		t.Errorf("ids were given: %v", h.ids)
	}
}

// A router that hangs holds up only who waits for it, and no longer than asked; the next Apply finds its way.
func TestApplyHungRouter(t *testing.T) {
	before, _ := changed(t)
	h := &Host{opts: testOptions(), ids: loadedIDs(t, t.TempDir()), log: slog.New(slog.DiscardHandler), routers: map[string]*router{}, running: t.Context(), serving: make(chan struct{})}
	close(h.serving)
	h.applying.turn, h.applying.leaving = make(chan struct{}, 1), map[string]<-chan struct{}{}
	h.backbone = newBackbone(h)
	r := &router{name: "vbr-acme", spec: before, host: h, log: h.log, news: make(chan struct{}, 1), look: make(chan struct{}, 1), reasons: map[string]string{}}
	h.keepRouter(r) // its actor never looks
	text := strings.ReplaceAll(acmeYAML, ", auth_key_file: KEY", "")
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		began := time.Now()
		err := h.Apply(ctx, parsed(t, strings.Replace(text, "10.0.0.6, peer_asn: 65001", "10.0.0.6, peer_asn: 65009", 1)))
		cancel()
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > time.Second {
			t.Errorf("Apply took %v: %v", took, err)
		}
	}
	if p := r.target().peer(netip.MustParseAddr("10.0.0.6")); p.ASN != 65009 {
		t.Errorf("the router is not to become what was applied: AS %d", p.ASN)
	}
	done := make(chan error)
	go func() { done <- h.Apply(t.Context(), parsed(t, text)) }()
	for r.target().peer(netip.MustParseAddr("10.0.0.6")).ASN != 65001 {
		time.Sleep(time.Millisecond)
	}
	r.taken(r.target()) // it looks after all
	if err := <-done; err != nil {
		t.Error(err)
	}
}
