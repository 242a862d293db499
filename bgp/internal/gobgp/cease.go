package gobgp

import "net/netip"

// Cease is why a neighbour is to have no session: a subcode of RFC 4486 4.
type Cease uint8

// Why a session ends for good.
const (
	MaximumPrefixes        Cease = 1
	AdministrativeShutdown Cease = 2
	PeerDeconfigured       Cease = 3
)

// NOTIFICATION codes, and a subcode of the latter.
const (
	holdTimerExpired = 4
	cease            = 6
	hardReset        = 9 // RFC 8538 3.1
)

// ceaseOf is why a neighbour's session ends that GoBGP ends for good: the server closes, the neighbour is to be down, or it is one no longer.
func (s *Server) ceaseOf(peer netip.Addr) Cease {
	if s.closing.Load() {
		return AdministrativeShutdown
	}
	if ceases := s.ceases.Load(); ceases != nil && (*ceases)[peer] != 0 {
		return (*ceases)[peer]
	}
	return PeerDeconfigured
}

// farewell is what to send for a Cease of GoBGP's that takes leave for good: why, and that in a Hard Reset too (RFC 8538 3.1). nil: for no other.
func (c *conn) farewell(subcode byte) []byte {
	if !c.up.Load() || subcode != byte(PeerDeconfigured) && subcode != hardReset {
		return nil
	}
	why := c.s.ceaseOf(c.peer)
	if subcode == hardReset {
		return []byte{cease, hardReset, cease, byte(why)}
	}
	return []byte{cease, byte(why)}
}
