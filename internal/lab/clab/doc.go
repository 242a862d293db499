// Package clab plays containerlab topologies without containers: it reads a .clab.yml, strictly, and builds it in a lab, each node a network
// namespace with its own view of the file system, in which Debian's FRR, or the vbrd just built, runs on the files that the node binds.
//
// It knows the part of containerlab's format that the examples use (containerlab.dev, topology definition file): name, prefix, mgmt (ignored),
// and below topology defaults, kinds, nodes (kind, image, binds, exec, env, sysctls, cmd) and links (endpoints). Everything else is refused, with
// its place: what this package accepts containerlab accepts too, not the other way round. Inheritance is containerlab's: a node's own before its
// kind's before the defaults'; binds (by target), exec, env and sysctls add up.
//
// The order is containerlab's as well: programs start, then the links are plugged in, then exec runs. Differences that show: there is no
// management network, processes and users are the lab's, IPv6 addresses are usable at once, and staticd runs only where the daemons file says so.
//
// Beside a topology stands assert.yml: what must hold once it runs, see Assertion.
package clab
