package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	"github.com/openvbr/openvbr/internal/nearest"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// namesWithin is how long looking up names for a suggestion or completion may take.
const namesWithin = time.Second

// writeList writes messages as one document.
func writeList[M proto.Message](w io.Writer, f output.Format, key string, items []M) error {
	l := output.NewList(w, f, key)
	for _, m := range items {
		if err := l.Add(m); err != nil {
			return err
		}
	}
	return l.Close()
}

// routers asks for the status of routers, all without names. Each name must be that of a router.
func (a *app) routers(ctx context.Context, owner string, names ...string) ([]*vbrv1.RouterStatus, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	var out []*vbrv1.RouterStatus
	err = stream(ctx, a, false, c.Routers.ListRouters, &vbrv1.ListRoutersRequest{Names: names, Owner: owner},
		func(r *vbrv1.ListRoutersResponse) error {
			out = append(out, r.GetRouters()...)
			return nil
		})
	if err != nil && status.Code(err) != codes.NotFound {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(out, func(r *vbrv1.RouterStatus) bool { return r.GetName() == name }) {
			return nil, a.noRouter(ctx, name)
		}
	}
	return out, err
}

// sessions asks for sessions.
func (a *app) sessions(ctx context.Context, request *vbrv1.ListSessionsRequest) ([]*vbrv1.BgpSession, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	var out []*vbrv1.BgpSession
	err = stream(ctx, a, false, c.Routers.ListSessions, request, func(r *vbrv1.ListSessionsResponse) error {
		out = append(out, r.GetSessions()...)
		return nil
	})
	return out, a.aboutRouter(ctx, request.GetRouter(), err)
}

// routerNames asks for the names of all routers, but not for long.
func (a *app) routerNames(ctx context.Context) ([]string, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	var out []string
	err = stream(ctx, a, false, c.Routers.ListRouters, &vbrv1.ListRoutersRequest{}, func(r *vbrv1.ListRoutersResponse) error {
		for _, s := range r.GetRouters() {
			out = append(out, s.GetName())
		}
		return nil
	})
	return out, err
}

// router returns the name of the router that is meant: name, or if that is empty the only one there is.
func (a *app) router(ctx context.Context, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	names, err := a.routerNames(ctx)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", status.Error(codes.NotFound, "there are no routers; see `vbrctl apply --help`")
	case len(names) == 1:
		return names[0], nil
	}
	const most = 10
	if len(names) > most {
		names = append(names[:most], "...")
	}
	return "", usagef("which router? there are %s\nname one with -r", strings.Join(names, ", "))
}

// aboutRouter turns NOT_FOUND about a router into an error that says what to do.
func (a *app) aboutRouter(ctx context.Context, name string, err error) error {
	if status.Code(err) != codes.NotFound || name == "" {
		return err
	}
	names, failed := a.routerNames(ctx)
	if failed == nil && slices.Contains(names, name) {
		return err // something else was not found
	}
	return a.noRouter(ctx, name)
}

func (a *app) noRouter(ctx context.Context, name string) error {
	if host := a.hostOf(ctx, name); host != "" {
		return status.Error(codes.NotFound, "router "+name+" is on host "+host+": ask the vbrd there")
	}
	names, _ := a.routerNames(ctx) // without them the error only helps less
	return status.Error(codes.NotFound, "no router "+name+didYouMean(name, names)+" see `vbrctl show routers`")
}

// hostOf is the other host of a shared store that a router is on; empty if it is not known of any.
func (a *app) hostOf(ctx context.Context, name string) string {
	ctx, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	for _, kind := range []vbrv1.Kind{vbrv1.Kind_KIND_VIRTUAL_BORDER_ROUTER, vbrv1.Kind_KIND_V_ROUTER} {
		r, err := a.one(ctx, kind, name)
		if err != nil {
			continue
		}
		host := r.GetVirtualBorderRouter().GetHost() + r.GetVRouter().GetHost() // of either kind
		c, err := a.client()
		if err != nil {
			return ""
		}
		if here, err := call(ctx, a, c.Routers.GetHost, &vbrv1.GetHostRequest{}); err == nil && here.GetHost() != host {
			return host
		}
	}
	return ""
}

// didYouMean stands between a name and where to look: it names the nearest of names, if there is one.
func didYouMean(name string, names []string) string {
	if near := nearest.Of(name, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return ";"
}
