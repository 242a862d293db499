package topo

import (
	"fmt"
	"strings"
)

// gatewayPeer is whom the VPCs' gateways speak to; backbonePeers are whom the
// edge does.
func (t *Topology) gatewayPeer() string {
	if t.Reflector != nil {
		return ReflectorIP
	}
	return EdgeVTEP
}

func (t *Topology) backbonePeers() []string {
	if t.Reflector != nil {
		return []string{ReflectorIP}
	}
	return []string{t.Acme.VTEP, t.Beta.VTEP}
}

// startReflector runs GoBGP on the underlay's switch, with the edge and the
// gateways as its clients.
func (t *Topology) startReflector(gateways ...string) {
	t.Underlay.IP("addr add " + ReflectorIP + "/24 dev br0")
	var b strings.Builder
	fmt.Fprintf(&b, "[global.config]\nas = %d\nrouter-id = %q\n", BackboneASN, ReflectorIP)
	for _, a := range append(gateways, EdgeVTEP) {
		fmt.Fprintf(&b, `
[[neighbors]]
[neighbors.config]
neighbor-address = %q
peer-as = %d
[neighbors.timers.config]
connect-retry = 1
hold-time = 9
keepalive-interval = 3
idle-hold-time-after-reset = 1
[neighbors.route-reflector.config]
route-reflector-client = true
route-reflector-cluster-id = %q
[neighbors.graceful-restart.config]
enabled = true
restart-time = 120
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "l2vpn-evpn"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true
`, a, BackboneASN, ReflectorIP)
	}
	t.Reflector = t.Underlay.GoBGP(b.String())
}
