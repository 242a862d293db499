package bfd

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// State is a session's (RFC 5880 4.1, Sta).
type State uint8

// States, by their numbers on the wire.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String is the RFC's word for the state.
func (s State) String() string {
	switch s {
	case AdminDown:
		return "AdminDown"
	case Down:
		return "Down"
	case Init:
		return "Init"
	case Up:
		return "Up"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Diag says why a session last went down (RFC 5880 4.1).
type Diag uint8

// Diagnostics, by their numbers on the wire. A neighbour may send others.
const (
	DiagNone         Diag = 0
	DiagTimeExpired  Diag = 1
	DiagNeighborDown Diag = 3
	DiagAdminDown    Diag = 7
)

// diagWords are the RFC's.
var diagWords = [...]string{"no diagnostic", "control detection time expired", "echo function failed",
	"neighbor signaled session down", "forwarding plane reset", "path down", "concatenated path down",
	"administratively down", "reverse concatenated path down"}

// String is the RFC's words for the diagnostic.
func (d Diag) String() string {
	if int(d) < len(diagWords) {
		return diagWords[d]
	}
	return fmt.Sprintf("reserved (%d)", uint8(d))
}

// Session says whom to watch, and how. Peer and Device together name it.
type Session struct {
	Local, Peer netip.Addr    // of one family, without zone
	Device      string        // the neighbour is on this link; it may be enslaved to a VRF
	MinTx       time.Duration // Desired Min TX Interval, 50 to 1000 ms
	MinRx       time.Duration // Required Min RX Interval, 50 to 1000 ms
	DetectMult  uint8         // 3 to 10
	Passive     bool          // say nothing before the neighbour does (RFC 5880 6.1)
}

// Limits of a Session.
const (
	MinInterval   = 50 * time.Millisecond
	MaxInterval   = time.Second
	MinDetectMult = 3
	MaxDetectMult = 10
	MaxSessions   = 16384 // as many source ports there are (RFC 5881 4)
)

// ErrInvalid is wrapped by what Set says of a session it refuses.
var ErrInvalid = errors.New("invalid session")

func (s Session) validate() error {
	switch {
	case !s.Local.IsValid() || !s.Peer.IsValid() || s.Local.Is4() != s.Peer.Is4() || s.Local.Is4In6() || s.Peer.Is4In6():
		return fmt.Errorf("addresses %v and %v: legal: two of one family: %w", s.Local, s.Peer, ErrInvalid)
	case s.Local.Zone() != "" || s.Peer.Zone() != "":
		return fmt.Errorf("addresses %v and %v: legal: without a zone: %w", s.Local, s.Peer, ErrInvalid)
	case s.Local == s.Peer || s.Peer.IsUnspecified() || s.Peer.IsMulticast() || s.Local.IsUnspecified() || s.Local.IsMulticast():
		return fmt.Errorf("addresses %v and %v: legal: two unicast addresses: %w", s.Local, s.Peer, ErrInvalid)
	case s.Device == "" || len(s.Device) > 15:
		return fmt.Errorf("device %q: legal: 1 to 15 characters: %w", s.Device, ErrInvalid)
	case s.MinTx < MinInterval || s.MinTx > MaxInterval || s.MinRx < MinInterval || s.MinRx > MaxInterval:
		return fmt.Errorf("intervals %v and %v: legal: %v to %v: %w", s.MinTx, s.MinRx, MinInterval, MaxInterval, ErrInvalid)
	case s.DetectMult < MinDetectMult || s.DetectMult > MaxDetectMult:
		return fmt.Errorf("detection multiplier %d: legal: %d to %d: %w", s.DetectMult, MinDetectMult, MaxDetectMult, ErrInvalid)
	}
	return nil
}

// Change is a session's new state.
type Change struct {
	Peer, Local        netip.Addr
	Device             string
	State, RemoteState State
	Diag               Diag      // ours: why it is not up; DiagNone when it is
	Since              time.Time // when it became so
	AdminDown          bool      // the neighbour says that it was switched off: not a failure (RFC 5882 3.2)
	// Anew: it is down because the neighbour's session began anew: Down, with another discriminator and without a diagnostic, which
	// one that has seen a failure has (RFC 5880 6.8.1). FRR makes its sessions again when BGP comes up.
	Anew        bool
	Independent bool // the neighbour's C bit, as last heard: its BFD outlives its control plane (RFC 5882 4.3)
}

// Status is a session as it is.
type Status struct {
	Session
	State, RemoteState State
	AdminDown          bool      // as in Change
	Since              time.Time // of State
	Diag               Diag      // why it last went down; kept while it is up
	RemoteDiag         Diag      // as last heard
	Discriminator      uint32
	RemoteDiscr        uint32        // 0: unknown
	TxInterval         time.Duration // negotiated, before jitter (RFC 5880 6.8.7); 0: the neighbour wants none
	DetectTime         time.Duration // negotiated (RFC 5880 6.8.4); 0: nothing heard yet
	RemoteMinTx        time.Duration
	RemoteMinRx        time.Duration
	RemoteDetectMult   uint8
	Independent        bool      // as in Change
	Polling            bool      // a change of intervals is not confirmed yet (RFC 5880 6.5)
	Heard              time.Time // the last packet
	Received, Sent     uint64    // packets
	Overflowed         uint64    // packets dropped because they came faster than they were read
	SendErrors         uint64
	Downs              uint64 // times it was up and went down
	Err                string // why it cannot send or receive; "": it can
}

// Reason says why a received packet was dropped.
type Reason string

// Reasons, in the order they are looked for. Those with a section are RFC 5880 6.8.6's.
const (
	DropTTL            Reason = "ttl"            // not 255: from beyond the link (RFC 5881 5)
	DropVersion        Reason = "version"        // not 1
	DropLength         Reason = "length"         // of the packet, too short or longer than what came
	DropDetectMult     Reason = "detect-mult"    // 0
	DropMultipoint     Reason = "multipoint"     // set
	DropMyDiscr        Reason = "my-discr"       // 0
	DropState          Reason = "state"          // Init or Up without Your Discriminator
	DropNoSession      Reason = "no-session"     // Your Discriminator is none of ours, or the neighbour is none
	DropStranger       Reason = "stranger"       // the session is another neighbour's, address's or device's
	DropAuthentication Reason = "authentication" // present; we have none
	DropOverflow       Reason = "overflow"       // faster than the session reads
)

// Stats are an Engine's counters.
type Stats struct {
	Sessions, Up     int
	Received         uint64 // packets taken from sockets
	Sent, SendErrors uint64
	Dropped          map[Reason]uint64
	Filtered         uint64 // packets the kernel dropped at our sockets: strangers', of another TTL, or more than we read; at most a second old
	Rebuilt          uint64 // times sockets were made anew because their device was
}
