package intent_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openvbr/openvbr/vbr/intent"
)

func TestLoadOK(t *testing.T) {
	// The second file refers to the first one's port; names that are no YAML file's are left alone.
	in, problems := load(t, map[string]string{"10-base.yaml": base, "20-beta.yml": beta, "notes.txt": "{", ".hidden.yaml": "{"})
	if problems != "" {
		t.Fatal(problems)
	}
	addr := netip.MustParseAddr
	v4 := intent.Addresses{Local: addr("10.0.0.1"), Peer: addr("10.0.0.2"), Subnet: netip.MustParsePrefix("10.0.0.0/30")}
	want := &intent.Intent{
		PhysicalConnections: []intent.PhysicalConnection{{Name: "pc-1", Device: "eth1"}},
		Routers: []intent.Router{{
			Name: "vbr-acme", Owner: "acme", LocalASN: 45104,
			Links: []intent.Link{
				{PhysicalConnection: "pc-1", Device: "eth1", VLAN: 100, IPv4: v4,
					IPv6: intent.Addresses{Local: addr("2001:db8::1"), Peer: addr("2001:db8::2"), Subnet: netip.MustParsePrefix("2001:db8::/126")}},
				{PhysicalConnection: "pc-1", Device: "eth1", VLAN: 101,
					IPv4: intent.Addresses{Local: addr("10.0.1.1"), Peer: addr("10.0.1.2"), Subnet: netip.MustParsePrefix("10.0.1.0/30")}},
			},
			Peers: []intent.Peer{{Address: addr("10.0.0.2"), Local: addr("10.0.0.1"), ASN: 65001,
				Hold: 30 * time.Second, Keepalive: 10 * time.Second, ConnectRetry: 5 * time.Second, GTSM: true,
				Rules: intent.PeerRules{Quota: 110, QuotaAction: intent.QuotaDrop, QuotaRestart: 300 * time.Second, MaxASPath: 64, MaxCommunities: 64}}},
		}, {
			Name: "vbr-beta", TableID: 10007, LocalASN: 45104,
			Links: []intent.Link{{PhysicalConnection: "pc-1", Device: "eth1", VLAN: 200, IPv4: v4}},
		}},
		RouterInterfaces: []intent.RouterInterface{
			{Name: "ri-acme", Router: "vbr-acme", VNI: 5001, RouteTarget: "64600:5001", Preference: 50},
			{Name: "ri-beta", Router: "vbr-beta", VNI: 5002, RouteTarget: "64600:5002", Preference: 50},
		},
	}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Error("-want +got", diff)
	}
	if at := in.Routers[0].Origin.At("bgp_peers[0].hold"); at.Line != 20 || filepath.Base(at.File) != "10-base.yaml" {
		t.Errorf("hold stands at %v", at)
	}
	if ri := in.InterfacesOf("vbr-beta"); len(ri) != 1 || in.Router("vbr-beta").TableID != 10007 || in.Router("x") != nil {
		t.Errorf("look-ups by name: %v", ri)
	}
}

// TestLoadAlsoOK holds single changes to base that must stay legal.
func TestLoadAlsoOK(t *testing.T) {
	for _, c := range []badCase{
		{name: "OK: camel case", old: "vlan_id: 100\n", new: "vlanId: 100\n"},
		{name: "OK: untagged", old: "vlan_id: 100\n", new: ""},
		{name: "OK: bare mask", old: "peering_ipv6_subnet_mask: /126\n", new: "peering_ipv6_subnet_mask: 126\n"},
		{name: "OK: a /31 has no network address", old: "local_gateway_ip: 10.0.0.1\npeer_gateway_ip: 10.0.0.2\npeering_subnet_mask: 255.255.255.252\n",
			new: "local_gateway_ip: 10.0.0.3\npeer_gateway_ip: 10.0.0.2\npeering_subnet_mask: /31\n"},
		{name: "OK: a /127 has no anycast address", old: "local_ipv6_gateway_ip: 2001:db8::1\npeer_ipv6_gateway_ip: 2001:db8::2\npeering_ipv6_subnet_mask: /126\n",
			new: "local_ipv6_gateway_ip: '2001:db8::'\npeer_ipv6_gateway_ip: 2001:db8::1\npeering_ipv6_subnet_mask: /127\n"},
		{name: "OK: IPv4 link-local gateways", old: "local_gateway_ip: 10.0.0.1\npeer_gateway_ip: 10.0.0.2\n", new: "local_gateway_ip: 169.254.0.2\npeer_gateway_ip: 169.254.0.1\n",
			add: "kind: PhysicalConnection\nname: pc-9\ndevice: bond0\n"},
		{name: "OK: IPv6 peer", old: "peer_ip_address: 10.0.0.2", new: "peer_ip_address: 2001:db8::2"},
		{name: "OK: peer on the second line", old: "peer_ip_address: 10.0.0.2", new: "peer_ip_address: 10.0.1.2"},
		{name: "OK: no hold timer", old: "hold: 30, keepalive: 10,", new: "hold: 0,"},
		{name: "OK: short hold, keepalive follows", old: "hold: 30, keepalive: 10,", new: "hold: 3,"},
		{name: "OK: default VRF", old: "local_asn: 45104\n", new: "local_asn: 4200000000\nvrf: default\n"},
		{name: "OK: comments and quotes", old: "owner: acme\n", new: "owner: 'Acme: \"Corp\" #1'  # who\n"},
		{name: "OK: words YAML would guess at", old: "owner: acme\n", new: "owner: no\ndescription: 007\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := c.text(t)
			if strings.Contains(c.name, "link-local") {
				text = strings.Replace(text, "peer_ip_address: 10.0.0.2", "peer_ip_address: 169.254.0.1", 1)
			}
			if _, problems := load(t, map[string]string{"r.yaml": text}); problems != "" {
				t.Error(problems)
			}
		})
	}
}

func TestLoadFiles(t *testing.T) {
	// A file that cannot be understood does not make references to its resources errors.
	_, got := load(t, map[string]string{"a.yaml": "kind: {", "b.yaml": "kind: RouterInterface\nname: ri\nrouter_id: vbr-acme\nvni: 70000000\nroute_target: 1:1\n"})
	want := "a.yaml:1:7: not YAML: could not find flow mapping end token '}'\nb.yaml:4:6: RouterInterface/ri.vni: 70000000: out of range; legal: 1..16777215"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("-want +got", diff)
	}
	dir := t.TempDir()
	if in, problems := intent.Load(dir); problems != nil || len(in.Routers) != 0 {
		t.Errorf("an empty folder: %v, %v", in, problems)
	}
	if _, problems := intent.Load(dir + "/none"); problems.Error() != dir+"/none: cannot be read: no such file or directory" {
		t.Error(problems)
	}
	if err := os.Mkdir(dir+"/x.yaml", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, problems := intent.Load(dir); problems.Error() != dir+"/x.yaml: cannot be read: not a regular file" {
		t.Error(problems)
	}
	if problems := (intent.Errors{}); problems.Err() != nil {
		t.Error("no problems are an error")
	}
}

func TestDeviceName(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, tt := range []struct{ got, want string }{
		{intent.DeviceName("vbr-acme"), "vbr-acme"},
		{intent.DeviceName("exactly-15-char"), "exactly-15-char"},
		{intent.DeviceName("sixteen-chars-ab"), "sixteen--c3a82b"},
		{intent.DeviceName(long), "aaaaaaaa-7d3e74"},
		{intent.VLANDeviceName("eth1", 0), "eth1"},
		{intent.VLANDeviceName("eth1", 4094), "eth1.4094"},
		{intent.VLANDeviceName("enp129s0f0np0", 4094), "enp-5c0f63.4094"},
		{intent.VXLANDeviceName(16777215), "vx16777215"},
		{intent.QinQDeviceName("eth1", 7, 100), "eth1.7.100"},
		{intent.QinQDeviceName("enp129s0f0np0", 4094, 4094), "q5c0f.4094.4094"},
		{intent.QinQDeviceName("enp129s0f0np0", 7, 8), "enp1-5c0f63.7.8"},
		{intent.SwitchDeviceName("vpc-acme", "web"), "vswc6d5c5eaa89e"},
		{intent.VethDeviceName("ri-vbr", "ri-vpc"), "rvd490589f12c3"},
		{intent.Link{Device: "eth1", OuterVLAN: 7, VLAN: 100}.OuterDeviceName(), "eth1.7"},
		{intent.Link{Device: "eth1", VLAN: 100}.OuterDeviceName(), ""},
	} {
		if tt.got != tt.want || len(tt.got) > 15 {
			t.Errorf("device name %q, want %q", tt.got, tt.want)
		}
	}
}

// TestDeviceNameClash searches two names that shorten to the same one and offers both.
func TestDeviceNameClash(t *testing.T) {
	seen := map[string]string{}
	var a, b string
	for i := 0; a == ""; i++ {
		name := fmt.Sprintf("customer-number-%d", i)
		if other, ok := seen[intent.DeviceName(name)]; ok {
			a, b = other, name
		}
		seen[intent.DeviceName(name)] = name
	}
	vbr := func(name string, vlan int) string {
		return fmt.Sprintf("---\nkind: VirtualBorderRouter\nname: %s\nphysical_connection_id: pc\nvlan_id: %d\nlocal_gateway_ip: 10.0.0.1\npeer_gateway_ip: 10.0.0.2\npeering_subnet_mask: /30\n", name, vlan)
	}
	_, got := load(t, map[string]string{"r.yaml": "kind: PhysicalConnection\nname: pc\ndevice: eth1\n" + vbr(a, 1) + vbr(b, 2)})
	want := fmt.Sprintf(`r.yaml:14:7: VirtualBorderRouter/%s.name: %q: its device %q is also that of VirtualBorderRouter/%s at r.yaml:6:7; legal: names whose devices differ; beyond 15 characters they are shortened`,
		b, b, intent.DeviceName(b), a)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("-want +got", diff)
	}
}

func TestEqual(t *testing.T) {
	a, _ := load(t, map[string]string{"a.yaml": base + beta})
	b, _ := load(t, map[string]string{"b.yaml": "# moved\n\n" + base + beta})
	if !a.Routers[0].Equal(b.Routers[0]) || !a.RouterInterfaces[0].Equal(b.RouterInterfaces[0]) || !a.PhysicalConnections[0].Equal(b.PhysicalConnections[0]) {
		t.Error("the place of a resource makes it another one")
	}
	if a.Routers[0].Equal(b.Routers[1]) || a.RouterInterfaces[0].Equal(b.RouterInterfaces[1]) {
		t.Error("different resources are equal")
	}
}
