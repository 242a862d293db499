package vbr

import (
	"net/netip"
	"testing"

	"github.com/openvbr/openvbr/bgp"
	"github.com/openvbr/openvbr/vbr/rib"
)

// BenchmarkAnnounce puts a batch of the VPC's routes into words for peers without a policy; figures are of the batch.
func BenchmarkAnnounce(b *testing.B) {
	r := manyRoutes(b, 0).router(acme)
	r.reasons = make(map[string]string)
	s := &spec{name: acme, asn: 64512}
	for i := range 3 {
		s.peers = append(s.peers, peerSpec{Peer: bgp.Peer{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i)}), ASN: 65001, IPv4: true}})
	}
	r.exporter.take(s)
	r.spec = s
	a, src := &rib.Attrs{NextHop: gw1, ASPath: []rib.Segment{{Type: rib.ASSequence, ASNs: []uint32{64999}}}}, &rib.Source{Kind: rib.RouterInterface, Name: "ri"}
	said := make([]rib.Announcement, batch)
	for i := range said {
		said[i] = rib.Announcement{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24), Announce: a, Source: src}
	}
	b.ReportAllocs()
	for b.Loop() {
		r.announce(mute{}, said)
	}
}
