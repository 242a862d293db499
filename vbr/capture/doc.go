// Package capture takes packets off named network devices, as many and for as long as it is told, those that a filter expression lets pass.
//
// It knows no routers: whose a device is, and whether it still is, is its user's to say. It hands out Ethernet frames without VLAN tags and nothing
// else: what passes a device with a tag is for a device on top of it, which may be somebody else's.
//
// Packets come by packet(7) sockets, which need CAP_NET_RAW and the address family AF_PACKET. Each begins deaf, and hears its one device only after
// its filter is in place. The kernel's receive buffer is the only queue: what finds it full is dropped and counted.
//
// Filters are a subset of pcap-filter(7), compiled to classic BPF (Linux Documentation/networking/filter.rst).
package capture
