package gobgp

import (
	"net/netip"
	"strings"
	"time"

	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/openvbr/openvbr/bgp/internal/wire"
)

// Families is a set of address families.
type Families uint8

// The families a speaker may be asked for.
const (
	IPv4 Families = 1 << iota // IPv4 unicast, AFI 1 SAFI 1
	IPv6                      // IPv6 unicast, AFI 2 SAFI 1
	EVPN                      // L2VPN EVPN, AFI 25 SAFI 70
)

// Has reports whether every family of g is in f.
func (f Families) Has(g Families) bool { return f&g == g }

// String lists the set, such as "ipv4,ipv6".
func (f Families) String() string {
	var names []string
	for _, k := range known {
		if f.Has(k.set) {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, ",")
}

// known is the one list of families: ours, GoBGP's, and the name.
var known = [...]struct {
	set    Families
	family packet.Family
	name   string
}{
	{IPv4, packet.RF_IPv4_UC, "ipv4"},
	{IPv6, packet.RF_IPv6_UC, "ipv6"},
	{EVPN, packet.RF_EVPN, "evpn"},
}

func (f Families) list() []packet.Family {
	var l []packet.Family
	for _, k := range known {
		if f.Has(k.set) {
			l = append(l, k.family)
		}
	}
	return l
}

// onWire are the families by their numbers.
func (f Families) onWire() []wire.Family {
	var l []wire.Family
	for _, x := range f.list() {
		l = append(l, wire.Family{AFI: x.Afi(), SAFI: x.Safi()})
	}
	return l
}

func familyOf(f packet.Family) Families {
	for _, k := range known {
		if k.family == f {
			return k.set
		}
	}
	return 0
}

// PeerState is one change of a session, as handed to a speaker's handler.
type PeerState struct {
	Peer netip.Addr
	// Established tells whether routes can come and go. A state with Established false that
	// follows one with true is the end of a session; one that follows another false carries a
	// new reason why the session does not come up.
	Established bool
	// State is the session's state by its RFC 4271 name in lower case: "idle", "active",
	// "opensent", "openconfirm", "established"; "removed" when the neighbour was taken out of
	// the configuration.
	State string
	// Reason is why the session ended or does not come up, in an operator's words. It may
	// quote text that the peer sent (RFC 9003), escaped. Empty when Established.
	Reason string
	// RouterID and ASN are the peer's, from its OPEN. Valid once a session was up.
	RouterID netip.Addr
	ASN      uint32
	// Families are the address families both ends agreed on. Valid when Established.
	Families        Families
	GracefulRestart GracefulRestart
	Ending          Ending // of one that is not established
	At              time.Time
}

// Ending is how a session ended, for programs.
type Ending struct {
	Code, Subcode byte // of the NOTIFICATION (RFC 4271 4.5); 0: none
	ByPeer        bool // the NOTIFICATION is the peer's
	Lost          bool // the connection broke
}

// GracefulRestart is what RFC 4724 gives for a session.
type GracefulRestart struct {
	// Families for which the peer announced graceful restart on the session that is, or was
	// last, up; empty when either end does without.
	Families Families
	// Time is how long the peer asks to be waited for after its session broke.
	Time time.Duration
	// Restarting is the peer's R bit: it has restarted and waits for our End-of-RIB.
	Restarting bool
	// Forwarding is the families with the peer's F bit: its forwarding state survived. On a
	// session that comes back, stale routes of other families must go at once (RFC 4724 4.2).
	Forwarding Families
	// Notification is the peer's N bit (RFC 8538): a NOTIFICATION other than a Hard Reset is a graceful restart.
	Notification bool
	// LongLived is, of IPv4 and of IPv6, how long the peer's routes may be held as a last resort beyond Time (RFC 9494): as long as
	// the peer asks for, and no longer than the neighbour's configuration says; 0: not at all.
	LongLived [2]time.Duration
	// LongLivedForwarding is the families with the F bit there. What is held beyond Time and is of others must go when the session comes back.
	LongLivedForwarding Families
	// Hold is set on the end of a session: keep the routes of Families as stale, for Time at
	// most. Not set: all routes of the peer go now.
	Hold bool
}

// PeerStatus is a snapshot of one configured neighbour. It never holds the password.
type PeerStatus struct {
	Peer, LocalAddress netip.Addr // LocalAddress: of the session when it is up, else as configured
	ASN, LocalASN      uint32
	RouterID           netip.Addr
	State              string
	Since              time.Time // of the last change between established and not, or else of the configuration
	Reason             string    // why it last ended or does not come up; empty when established
	Sessions           int       // how many times it was established
	// HoldTime, KeepaliveInterval and Families are the negotiated ones; as configured while the session is down.
	HoldTime, KeepaliveInterval time.Duration
	Families                    Families
	GracefulRestart             GracefulRestart
	Authenticated               bool      // TCP MD5 is configured
	PeerRole                    wire.Role // what the peer says that it is (RFC 9234); 0: nothing, or the session is down
	Received, Sent              Messages
}

// Messages counts messages on the wire since the neighbour was configured.
type Messages struct {
	Total, Opens, Updates, Notifications, Keepalives, Refreshes uint64
}

func stateName(s packet.FSMState) string {
	switch s {
	case packet.BGP_FSM_CONNECT:
		return "connect"
	case packet.BGP_FSM_ACTIVE:
		return "active"
	case packet.BGP_FSM_OPENSENT:
		return "opensent"
	case packet.BGP_FSM_OPENCONFIRM:
		return "openconfirm"
	case packet.BGP_FSM_ESTABLISHED:
		return "established"
	default:
		return "idle"
	}
}
