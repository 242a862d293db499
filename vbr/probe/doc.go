// Package probe sends ICMP echo requests (RFC 792, RFC 4443) out of VRFs and interfaces and says what came back, and judges a row of such
// results by a threshold: [Prober] is the I/O, [Health] the pure state machine. Which checks there are, and what follows from an abnormal
// one, is the caller's.
//
// # Sockets
//
// All checks of one device, source and address family share one socket, bound to the device by SO_BINDTODEVICE and to the source, if there
// is one, by bind(2). It is a datagram ICMP socket, which needs no privilege, where the process's group is within net.ipv4.ping_group_range
// of its network namespace (the sysctl holds for ICMPv6 too), else a raw one, which needs CAP_NET_RAW; without either every probe is lost
// and says so.
//
// A reply counts only if it came through the socket its request left by, from the address that was asked, with the socket's identifier, the
// request's sequence number and its random nonce of 64 bits. So the same addresses may be probed in any number of VRFs, and no tenant's
// reply counts for another's check.
//
// # Bounds
//
// Goroutines: [Prober.Run]'s own and one for each socket. Sockets: one for each (device, source, family) that checks name, so never more
// than checks. Each check has at most one request in flight; [MaxChecks] checks in all. Replies wait in a queue of 1024, then in the
// sockets' buffers; when they were received is the kernel's stamp, so waiting does not lengthen a round trip.
package probe
