// Package fib keeps route tables of the Linux kernel.
//
// It is the last room on the way of a route: what a router has decided comes in as [Change]s, what
// the kernel has acknowledged comes out as [Result]s. It decides nothing, speaks no protocol, and
// knows neither VRFs nor tenants, only table ids and interface indexes.
//
// # Nexthop objects
//
// Routes carry no gateways. Each gateway on a device is a nexthop object of the kernel, each [Set] of
// gateways a nexthop group, and a route only names the id of its group (RTA_NH_ID):
//
//	10.1.0.0/16 --.
//	10.2.0.0/16 ---+--> group 0x56000003 --+--> gateway 0x56000001 via 10.0.0.2 dev eth1.100
//	10.3.0.0/16 --'     (one per Set)      '--> gateway 0x56000002 via 10.0.1.2 dev eth1.101, on standby
//
// So taking a gateway out of service is one message at any number of routes and Sets ([FIB.Fail], BGP PIC): 0.1 to 0.3 ms
// until lookups leave the other way, at 1,000 routes as at 500,000. When a device loses its carrier the kernel does the same by
// itself, before any program hears of it. How groups hold backups that get no traffic is told in plan.go. It needs Linux 5.13.
//
// With net.ipv4.nexthop_compat_mode=0, which [Open] sets unless told otherwise, the kernel does not
// announce each moved or dropped route to other programs in the namespace; those that care (FRR, BIRD,
// "ip monitor") see the change of the nexthop object instead. With 1 a failover costs the kernel
// about a microsecond a route.
//
// # Ownership
//
// A route is ours if it carries our protocol number (rtm_protocol) and metric (RTA_PRIORITY); a
// nexthop object if it carries our protocol (nh_protocol). Nothing else is ever changed or deleted. A
// foreign route at our metric is an obstacle that is reported: routes are added with NLM_F_EXCL.
// The kernel has no compare-and-replace: a foreign route that took the place of one of ours since the
// last Audit can be overwritten by the replacement of ours; Watch makes that window small.
//
// # Truth
//
// A Table remembers, in 24 bytes an IPv4 route and 36 an IPv6 route, what the kernel acknowledged. The kernel also drops routes on its own
// and without a word: when a device goes down or loses its carrier it deletes the nexthop objects on it, and groups
// left empty vanish with their routes. Fail and Watch keep track of objects, so Len, Get and All never show such routes, and
// Apply writes them again; Audit compares all with a dump of the table and repairs.
//
// Files: wire.go and parse.go (messages), socket.go (the kernel), batch.go (exchange), set.go, plan.go and objects.go (nexthop objects),
// failover.go, reconcile.go, store.go and diff.go (pure state), apply.go, operations.go, whole.go (many changes as one), scan.go, adopt.go, audit.go, watch.go, cleanup.go.
// Package fibtest has a kernel made of memory for tests.
//
// References: include/uapi/linux/{rtnetlink,nexthop,netlink}.h, net/ipv4/{nexthop,fib_semantics,fib_trie}.c,
// net/ipv6/{route,ip6_fib}.c of Linux 6.1 and 6.18.
package fib
