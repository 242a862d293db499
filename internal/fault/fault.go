// Package fault has named points around vbrd's outside effects, at which tests let it die, fail or wait. They exist only in a binary
// built with the tag "faults" (on.go); in any other [Around] is a plain call (off.go).
//
// Each effect has two points: EFFECT.before, when nothing of it has happened, and EFFECT.after, when all of it has and nobody knows yet.
// docs/faults.md has the list.
package fault

// Effects are all that have points.
var Effects = []string{
	// the store of resources: a revision in bbolt or etcd; etcd's chunks, which come before it; what is kept for the time the store is away
	"store.commit", "store.chunk", "store.cache",
	// files in the state folder: ids, drained routers, failover tests, what was measured, and that the store may lack something
	"state.ids", "state.drain", "state.tests", "state.measured", "state.mark",
	// the kernel's routes and nexthop objects: a batch of routes, one nexthop object, a batch of nexthop groups, a batch of --cleanup
	"fib.routes", "fib.nexthop", "fib.groups", "fib.cleanup",
	// devices: made, deleted, changed; addresses, sysctls, last-resort routes, neighbours, rates; routing rules
	"link.add", "link.delete", "link.set", "link.address", "link.sysctl", "link.route", "link.neighbour", "link.rate", "link.rule",
	// BGP: a speaker's start (the backbone's comes first, then each router's); a customer's speaker: its end, who its peers are, what they are told; a
	// session that is reset, a peer that is asked to repeat all, and one that need not wait any longer
	"speaker.start", "session.stop", "session.peers", "session.advertise", "session.withdraw",
	"session.reset", "session.refresh", "session.tell",
	// the backbone's speaker: the same
	"evpn.stop", "evpn.peers", "evpn.export", "evpn.withdraw",
	// a call of the API: after it, all is done and the answer has not left
	"api.call",
}

// Variable is the environment's, which arms one point: see [Arm].
const Variable = "VBRD_FAULT"
