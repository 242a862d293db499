package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const cloudYAML = `kind: VirtualBorderRouter
name: vbr-acme
owner: acme
physical_connection_id: pc-1
vlan_id: 100
outer_vlan_id: 7
bgp_networks:
  - "172.16.0.0/16"
confirmed: false
health_check:
  target_ip: "10.0.0.2"
  probe_only: true
---
kind: VRouter
name: vpc-acme
owner: acme
cidr_blocks:
  - "172.16.0.0/16"
vswitches:
  - name: web
    cidr_block: "172.16.1.0/24"
    devices:
      - tap1
      - tap2
---
kind: RouterInterface
name: ri-idc
owner: acme
router_id: vbr-acme
vni: 5001
route_target: "64600:5001"
opposite_interface_id: ri-vpc
opposite_router_id: vpc-acme
spec: "Small.1"
---
kind: VbrHa
name: ha-acme
owner: acme
vbr_id: vbr-acme
peer_vbr_id: vbr-two
`

func cloudFake(t *testing.T) *fake {
	f := start(t)
	f.resources = resources(t, cloudYAML)
	for i, r := range f.resources {
		r.Metadata = &vbrv1.Metadata{Source: "store", Generation: uint64(i + 3), Revision: 7}
	}
	f.answer.plan = &vbrv1.Plan{Changes: []*vbrv1.ResourceChange{{Action: vbrv1.ResourceChange_ACTION_CHANGE}}}
	return f
}

func TestGetCloud(t *testing.T) {
	f := cloudFake(t)
	f.vbrctl(t, "get", "all").expect(t, exitOK, `
VirtualBorderRouter  Owner  Host  AS  Lines       Peers  Source
vbr-acme             acme   -      -  pc-1.7.100  -      store

VRouter   Owner  Host  CIDR Blocks    vSwitches  Source
vpc-acme  acme   -     172.16.0.0/16  web        store

RouterInterface  Owner  Router     VNI  Route Target  Opposite  Source
ri-idc           acme   vbr-acme  5001  64600:5001    ri-vpc    store

VbrHa    Owner  VBR       Peer VBR  Mode  Source
ha-acme  acme   vbr-acme  vbr-two   ECMP  store
`)
	var got []string
	for line := range strings.Lines(f.vbrctl(t, "get", "all", "-o", "yaml").out) {
		if !strings.HasPrefix(line, "#") {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(cloudYAML, strings.Join(got, "")); diff != "" {
		t.Error("-want +got", diff)
	}
	if r := f.stdin(t, strings.Replace(cloudYAML, "probe_only: true", "probe_only: 1", 1), "apply", "-f", "-"); !strings.Contains(r.err, `stdin:12:15: document 1: VirtualBorderRouter/vbr-acme.health_check.probe_only: "1" is neither true nor false`) {
		t.Error(r.err)
	}
}

// Each verb applies the resource as it is but for one field, and asks for the generation it was.
func TestEdits(t *testing.T) {
	for _, tt := range []struct {
		command string
		before  func(*vbrv1.Resource)
		after   func(*vbrv1.Resource)
		already string
	}{
		{"confirm-vbr vbr-acme", nil, func(r *vbrv1.Resource) { *r.GetVirtualBorderRouter().Confirmed = true }, "vbr-acme needs no confirmation\n"},
		{"terminate vbr-acme", nil, func(r *vbrv1.Resource) { r.GetVirtualBorderRouter().TerminationTime = "2026-11-23T12:00:00Z" }, "vbr-acme is terminated already\n"},
		{"recover vbr-acme", func(r *vbrv1.Resource) { r.GetVirtualBorderRouter().TerminationTime = "2026-11-23T12:00:00Z" },
			func(r *vbrv1.Resource) { r.GetVirtualBorderRouter().TerminationTime = "" }, "vbr-acme is not terminated\n"},
		{"deactivate ri-idc", nil, func(r *vbrv1.Resource) { r.GetRouterInterface().Deactivated = true }, "ri-idc is out of service already\n"},
		{"activate ri-idc", func(r *vbrv1.Resource) { r.GetRouterInterface().Deactivated = true }, func(r *vbrv1.Resource) { r.GetRouterInterface().Deactivated = false }, "ri-idc is in service already\n"},
	} {
		t.Run(tt.command, func(t *testing.T) {
			f := cloudFake(t)
			args := strings.Fields(tt.command)
			is := f.resources[0]
			if args[1] == "ri-idc" {
				is = f.resources[2]
			}
			if tt.before != nil {
				tt.before(is)
			}
			if r := f.vbrctl(t, append(args, "-m", "why")...); r.status != exitOK || !strings.Contains(r.out, "stored as revision 7") {
				t.Errorf("%+v", r)
			}
			generation := is.GetMetadata().GetGeneration()
			tt.after(is)
			is.Metadata = &vbrv1.Metadata{Generation: generation}
			want := &vbrv1.ApplyRequest{Resources: []*vbrv1.Resource{is}, Comment: "why"}
			if diff := cmp.Diff(want, last[*vbrv1.ApplyRequest](t, f), protocmp.Transform()); diff != "" {
				t.Error("-want +got", diff)
			}
			f.vbrctl(t, args...).complain(t, exitOK, tt.already)
			if r := f.vbrctl(t, args[0], args[1]+"x"); r.status != exitFailed || !strings.Contains(r.err, "; did you mean "+args[1]+"?") {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestAccept(t *testing.T) {
	const vpc = "kind: VRouter\nname: vpc-acme\nowner: acme\ncidr_blocks: [172.16.0.0/16]\n"
	for _, tt := range []struct{ name, has, command, want, complaint string }{
		{"seen", cloudYAML, "accept ri-idc", "kind: RouterInterface\nname: ri-vpc\nowner: acme\nrouter_id: vpc-acme\nvni: 5001\nroute_target: \"64600:5001\"\nrole: \"AcceptingSide\"\nopposite_interface_id: ri-idc\n", ""},
		{"seen, of another owner", strings.Replace(cloudYAML, "name: ri-idc\nowner: acme", "name: ri-idc\nowner: partner", 1), "accept ri-idc --router vpc-acme --name ri-x",
			"kind: RouterInterface\nname: ri-x\nowner: acme\nrouter_id: vpc-acme\nvni: 5001\nroute_target: \"64600:5001\"\nrole: AcceptingSide\nopposite_interface_id: ri-idc\nopposite_interface_owner_id: partner\n", ""},
		{"not seen", vpc, "accept ri-p --router vpc-acme --name ri-x --opposite-owner partner --vni 7 --route-target 1:7",
			"kind: RouterInterface\nname: ri-x\nowner: acme\nrouter_id: vpc-acme\nvni: 7\nroute_target: 1:7\nrole: AcceptingSide\nopposite_interface_id: ri-p\nopposite_interface_owner_id: partner\n", ""},
		{"bad: not seen, no name", vpc, "accept ri-p --router vpc-acme", "", "ri-p is not to be seen, or does not say all; give --name\n"},
		{"bad: no such VRouter", vpc, "accept ri-p --router vpc-amce --name ri-x", "", "no VRouter vpc-amce; did you mean vpc-acme? see `vbrctl get vr`\n"},
		{"bad: accepts itself", vpc + "---\nkind: RouterInterface\nname: ri-p\nrouter_id: vpc-acme\nrole: AcceptingSide\nopposite_interface_id: ri-q\n", "accept ri-p", "", "ri-p asks for no acceptance: it is not the initiating end of a pair\n"},
		{"bad: name taken", cloudYAML + "---\nkind: RouterInterface\nname: ri-vpc\nrouter_id: vpc-two\n", "accept ri-idc", "", "router interface ri-vpc is there already; give another --name, which the owner of ri-idc has to know\n"},
		{"OK: accepted already", cloudYAML + "---\nkind: RouterInterface\nname: ri-vpc\nrouter_id: vpc-acme\nrole: AcceptingSide\nopposite_interface_id: ri-idc\n", "accept ri-idc", "", "ri-vpc accepts ri-idc already\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t)
			f.resources = resources(t, tt.has)
			r := f.vbrctl(t, strings.Fields(tt.command)...)
			if r.err != tt.complaint || strings.HasPrefix(tt.name, "bad") == (r.status == exitOK) {
				t.Errorf("%+v", r)
			}
			if tt.want == "" {
				return
			}
			want := &vbrv1.ApplyRequest{Resources: resources(t, tt.want)}
			if diff := cmp.Diff(want, last[*vbrv1.ApplyRequest](t, f), protocmp.Transform()); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}
