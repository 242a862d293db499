// Package policy decides by ordered terms what to do with a route: accept it, reject it, or change its attributes on the way.
//
// A [Policy] is compiled once from [Term]s and never changes; any number of goroutines may use it. Evaluation is in two
// halves, so that what is common to the prefixes of an UPDATE is done once: [Policy.Match] looks at the attributes and says
// which terms may hold; [Policy.Decide] looks at the prefix. The [Outcome] says what comes of it, and [Policy.Apply] does it. None of
// the first two allocates.
//
// The package is pure: no sockets, no clock, no state. It knows nothing of sessions, tables or resources: package rib has
// policies evaluated, package intent reads them from resources.
package policy
