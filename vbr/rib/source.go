package rib

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/openvbr/openvbr/vbr/policy"
)

// Kind says where a path comes from. Lower kinds win over higher ones, as administrative distances do.
type Kind uint8

// The kinds of sources, best first.
const (
	Connected       Kind = iota + 1 // a subnet of one of the router's own links
	Static                          // a route the operator wrote
	RouterInterface                 // the VPC side, through a router interface
	BGP                             // a BGP peer of the customer
)

// String is the kind as operators see it.
func (k Kind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Static:
		return "static"
	case RouterInterface:
		return "router-interface"
	case BGP:
		return "bgp"
	}
	return "unknown"
}

// The types of routes as Express Connect's users know them.
const (
	TypeSystem = "System" // connected subnets
	TypeCustom = "Custom" // static routes
	TypeBGP    = "BGP"    // learned, from the customer or through a router interface
)

// Type is the type of the source's routes.
func (s *Source) Type() string {
	switch s.Kind {
	case Connected:
		return TypeSystem
	case Static:
		return TypeCustom
	}
	return TypeBGP
}

// Source describes who offers paths.
type Source struct {
	Kind Kind
	// Name is unique in the table and is what operators see: a peer's address, a router interface's name.
	Name string

	// Address and RouterID break ties between BGP peers (RFC 4271 9.1.2.2 f, g).
	Address  netip.Addr
	RouterID netip.Addr
	// ASN is the peer's AS; Internal marks an iBGP peer.
	ASN      uint32
	Internal bool

	// Device is the interface index packets leave by, OnLink as in [NextHop].
	Device int
	OnLink bool
	// Subnets are the link's prefixes: a BGP next hop must be in one of them. Own are our addresses there, which
	// are no next hop for anybody. A static route's next hop is held against them too, if there are any and it is not OnLink.
	Subnets []netip.Prefix
	Own     []netip.Addr

	// Interface names the router interface that a static route or an adopted one leaves by; empty: by none. See [Source.Through].
	Interface string
	// Prefer is added to the LOCAL_PREF of the source's paths when they are compared with others'. Neighbours hear nothing of it.
	Prefer int32
	// Transit says that the router interface which the paths leave by shares them with others. It means nothing to the table.
	Transit bool

	// Import judges and changes what the source announces; nil: nothing does.
	Import *policy.Policy
	// Role is ours towards a peer.
	Role Role
	// Allow are the classes of reserved prefixes that it may announce all the same.
	Allow Allow
	// MaxASPath and MaxCommunities bound the ASes of an AS_PATH, whatever their segments, and the communities of all kinds; 0: no bound.
	MaxASPath, MaxCommunities int
	// Quota bounds how many prefixes count.
	Quota Quota

	// Adopted marks what a predecessor left in the kernel: it loses to every path of a living source.
	Adopted bool
}

// Through is the router interface that packets leave by, empty if by none: it decides who is told of the source's paths.
func (s *Source) Through() string {
	if s.Kind == RouterInterface && s.Interface == "" {
		return s.Name
	}
	return s.Interface
}

// SourceID names a source within its table.
type SourceID uint32

type source struct {
	Source
	id     SourceID
	attrs  map[digest]uint32 // numbers in Table.sets
	counts [verdicts]int
	places [2]places // IPv4, IPv6
	told   *toldCount
	stale  int
	down   bool
	// demoted: see Demote; unusable: see SetUsable; unanswered: see SetAnswering
	demoted, unusable, unanswered bool
	// cut: paths that were too large, and of which not all was kept, may be legal now.
	cut bool
}

// Counts are the numbers of a source's paths.
type Counts struct {
	Received int
	Accepted int
	Stale    int
	Rejected map[Verdict]int // only those that occur
	// Forgotten are in Received too, and were not kept: see Quota.
	Forgotten int
}

// Equal says whether two counts are the same.
func (c Counts) Equal(o Counts) bool {
	return c.Received == o.Received && c.Accepted == o.Accepted && c.Stale == o.Stale && c.Forgotten == o.Forgotten && maps.Equal(c.Rejected, o.Rejected)
}

// RejectedText lists the reasons, "link-subnet=1 martian=3"; it is empty when nothing is rejected.
func (c Counts) RejectedText() string {
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(c.Rejected)) {
		parts = append(parts, fmt.Sprintf("%s=%d", v, c.Rejected[v]))
	}
	return strings.Join(parts, " ")
}

// AddSource registers a source.
func (t *Table) AddSource(s Source) SourceID {
	t.nextSource++
	src := &source{Source: s, id: t.nextSource, attrs: make(map[digest]uint32), told: t.toldThrough(s.Through())}
	t.sources[src.id] = src
	return src.id
}

// RemoveSource drops all of a source's paths and forgets it. Removing an unknown source does nothing.
func (t *Table) RemoveSource(id SourceID) {
	if t.sources[id] == nil {
		return
	}
	t.Drop(id)
	delete(t.sources, id)
}

// SetRouterID records a peer's BGP identifier, known only once its session is up. Call it before the session's first update.
func (t *Table) SetRouterID(id SourceID, routerID netip.Addr) {
	if s := t.sources[id]; s != nil {
		s.RouterID = routerID
	}
}

// SetLinkUp says whether a source's device carries packets. While it does not, the source's paths are kept and rejected.
func (t *Table) SetLinkUp(id SourceID, up bool) {
	s := t.sources[id]
	if s == nil || s.down == !up {
		return
	}
	s.down = !up
	t.touchAll(s)
}

// SetUsable says whether the router interface that a source's paths leave by may be used. While it may not, they are kept and rejected.
func (t *Table) SetUsable(id SourceID, usable bool) {
	s := t.sources[id]
	if s == nil || s.unusable == !usable {
		return
	}
	s.unusable = !usable
	t.touchAll(s)
}

// SetAnswering says whether whoever watches over a peer (BFD) lets its paths be used. While it does not, they are kept and rejected.
func (t *Table) SetAnswering(id SourceID, answering bool) {
	s := t.sources[id]
	if s == nil || s.unanswered == !answering {
		return
	}
	s.unanswered = !answering
	t.touchAll(s)
}

// Demote makes a source's paths step back behind all others of the same kind, or no longer: they are accepted as before, and serve where there is no
// other. It lasts until it is taken back or the source is removed. An unknown source is ignored.
func (t *Table) Demote(id SourceID, demoted bool) {
	s := t.sources[id]
	if s == nil || s.demoted == demoted {
		return
	}
	s.demoted = demoted
	t.touchAll(s)
}

// touchAll has all prefixes that a source offers decided again.
func (t *Table) touchAll(s *source) {
	for i, e := range t.all() {
		for p := range t.pathsOf(e) {
			if t.sourceOf(p) == s {
				t.touch(i)
			}
		}
	}
}

// Counts returns the numbers of a source's paths; zero for an unknown source.
func (t *Table) Counts(id SourceID) Counts {
	s := t.sources[id]
	if s == nil {
		return Counts{}
	}
	c := Counts{Accepted: s.counts[Accepted], Stale: s.stale}
	for v, n := range s.counts {
		c.Received += n
		if n > 0 && Verdict(v) != Accepted {
			if c.Rejected == nil {
				c.Rejected = make(map[Verdict]int)
			}
			c.Rejected[Verdict(v)] = n
		}
	}
	c.Forgotten = s.places[0].missing() + s.places[1].missing()
	c.Received += c.Forgotten
	return c
}
