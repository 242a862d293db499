package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/render"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// waitEvery is how often --wait looks.
const waitEvery = 250 * time.Millisecond

// wait waits until vbrd runs the revision and the routers concerned are ready with all sessions established. It
// fails with what is not when the time is over.
func (a *app) wait(ctx context.Context, limit time.Duration, answer outcome, sent []*vbrv1.Resource) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := a.spin(fmt.Sprintf("waiting up to %s for the routers", limit))
	defer stop()
	w := waiter{app: a, revision: answer.GetRevision(), routers: concerned(answer.GetPlan(), sent), elsewhere: hosts(sent)}
	for {
		missing, err := w.look(ctx)
		switch {
		case err == nil && len(missing) == 0:
			stop()
			w.done()
			return nil
		case err != nil && ctx.Err() == nil && status.Code(err) != codes.Unavailable:
			return err
		case err == nil:
			w.last = missing
		}
		select {
		case <-ctx.Done():
			stop()
			return fmt.Errorf("%s\nthe change is stored, but this was not so within %s; see `vbrctl show routers`", strings.Join(w.last, "\n"), limit)
		case <-time.After(waitEvery):
		}
	}
}

// concerned lists the routers of a change: those it has effects on, and those that were sent.
func concerned(p *vbrv1.Plan, sent []*vbrv1.Resource) []string {
	names := map[string]bool{}
	for _, r := range sent {
		if vbr := r.GetVirtualBorderRouter(); vbr != nil {
			names[vbr.GetName()] = true
		}
		if vr := r.GetVRouter(); vr != nil {
			names[vr.GetName()] = true
		}
		if ri := r.GetRouterInterface(); ri != nil {
			names[ri.GetRouterId()] = true
		}
	}
	for _, e := range p.GetEffects() {
		names[e.GetRouter()] = true
	}
	for _, c := range p.GetChanges() {
		if c.GetKind() == vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER || c.GetKind() == vbrv1.Kind_KIND_V_ROUTER {
			names[c.GetName()] = c.GetAction() != vbrv1.ResourceChange_ACTION_DELETE
		}
	}
	maps.DeleteFunc(names, func(name string, there bool) bool { return name == "" || !there })
	return slices.Sorted(maps.Keys(names))
}

// hosts says which host each router that names one is for.
func hosts(sent []*vbrv1.Resource) map[string]string {
	out := map[string]string{}
	for _, r := range sent {
		if host := r.GetVirtualBorderRouter().GetHost() + r.GetVRouter().GetHost(); host != "" {
			out[resource.Name(r)] = host
		}
	}
	return out
}

// waiter looks whether what was waited for is so.
type waiter struct {
	*app
	revision  uint64
	routers   []string
	elsewhere map[string]string // host of a router
	skipped   []string          // routers of other hosts
	last      []string          // what was missing when it was last known
}

// look returns what is still missing, a line for each.
func (w *waiter) look(ctx context.Context) ([]string, error) {
	c, err := w.client()
	if err != nil {
		return nil, err
	}
	host, err := c.Routers.GetHost(ctx, &vbrv1.GetHostRequest{})
	if err != nil {
		return nil, err
	}
	if host.GetRevision() < w.revision {
		return []string{fmt.Sprintf("vbrd runs revision %d, not yet %d", host.GetRevision(), w.revision)}, nil
	}
	here := w.here(host.GetHost())
	if len(here) == 0 {
		return nil, nil
	}
	found := map[string]*vbrv1.RouterStatus{}
	err = stream(ctx, w.app, false, c.Routers.ListRouters, &vbrv1.ListRoutersRequest{}, func(r *vbrv1.ListRoutersResponse) error {
		for _, s := range r.GetRouters() {
			found[s.GetName()] = s
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, name := range here {
		if why := notReady(found[name]); why != "" {
			missing = append(missing, name+": "+why)
		}
	}
	return missing, nil
}

// here leaves out routers of other hosts.
func (w *waiter) here(host string) []string {
	w.skipped = nil
	var out []string
	for _, name := range w.routers {
		if on := w.elsewhere[name]; on != "" && on != host {
			w.skipped = append(w.skipped, name)
			continue
		}
		out = append(out, name)
	}
	return out
}

func notReady(r *vbrv1.RouterStatus) string {
	state := render.RouterState(r).Text
	switch {
	case r == nil:
		return "not there yet"
	case r.GetState() != vbrv1.RouterStatus_STATE_READY && r.GetState() != vbrv1.RouterStatus_STATE_DRAINED:
		return strings.Join(append([]string{state}, r.GetReasons()...), ": ")
	case r.GetVbrStatus() == "terminating" || r.GetVbrStatus() == "recovering":
		return state + ": " + r.GetVbrStatusReason()
	case r.GetSessionsEstablished() < r.GetSessions():
		return fmt.Sprintf("%d of %s established; see `vbrctl show sessions -r %s`", r.GetSessionsEstablished(), plural(int(r.GetSessions()), "session"), r.GetName())
	}
	return ""
}

func (w *waiter) done() {
	if len(w.skipped) > 0 {
		w.note("not waited for, since they are on other hosts: %s", strings.Join(w.skipped, ", "))
	}
	if n := len(w.routers) - len(w.skipped); n > 0 {
		w.note("%s ready, all sessions established", plural(n, "router"))
	}
}
