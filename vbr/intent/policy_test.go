package intent_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/policy"
)

// drawRules draws policies for a VBR, and rules for a peer of it.
func drawRules(t *rapid.T, v *vbrv1.VirtualBorderRouter, p *vbrv1.BgpPeer) {
	if rapid.Bool().Draw(t, "quota") {
		p.RouteQuota = proto.Uint32(rapid.Uint32Range(0, 109).Draw(t, "quota"))
		p.RouteQuotaAction = rapid.SampledFrom([]string{"", "Teardown", "Warn"}).Draw(t, "action")
		p.RouteQuotaRestart = proto.Uint32(rapid.Uint32Range(30, 299).Draw(t, "restart"))
		p.NeverDrop = rapid.SampledFrom([][]string{nil, {"10.0.0.0/8", "2001:db8::/32"}}).Draw(t, "never")
		p.Allow = rapid.SampledFrom([][]string{nil, {"default-route", "martian"}}).Draw(t, "allow")
		p.LocalRole = rapid.SampledFrom([]string{"", "provider", "peer"}).Draw(t, "role")
		p.LocalRoleStrict = p.LocalRole != "" && rapid.Bool().Draw(t, "strict role")
		p.MaxAsPath = proto.Uint32(rapid.Uint32Range(1, 63).Draw(t, "path"))
	}
	if !rapid.Bool().Draw(t, "policy") {
		return
	}
	lab := &vbrv1.RoutePolicy{Name: "lab-in", Description: text.Draw(t, "text")}
	for i := range rapid.IntRange(0, 3).Draw(t, "terms") {
		x := &vbrv1.RoutePolicyTerm{Priority: uint32(1 + i), MapResult: rapid.SampledFrom([]string{"Permit", "Deny", "Next"}).Draw(t, "result"), Description: text.Draw(t, "text")}
		x.DestinationCidrBlocks = rapid.SampledFrom([][]string{nil, {"10.0.0.0/8 ge 16 le 24", "::/0 orlonger"}}).Draw(t, "prefixes")
		x.AsPaths = rapid.SampledFrom([][]string{nil, {"_65001_", "^(65001 )*[0-9]{1,5}$"}}).Draw(t, "paths")
		x.Communities = rapid.SampledFrom([][]string{nil, {"65001:*", "no-export", "64600:*:1"}}).Draw(t, "communities")
		x.NextHops, x.Origins = rapid.SampledFrom([][]string{nil, {"10.0.0.0/30"}}).Draw(t, "hops"), rapid.SampledFrom([][]string{nil, {"igp", "egp"}}).Draw(t, "origins")
		x.AddCommunities = rapid.SampledFrom([][]string{nil, {"65001:7", "64600:0:7"}}).Draw(t, "add")
		x.ReplaceCommunities, x.PrependAsPath = rapid.Bool().Draw(t, "replace"), rapid.Uint32Range(0, 10).Draw(t, "prepend")
		if rapid.Bool().Draw(t, "numbers") {
			x.LocalPreference, x.Med = proto.Uint32(rapid.Uint32().Draw(t, "preference")), proto.Uint32(0)
		}
		lab.Terms = append(lab.Terms, x)
	}
	v.RoutePolicies = []*vbrv1.RoutePolicy{lab}
	p.ImportPolicy = rapid.SampledFrom([]string{"", "lab-in"}).Draw(t, "import")
	p.ExportPolicy = rapid.SampledFrom([]string{"", "lab-in"}).Draw(t, "export")
}

// governed is a VBR with two peers and a policy with one term, which edit changes.
func governed(edit func(v *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm)) []proto.Message {
	x := &vbrv1.RoutePolicyTerm{Priority: 10, MapResult: "Permit"}
	v := &vbrv1.VirtualBorderRouter{Name: "vbr-acme", PhysicalConnectionId: "pc-1", VlanId: 100,
		LocalGatewayIp: "10.0.0.1", PeerGatewayIp: "10.0.0.2", PeeringSubnetMask: "/29",
		BgpPeers: []*vbrv1.BgpPeer{
			{PeerIpAddress: "10.0.0.2", PeerAsn: proto.Uint32(65001), ImportPolicy: "lab-in"},
			{PeerIpAddress: "10.0.0.3", PeerAsn: proto.Uint32(65001)},
		},
		RoutePolicies: []*vbrv1.RoutePolicy{{Name: "lab-in", Terms: []*vbrv1.RoutePolicyTerm{x}}}}
	edit(v, x)
	return []proto.Message{&vbrv1.PhysicalConnection{Name: "pc-1", Device: "eth1"}, v}
}

func TestBadPolicies(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(v *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm)
		want string // empty: OK
	}{
		{"OK: as it is", func(*vbrv1.VirtualBorderRouter, *vbrv1.RoutePolicyTerm) {}, ""},
		{"OK: no quota", func(v *vbrv1.VirtualBorderRouter, _ *vbrv1.RoutePolicyTerm) {
			v.BgpPeers[0].RouteQuota = proto.Uint32(0)
		}, ""},
		{"OK: the same export policy", func(v *vbrv1.VirtualBorderRouter, _ *vbrv1.RoutePolicyTerm) {
			v.BgpPeers[0].ExportPolicy, v.BgpPeers[1].ExportPolicy = "lab-in", "lab-in"
		}, ""},
		{"bad: prefix", func(_ *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm) {
			x.DestinationCidrBlocks = []string{"10.0.0.0/8", "10.0.0.0/8 le 4"}
		}, `VirtualBorderRouter/vbr-acme.route_policies[0].terms[0].destination_cidr_blocks[1]: "4" is no length from 8 to 32; legal: such as 10.0.0.0/8, 10.0.0.0/8 ge 16 le 24, 10.0.0.0/8 orlonger`},
		{"bad: AS path", func(_ *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm) { x.AsPaths = []string{"(65001"} },
			`VirtualBorderRouter/vbr-acme.route_policies[0].terms[0].as_paths[0]: not a regular expression: missing closing ): ` + "`(65001`" + `; legal: a regular expression such as _65010_ or ^65001( 65010)*$`},
		{"bad: AS path of repeats", func(_ *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm) { x.AsPaths = []string{".{1000}.{1000}"} },
			`VirtualBorderRouter/vbr-acme.route_policies[0].terms[0].as_paths[0]: 2001 characters with its repeats written out, and at most 2000 are legal; legal: a regular expression such as _65010_ or ^65001( 65010)*$`},
		{"bad: AS paths together", func(v *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm) {
			x.AsPaths = slices.Repeat([]string{"^.{999}$"}, 15)
			more := proto.CloneOf(x)
			more.Priority++
			v.RoutePolicies[0].Terms = append(v.RoutePolicies[0].Terms, more)
		}, `VirtualBorderRouter/vbr-acme.route_policies[0].terms[1].as_paths: the policy's AS path patterns are too large together, with their repeats written out; legal: 20000 characters`},
		{"bad: community", func(_ *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm) { x.AddCommunities = []string{"65001:*"} },
			`VirtualBorderRouter/vbr-acme.route_policies[0].terms[0].add_communities[0]: "65001:*": * is no number; legal: such as 65001:100, no-export or 64600:1:2`},
		{"bad: result", func(_ *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm) { x.MapResult = "accept" },
			`VirtualBorderRouter/vbr-acme.route_policies[0].terms[0].map_result: "accept": not a result; legal: Permit, Deny, Next`},
		{"bad: priority twice", func(v *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm) {
			v.RoutePolicies[0].Terms = append(v.RoutePolicies[0].Terms, proto.CloneOf(x))
		}, `VirtualBorderRouter/vbr-acme.route_policies[0].terms[1].priority: another term has this priority; legal: one term of a priority`},
		{"bad: no such policy", func(v *vbrv1.VirtualBorderRouter, _ *vbrv1.RoutePolicyTerm) { v.BgpPeers[1].ImportPolicy = "lab-out" },
			`VirtualBorderRouter/vbr-acme.bgp_peers[1].import_policy: "lab-out": no such policy in the VBR; legal: the name of one of route_policies`},
		{"OK: another export policy", func(v *vbrv1.VirtualBorderRouter, _ *vbrv1.RoutePolicyTerm) { v.BgpPeers[1].ExportPolicy = "lab-in" }, ""},
		{"bad: no such export policy", func(v *vbrv1.VirtualBorderRouter, _ *vbrv1.RoutePolicyTerm) { v.BgpPeers[1].ExportPolicy = "lab-out" },
			`VirtualBorderRouter/vbr-acme.bgp_peers[1].export_policy: "lab-out": no such policy in the VBR; legal: the name of one of route_policies`},
		{"bad: quota", func(v *vbrv1.VirtualBorderRouter, _ *vbrv1.RoutePolicyTerm) {
			v.BgpPeers[1].RouteQuota = proto.Uint32(10000001)
		}, `VirtualBorderRouter/vbr-acme.bgp_peers[1].route_quota: 10000001: out of range; legal: 0..10000000, 0 = no quota`},
		{"bad: never_drop", func(v *vbrv1.VirtualBorderRouter, _ *vbrv1.RoutePolicyTerm) {
			v.BgpPeers[1].NeverDrop = []string{"10.0.0.1/8"}
		}, `VirtualBorderRouter/vbr-acme.bgp_peers[1].never_drop: not prefixes; legal: a list of at most 32 prefixes without host bits, such as 10.2.0.0/16`},
		{"bad: allow", func(v *vbrv1.VirtualBorderRouter, _ *vbrv1.RoutePolicyTerm) {
			v.BgpPeers[1].Allow = []string{"backbone"}
		}, `VirtualBorderRouter/vbr-acme.bgp_peers[1].allow: not classes of prefixes; legal: a list of default-route, martian, link-subnet, vpc-prefix`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := intent.New(governed(tt.edit)...)
			var lines []string
			for _, p := range problems {
				lines = append(lines, p.Error())
			}
			if diff := cmp.Diff(tt.want, strings.Join(lines, "\n")); diff != "" {
				t.Error("-want +got", diff)
			}
		})
	}
}

func TestCompile(t *testing.T) {
	in, problems := intent.New(governed(func(_ *vbrv1.VirtualBorderRouter, x *vbrv1.RoutePolicyTerm) {
		x.DestinationCidrBlocks, x.Origins, x.Communities = []string{"10.0.0.0/8 le 24"}, []string{"incomplete"}, []string{"65001:*", "64600:*:*"}
		x.Med, x.RemoveCommunities, x.AddCommunities, x.PrependAsPath = proto.Uint32(7), []string{"*:*"}, []string{"no-export"}, 2
	})...)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p, err := in.Routers[0].Policy("lab-in").Compile(policy.Preferences(45104)...)
	if err != nil {
		t.Fatal(err)
	}
	a := policy.Attrs{Origin: 2, LargeCommunities: [][3]uint32{{64600, 1, 2}}, Communities: []uint32{45104<<16 | 7300}}
	o := p.Evaluate(&a, netip.MustParsePrefix("10.1.0.0/16"))
	if n := p.Apply(o, &a); !o.Accept || n != 2 || a.MED != 7 || a.LocalPref != policy.PreferenceHigh || !cmp.Equal(a.Communities, []uint32{0xFFFFFF01}) {
		t.Errorf("%s: %+v, prepended %d", p.Text(o), a, n)
	}
	if o := p.Evaluate(&policy.Attrs{}, netip.MustParsePrefix("10.1.0.0/16")); o.Accept {
		t.Error("accepted without what the term asks for")
	}
}
