package fibtest

import (
	"fmt"
	"slices"
	"strings"
)

// Routes returns the routes of a table as "ip route show table" prints them, IPv4 before IPv6, by address, without ids, and with weights
// where they differ.
func (k *Kernel) Routes(table uint32) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b strings.Builder
	for _, key := range k.keys(func(key routeKey) bool { return key.table == table }) {
		r := k.routes[key]
		dst := key.prefix.String()
		if key.prefix.Bits() == 0 {
			dst = "default"
		}
		hops := k.hops(r)
		if len(hops) == 1 {
			fmt.Fprintf(&b, "%s %s proto %d metric %d\n", dst, hops[0], r.protocol, key.metric)
			continue
		}
		fmt.Fprintf(&b, "%s proto %d metric %d\n", dst, r.protocol, key.metric)
		for _, h := range hops {
			fmt.Fprintf(&b, "\tnexthop %s\n", h)
		}
	}
	return b.String()
}

// active returns the members that get traffic: of a resilient group, the buckets of which go by weight, those that are not of the least.
func (n *nexthop) active() []groupMember {
	heavy := slices.DeleteFunc(slices.Clone(n.members), func(m groupMember) bool { return m.weight == 0 })
	if n.buckets == 0 || len(heavy) == 0 {
		return n.members
	}
	return heavy
}

// hops returns where a route leads now, sorted.
func (k *Kernel) hops(r *route) []string {
	if r.nhid == 0 {
		return []string{r.via}
	}
	n := k.nexthops[r.nhid]
	if n.members == nil {
		return []string{k.hop(n)}
	}
	var out []string
	active := n.active()
	for _, m := range active {
		hop := k.hop(k.nexthops[m.id])
		if slices.ContainsFunc(active, func(o groupMember) bool { return o.weight != m.weight }) {
			hop += fmt.Sprintf(" weight %d", int(m.weight)+1)
		}
		out = append(out, hop)
	}
	slices.Sort(out)
	return out
}

func (k *Kernel) hop(n *nexthop) string {
	s := fmt.Sprintf("via %s dev %s", n.gateway, k.devices[n.device].name)
	if n.onlink {
		s += " onlink"
	}
	return s
}

// Nexthops returns the nexthop objects as "ip nexthop" prints them, by id.
func (k *Kernel) Nexthops() string {
	ids := k.NexthopIDs()
	k.mu.Lock()
	defer k.mu.Unlock()
	var b strings.Builder
	for _, id := range ids {
		n := k.nexthops[id]
		if n.members == nil {
			fmt.Fprintf(&b, "id %d %s proto %d\n", id, k.hop(n), n.protocol)
			continue
		}
		members := make([]string, len(n.members))
		kind := ""
		for i, m := range n.members {
			members[i] = fmt.Sprint(m.id)
			if m.weight > 0 {
				members[i] += fmt.Sprintf(",%d", int(m.weight)+1)
			}
		}
		if n.buckets > 0 {
			kind = fmt.Sprintf(" type resilient buckets %d", n.buckets)
		}
		fmt.Fprintf(&b, "id %d group %s%s proto %d\n", id, strings.Join(members, "/"), kind, n.protocol)
	}
	return b.String()
}
