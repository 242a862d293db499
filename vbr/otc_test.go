package vbr

import (
	"net/netip"
	"testing"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/rib"
)

// What a customer is told has ONLY_TO_CUSTOMER when we are its provider: it is not to be passed on to others' providers (RFC 9234 5).
func TestOnlyToCustomerIsTold(t *testing.T) {
	peer := peerSpec{Peer: bgp.Peer{Address: netip.MustParseAddr("10.0.0.2"), IPv4: true}, rules: peerRules{PeerRules: intent.PeerRules{Role: intent.RoleProvider}}}
	for role, want := range map[string]uint32{intent.RoleProvider: 45104, "": 0} {
		peer.rules.Role = role
		r := &router{}
		r.exporter.take(&spec{asn: 45104, peers: []peerSpec{peer}})
		ad, told := r.judged(bgp.Advertisement{Prefix: netip.MustParsePrefix("10.1.0.0/16")}, &rib.Attrs{})
		if !told || ad.OTC != want {
			t.Errorf("role %q: told %v, ONLY_TO_CUSTOMER %d, want %d", role, told, ad.OTC, want)
		}
	}
}
