package control_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
)

var carrier = control.Caller{Name: "cn:carrier", Role: control.Operator, Owners: []string{"carrier"}}

const (
	waiting    = "confirmed: false\n"
	confirmed  = "confirmed: true\n"
	keyedPeer  = "bgp_peers: [{peer_ip_address: 10.0.0.2, peer_asn: 65001, auth_key_file: /etc/vbrd/keys/acme/bgp}]\n"
	terminated = "termination_time: '2026-01-31T12:00:00Z'\n"
)

// Who may set which field of a VBR that is another account's than the port it is on.
func TestFieldsOfCrossAccountVBR(t *testing.T) {
	mine := func(more string) string { return line("vbr-x", "acme", "pc-c", 100, more) }
	for _, tt := range []struct {
		name   string
		has    string // what there is, made by an admin
		caller control.Caller
		text   string
		want   string
	}{
		{"OK: the port's owner makes one for another", "", carrier, mine(waiting), "OK"},
		{"confirmed from the start", "", carrier, mine(confirmed), "PermissionDenied\nVirtualBorderRouter/vbr-x.confirmed: not for cn:carrier to confirm: the VBR is another owner's; legal: false; its owner confirms it"},
		{"in no need of confirmation", "", carrier, mine(""), "PermissionDenied\nVirtualBorderRouter/vbr-x.confirmed: not for cn:carrier to confirm: the VBR is another owner's; legal: false; its owner confirms it"},
		{"on a port that is not the caller's", "", beta, mine(waiting), "PermissionDenied\nVirtualBorderRouter/vbr-x.owner: \"acme\": not an owner that cn:beta acts for; legal: \"beta\""},
		{"with a line on another's port", port("pc-b", "beta", "eth8", ""), carrier, mine(waiting + strings.ReplaceAll(secondLine, "pc-acme", "pc-b")),
			"PermissionDenied\nVirtualBorderRouter/vbr-x.owner: \"acme\": not an owner that cn:carrier acts for; legal: \"carrier\""},
		{"with a key of the other's", "", carrier, mine(waiting + keyedPeer), "PermissionDenied\nVirtualBorderRouter/vbr-x.bgp_peers[0].auth_key_file: not for cn:carrier to set: the VBR is another owner's; legal: none; its owner sets it"},
		{"OK: the port's owner leaves the key alone", mine(waiting + keyedPeer), carrier, mine(waiting + keyedPeer + "bandwidth: 100\n"), "OK"},
		{"OK: the VBR's owner confirms", mine(waiting), acme, mine(confirmed), "OK"},
		{"OK: by leaving the field out", mine(waiting), acme, mine(""), "OK"},
		{"the port's owner confirms", mine(waiting), carrier, mine(confirmed), "PermissionDenied\nVirtualBorderRouter/vbr-x.confirmed: not for cn:carrier to confirm: the VBR is another owner's; legal: false; its owner confirms it"},
		{"OK: the port's owner changes what is not confirmed", mine(waiting), carrier, mine(waiting + "bandwidth: 100\n"), "OK"},
		{"the port's owner changes what is confirmed", mine(confirmed), carrier, mine(confirmed + "bandwidth: 100\n"),
			"PermissionDenied\nVirtualBorderRouter/vbr-x.bandwidth: 100: not for cn:carrier to change: the VBR is another owner's; legal: no change but of termination_time and of peers' route_quota"},
		{"OK: the port's owner terminates", mine(confirmed), carrier, mine(confirmed + terminated), "OK"},
		{"OK: and recovers", mine(terminated), carrier, mine(""), "OK"},
		{"terminates and takes", mine(""), carrier, line("vbr-x", "carrier", "pc-c", 100, terminated), "PermissionDenied\nVirtualBorderRouter/vbr-x.owner: carrier: not for cn:carrier to change: the VBR is another owner's; legal: no change but of termination_time and of peers' route_quota"},
		{"the VBR's owner terminates", mine(""), acme, mine(terminated), "PermissionDenied\nVirtualBorderRouter/vbr-x.termination_time: \"2026-01-31T12:00:00Z\": not for cn:acme to set or clear; legal: none given; the owner of the physical connection terminates and recovers"},
		{"the VBR's owner recovers", mine(terminated), acme, mine(""), "PermissionDenied\nVirtualBorderRouter/vbr-x.termination_time: \"\": not for cn:acme to set or clear; legal: \"2026-01-31T12:00:00Z\"; the owner of the physical connection terminates and recovers"},
		{"recovers on a port of their own", mine(terminated) + port("pc-a", "acme", "eth8", ""), acme, line("vbr-x", "acme", "pc-a", 100, ""),
			"PermissionDenied\nVirtualBorderRouter/vbr-x.termination_time: \"\": not for cn:acme to set or clear; legal: \"2026-01-31T12:00:00Z\"; the owner of the physical connection terminates and recovers"},
		{"OK: the VBR's owner changes the rest", mine(terminated), acme, mine(terminated + "bandwidth: 5\n"), "OK"},
		{"others do not see it", mine(waiting), beta, mine(confirmed), "FailedPrecondition\nVirtualBorderRouter/vbr-x.name: \"vbr-x\": name is in use; legal: another name"},
		{"OK: an admin does what it likes", mine(waiting), admin, mine(confirmed + terminated), "OK"},
		{"OK: who owns both gives it away unconfirmed", line("vbr-x", "carrier", "pc-c", 100, ""), carrier, mine(waiting), "OK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, &memory{}, nil)
			h.apply(t, admin, port("pc-c", "carrier", "eth9", "")+tt.has)
			_, err := h.Apply(t.Context(), tt.caller, &vbrv1.ApplyRequest{Resources: parse(t, tt.text)})
			if diff := cmp.Diff(tt.want, explain(err)); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

// A VBR's owner may lower route quotas, keep what they are, and not raise them: neither above the default nor above what the provider has set.
func TestQuotaIsTheProviders(t *testing.T) {
	mine := func(more string) string {
		return line("vbr-x", "acme", "pc-c", 100, "bgp_peers: [{peer_ip_address: 10.0.0.2, peer_asn: 65001"+more+"}]\n")
	}
	const quota, action = "VirtualBorderRouter/vbr-x.bgp_peers[0].route_quota: ", "VirtualBorderRouter/vbr-x.bgp_peers[0].route_quota_action: "
	for _, tt := range []struct {
		name   string
		has    string // what there is, made by an admin
		caller control.Caller
		text   string
		want   string
	}{
		{"above the default", mine(""), acme, mine(", route_quota: 111"), "PermissionDenied\n" + quota + "111: more than cn:acme may set; legal: 1..110; an admin, or another account that owns the physical connection, may set more, or 0"},
		{"none", mine(""), acme, mine(", route_quota: 0"), "PermissionDenied\n" + quota + "0: more than cn:acme may set; legal: 1..110; an admin, or another account that owns the physical connection, may set more, or 0"},
		{"from the start, on its own port", port("pc-c", "acme", "eth9", ""), acme, mine(", route_quota: 500"), "PermissionDenied\n" + quota + "500: more than cn:acme may set; legal: 1..110; an admin, or another account that owns the physical connection, may set more, or 0"},
		{"above what was set", mine(", route_quota: 500"), acme, mine(", route_quota: 501"), "PermissionDenied\n" + quota + "501: more than cn:acme may set; legal: 1..500; an admin, or another account that owns the physical connection, may set more, or 0"},
		{"back up to the default", mine(", route_quota: 50"), acme, mine(""), "OK"},
		{"OK: what was set, and less", mine(", route_quota: 500"), acme, mine(", route_quota: 500, hold: 60"), "OK"},
		{"OK: less", mine(", route_quota: 500"), acme, mine(", route_quota: 20"), "OK"},
		{"OK: none as before", mine(", route_quota: 0"), acme, mine(", route_quota: 0, hold: 60"), "OK"},
		{"only a warning", mine(""), acme, mine(", route_quota_action: Warn"), "PermissionDenied\n" + action + "\"Warn\": not for cn:acme to set: it bounds nothing; legal: Drop, Teardown; an admin, or another account that owns the physical connection, may set Warn"},
		{"OK: a stricter action", mine(""), acme, mine(", route_quota_action: Teardown"), "OK"},
		{"another peer has no more than the default", mine(", route_quota: 500"), acme, strings.ReplaceAll(mine(", route_quota: 500"), "10.0.0.2, peer_asn", "10.0.0.3, peer_asn"),
			"PermissionDenied\n" + quota + "500: more than cn:acme may set; legal: 1..110; an admin, or another account that owns the physical connection, may set more, or 0"},
		{"OK: the port's owner raises it", mine(""), carrier, mine(", route_quota: 5000, route_quota_action: Warn"), "OK"},
		{"the port's owner changes something else too", mine(""), carrier, mine(", route_quota: 5000, hold: 60"),
			"PermissionDenied\nVirtualBorderRouter/vbr-x.bgp_peers[0].hold: 60: not for cn:carrier to change: the VBR is another owner's; legal: no change but of termination_time and of peers' route_quota"},
		{"OK: an admin", mine(""), admin, mine(", route_quota: 0"), "OK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t, &memory{}, nil)
			if !strings.Contains(tt.has, "pc-c\nowner") {
				tt.has = port("pc-c", "carrier", "eth9", "") + tt.has
			}
			h.apply(t, admin, tt.has)
			_, err := h.Apply(t.Context(), tt.caller, &vbrv1.ApplyRequest{Resources: parse(t, tt.text)})
			if diff := cmp.Diff(tt.want, explain(err)); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

// The port's owner sees the VBRs on it, hears of their changes, and deletes one only as long as it waits.
func TestPortOwnerSees(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	h.apply(t, admin, port("pc-c", "carrier", "eth9", "")+line("vbr-x", "acme", "pc-c", 100, waiting)+line("vbr-y", "acme", "pc-c", 101, confirmed)+door("ri-y", "acme", "vbr-y", 7))
	if got := h.names(t, carrier); got != "pc-c vbr-x vbr-y" {
		t.Errorf("the port's owner sees %s", got)
	}
	if got := h.names(t, beta); got != "" {
		t.Errorf("others see %s", got)
	}
	if _, err := h.Get(t.Context(), carrier, &vbrv1.GetRequest{Kind: kindVBR, Name: "vbr-x"}); err != nil {
		t.Error(err)
	}
	_, err := h.Delete(t.Context(), carrier, &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindVBR, "vbr-y")}})
	wantCode(t, err, codes.PermissionDenied, "may not be deleted by cn:carrier")
	_, err = h.Delete(t.Context(), beta, &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindVBR, "vbr-x")}})
	wantCode(t, err, codes.NotFound)
	if _, err = h.Delete(t.Context(), carrier, &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindVBR, "vbr-x")}}); err != nil {
		t.Error(explain(err))
	}
}

const (
	kindVRouter = vbrv1.Kind_KIND_V_ROUTER
	kindHa      = vbrv1.Kind_KIND_VBR_HA
)

func vpc(name, owner, cidr, more string) string {
	return "kind: VRouter\nname: " + name + "\nowner: " + owner + "\ncidr_blocks: [" + cidr + "]\n" + more + "---\n"
}

func end(name, owner, router, opposite, more string) string {
	return "kind: RouterInterface\nname: " + name + "\nowner: " + owner + "\nrouter_id: " + router + "\nopposite_interface_id: " + opposite + "\n" + more + "---\n"
}

// Two accounts make a pair, each its own end; either ends it, and neither is told more of the other than that.
func TestPairOfTwoAccounts(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	h.apply(t, acme, vpc("vpc-a", "acme", "10.1.0.0/16", "")+end("ri-a", "acme", "vpc-a", "ri-b", "opposite_interface_owner_id: beta\nvni: 7\nroute_target: '1:7'\n"))
	h.apply(t, beta, vpc("vpc-b", "beta", "10.2.0.0/16", ""))
	accept := func(more string) string {
		return end("ri-b", "beta", "vpc-b", "ri-a", "role: AcceptingSide\nopposite_interface_owner_id: acme\n"+more)
	}
	refused := func(caller control.Caller, text, want string) {
		t.Helper()
		_, err := h.Apply(t.Context(), caller, &vbrv1.ApplyRequest{Resources: parse(t, text)})
		if diff := cmp.Diff(want, explain(err)); diff != "" {
			t.Error("-want +got", diff)
		}
	}
	refused(beta, accept("vni: 8\nroute_target: '1:7'\n"), "InvalidArgument\nRouterInterface/ri-b.vni: not the VNI of the other end; legal: the same VNI at both ends")
	refused(carrier, vpc("vpc-c", "carrier", "10.3.0.0/16", "")+end("ri-b", "carrier", "vpc-c", "ri-a", "role: AcceptingSide\nopposite_interface_owner_id: acme\nvni: 7\nroute_target: '1:7'\n"),
		"InvalidArgument\nRouterInterface/ri-b.opposite_interface_id: \"ri-a\": not an interface that owner \"carrier\" may be joined to; legal: an interface whose opposite_interface_owner_id is the owner of this one")
	refused(beta, vpc("vpc-b", "beta", "10.1.128.0/17", "")+accept("vni: 7\nroute_target: '1:7'\n"),
		"InvalidArgument\nRouterInterface/ri-b.opposite_interface_id: \"ri-a\": 10.1.128.0/17 of this router, vpc-b, overlaps 10.1.0.0/16 of the other end's, vpc-a; legal: routers whose prefixes do not overlap")
	h.apply(t, beta, accept("vni: 7\nroute_target: '1:7'\n"))
	if got := h.names(t, beta); got != "ri-b vpc-b" {
		t.Errorf("beta sees %s", got)
	}
	// Without VNI, between routers of one host: the second to come knows the first, which may not come first.
	refused(acme, end("ri-a2", "acme", "vpc-a", "ri-b2", "opposite_interface_owner_id: beta\n"),
		"InvalidArgument\nRouterInterface/ri-a2.vni: missing; legal: vni and route_target, since the other end is not known to be on this host")
	if _, err := h.Delete(t.Context(), beta, &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindRI, "ri-b"), ref(kindVRouter, "vpc-b")}}); err != nil {
		t.Error(explain(err))
	}
	if got := h.names(t, admin); got != "ri-a vpc-a" {
		t.Errorf("left: %s", got)
	}
}

// What others rest on is not deleted; that a failover group and custom routes rest on it counts too.
func TestReferencesOfCloud(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	h.apply(t, admin, port("pc-1", "", "eth1", "")+line("vbr-1", "acme", "pc-1", 1, "")+line("vbr-2", "acme", "pc-1", 2, "")+
		"kind: VbrHa\nname: ha\nowner: acme\nvbr_id: vbr-1\npeer_vbr_id: vbr-2\n---\n"+
		vpc("vpc-a", "acme", "10.1.0.0/16", "route_entries: [{destination_cidr_block: 0.0.0.0/0, next_hop_list: [{next_hop_id: ri-a}]}]\n")+
		end("ri-a", "acme", "vpc-a", "ri-1", "role: AcceptingSide\n")+end("ri-1", "acme", "vbr-1", "ri-a", ""))
	for _, tt := range []struct {
		name string
		refs []*vbrv1.ResourceRef
		want string
	}{
		{"a router with live interfaces", []*vbrv1.ResourceRef{ref(kindVRouter, "vpc-a")}, "FailedPrecondition\nVRouter/vpc-a: is referred to by RouterInterface/ri-a; legal: delete what refers to it before or together with it"},
		{"a VBR in a group", []*vbrv1.ResourceRef{ref(kindVBR, "vbr-1")}, "FailedPrecondition\nVirtualBorderRouter/vbr-1: is referred to by RouterInterface/ri-1, VbrHa/ha; legal: delete what refers to it before or together with it"},
		{"an interface with routes through it", []*vbrv1.ResourceRef{ref(kindRI, "ri-a")}, "FailedPrecondition\nRouterInterface/ri-a: is referred to by VRouter/vpc-a; legal: delete what refers to it before or together with it"},
		{"OK: one end of a pair", []*vbrv1.ResourceRef{ref(kindRI, "ri-1")}, "OK"},
		{"OK: the rest", []*vbrv1.ResourceRef{ref(kindRI, "ri-a"), ref(kindVRouter, "vpc-a"), ref(kindHa, "ha"), ref(kindVBR, "vbr-1")}, "OK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := h.Delete(t.Context(), admin, &vbrv1.DeleteRequest{Refs: tt.refs})
			if diff := cmp.Diff(tt.want, explain(err)); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

// A pair is where its routers are, a group where its VBRs are.
func TestCloudIsOnHosts(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	h.apply(t, admin, vpc("vpc-a", "acme", "10.1.0.0/16", "host: edge2\n")+end("ri-a", "acme", "vpc-a", "ri-x", "vni: 7\nroute_target: '1:7'\n")+
		port("pc-1", "", "eth1", "")+line("vbr-1", "acme", "pc-1", 1, "")+port("pc-2", "", "eth1", "host: edge2\n")+line("vbr-2", "acme", "pc-2", 2, "host: edge2\n")+
		"kind: VbrHa\nname: ha\nowner: acme\nvbr_id: vbr-1\npeer_vbr_id: vbr-2\n")
	for host, want := range map[string]string{"edge1": "pc-1 vbr-1 ha", "edge2": "pc-2 vbr-2 ri-a vpc-a ha"} {
		var names []string
		for l := range strings.Lines(h.list(t, admin, &vbrv1.ListRequest{Host: host})) {
			names = append(names, strings.Fields(l)[0])
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s has %s, want %s", host, got, want)
		}
	}
}
