// Package vbr runs routers: it joins what speaks (bgp, bgp/evpn), what decides (rib), what installs
// (fib) and what makes devices (link).
//
// A [Host] owns what the routers of one network namespace share: the kernel's nexthop objects, the
// backbone speaker, the table ids, the lock. Each router is an actor of its own, so that a slow, broken
// or hostile customer costs only itself. Nothing waits for a router but its own goroutine.
//
// The way of a route through this package: bgp calls customer.Update, which puts the paths into the
// router's rib and pokes the actor; the actor takes the rib's changes to the kernel (router.flush), and
// tells the neighbours what the kernel took (router.announce): the VPC what the customer announced, the customer what the VPC
// did. Host.Update is the same door for the VPC's side.
//
// It is neither configuration (packages intent and config) nor protocol.
package vbr
