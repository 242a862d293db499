// Package api serves vbr.v1 over gRPC: it decides who may call what, bounds what a caller can use up, writes the audit
// lines, and hands calls to the controller (desired state) and the host (running state). It holds no state of its own.
//
// The way of a call:
//
//	socket -> conns (how many) -> handshake (who: peer credentials or certificate) -> guard (rate, role, time, audit)
//	       -> resourceService or routerService (whose) -> Controller or Host
//
// Callers by another protocol than gRPC come in by a Door, which finds out who they are, and go the same way from the handshake on.
package api
