// Package topo draws topologies in a lab: who is there, how they are cabled,
// what FRR and BIRD are told, and the settings and resources that a vbrd
// there is given.
//
// FirstLight is two customers with everything overlapping:
//
//	lan-acme -+- idc-acme  --VLAN 100--\                        /-- vpc-acme -- host-acme   VNI 5001
//	          +- idc-acme2 --VLAN 101--- port -- edge -- underlay
//	lan-beta --- idc-beta  --VLAN 200--/                        \-- vpc-beta -- host-beta   VNI 5002
//
// Every name in it is a network namespace. It starts no daemon of ours by
// itself; StartVbrd does, with a binary that the caller built.
package topo
