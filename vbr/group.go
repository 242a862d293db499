package vbr

import "github.com/openvbr/openvbr/vbr/intent"

// What a VBR is in its failover group.
const (
	groupActive  = "active"
	groupStandby = "standby"
	groupSharing = "sharing"
)

// addGroup notes the failover group that the router is in. A standby's router interfaces have a fifth of their preference: the other ends, which
// hear of it by LOCAL_PREF and MED, use the active one as long as it can, and customers hear a longer path (see prefer).
func (s *spec) addGroup(in *intent.Intent) {
	for _, g := range in.Groups {
		switch {
		case g.VBR != s.name && g.Peer != s.name:
			continue
		case !g.Standby:
			s.groupRole = groupSharing
		case g.VBR == s.name:
			s.groupRole = groupActive
		default:
			s.groupRole = groupStandby
		}
		s.group = g.Name
	}
}
