package control

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/grpc/codes"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// compare lists what changed between two sets of resources, by kind and name.
func compare(before, after map[key]*vbrv1.Resource) []*vbrv1.ResourceChange {
	all := maps.Clone(after)
	if all == nil {
		all = map[key]*vbrv1.Resource{}
	}
	for k, r := range before {
		if all[k] == nil {
			all[k] = r
		}
	}
	var out []*vbrv1.ResourceChange
	for _, k := range sorted(all) {
		if change := compareOne(k, before[k], after[k]); change != nil {
			out = append(out, change)
		}
	}
	return out
}

// compareOne is what happens to one resource, nil when nothing does.
func compareOne(k key, before, after *vbrv1.Resource) *vbrv1.ResourceChange {
	change := &vbrv1.ResourceChange{Kind: k.kind, Name: k.name}
	switch {
	case before == after:
		return nil
	case before == nil:
		change.Action, change.Owner, change.Fields = vbrv1.ResourceChange_ACTION_CREATE, ownerOf(after), intent.Diff(nil, content(after))
	case after == nil:
		change.Action, change.Owner, change.Fields = vbrv1.ResourceChange_ACTION_DELETE, ownerOf(before), intent.Diff(content(before), nil)
	case same(before, after):
		return nil
	default:
		change.Action, change.Owner, change.Fields = vbrv1.ResourceChange_ACTION_CHANGE, ownerOf(after), intent.Diff(content(before), content(after))
	}
	return change
}

// effects asks the runner what the change does here, and leaves out whose routers it does it to when the caller is not to know.
func (c *Controller) effects(caller Caller, base, next *state) []*vbrv1.Effect {
	c.mu.Lock()
	runner := c.runner
	c.mu.Unlock()
	if runner == nil {
		return nil
	}
	all := runner.Effects(base.here, next.here)
	if caller.SeesAll() {
		return all
	}
	var out []*vbrv1.Effect
	hidden := &vbrv1.Effect{Type: vbrv1.Effect_TYPE_NONE, Text: "routers of other owners are touched"}
	others := false
	for _, e := range all {
		if seesRouter(caller, e.GetRouter(), base, next) {
			out = append(out, e)
			continue
		}
		others = true
		hidden.Disruptive = hidden.Disruptive || e.GetDisruptive()
	}
	if others {
		out = append(out, hidden)
	}
	return out
}

// seesRouter tells whether a router, before and after, is the caller's to know.
func seesRouter(caller Caller, router string, states ...*state) bool {
	known := false
	for _, s := range states {
		for _, k := range routers(router) {
			if r := s.shown[k]; r != nil && !s.sees(caller, r) {
				return false
			} else if r != nil {
				known = true
			}
		}
	}
	return known
}

// referred refuses to delete what remaining resources refer to.
func (c *Controller) referred(base *state, d *draft, caller Caller) error {
	if len(d.gone) == 0 {
		return nil
	}
	users, hidden := map[key][]string{}, map[key]bool{}
	for k, r := range base.shown {
		if d.gone[k] {
			continue
		}
		if put := d.put[k]; put != nil {
			r = put
		}
		for _, to := range slices.Compact(refersTo(r)) {
			switch {
			case !d.gone[to] || base.files.resources[to] != nil:
			case caller.Sees(ownerOf(r)):
				users[to] = append(users[to], k.String())
			default:
				hidden[to] = true
			}
		}
	}
	var problems intent.Errors
	for _, k := range sorted(d.gone) {
		names := users[k]
		slices.Sort(names)
		names = slices.Compact(names)
		if len(names) > 8 {
			names = append(names[:8], fmt.Sprintf("%d more", len(names)-8))
		}
		if hidden[k] {
			names = append(names, "resources of other owners")
		}
		if len(names) > 0 {
			problems.Add(source.Problem{Path: k.String(), Text: "is referred to by " + strings.Join(names, ", "), Legal: "delete what refers to it before or together with it"})
		}
	}
	if len(problems) > 0 {
		return refuse(codes.FailedPrecondition, problems...)
	}
	return nil
}
