// Command demo plays the first-light topology with a real vbrd between real FRR routers, and shows
// and checks, step by step, what vbrd promises. With -shell it stops when
// everything is up and gives its user a shell instead.
// With -cloud it plays the cloud topology: VPCs, accounts, regions, failover, usage, quality.
// With -clab it plays a containerlab topology, and gives a shell beside its nodes.
//
// Run it by `make demo` or `make lab`, which bring it onto a kernel with VRF. Its last line is
// "demo: passed" with status 0, or names the step that failed, with status 1.
package main
