// Package rib decides, for one router, which routes the kernel should hold.
//
// A [Table] holds every path that every source offers (connected subnets, static
// routes, BGP peers, router interfaces, and what a predecessor left in the
// kernel), gives each path a [Verdict], picks the best path and the
// equal-cost set of each prefix, and says what changed. Losers and reasons are kept, so
// that "why is this prefix not in the kernel" is a lookup.
//
// The package is pure: no sockets, no clock, no goroutines, no locks. Whoever
// owns a Table calls it from one goroutine at a time. The same updates in any
// order end in the same table.
//
// It is not a BGP implementation: sessions, messages and capabilities live in
// package bgp; it is not the kernel either: what is really installed is known
// to package fib.
package rib
