// Package evpn speaks BGP EVPN with the backbone: one Speaker per host, iBGP (as a route
// reflector's client or in a full mesh) or eBGP, carrying IP prefixes between virtual border
// routers and the routers of VPCs as type-5 routes over VXLAN.
//
// The form is the interface-less one (RFC 9136 4.4.1): Ethernet segment 0, Ethernet tag 0, gateway
// 0, the label is the VNI as a plain 24-bit number (RFC 8365 5.1.3), the next hop is the VTEP, and
// the extended communities are route targets, Encapsulation VXLAN (RFC 9012 4.1) and Router's MAC
// (RFC 9135 8.1). What does not have that form is dropped here and counted.
//
// It is not an overlay: it programs no device and no route, it knows no tenant, and it does not
// filter by route target. It reflects nothing.
//
// Other EVPN route types are ignored and counted.
//
// What peers announce does not pass through GoBGP: it is read here, as it comes from the wire and was judged (package wire), and kept as long as the
// session lasts, for Speaker.Again. How much a peer may announce is not limited.
package evpn
