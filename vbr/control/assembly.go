package control

import (
	"slices"
	"sort"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// assembly is the way from the resources of a state to one checked intent.
type assembly struct {
	state   *state
	opts    intent.Options
	active  []key // stored resources that take part; of two that clash the later has the problem
	docs    map[key]intent.Document
	changed map[key]bool // what a request brings; comes last in active
}

// assemble begins with what is wrong with single stored resources. Documents of was that are the same are used again,
// since they keep the field rules.
func (c *Controller) assemble(s, was *state, changed map[key]bool) *assembly {
	a := &assembly{state: s, opts: intent.Options{Host: c.cfg.Host, Now: c.cfg.Now()}, docs: make(map[key]intent.Document, len(s.kept)), changed: changed}
	for _, k := range sorted(s.kept) {
		if p, bad := c.misplaced(s, k); bad {
			s.left[k] = intent.Errors{p}
			continue
		}
		if changed != nil && was.culprits[k] && !changed[k] {
			s.left[k], s.culprits[k] = was.left[k], true
			continue
		}
		a.active = append(a.active, k)
		a.docs[k] = reuse(was, k, s.kept[k])
	}
	slices.SortStableFunc(a.active, func(x, y key) int {
		switch {
		case changed[x] == changed[y]:
			return 0
		case changed[y]:
			return -1
		}
		return 1
	})
	return a
}

// reuse takes the document of an earlier state when the resource is the same.
func reuse(was *state, k key, r *vbrv1.Resource) intent.Document {
	if d, ok := was.docs[k]; ok && proto.Equal(d.Message, content(r)) {
		return d
	}
	return intent.Document{Message: content(r)}
}

// misplaced finds what no check of an intent can: a name that a file has, a host that is not given.
func (c *Controller) misplaced(s *state, k key) (source.Problem, bool) {
	if file, ok := s.files.resources[k]; ok {
		return source.Problem{Path: k.String(), Text: "is in the store and in " + file.GetMetadata().GetSource() + ", which counts",
			Legal: "another name in the file, or delete the one in the store"}, true
	}
	if !c.cfg.Shared || k.kind == vbrv1.Kind_KIND_ROUTER_INTERFACE || k.kind == vbrv1.Kind_KIND_VBR_HA || hostOf(s.kept[k]) != "" {
		return source.Problem{}, false
	}
	return source.Problem{Path: k.String() + ".host", Text: "missing", Legal: "a host's name, since several hosts share the store"}, true
}

// build checks the files and the first n active resources together.
func (a *assembly) build(n int) (*intent.Intent, intent.Errors) {
	files := a.state.files.docs
	docs := make([]intent.Document, 0, len(files)+n)
	docs = append(docs, files...)
	for _, k := range a.active[:n] {
		docs = append(docs, a.docs[k])
	}
	in, problems := a.opts.Build(docs)
	if in != nil { // all of them keep the field rules
		for i, k := range a.active[:n] {
			d := docs[len(files)+i]
			d.New = false
			a.docs[k] = d
		}
	}
	return in, problems
}

// maxCulprits bounds the search for stored resources that make those of files fail.
const maxCulprits = 16

// leaveOut takes stored resources out until the rest holds together with the files.
func (a *assembly) leaveOut() *intent.Intent {
	for culprits := 0; len(a.active) > 0; {
		in, problems := a.build(len(a.active))
		if in != nil {
			return in
		}
		if a.drop(problems) {
			continue
		}
		from, to := 0, len(a.active) // all, unless one is found
		if culprits++; culprits <= maxCulprits {
			if n := a.culprit(); n < to {
				from, to = n, n+1
			}
		}
		for _, k := range a.active[from:to] {
			p := problems[0]
			a.state.left[k] = intent.Errors{{Path: k.String(), Text: "makes a file's resource fail: " + p.Error(), Legal: "a change of either"}}
			a.state.culprits[k] = true
		}
		a.active = slices.Delete(a.active, from, to)
	}
	if in, _ := a.build(0); in != nil {
		return in
	}
	return &intent.Intent{}
}

// drop leaves out the stored resources that have problems; false when none has.
func (a *assembly) drop(problems intent.Errors) bool {
	for _, p := range problems {
		if k, ok := keyOf(p); ok && a.state.kept[k] != nil && a.state.files.resources[k] == nil {
			a.state.left[k] = append(a.state.left[k], p)
		}
	}
	count := len(a.active)
	a.active = slices.DeleteFunc(a.active, func(k key) bool { return a.state.left[k] != nil })
	return len(a.active) < count
}

// culprit finds the stored resource with which a problem of others than stored ones begins.
func (a *assembly) culprit() int {
	return sort.Search(len(a.active), func(n int) bool {
		_, problems := a.build(n + 1)
		return slices.ContainsFunc(problems, func(p source.Problem) bool {
			k, ok := keyOf(p)
			return !ok || a.state.kept[k] == nil
		})
	})
}

// judge checks a change: every problem, except those that stored resources had before and which the change leaves alone.
// Without any it returns the intent.
func (a *assembly) judge(was *state) (*intent.Intent, intent.Errors) {
	var bad intent.Errors
	for _, k := range sorted(a.changed) {
		bad = append(bad, a.state.left[k]...)
	}
	for {
		in, problems := a.build(len(a.active))
		if in != nil && len(bad) == 0 {
			return in, nil
		}
		count := len(a.active)
		for _, p := range problems {
			if k, ok := keyOf(p); ok && was.left[k] != nil && !a.changed[k] && a.state.kept[k] != nil {
				a.state.left[k] = was.left[k]
			} else {
				bad = append(bad, p)
			}
		}
		a.active = slices.DeleteFunc(a.active, func(k key) bool { return a.state.left[k] != nil })
		if len(bad) > 0 || len(a.active) == count {
			bad.Sort()
			return nil, bad
		}
	}
}

// finish makes the state whole.
func (a *assembly) finish(in *intent.Intent, host string) *state {
	a.state.union, a.state.here = in, in.On(host)
	for _, k := range a.active {
		a.state.docs[k] = a.docs[k]
	}
	return a.state
}
