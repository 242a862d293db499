// Command bench compares vbrd with BIRD and FRR: how long each takes to learn, to withdraw and to drop a table of N
// routes, to turn to a second peer with the same routes, and at what cost. docs/benchmarks.md says how it measures and what it found.
//
// All daemons run on this machine in the same run, each in a network namespace of its own, fed the same bytes by package feed and
// watched in the same way by package kernel. It needs root, BIRD 2 and FRR from Debian, and no VRF.
//
// `bench density` compares them with many customers from a cold start, `bench admin` measures vbrd's API alone.
//
// It is not a test: it fails only when a daemon ends with another table than the one it was told.
package main
