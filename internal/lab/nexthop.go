package lab

import (
	"fmt"
	"strings"
)

// EchoFilter is a capture filter for echo requests and replies of both families, and nothing else of ICMP.
const EchoFilter = "icmp[0] == 8 or icmp[0] == 0 or (icmp6 and (ip6[40] == 128 or ip6[40] == 129))"

// kernelNexthop is a nexthop object as ip -j prints it.
type kernelNexthop struct {
	ID      uint32 `json:"id"`
	Gateway string `json:"gateway"`
	Dev     string `json:"dev"`
	Group   []struct {
		ID uint32 `json:"id"`
	} `json:"group"`
}

// NextHops are where the routes to exactly this prefix in a table ("main", "vrf NAME") lead, as "via A dev D". Routes by nexthop object are
// followed to their gateways, which `ip route` does not show when nexthop_compat_mode is 0.
func (n *NS) NextHops(prefix, table string) ([]string, error) {
	family := "4"
	if strings.Contains(prefix, ":") {
		family = "6"
	}
	routes, err := n.Routes(family, table, "exact", prefix)
	if err != nil {
		return nil, err
	}
	var objects []kernelNexthop
	if err := n.JSON(&objects, "ip", "-j", "nexthop"); err != nil {
		return nil, err
	}
	byID := make(map[uint32]kernelNexthop)
	for _, o := range objects {
		byID[o.ID] = o
	}
	var hops []string
	for _, r := range routes {
		if r.NHID == 0 {
			hops = append(hops, fmt.Sprintf("via %s dev %s", r.Gateway, r.Dev))
			continue
		}
		members := []kernelNexthop{byID[uint32(r.NHID)]}
		if g := byID[uint32(r.NHID)].Group; len(g) > 0 {
			members = members[:0]
			for _, m := range g {
				members = append(members, byID[m.ID])
			}
		}
		for _, m := range members {
			hops = append(hops, fmt.Sprintf("via %s dev %s", m.Gateway, m.Dev))
		}
	}
	return hops, nil
}
