package topo

import (
	"fmt"
	"path/filepath"
	"strings"
)

// writeConfig writes vbrd's settings and resources.
func (t *Topology) writeConfig() {
	t.StateDir, t.Resources, t.Socket = t.path("state"), t.path("resources.d"), t.path("vbrd.sock")
	t.Config = t.Lab.File("vbrd.yaml", t.settings())
	t.Lab.File("resources.d/port.yaml", "kind: PhysicalConnection\nname: pc-1\ndevice: eth1\n")
	for _, c := range []*Customer{t.Acme, t.Beta} {
		key := ""
		if t.options.Keys != "" {
			key = t.Lab.File("keys/"+c.Name+"/bgp", t.options.Keys+"\n")
		}
		t.Lab.File("resources.d/"+c.Name+".yaml", c.Resource(key))
		if t.options.BFD.has(c) {
			t.WithBFD(c, t.options.BFD.Interval, "enable_bfd: true")
		}
	}
}

func (t *Topology) settings() string {
	var peers strings.Builder
	for _, a := range t.backbonePeers() {
		fmt.Fprintf(&peers, "\n    - {address: %s, asn: %d, hold: 9, keepalive: 3, connect_retry: 1}", a, BackboneASN)
	}
	resources := ""
	if !t.options.Stored {
		resources = "resources: " + t.Resources + "\n"
	}
	return fmt.Sprintf(`host: edge1
%sstate_dir: %s
key_dir: %s
api: {socket: %s}
log: {level: debug, format: text}
backbone:
  asn: %d
  router_id: %s
  vtep: %s
  prefixes: [192.0.2.0/24]
  peers:%s
timers: {restart: 120s, deferral: 15s, stale: 60s, audit: 60s}
`, resources, t.StateDir, t.path("keys"), t.Socket, BackboneASN, EdgeVTEP, EdgeVTEP, peers.String())
}

// Resource is the customer's YAML: its VBR with all lines and its router
// interface. Key is a key file for every session, or "".
func (c *Customer) Resource(key string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("kind: VirtualBorderRouter\nname: vbr-%s\nowner: %s\nlocal_asn: %d", c.Name, c.Name, VBRASN)
	for i, ln := range c.Lines {
		indent := ""
		if i == 1 {
			p("associated_physical_connections:")
		}
		if i > 0 {
			indent = "    "
			p("  - physical_connection_id: pc-1")
		} else {
			p("physical_connection_id: pc-1")
		}
		for _, kv := range [][2]any{
			{"vlan_id", ln.VLAN},
			{"local_gateway_ip", ln.Local4}, {"peer_gateway_ip", ln.Peer4}, {"peering_subnet_mask", "255.255.255.252"},
			{"local_ipv6_gateway_ip", ln.Local6}, {"peer_ipv6_gateway_ip", ln.Peer6}, {"peering_ipv6_subnet_mask", "/126"},
		} {
			p("%s%v: %v", indent, kv[0], kv[1])
		}
	}
	p("bgp_peers:")
	for _, ln := range c.Lines {
		for _, a := range []any{ln.Peer4, ln.Peer6} {
			p("  - {peer_ip_address: %q, peer_asn: %d, hold: 9, keepalive: 3, connect_retry: 1%s}", fmt.Sprint(a), c.ASN, keyFile(key))
		}
	}
	p("---\nkind: RouterInterface\nname: ri-%s\nrouter_id: vbr-%s\nvni: %d\nroute_target: \"%d:%d\"", c.Name, c.Name, c.VNI, BackboneASN, c.VNI)
	return b.String()
}

func keyFile(path string) string {
	if path == "" {
		return ""
	}
	return ", auth_key_file: " + filepath.Clean(path)
}
