// Package bgp speaks BGP-4 with a customer's routers: one Speaker per virtual border router, bound
// into that router's VRF. It hands up what peers announce and withdraw, UPDATE by UPDATE, says
// when sessions come and go and why, and advertises what it is told to.
//
// It is not a routing table: it picks no best path, checks no policy, no next hop and no AS loop,
// and never passes one peer's routes to another. All that is vbr/rib's. It knows neither the
// kernel nor the overlay; package bgp/evpn is its sibling for the backbone.
//
// The engine below is GoBGP v4 (design D1, D2), which has the sessions; what peers announce and what
// they are told goes around it. No GoBGP type leaves this folder, and no other package imports GoBGP.
//
// RFC 4271 with 2918, 4724, 4760, 6793, 7606, 8092, 8654, 8950 and 2385 (TCP MD5).
package bgp
