// Package lab makes what tests and the demo need to be real: network
// namespaces, the cables between them, FRR and BIRD as neighbours, hosts that
// ping.
//
// It runs where the kernel has VRF, as process owner of everything in sight:
// inside command vmexec, which also removes what is left. A Lab is used from
// tests (lab.New(t)) and from programs (lab.Run). Package topo below draws
// the topologies, package clab reads and plays containerlab's.
//
// A failed step ends the test, as t.Fatal does; only calls whose failure is a
// finding return an error. Logs of all started processes are in Lab.Dir,
// shown in part when a test fails, and kept when VBR_LAB_DIR names a folder.
//
// It knows nothing of the routers it tests, and no package of the daemon
// imports it.
package lab
