// Package monitor shows a provider's collectors what BGP peers announce, before any policy: live by BMP (RFC 7854), and now and then as a file by MRT
// (RFC 6396).
//
// One Hub serves a host, and each speaker is a Source of it. Why GoBGP's own BMP client and MRT writer are not used, both of which belong to one server:
// its client would need a connection for each router and collector, says of none which router it is about, keeps what a collector does not read in
// memory without bound, and writes without a deadline; its dumps have GoBGP's own table, which here holds nothing of what peers announce, without the
// peers' AS numbers, in files for all to read.
//
// Nothing here makes a session wait. A message is encoded once, when a collector is connected, and put into a bounded queue for each; a collector whose queue
// is full is disconnected, and begins anew with all there is.
package monitor
