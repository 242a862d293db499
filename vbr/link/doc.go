// Package link makes the devices a router needs and keeps them as wanted: its
// VRF, the VLAN sub-interfaces of its lines, the VXLAN devices of its router interfaces,
// their addresses, sysctls and VTEP neighbours.
//
// [Manager.Ensure] is level-triggered: call it again with the same Router and it changes
// nothing; call it after somebody deleted a device and it makes the device anew.
//
// What the package made carries the device group [Group] (set atomically with the
// creation) and an alias that names the router; addresses carry the protocol [Protocol]. Nothing
// without such a mark is ever changed or deleted, but for the port of an
// untagged line, which the operator gave to us: it is enslaved, addressed and set up, and left otherwise as it was.
//
// Routes are package fib's.
package link
