package intent_test

import (
	"fmt"
	"strings"
	"testing"
)

// A tenant can ask for so much of each and no more: a VBR is not the host.
func TestTooMany(t *testing.T) {
	list := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	peers := func(n int) string { // of a subnet that has room
		text := strings.NewReplacer("peering_subnet_mask: 255.255.255.252", "peering_subnet_mask: 255.255.255.0").Replace(base)
		before, after, _ := strings.Cut(text, "  - {peer_ip_address: 10.0.0.2, peer_asn: 65001, hold: 30, keepalive: 10, connect_retry: 5}\n")
		return strings.Replace(before, "local_gateway_ip: 10.0.0.1\n", "local_gateway_ip: 10.0.0.254\n", 1) + list(n, "  - {peer_ip_address: 10.0.0.%[1]d, peer_asn: 65001}\n") + after
	}
	vbr := func(field string) string {
		return strings.Replace(base, "local_asn: 45104\n", "local_asn: 45104\n"+field, 1)
	}
	peer := func(field string) string {
		return strings.Replace(base, "connect_retry: 5", "connect_retry: 5, "+field, 1)
	}
	for name, x := range map[string]struct {
		text func(n int) string
		most int
		want string
	}{
		"peers":         {func(n int) string { return strings.ReplaceAll(peers(n), "10.0.0.0,", "10.0.0.200,") }, 32, "bgp_peers: too many peers; legal: a list of at most 32"},
		"lines":         {func(n int) string { return lines(list(n, line)) }, 15, "associated_physical_connections: too many lines; legal: a list of at most 15 beside the first line"},
		"bgp_networks":  {func(n int) string { return vbr("bgp_networks:\n" + list(n, "  - 10.64.%d.0/24\n")) }, 200, "bgp_networks: not a list of prefixes; legal: at most 200"},
		"route_entries": {func(n int) string { return vbr("route_entries:\n" + list(n, route)) }, 200, "route_entries: too many custom routes; legal: a list of at most 200"},
		"policies":      {func(n int) string { return vbr("route_policies:\n" + list(n, "  - {name: p%d}\n")) }, 32, "route_policies: too many policies; legal: a list of at most 32"},
		"never_drop":    {func(n int) string { return peer("never_drop: [" + list(n, "10.64.%d.0/24, ") + "]") }, 32, "never_drop: not prefixes; legal: a list of at most 32 prefixes"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := load(t, map[string]string{"r.yaml": x.text(x.most)}); got != "" {
				t.Errorf("%d: %s", x.most, got)
			}
			if _, got := load(t, map[string]string{"r.yaml": x.text(x.most + 1)}); !strings.Contains(got, x.want) {
				t.Errorf("%d: %q, want %s", x.most+1, got, x.want)
			}
		})
	}
}

const (
	line  = "  - {physical_connection_id: pc-1, vlan_id: 1%02[1]d, local_gateway_ip: 10.1.%[1]d.1, peer_gateway_ip: 10.1.%[1]d.2, peering_subnet_mask: /30}\n"
	route = "  - {destination_cidr_block: 10.64.%d.0/24, next_hop_list: [{next_hop_type: RouterInterface, next_hop_id: ri-acme}]}\n"
)

// lines is base with these lines beside the first.
func lines(list string) string {
	before, after, _ := strings.Cut(base, "  - {physical_connection_id: pc-1, vlan_id: 101, local_gateway_ip: 10.0.1.1, peer_gateway_ip: 10.0.1.2, peering_subnet_mask: /30}\n")
	return strings.Replace(before, "vlan_id: 100", "vlan_id: 99", 1) + list + after
}
