package intent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/internal/cputest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
)

// onHosts reads resources as if no file had them.
func onHosts(t *testing.T, text string) []intent.Document {
	t.Helper()
	docs, problems := intent.Parse("r.yaml", []byte(text))
	if problems != nil {
		t.Fatal(problems)
	}
	for i := range docs {
		docs[i].Origin = nil
	}
	return docs
}

// everything of base and of a second host: all that is per host is the same on both.
func twoHosts() string {
	second := strings.NewReplacer("pc-1", "pc-2", "vbr-acme", "vbr-two", "ri-acme", "ri-two",
		"device: eth1\n", "device: eth1\nhost: edge2\n", "owner: acme\n", "owner: acme\nhost: edge2\nroute_table_id: 10007\n").Replace(base)
	return strings.Replace(base, "owner: acme\n", "owner: acme\nhost: edge1\nroute_table_id: 10007\n", 1) + second
}

func TestHostsAreApart(t *testing.T) {
	in, problems := intent.Options{Host: "edge1"}.Build(onHosts(t, twoHosts()))
	if problems != nil {
		t.Fatal(problems)
	}
	for host, want := range map[string]string{"edge1": "pc-1 vbr-acme ri-acme", "edge2": "pc-2 vbr-two ri-two", "edge3": ""} {
		part := in.On(host)
		var names []string
		for _, pc := range part.PhysicalConnections {
			if pc.Host != "" || host == "edge1" {
				names = append(names, pc.Name)
			}
		}
		for _, r := range part.Routers {
			names = append(names, r.Name)
		}
		for _, ri := range part.RouterInterfaces {
			names = append(names, ri.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s has %q, want %q", host, got, want)
		}
	}
	if !in.On("edge1").Equal(in.On("edge1")) || in.On("edge1").Equal(in.On("edge2")) {
		t.Error("Equal")
	}
	// On one host the same clash.
	_, problems = intent.Options{Host: "edge2"}.Build(onHosts(t, strings.ReplaceAll(twoHosts(), "host: edge1\n", "")))
	for _, want := range []string{"device is already that of", "table is already that of", "VNI is already that of", "route target is already that of"} {
		if !strings.Contains(problems.Error(), want) {
			t.Errorf("no %q in\n%v", want, problems)
		}
	}
}

// A VNI and a route target are a VPC's, on whichever host: another tenant's new interface is in it only as the end of a pair. What is stored stays.
func TestSegmentsOfOthers(t *testing.T) {
	two := func(owner string) []intent.Document {
		text := strings.Replace(twoHosts(), "name: ri-acme\n", "name: ri-acme\nowner: acme\n", 1)
		text = strings.Replace(text, "name: ri-two\n", "name: ri-two\nowner: "+owner+"\n", 1)
		text = strings.Replace(text, "name: vbr-two\nowner: acme\n", "name: vbr-two\nowner: "+owner+"\n", 1)
		docs := onHosts(t, text)
		for i := range docs {
			docs[i].New = strings.Contains(fmt.Sprint(docs[i].Message), "two")
		}
		return docs
	}
	build := func(docs []intent.Document, owner string) string {
		_, problems := intent.Options{Host: "edge1", Sees: func(o string) bool { return o == owner }}.Build(docs)
		return problems.Error()
	}
	if text := build(two("acme"), "acme"); text != intent.Errors(nil).Error() {
		t.Errorf("its own VPC on two hosts: %s", text)
	}
	docs := two("beta")
	want := `RouterInterface/ri-two.route_target: "64600:5001": route target is in use; legal: a route target of its own
RouterInterface/ri-two.vni: 5001: VNI is in use; legal: a VNI of its own`
	if text := build(docs, "beta"); !strings.Contains(text, want) {
		t.Errorf("another's VPC:\n%s\nwant\n%s", text, want)
	}
	for i := range docs {
		docs[i].New = false
	}
	if text := build(docs, "beta"); strings.Contains(text, "in use") {
		t.Errorf("stored already: %s", text)
	}
}

// Whoever does not see the first holder hears that it is in use, and nothing of whose it is.
func TestProblemsTellNothingOfOthers(t *testing.T) {
	text := strings.NewReplacer("name: pc-1\n", "name: pc-1\nowner: provider\n", "name: ri-acme\n", "name: ri-acme\nowner: acme\n",
		"owner: acme\nphysical", "owner: acme\nroute_table_id: 10007\nphysical").Replace(base) +
		strings.NewReplacer("vlan_id: 200", "vlan_id: 101", "name: vbr-beta\n", "name: vbr-beta\nowner: beta\n", "name: ri-beta\n", "name: ri-beta\nowner: beta\n",
			"vni: 5002", "vni: 5001", "64600:5002", "64600:5001").Replace(beta) +
		strings.NewReplacer("name: vbr-beta\n", "name: vbr-gamma\nowner: beta\n", "name: ri-beta\n", "name: ri-gamma\nowner: beta\n",
			"router_id: vbr-beta", "router_id: vbr-acme", "pc-1", "pc-l", "10007", "10008", "5002", "5003").Replace(beta) +
		"kind: PhysicalConnection\nname: pc-beta\nowner: beta\ndevice: eth1\n---\nkind: PhysicalConnection\nname: pc-vx\nowner: beta\ndevice: eth7\nhost: edge7\n---\n"
	docs := onHosts(t, text)
	for i := range docs {
		docs[i].New = true
	}
	docs[2].New = false // ri-acme, which its owner does not see either
	_, problems := intent.Options{Host: "edge1", Sees: func(owner string) bool { return owner == "beta" }}.Build(docs)
	want := `PhysicalConnection/pc-beta.device: "eth1": device is in use; legal: one PhysicalConnection a device
RouterInterface/ri-beta.route_target: "64600:5001": route target is in use; legal: a route target of its own
RouterInterface/ri-beta.vni: 5001: VNI is in use; legal: a VNI of its own
RouterInterface/ri-gamma.router_id: "vbr-acme": no such VirtualBorderRouter or VRouter; legal: vbr-beta, vbr-gamma
VirtualBorderRouter/vbr-beta.route_table_id: 10007: table is in use; legal: a table of its own, or none given and one is allocated
VirtualBorderRouter/vbr-beta.vlan_id: 101: VLAN on pc-1 is in use; legal: a VLAN no other line of the port has
VirtualBorderRouter/vbr-gamma.physical_connection_id: "pc-l": no such PhysicalConnection; legal: pc-beta, pc-vx`
	if diff := cmp.Diff(want, problems.Error()); diff != "" {
		t.Error("-want +got", diff)
	}
}

// 10,000 resources that are all wrong in the ways that make checks look at others.
func TestManyProblemsStayFast(t *testing.T) {
	var docs []intent.Document
	for i := range 5000 {
		name := fmt.Sprintf("vbr-%d", i)
		docs = append(docs,
			intent.Document{Message: &vbrv1.PhysicalConnection{Name: fmt.Sprintf("pc-%d", i), Device: fmt.Sprintf("eth%d", i%7)}},
			intent.Document{Message: &vbrv1.VirtualBorderRouter{Name: name, PhysicalConnectionId: fmt.Sprintf("pd-%d", i), LocalGatewayIp: "10.0.0.1", PeerGatewayIp: "10.0.0.2",
				PeeringSubnetMask: "/30", BgpPeers: []*vbrv1.BgpPeer{peer("192.0.2.1", 30)}}})
	}
	for i := range 500 {
		vpc := &vbrv1.VRouter{Name: fmt.Sprintf("vpc-%d", i), CidrBlocks: []string{"10.0.0.0/8"}}
		for j := range 100 {
			vpc.RouteEntries = append(vpc.RouteEntries, &vbrv1.RouteEntry{DestinationCidrBlock: fmt.Sprintf("192.168.%d.0/24", j), NextHopList: []*vbrv1.RouteNextHop{{NextHopId: fmt.Sprintf("ri-%d", i+1)}}})
		}
		docs = append(docs, intent.Document{Message: vpc}, intent.Document{Message: &vbrv1.RouterInterface{Name: fmt.Sprintf("ri-%d", i), RouterId: vpc.Name,
			OppositeInterfaceId: fmt.Sprintf("ri-%d", i^1), Role: "AcceptingSide"}})
	}
	start := cputest.Used(t)
	_, problems := intent.Build(docs)
	if len(problems) < 50_000 {
		t.Errorf("%d problems", len(problems))
	}
	if d := cputest.Used(t) - start; d > 20*time.Second {
		t.Errorf("took %v", d)
	} else {
		t.Log(d)
	}
}
