package fib

import (
	"iter"
	"net/netip"
)

// action is what one change asks of the kernel.
type action uint8

const (
	actNothing action = iota // the kernel holds it, or its absence, already
	actAdopt                 // the kernel holds it already, as stale: it no longer is
	actForget                // the kernel dropped it already: only the entry goes
	actAdd                   // new: must not exist
	actReplace               // ours, with another group
	actRemove                // ours, no longer wanted
)

func (a action) String() string {
	return [...]string{"keep", "adopt", "forget", "add", "replace", "remove"}[a]
}

// decide is the whole difference between what is held and what is wanted, for one prefix. held is the prefix's entry if
// known, alive whether the kernel still has that entry's route, want the index of the wanted group, 0 for none.
func decide(held entry, known, alive bool, want uint32) action {
	switch {
	case want == 0 && !known:
		return actNothing
	case want == 0 && !alive:
		return actForget
	case want == 0:
		return actRemove
	case !known || !alive:
		return actAdd
	case held.index() != want:
		return actReplace
	case held.stale():
		return actAdopt
	}
	return actNothing
}

// Diff returns the changes that turn what a table holds into what is wanted: additions and replacements first, removals last,
// so that traffic always finds a route. held is usually [Table.All].
func Diff(held iter.Seq[Route], wanted map[netip.Prefix]*Set) []Change {
	same := make(map[netip.Prefix]struct{})
	var changes, removals []Change
	for r := range held {
		switch set := wanted[r.Prefix]; {
		case set == nil:
			removals = append(removals, Change{Prefix: r.Prefix})
		case set == r.Set && !r.Stale:
			same[r.Prefix] = struct{}{}
		}
	}
	for p, set := range wanted {
		if _, ok := same[p]; !ok && set != nil {
			changes = append(changes, Change{Prefix: p, Set: set})
		}
	}
	return append(changes, removals...)
}
