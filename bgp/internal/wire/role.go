package wire

// Role is what a speaker is towards its peer (RFC 9234 4.1): 0 for none, else one more than its number on the wire.
type Role uint8

// The roles.
const (
	Provider Role = 1 + iota
	RouteServer
	RouteServerClient
	Customer
	LateralPeer
)

// counterpart is what the peer has to be.
func (r Role) counterpart() Role {
	switch r {
	case Provider:
		return Customer
	case Customer:
		return Provider
	case RouteServer:
		return RouteServerClient
	case RouteServerClient:
		return RouteServer
	}
	return r
}

// String is the role's name in RFC 9234 4.1; empty for none.
func (r Role) String() string {
	names := [...]string{"", "provider", "rs", "rs-client", "customer", "peer"}
	if int(r) < len(names) {
		return names[r]
	}
	return "unknown"
}

// pair judges what the peer says that it is: RFC 9234 4.2. Without a role of our own all is well.
func (s *Session) pair(theirs []Role) (Role, Verdict) {
	var peer Role
	for _, r := range theirs {
		if peer != 0 && r != peer && s.Role != 0 {
			return 0, reset(openError, roleMismatch, nil, "two roles, %s and %s", peer, r)
		}
		peer = r
	}
	switch {
	case s.Role == 0:
	case peer == 0 && s.StrictRole:
		return 0, reset(openError, roleMismatch, nil, "no role, and ours is %s and strict", s.Role)
	case peer != 0 && peer != s.Role.counterpart():
		return 0, reset(openError, roleMismatch, nil, "role %s, and ours is %s: must be %s", peer, s.Role, s.Role.counterpart())
	}
	return peer, Verdict{}
}

// roleMismatch is the subcode of RFC 9234 4.2.
const roleMismatch = 11
