// Package feed is the benchmark's source of routes: a reproducible internet-like table, its UPDATE
// messages encoded beforehand, and a BGP sender that does nothing but write those bytes, so that the source is
// never what is measured. It is no BGP implementation: it reads nothing of what the other side says but
// the handshake, and knows neither the kernel nor the daemons.
package feed
