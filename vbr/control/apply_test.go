package control_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// planText renders a plan.
func planText(p *vbrv1.Plan) string {
	var b strings.Builder
	for _, c := range p.GetChanges() {
		fmt.Fprintf(&b, "%s %s\n", strings.TrimPrefix(c.Action.String(), "ACTION_"), c.Name)
		for _, f := range c.Fields {
			fmt.Fprintf(&b, "  %s: %s -> %s\n", f.Path, f.Before, f.After)
		}
	}
	for _, e := range p.GetEffects() {
		fmt.Fprintf(&b, "%s %s %s%v\n", strings.TrimPrefix(e.Type.String(), "TYPE_"), e.Router, e.Text, e.Disruptive)
	}
	return b.String()
}

func TestApply(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := &memory{}
	h := newHost(t, m, func(c *control.Config) { c.Now = func() time.Time { return now } })
	if resp := h.apply(t, admin, site()); resp.Revision != 1 {
		t.Errorf("revision %d", resp.Revision)
	}
	now = now.Add(time.Hour)

	// The same again changes nothing and stores nothing.
	if resp := h.apply(t, admin, site()); resp.Revision != 1 || len(resp.Plan.Changes) != 0 || m.appends != 1 {
		t.Errorf("again: %v, %d appends", resp, m.appends)
	}

	// One changed and one new among unchanged ones.
	more := strings.Replace(site(), "vlan_id: 100", "vlan_id: 101", 1) + line("vbr-beta", "beta", "pc-1", 200, "")
	req := &vbrv1.ApplyRequest{Resources: parse(t, more), DryRun: true, ExpectedRevision: 1, Comment: "second"}
	req.Resources[1].Metadata = &vbrv1.Metadata{Generation: 1}
	resp, err := h.Apply(t.Context(), admin, req)
	if err != nil {
		t.Fatal(explain(err))
	}
	want := "CHANGE vbr-acme\n  vlan_id: 100 -> 101\nCREATE vbr-beta\n  owner:  -> beta\n  physical_connection_id:  -> pc-1\n  vlan_id:  -> 200\n" +
		"  local_gateway_ip:  -> '10.0.0.1'\n  peer_gateway_ip:  -> '10.0.0.2'\n  peering_subnet_mask:  -> /30\n"
	if diff := cmp.Diff(want, planText(resp.Plan)); diff != "" || resp.Revision != 1 || m.appends != 1 {
		t.Errorf("dry run: revision %d, %d appends\n-want +got %s", resp.Revision, m.appends, diff)
	}
	req.DryRun = false
	if resp, err = h.Apply(t.Context(), admin, req); err != nil || resp.Revision != 2 || planText(resp.Plan) != want {
		t.Fatal(resp, explain(err))
	}
	if diff := cmp.Diff("pc-1 g1 store\nvbr-acme g2 store\nvbr-beta g1 store\nri-acme g1 store\n", h.list(t, viewer, &vbrv1.ListRequest{})); diff != "" {
		t.Error("-want +got", diff)
	}
	got, err := h.Get(t.Context(), viewer, &vbrv1.GetRequest{Kind: kindVBR, Name: "vbr-acme"})
	if err != nil {
		t.Fatal(err)
	}
	meta := got.Resource.Metadata
	if meta.Revision != 2 || meta.ModifyTime.Seconds-meta.CreateTime.Seconds != 3600 || got.Resource.GetVirtualBorderRouter().VlanId != 101 {
		t.Errorf("got %v", got)
	}
	r := m.revisions[1].Revision
	if r.Author != admin.Name || r.Comment != "second" || r.Created != 1 || r.Changed != 1 || r.Deleted != 0 || r.Resources != 4 {
		t.Errorf("revision %v", r)
	}

	// A newer client's stale idea is refused as a whole.
	req.Resources[1].GetVirtualBorderRouter().VlanId = 102
	wantCode(t, second(h.Apply(t.Context(), admin, req)), codes.Aborted, "revision 1 is expected, the current one is 2")
	req.ExpectedRevision = 0
	wantCode(t, second(h.Apply(t.Context(), admin, req)), codes.Aborted, "VirtualBorderRouter/vbr-acme.generation: 1: not the current generation; legal: 2")
	if m.appends != 2 {
		t.Errorf("%d appends", m.appends)
	}
}

func second[T any](_ T, err error) error { return err }

func TestApplyRefuses(t *testing.T) {
	h := newHost(t, &memory{}, func(c *control.Config) {
		c.Check = func(in *intent.Intent) intent.Errors {
			var problems intent.Errors
			for _, pc := range in.PhysicalConnections {
				if strings.HasPrefix(pc.Device, "gone") {
					problems.Add(source.Problem{Path: "PhysicalConnection/" + pc.Name + ".device", Value: `"` + pc.Device + `"`, Text: "no such network device on this host", Legal: "eth1, vbr-acme"})
				}
			}
			return problems
		}
	})
	h.apply(t, admin, site()+port("pc-acme", "acme", "eth2", "")+line("vbr-hidden", "beta", "pc-1", 7, secondLine))
	many := make([]*vbrv1.Resource, control.MaxResources+1)
	for _, tt := range []struct {
		name   string
		caller control.Caller
		text   string
		alter  func(*vbrv1.ApplyRequest)
		want   string
	}{
		{"nothing", admin, "", nil, "InvalidArgument\nresources: 0: not a number of resources for one call; legal: 1..10000, 0 only with prune"},
		{"too many", admin, "", func(r *vbrv1.ApplyRequest) { r.Resources = many }, "InvalidArgument\nresources: 10001: not a number of resources for one call; legal: 1..10000, 0 only with prune"},
		{"empty", admin, site(), func(r *vbrv1.ApplyRequest) {
			r.Resources[0] = &vbrv1.Resource{}
			r.Resources[2] = &vbrv1.Resource{Resource: &vbrv1.Resource_RouterInterface{}}
		},
			"InvalidArgument\nresources[0]: is empty; legal: a physical_connection, virtual_border_router, router_interface, v_router or vbr_ha\nresources[2]: is empty; legal: a physical_connection, virtual_border_router, router_interface, v_router or vbr_ha"},
		{"nil", admin, site(), func(r *vbrv1.ApplyRequest) { r.Resources[0] = nil }, "InvalidArgument\nresources[0]: is empty; legal: a physical_connection, virtual_border_router, router_interface, v_router or vbr_ha"},
		{"twice", admin, site() + site(), nil, "InvalidArgument\nPhysicalConnection/pc-1: is in the request twice; legal: each resource once\n" +
			"VirtualBorderRouter/vbr-acme: is in the request twice; legal: each resource once\nRouterInterface/ri-acme: is in the request twice; legal: each resource once"},
		{"a field of the future", admin, port("pc-9", "", "eth9", ""), func(r *vbrv1.ApplyRequest) {
			r.Resources[0].GetPhysicalConnection().ProtoReflect().SetUnknown([]byte{0xf8, 0x3f, 1})
		},
			"InvalidArgument\nPhysicalConnection/pc-9: a field of PhysicalConnection is not known to this vbrd; legal: what its version has"},
		{"comment and time", admin, site(), func(r *vbrv1.ApplyRequest) { r.Comment, r.ConfirmWithin = "a\nb", durationpb.New(time.Second) },
			"InvalidArgument\ncomment: \"a\\nb\": not a comment; legal: at most 256 printable characters\nconfirm_within: 1s: out of range; legal: 10s..24h; 10s..10m if you have owners"},
		{"long comment", admin, site(), func(r *vbrv1.ApplyRequest) {
			r.Comment, r.ConfirmWithin = strings.Repeat("é", 257), durationpb.New(25*time.Hour)
		},
			"InvalidArgument\ncomment: \"" + strings.Repeat("é", 32) + "\"...: not a comment; legal: at most 256 printable characters\nconfirm_within: 25h0m0s: out of range; legal: 10s..24h; 10s..10m if you have owners"},
		{"all wait for one", acme, line("vbr-acme", "acme", "pc-1", 101, ""), func(r *vbrv1.ApplyRequest) { r.ConfirmWithin = durationpb.New(10*time.Minute + 1) },
			"InvalidArgument\nconfirm_within: 10m0.000000001s: others would wait for too long; legal: 10s..10m if you have owners"},
		{"all problems at once", admin, port("pc-2", "", "eth/2", "") + line("vbr-b", "", "pc-1", 100, "bgp_peers: [{peer_ip_address: 10.0.0.9, peer_asn: 65001}]\n") + door("ri-b", "", "vbr-x", 5001), nil, `InvalidArgument
PhysicalConnection/pc-2.device: "eth/2": not a network device name; legal: 1..15 characters without '/', ':' or space
RouterInterface/ri-b.route_target: "64600:5001": route target is already that of RouterInterface/ri-acme; legal: a route target of its own
RouterInterface/ri-b.router_id: "vbr-x": no such VirtualBorderRouter or VRouter; did you mean "vbr-b"?; legal: vbr-acme, vbr-b, vbr-hidden
RouterInterface/ri-b.vni: 5001: VNI is already that of RouterInterface/ri-acme; legal: a VNI of its own
VirtualBorderRouter/vbr-b.bgp_peers[0].peer_ip_address: "10.0.0.9": on none of the VBR's link subnets; legal: 10.0.0.1..10.0.0.2
VirtualBorderRouter/vbr-b.vlan_id: 100: VLAN on pc-1 is already that of VirtualBorderRouter/vbr-acme; legal: a VLAN no other line of the port has`},
		{"no name", admin, "kind: PhysicalConnection\ndevice: eth3\n---\nkind: PhysicalConnection\nname: pc.1\ndevice: eth4\n", nil, `InvalidArgument
PhysicalConnection.name: missing; legal: a-z, 0-9 and '-' inside, 2..63 characters
PhysicalConnection.name: "pc.1": not a resource name; legal: a-z, 0-9 and '-' inside, 2..63 characters`},
		{"the machine", admin, port("pc-9", "", "gone0", ""), nil, "InvalidArgument\nPhysicalConnection/pc-9.device: \"gone0\": no such network device on this host; legal: eth1, vbr-acme"},
		{"the machine, but not whose devices", acme, port("pc-9", "acme", "gone0", ""), nil, "InvalidArgument\nPhysicalConnection/pc-9.device: \"gone0\": no such network device on this host"},
		{"a viewer", viewer, site(), nil, `PermissionDenied: viewer "uid:9(noc)" may not change resources`},
		{"nobody", control.Caller{}, site(), nil, `PermissionDenied: none "" may not change resources`},
		{"of another owner", acme, line("vbr-b", "beta", "pc-1", 300, ""), nil, "PermissionDenied\nVirtualBorderRouter/vbr-b.owner: \"beta\": not an owner that cn:acme acts for; legal: \"acme\""},
		{"given away", acme, line("vbr-acme", "beta", "pc-1", 100, ""), nil,
			"PermissionDenied\nVirtualBorderRouter/vbr-acme.owner: \"beta\": not an owner that cn:acme acts for; legal: \"acme\""},
		{"taken from another", beta, line("vbr-acme", "beta", "pc-1", 100, ""), nil, "FailedPrecondition\nVirtualBorderRouter/vbr-acme.name: \"vbr-acme\": name is in use; legal: another name"},
		{"taken from another, by generation", beta, line("vbr-acme", "beta", "pc-1", 100, ""), func(r *vbrv1.ApplyRequest) { r.Resources[0].Metadata = &vbrv1.Metadata{Generation: 1} },
			"Aborted\nVirtualBorderRouter/vbr-acme.generation: 1: does not exist; legal: 0 to create it"},
		{"a VLAN of another", beta, line("vbr-beta", "beta", "pc-1", 100, ""), nil, "InvalidArgument\nVirtualBorderRouter/vbr-beta.vlan_id: 100: VLAN on pc-1 is in use; legal: a VLAN no other line of the port has"},
		{"a VNI of another", beta, line("vbr-beta", "beta", "pc-1", 300, "") + door("ri-beta", "beta", "vbr-beta", 5001), nil,
			"InvalidArgument\nRouterInterface/ri-beta.route_target: \"64600:5001\": route target is in use; legal: a route target of its own\nRouterInterface/ri-beta.vni: 5001: VNI is in use; legal: a VNI of its own"},
		{"a door to another's router", beta, door("ri-beta", "beta", "vbr-acme", 7), nil, "InvalidArgument\nRouterInterface/ri-beta.router_id: \"vbr-acme\": no such VirtualBorderRouter or VRouter; legal: vbr-hidden"},
		{"a misspelt port", beta, line("vbr-beta", "beta", "pc-2", 300, ""), nil, "InvalidArgument\nVirtualBorderRouter/vbr-beta.physical_connection_id: \"pc-2\": no such PhysicalConnection; legal: the name of a PhysicalConnection"},
		{"another's line breaks", acme, port("pc-acme", "acme", "eth2", "host: edge7\n"), nil, "InvalidArgument\n: resources of other owners rest on what this would change; legal: a change that leaves them as they are"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := h.list(t, admin, &vbrv1.ListRequest{})
			req := &vbrv1.ApplyRequest{Resources: parse(t, tt.text)}
			if tt.alter != nil {
				tt.alter(req)
			}
			_, err := h.Apply(t.Context(), tt.caller, req)
			if diff := cmp.Diff(tt.want, explain(err)); diff != "" {
				t.Error("-want +got", diff)
			}
			if diff := cmp.Diff(before, h.list(t, admin, &vbrv1.ListRequest{})); diff != "" {
				t.Error("something changed", diff)
			}
		})
	}
}

// What the machine lacked already does not hold up changes of something else.
func TestMachineChecksAreOfTheChange(t *testing.T) {
	gone := ""
	h := newHost(t, &memory{}, func(c *control.Config) {
		c.Check = func(in *intent.Intent) (problems intent.Errors) {
			for _, pc := range in.PhysicalConnections {
				if pc.Device == gone {
					problems.Add(source.Problem{Path: "PhysicalConnection/" + pc.Name + ".device", Text: "no such network device on this host"})
				}
			}
			return problems
		}
	})
	h.apply(t, admin, site())
	gone = "eth1"
	h.apply(t, admin, port("pc-2", "", "eth2", ""))
	_, err := h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, port("pc-1", "provider", "eth1", "description: x\n"))})
	wantCode(t, err, codes.InvalidArgument, "no such network device")
}

func TestPrune(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	h.apply(t, admin, site()+line("vbr-beta", "beta", "pc-1", 200, ""))
	resp, err := h.Apply(t.Context(), acme, &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-new", "acme", "pc-1", 300, "")), Prune: true})
	if err != nil {
		t.Fatal(explain(err))
	}
	if got := h.names(t, admin); got != "pc-1 vbr-beta vbr-new" || len(resp.Plan.Changes) != 3 {
		t.Errorf("after an operator's prune: %s, %s", got, planText(resp.Plan))
	}
	_, err = h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Resources: parse(t, line("vbr-beta", "beta", "pc-1", 200, "")), Prune: true})
	wantCode(t, err, codes.FailedPrecondition, "PhysicalConnection/pc-1: is referred to by VirtualBorderRouter/vbr-beta; legal: delete what refers to it before or together with it")
	if _, err = h.Apply(t.Context(), admin, &vbrv1.ApplyRequest{Prune: true}); err != nil {
		t.Fatal(explain(err))
	}
	if got := h.names(t, admin); got != "" {
		t.Errorf("after prune of all: %s", got)
	}
}

func TestDelete(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	h.apply(t, admin, site()+port("pc-acme", "acme", "eth2", "")+line("vbr-beta", "beta", "pc-acme", 7, ""))
	for _, tt := range []struct {
		name   string
		caller control.Caller
		refs   []*vbrv1.ResourceRef
		want   string
	}{
		{"nothing", admin, nil, "InvalidArgument\nrefs: 0: not a number of resources for one call; legal: 1..10000"},
		{"no kind", admin, []*vbrv1.ResourceRef{{Name: "x"}}, "InvalidArgument\nrefs[0].kind: 0: not a kind; legal: 1..5"},
		{"twice", admin, []*vbrv1.ResourceRef{ref(kindRI, "ri-acme"), ref(kindRI, "ri-acme")}, "InvalidArgument\nRouterInterface/ri-acme: is in the request twice; legal: each resource once"},
		{"not there", admin, []*vbrv1.ResourceRef{ref(kindRI, "ri-acme"), ref(kindVBR, "ri-acme")}, "NotFound\nVirtualBorderRouter/ri-acme: not found"},
		{"not theirs", beta, []*vbrv1.ResourceRef{ref(kindRI, "ri-acme")}, "NotFound\nRouterInterface/ri-acme: not found"},
		{"stale", admin, []*vbrv1.ResourceRef{{Kind: kindRI, Name: "ri-acme", Generation: 4}}, "Aborted\nRouterInterface/ri-acme.generation: 4: not the current generation; legal: 1"},
		{"referred to", admin, []*vbrv1.ResourceRef{ref(kindVBR, "vbr-acme"), ref(kindPort, "pc-1")}, "FailedPrecondition\nVirtualBorderRouter/vbr-acme: is referred to by RouterInterface/ri-acme; legal: delete what refers to it before or together with it"},
		{"referred to by another's", acme, []*vbrv1.ResourceRef{ref(kindPort, "pc-acme")}, "FailedPrecondition\nPhysicalConnection/pc-acme: is referred to by resources of other owners; legal: delete what refers to it before or together with it"},
		{"a viewer", viewer, []*vbrv1.ResourceRef{ref(kindRI, "ri-acme")}, `PermissionDenied: viewer "uid:9(noc)" may not change resources`},
		{"OK: with what refers to it", acme, []*vbrv1.ResourceRef{ref(kindVBR, "vbr-acme"), {Kind: kindRI, Name: "ri-acme", Generation: 1}}, "OK"},
		{"gone", acme, []*vbrv1.ResourceRef{ref(kindVBR, "vbr-acme")}, "NotFound\nVirtualBorderRouter/vbr-acme: not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := h.Delete(t.Context(), tt.caller, &vbrv1.DeleteRequest{Refs: tt.refs})
			if diff := cmp.Diff(tt.want, explain(err)); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
	if got := h.names(t, admin); got != "pc-1 pc-acme vbr-beta" {
		t.Errorf("left: %s", got)
	}
}

// secondLine is one on acme's port of a VBR that begins on another's.
const secondLine = "associated_physical_connections: [{physical_connection_id: pc-acme, vlan_id: 8, local_gateway_ip: 10.0.1.1, peer_gateway_ip: 10.0.1.2, peering_subnet_mask: /30}]\n"

// Effects on routers of others are told without their names.
func TestEffectsHideOthers(t *testing.T) {
	m := &memory{}
	h := newHost(t, m, nil)
	h.apply(t, admin, port("pc-acme", "acme", "eth2", "")+line("vbr-acme", "acme", "pc-acme", 1, "")+port("pc-1", "provider", "eth1", "")+line("vbr-beta", "beta", "pc-1", 2, secondLine))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	r := &runner{}
	go func() { done <- h.Run(ctx, r) }()
	for r.routers() == "nothing" {
		time.Sleep(time.Millisecond)
	}
	resp, err := h.Apply(t.Context(), acme, &vbrv1.ApplyRequest{Resources: parse(t, port("pc-acme", "acme", "eth3", "")), DryRun: true})
	if err != nil {
		t.Fatal(explain(err))
	}
	want := "CHANGE pc-acme\n  device: eth2 -> eth3\nROUTER_RESTARTED vbr-acme true\nNONE  routers of other owners are touchedtrue\n"
	if diff := cmp.Diff(want, planText(resp.Plan)); diff != "" {
		t.Error("-want +got", diff)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// How long others may be kept waiting: for who answers for all a day, for who has owners ten minutes.
func TestConfirmWithin(t *testing.T) {
	h := newHost(t, &memory{}, nil)
	h.apply(t, admin, site())
	owned := control.Caller{Name: "cn:acme-admin", Role: control.Admin, Owners: []string{"acme"}}
	for _, tt := range []struct {
		caller control.Caller
		within time.Duration
		want   codes.Code
	}{
		{admin, control.MaxConfirm, codes.OK}, {admin, control.MaxConfirm + 1, codes.InvalidArgument},
		{acme, control.MaxConfirmOwned, codes.OK}, {acme, control.MaxConfirmOwned + 1, codes.InvalidArgument},
		{owned, control.MaxConfirmOwned, codes.OK}, {owned, control.MaxConfirmOwned + 1, codes.InvalidArgument},
	} {
		req := &vbrv1.DeleteRequest{Refs: []*vbrv1.ResourceRef{ref(kindRI, "ri-acme")}, ConfirmWithin: durationpb.New(tt.within), DryRun: true}
		_, err := h.Delete(t.Context(), tt.caller, req)
		wantCode(t, err, tt.want)
	}
}
