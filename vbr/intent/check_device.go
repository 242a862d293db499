package intent

import "github.com/openvbr/openvbr/vbr/intent/source"

// deviceNames refuses resources whose network devices would have the same name: ports, VLANs, VRFs and VXLANs share
// one name space, and names beyond 15 characters are shortened.
func (c *checker) deviceNames() {
	seen := map[on[string]]holder{}
	for i := range c.in.PhysicalConnections {
		if pc := &c.in.PhysicalConnections[i]; pc.Device != "" {
			unique(seen, on[string]{c.host(pc.Host), pc.Device}, c.holder(pc.Origin, pc.label(), pc.Owner, "device"))
		}
	}
	for i := range c.in.Routers {
		c.routerDevices(seen, &c.in.Routers[i])
	}
	for i := range c.in.RouterInterfaces {
		ri := &c.in.RouterInterfaces[i]
		c.device(seen, c.hostOf(ri), ri.DeviceName(), "vni", ri.Origin, c.holder(ri.Origin, ri.label(), ri.Owner, "vni"))
	}
}

func (c *checker) routerDevices(seen map[on[string]]holder, r *Router) {
	host := c.host(r.Host)
	if r.Name != "" && !r.DefaultVRF {
		c.device(seen, host, r.DeviceName(), "name", r.Origin, c.holder(r.Origin, r.label(), r.Owner, "name"))
	}
	for i, l := range r.Links {
		if l.Device != "" && l.VLAN != 0 {
			path := join(linkPath(i), "vlan_id")
			c.device(seen, host, l.DeviceName(), path, r.Origin, c.holder(r.Origin, r.label(), r.Owner, path))
		}
	}
}

// device takes a device name for a resource. What has a problem already (a name or VLAN given twice) is left at that.
func (c *checker) device(seen map[on[string]]holder, host, device, path string, o *Origin, h holder) {
	if c.bad(o, h.label, path) {
		return
	}
	first, twice := unique(seen, on[string]{host, device}, h)
	if !twice {
		return
	}
	text := "its device " + source.Quote(device)
	if first.hidden {
		text += " is in use"
	} else {
		text += " is also that of " + first.String()
	}
	c.fail(o, h.label, path, o.value(path), text, "names whose devices differ; beyond 15 characters they are shortened")
}
