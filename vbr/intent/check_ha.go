package intent

import (
	"fmt"

	"github.com/openvbr/openvbr/vbr/intent/source"
)

// groups checks the failover groups: two VBRs, of the group's owner, each in one group only.
func (c *checker) groups() {
	names, members := map[string]holder{}, map[string]holder{}
	for i := range c.in.Groups {
		g := &c.in.Groups[i]
		c.name(names, g.Origin, g.label(), g.Owner, g.Name, "VbrHa")
		if g.VBR == g.Peer && g.VBR != "" {
			c.fail(g.Origin, g.label(), "peer_vbr_id", source.Quote(g.Peer), "the same VBR as vbr_id", "another VBR")
			continue
		}
		c.member(members, g, "vbr_id", g.VBR)
		c.member(members, g, "peer_vbr_id", g.Peer)
	}
}

func (c *checker) member(members map[string]holder, g *Group, path, name string) {
	const kind = "VirtualBorderRouter"
	r := c.found.router[name]
	switch {
	case name == "", r == nil && c.incomplete:
		return
	case r == nil || r.Kind != VBR || c.strange(g.label(), r.Owner):
		c.fail(g.Origin, g.label(), path, source.Quote(name), c.noSuch(kind, name), c.nameOf(kind))
		return
	case r.Owner != g.Owner:
		text := "not of the group's owner"
		if c.sees(r.Owner) {
			text = fmt.Sprintf("%s is of owner %s, the group of %s", r.label(), source.Quote(r.Owner), source.Quote(g.Owner))
		}
		c.fail(g.Origin, g.label(), path, source.Quote(name), text, "a VBR of the group's owner")
		return
	}
	if first, twice := unique(members, name, c.holder(g.Origin, g.label(), g.Owner, path)); twice {
		text := "the VBR is in a group already"
		if !first.hidden {
			text = "the VBR is in " + first.String() + " already"
		}
		c.fail(g.Origin, g.label(), path, source.Quote(name), text, "a VBR that is in no other group")
	}
}
