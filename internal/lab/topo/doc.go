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
// Cloud is two regions, each with an edge host, a host of VRouters and a reflector; of three accounts, acme has a data centre with a line
// to each edge host, and beta a VPC; the ports are carrier's. The hosts share one store, etcd, and with it one set of resources:
//
//	           +- idc-acme (FRR)   --VLAN 100-- port-1 -- edge-1 --+- net-r1 -+- gw-1: vpc-acme-a -- host-a
//	lan-acme --+                                           rr-1 --+    |     |         vpc-acme-b -- host-b
//	           |                                   store (etcd) --+   wan    |         vpc-beta   -- host-beta
//	           |                                                       |     +- vpc-frr (FRR, EVPN) -- host-frr
//	           |                                           rr-2 --+    |
//	           +- idc-acme2 (BIRD) --VLAN 101-- port-2 -- edge-2 --+- net-r2 -+- gw-2: vpc-acme-c -- host-c
//
// Every name in a drawing, but those of VRouters, is a network namespace. It starts no daemon of ours by
// itself; StartVbrd does, with a binary that the caller built.
package topo
