package fib

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
const (
	primaryWeight = 254 // on the wire, weights are less 1; Linux 6.1 takes no greater
	standbyWeight = 0
	maxBuckets    = 127 // so that a standby's share is less than half a bucket
)

// member is a gateway in a group.
type member struct {
	gw      *gateway
	standby bool // gets traffic only when no primary is in the group
}

// weight is the member's weight on the wire in a group with so many buckets.
func (m member) weight(buckets uint16) uint8 {
	if buckets == 0 || m.standby {
		return standbyWeight
	}
	return primaryWeight
}

// standbys is how many backups a group holds beside its primaries. Two at most: the more standbys, the fewer buckets there may be, and these must
// be enough to share evenly among the primaries. When the primaries are gone, the rest of the backups join.
func (s *Set) standbys() int { return min(len(s.backup), 2) }

// buckets returns the size of the group's table, 0 for plain multipath. It is a multiple of the number of primaries, and such that even a
// single primary leaves the standbys none: buckets * standbys / (255 + standbys) < 1/2.
func (s *Set) buckets() uint16 {
	if len(s.backup) == 0 {
		return 0
	}
	n := maxBuckets / s.standbys()
	return uint16(n - n%len(s.primary))
}

// fits says whether a group with so many buckets can do what the Set asks, be it not of the size that buckets would choose: a group cannot
// change its size, and to keep it saves writing its routes again.
func (s *Set) fits(buckets uint16) bool {
	if buckets == 0 {
		return len(s.backup) == 0
	}
	n := int(buckets)
	return n*s.standbys() <= maxBuckets && (n%len(s.primary) == 0 || n >= 16*len(s.primary))
}

// desired returns what a group for this Set should hold now: the primaries that live and some live backups on standby, or all backups
// that live. It tries to raise all that are not in the kernel and returns the last reason why one could not be.
func (f *FIB) desired(s *Set) (members []member, why error) {
	primaries, why := f.raiseAll(s.primary)
	backups, whyNot := f.raiseAll(s.backup)
	for _, gw := range primaries {
		members = append(members, member{gw, false})
	}
	if len(primaries) > 0 {
		backups = backups[:min(len(backups), s.standbys())]
	}
	for _, gw := range backups {
		members = append(members, member{gw, true})
	}
	if why == nil {
		why = whyNot
	}
	return members, why
}
