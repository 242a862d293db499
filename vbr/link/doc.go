// Package link makes the devices a router needs and keeps them as wanted: its
// VRF, the VLAN sub-interfaces of its lines, the VXLAN devices and veth pairs of its router interfaces, the bridges of its vSwitches,
// their addresses, sysctls, rates and neighbours; and it reads their counters.
//
// [Manager.Ensure] is level-triggered: call it again with the same Router and it changes
// nothing; call it after somebody deleted a device and it makes the device anew.
//
// What the package made carries the device group [Group] (set atomically with the
// creation; the second end of a veth pair gets it just after) and an alias that names the router, or [OuterAlias]; addresses carry the protocol [Protocol], qdiscs and
// filters a handle of ours. Nothing without such a mark is ever changed or deleted, but for the port of an
// untagged line and a vSwitch's members, which the operator gave to us: the one is enslaved, addressed, limited and set up, the others are
// enslaved and set up, and left otherwise as they were.
//
// Routes are package fib's.
package link
