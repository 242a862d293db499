package gobgp

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// Established lists the neighbours whose sessions are up, sorted.
func (s *Server) Established() []netip.Addr {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	var l []netip.Addr
	for a, x := range s.sessions {
		if x.up {
			l = append(l, a)
		}
	}
	slices.SortFunc(l, netip.Addr.Compare)
	return l
}

// Received is a snapshot of what a peer has announced and not withdrawn. Events that are under way may be older or newer.
func (s *Server) Received(peer netip.Addr, f Families) ([]*apiutil.Path, error) {
	var paths []*apiutil.Path
	for _, family := range f.list() {
		r := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_ADJ_IN, Name: peer.String(), Family: family}
		err := s.bgp.ListPath(r, func(_ packet.NLRI, l []*apiutil.Path) { paths = append(paths, l...) })
		if err != nil {
			return nil, fmt.Errorf("what peer %v announced: %w", peer, err)
		}
	}
	return paths, nil
}

// Between runs f when no event is being handed up. It returns false, without f, after Close.
func (s *Server) Between(f func()) bool {
	ran := false
	s.call(func() { f(); ran = true })
	return ran
}
