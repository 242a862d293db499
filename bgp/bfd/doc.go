// Package bfd watches over the directly connected neighbours of a router by Bidirectional Forwarding
// Detection: asynchronous mode, single hop, IPv4 and IPv6 (RFC 5880, 5881), and RFC 5883's port with whom uses it on the link. It says within
// milliseconds that a neighbour no longer answers, which BGP's hold timer says within seconds.
//
// It is a leaf beside bgp: it knows no BGP session and no route. Its owner says which neighbours to
// watch (Engine.Set) and hears of changes (Config.State); what they mean is the owner's to decide
// (RFC 5882), but for one thing said here: a neighbour that is administratively down has not failed
// (Change.AdminDown).
//
// Three layers: fsm.go and timing.go are the protocol, pure, without sockets or clock; session.go gives
// each session its goroutine and timer; engine.go and socket.go have the sockets, one for each device, port
// and family to receive, one for each session to send. A session's state has one writer, its goroutine:
//
//	      AdminDown <--- the session is taken away
//	          .
//	          v   heard Down           heard Init, Up
//	+------> Down -------------> Init ----------------> Up
//	|          |                  |                      |  nothing heard for the detection time,
//	|          +------ heard Init | -------------------> |  or heard Down, AdminDown
//	+-----------------------------+----------------------+
//
// The codec is GoBGP's. It is lax (no check of version, multiplier, multipoint, authentication and
// discriminators) and too strict in one place (it refuses what follows the packet's own length): packet.go
// checks what RFC 5880 6.8.6 demands, in its order, before that codec sees a byte.
//
// What it does not do: Echo (announced as 0, so nobody sends any), authentication (a packet that has it is dropped,
// RFC 5880 6.8.6), Demand mode. A neighbour's Demand bit is ignored: it hears more packets than it asked for.
// Time is the monotonic clock's: steps of the wall clock do nothing.
//
// FRR says AdminDown when a session is shut down; BIRD 2.0.12 falls silent when its protocol is disabled, which nobody can tell from a failure.
package bfd
