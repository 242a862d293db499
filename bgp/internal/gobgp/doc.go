// Package gobgp runs one embedded GoBGP server the way this project needs it: bound to one
// device and a few addresses, with the sessions and without any route, in or out, reporting
// every session change, and never letting a GoBGP surprise reach the caller. What peers announce
// goes around it to the caller (updates.go), and a writer for each session tells the peer what
// package out has for it (tell.go).
//
// It is the room both speakers share: package bgp (customers, IPv4 and IPv6 unicast) and
// package bgp/evpn (the backbone) put their own route types on top. It decides nothing about
// routes, it knows no prefix, and it is the only place that starts or configures GoBGP.
//
// What it covers for GoBGP v4.8.0, each next to the code that does it:
//
//   - what it judges wrongly of what a peer sends, and decoders that a stranger's bytes should not meet (conn.go, package wire);
//   - strangers' connections are accepted, silent ones kept for four minutes, and listening ends for good when files run out (door.go,
//     filter.go: we listen, GoBGP does not);
//   - a peer that does not read is never cut (conn.go write);
//   - what waits for a peer that reads slowly, and for each of its ROUTE-REFRESHes, has no bound; a route advertised in the instant a session comes up
//     may miss that peer; what is advertised is one for all peers (tell.go, package out);
//   - a change of the key ends the session, and the old one stays on the listener (keys.go);
//   - GTSM does not reach the answer to an IPv6 neighbour that dials (door.go prepare);
//   - OPEN messages of connections that it makes would go past the guard; ours would tell no role and the host's name (dial.go, events.go hello).
//
// Left as it is: GoBGP writes its package variables table.SelectionOptions and
// table.UseMultiplePaths at every start. All servers here write the same value, so it is
// harmless, but the race detector may report it when a server starts while another one works.
// Its BFD server keeps one goroutine and opens no socket as long as no neighbour asks for BFD,
// and none ever does (design D10).
package gobgp
