package vbr

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/openvbr/openvbr/bgp"
)

// oneTable stands in for a bgp.Speaker that has several tables: all peers are told the one of the first. It goes when bgp has them.
type oneTable struct {
	*bgp.Speaker
	table string
	all   map[string]map[netip.Prefix]bgp.Advertisement
}

func startOneTable(s *bgp.Speaker, err error) (speaker, error) {
	return &oneTable{Speaker: s, all: make(map[string]map[netip.Prefix]bgp.Advertisement)}, err
}

func (s *oneTable) Advertise(table string, ads []bgp.Advertisement) error {
	if s.all[table] == nil {
		s.all[table] = make(map[netip.Prefix]bgp.Advertisement)
	}
	for _, ad := range ads {
		s.all[table][ad.Prefix] = ad
	}
	if table != s.table {
		return nil
	}
	return s.Speaker.Advertise(ads)
}

func (s *oneTable) Withdraw(table string, prefixes []netip.Prefix) error {
	for _, p := range prefixes {
		delete(s.all[table], p)
	}
	if table != s.table {
		return nil
	}
	return s.Speaker.Withdraw(prefixes)
}

func (s *oneTable) SetPeers(peers []bgp.Peer) error {
	if len(peers) > 0 && peers[0].Export != s.table {
		was := s.all[s.table]
		s.table = peers[0].Export
		gone := slices.Collect(maps.Keys(was))
		gone = slices.DeleteFunc(gone, func(p netip.Prefix) bool { _, stays := s.all[s.table][p]; return stays })
		if err := s.Speaker.Withdraw(gone); err != nil {
			return err
		}
		if err := s.Speaker.Advertise(slices.Collect(maps.Values(s.all[s.table]))); err != nil {
			return err
		}
	}
	return s.Speaker.SetPeers(peers)
}
