package fib

import "slices"

// A Set without backups is a plain multipath group. A Set with backups is a resilient group (Linux 5.13), because that one
// can hold members that get nothing: traffic is hashed into a fixed number of buckets, which members share by weight, and rounding leaves a
// standby of weight 1 beside a primary of weight 255 none of up to 127 buckets. When the last primary's object is deleted, by Fail
// or by the kernel itself as its device goes down or loses its carrier, the kernel gives the buckets to the standbys in the same stroke: no
// message per Set, no packet without a next hop, flat in the number of routes for IPv4 and IPv6.
//
// (Replacing a group instead makes Linux walk all IPv6 routes on it before and after: 14 and 40 ms for 100,000. And a group that
// holds primaries only dies with its routes when their device does.)
//
// net/ipv4/nexthop.c: nh_res_group_rebalance, nexthop_select_path_res, nh_res_bucket_should_migrate. Documentation/networking/nexthop-group-resilient.rst.
//
// Primaries of different weights (see weight.go) leave the standbys nothing either if there are fewer buckets: the lightest primary alone must
// be heavy enough. So there is one standby beside them, and the lightest weighs at least an eighth of the heaviest, or
// with 16 primaries a third.

// member is a gateway in a group.
type member struct {
	gw      *gateway
	standby bool  // gets traffic only when no primary is in the group
	weight  uint8 // on the wire: less 1
}

// standbys is how many backups a group holds beside its primaries. Two at most: the more standbys, the fewer buckets there may be, and these must
// be enough to share evenly among the primaries. When the primaries are gone, the rest of the backups join.
func (s *Set) standbys() int {
	if s.weighted() {
		return min(len(s.backup), 1)
	}
	return min(len(s.backup), 2)
}

// maxBuckets is how many buckets a group may have so that its lightest primary alone leaves the standbys none:
// buckets * standbys / (weight + standbys) < 1/2.
func (s *Set) maxBuckets() int {
	lightest := int(slices.Min(s.beside)) + 1
	return lightest / 2 / max(s.standbys(), 1)
}

// total is the weight of all primaries together in a group that has buckets.
func (s *Set) total() (sum int) {
	for _, w := range s.beside {
		sum += int(w) + 1
	}
	return sum
}

// buckets returns the size of the group's table, 0 for plain multipath. Between primaries of equal weight it can be divided.
func (s *Set) buckets() uint16 {
	if len(s.backup) == 0 {
		return 0
	}
	n := s.maxBuckets()
	if s.weighted() {
		return uint16(n)
	}
	return uint16(n - n%len(s.primary))
}

// fits says whether a group with so many buckets can do what the Set asks, be it not of the size that buckets would choose: a group cannot
// change its size, and to keep it saves writing its routes again.
func (s *Set) fits(buckets uint16) bool {
	n := int(buckets)
	switch {
	case n == 0:
		return len(s.backup) == 0
	case n > s.maxBuckets():
		return false
	case s.weighted():
		return len(s.backup) > 0 && n*(int(slices.Min(s.beside))+1) >= s.total()
	}
	return n%len(s.primary) == 0 || n >= 16*len(s.primary)
}

// desired returns what a group for this Set should hold now: the primaries that live and some live backups on standby, or all backups
// that live, with the weights they have among so many buckets. It tries to raise all that are not in the kernel and returns the last reason why one could not be.
func (f *FIB) desired(s *Set, buckets uint16) (members []member, why error) {
	primaries, why := f.raiseAll(s.primary)
	backups, whyNot := f.raiseAll(s.backup)
	for _, gw := range primaries {
		members = append(members, member{gw: gw})
	}
	if len(primaries) > 0 {
		backups = backups[:min(len(backups), s.standbys())]
	}
	for _, gw := range backups {
		members = append(members, member{gw: gw, standby: true, weight: standbyWeight})
	}
	if why == nil {
		why = whyNot
	}
	s.weigh(members, buckets)
	return members, why
}
