package intent

import "github.com/openvbr/openvbr/vbr/intent/source"

// deviceNames refuses resources whose network devices would have the same name: ports, VLANs, VRFs, bridges, VXLANs and veths share
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
		device, path := ri.DeviceName(), "vni"
		if c.cabled(ri) {
			device, path = VethDeviceName(ri.Name, ri.Opposite), "name"
		} else if ri.VNI == 0 {
			continue
		}
		c.device(seen, c.hostOf(ri), device, path, ri.Origin, c.holder(ri.Origin, ri.label(), ri.Owner, path))
	}
}

func (c *checker) routerDevices(seen map[on[string]]holder, r *Router) {
	host := c.host(r.Host)
	if r.Name != "" && !r.DefaultVRF {
		c.device(seen, host, r.DeviceName(), "name", r.Origin, c.holder(r.Origin, r.label(), r.Owner, "name"))
	}
	for i, l := range r.Links {
		if l.Device != "" && l.VLAN != 0 && c.holds(r) {
			path := join(linkPath(i), "vlan_id")
			c.device(seen, host, l.DeviceName(), path, r.Origin, c.holder(r.Origin, r.label(), r.Owner, path))
			c.outerDevice(seen, host, r, l, join(linkPath(i), "outer_vlan_id"))
		}
	}
	for i, s := range r.Switches {
		path := join(item("vswitches", i), "name")
		c.device(seen, host, SwitchDeviceName(r.Name, s.Name), path, r.Origin, c.holder(r.Origin, r.label(), r.Owner, path))
		for j, member := range s.Devices {
			c.switchMember(seen, host, r, member, item(join(item("vswitches", i), "devices"), j))
		}
	}
}

// outerDevice takes the name of a line's outer VLAN device, which lines with the same outer VLAN share.
func (c *checker) outerDevice(seen map[on[string]]holder, host string, r *Router, l Link, path string) {
	key := on[string]{host, l.OuterDeviceName()}
	if l.OuterVLAN == 0 || seen[key].shared == (tags{l.PhysicalConnection, l.OuterVLAN, 0}) {
		return
	}
	h := c.holder(r.Origin, r.label(), r.Owner, path)
	h.shared = tags{l.PhysicalConnection, l.OuterVLAN, 0}
	c.device(seen, host, key.key, path, r.Origin, h)
}

// switchMember takes a device for a vSwitch: one that is no port, and in no other vSwitch.
func (c *checker) switchMember(seen map[on[string]]holder, host string, r *Router, device, path string) {
	const legal = "a device in one vSwitch only, that is no port and none of vbrd's"
	if device == "lo" {
		c.fail(r.Origin, r.label(), path, `"lo"`, "the kernel keeps this device for itself", legal)
		return
	}
	if first, twice := unique(seen, on[string]{host, device}, c.holder(r.Origin, r.label(), r.Owner, path)); twice {
		c.fail(r.Origin, r.label(), path, source.Quote(device), first.taken("device"), legal)
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
