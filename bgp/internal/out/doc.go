// Package out is what we tell BGP peers: Adj-RIBs-Out (RFC 4271 3.2), one for each table of a name, and for each session what of its table the peer
// has been told and what not yet, as UPDATEs.
//
// A session queues nothing: it has a place in the list of its table's routes, which are in the order of their last change, and Next encodes what comes
// behind that place. So a route that changes a thousand times while a peer does not read is told once, as it is then, and what is held for such a peer is
// its place, and the withdrawals of routes that it may know. A session may come up, be told all again, or get another table at any time.
//
// It is pure: no I/O, no goroutine, no clock, no GoBGP. It decides nothing about routes, and knows no policy: whoever fills the tables does.
package out
