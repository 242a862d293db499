package wire

import (
	"net/netip"
	"slices"
	"testing"

	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// TestRoles: the pairs of RFC 9234 4.2, and what a strict role and two roles make of them.
func TestRoles(t *testing.T) {
	for _, x := range []struct {
		ours   Role
		strict bool
		theirs []byte
		code   byte // the subcode of the NOTIFICATION, 0 for none
		peer   Role
	}{
		{ours: Provider, theirs: []byte{3}, peer: Customer},
		{ours: Customer, theirs: []byte{0}, peer: Provider},
		{ours: RouteServer, theirs: []byte{2}, peer: RouteServerClient},
		{ours: RouteServerClient, theirs: []byte{1}, peer: RouteServer},
		{ours: LateralPeer, theirs: []byte{4}, peer: LateralPeer},
		{ours: Provider, theirs: []byte{0}, code: 11},
		{ours: Provider, theirs: []byte{4}, code: 11},
		{ours: LateralPeer, theirs: []byte{3}, code: 11},
		{ours: Provider, theirs: []byte{200}, code: 11},
		{ours: Provider, theirs: []byte{255}, code: 11},
		{ours: Provider},
		{ours: Provider, strict: true, code: 11},
		{ours: Provider, strict: true, theirs: []byte{3}, peer: Customer},
		{ours: Provider, theirs: []byte{3, 3}, peer: Customer},
		{ours: Provider, theirs: []byte{3, 4}, code: 11},
		{ours: Provider, theirs: []byte{4, 3}, code: 11}, // the last alone would do
		{theirs: []byte{0}, peer: Provider},              // without one of ours nothing is asked
		{theirs: []byte{3, 4}, peer: LateralPeer},
	} {
		capabilities := []byte{capMP, 4, 0, 1, 0, 1}
		for _, r := range x.theirs {
			capabilities = append(capabilities, capRole, 1, r)
		}
		body := append([]byte{4, 0xfe, 0x4d, 0, 90, 192, 0, 2, 1, byte(2 + len(capabilities)), 2, byte(len(capabilities))}, capabilities...)
		offer := Session{Families: []Family{IPv4}, Role: x.ours, StrictRole: x.strict}
		got, _, v := offer.Open(body)
		switch {
		case x.code != 0 && (v.Action != Reset || v.Code != openError || v.Subcode != x.code):
			t.Errorf("%+v: %+v, want NOTIFICATION 2/%d", x, v, x.code)
		case x.code == 0 && (v.Action != Pass || got.PeerRole != x.peer):
			t.Errorf("%+v: %+v, peer %s, want %s", x, v, got.PeerRole, x.peer)
		}
	}
}

// TestHello: GoBGP reads from our OPEN what was put in.
func TestHello(t *testing.T) {
	h := Hello{
		ASN: 4200000001, HoldTime: 90, ID: netip.MustParseAddr("192.0.2.1"), Families: []Family{IPv4, IPv6}, Role: Provider,
		Restart: &Restart{Restarting: true, Notification: true, Time: 4095, Forwarding: []Family{IPv6}, LongLived: 1<<24 - 1},
	}
	m, err := packet.ParseBGPMessage(h.Encode())
	if err != nil {
		t.Fatal(err)
	}
	open := m.Body.(*packet.BGPOpen)
	if as, err := packet.ValidateOpenMsg(open, 4200000001, 65001, netip.MustParseAddr("192.0.2.2")); err != nil || as != h.ASN || open.MyAS != ASTrans || open.HoldTime != 90 || open.ID != h.ID {
		t.Errorf("%+v: %v", open, err)
	}
	want := []packet.ParameterCapabilityInterface{
		packet.NewCapMultiProtocol(packet.RF_IPv4_UC), packet.NewCapMultiProtocol(packet.RF_IPv6_UC), packet.NewCapRouteRefresh(),
		packet.NewCapExtendedNexthop([]*packet.CapExtendedNexthopTuple{packet.NewCapExtendedNexthopTuple(packet.RF_IPv4_UC, packet.AFI_IP6)}),
		packet.NewCapExtendedMessage(), packet.NewCapUnknown(capRole, []byte{0}), packet.NewCapFourOctetASNumber(h.ASN),
		packet.NewCapGracefulRestart(true, true, 4095, []*packet.CapGracefulRestartTuple{
			packet.NewCapGracefulRestartTuple(packet.RF_IPv4_UC, false), packet.NewCapGracefulRestartTuple(packet.RF_IPv6_UC, true)}),
		packet.NewCapLongLivedGracefulRestart([]*packet.CapLongLivedGracefulRestartTuple{
			packet.NewCapLongLivedGracefulRestartTuple(packet.RF_IPv4_UC, false, 1<<24-1), packet.NewCapLongLivedGracefulRestartTuple(packet.RF_IPv6_UC, true, 1<<24-1)}),
	}
	got := open.OptParams[0].(*packet.OptionParameterCapability).Capability
	if len(open.OptParams) != 1 || len(got) != len(want) {
		t.Fatalf("%d capabilities in %d parameters, want %d in one", len(got), len(open.OptParams), len(want))
	}
	for i := range want {
		a, _ := got[i].Serialize()
		b, _ := want[i].Serialize()
		if !slices.Equal(a, b) {
			t.Errorf("capability %d: %x, want %x", i, a, b)
		}
	}
	if none := (&Hello{ASN: 65001, ID: h.ID, Families: []Family{IPv4}}).Encode(); len(none) > len(h.Encode())-30 {
		t.Errorf("%x: more than there is to say", none)
	}
}
