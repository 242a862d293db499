package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const kindWords = "pc, vbr, vr, ri, ha, all"

// kindsOf reads a KIND; all of them for "all".
func kindsOf(word string) ([]vbrv1.Kind, error) {
	if strings.EqualFold(word, "all") {
		return resource.Kinds(), nil
	}
	k, ok := resource.ParseKind(word)
	if !ok {
		return nil, usagef("%q is no kind; legal: %s", word, kindWords)
	}
	return []vbrv1.Kind{k}, nil
}

// oneKind reads a KIND that must be a single one.
func oneKind(word string) (vbrv1.Kind, error) {
	kinds, err := kindsOf(word)
	if err == nil && len(kinds) > 1 {
		err = usagef("%s is more than one kind; legal: pc, vbr, vr, ri, ha", word)
	}
	if err != nil {
		return 0, err
	}
	return kinds[0], nil
}

func (a *app) getCmd() *cobra.Command {
	var owner, host string
	c := &cobra.Command{
		Use:   "get KIND [NAME...]",
		Short: "Resources, as they should be",
		Long: `Get shows resources as they were applied; what runs is in vbrctl show. The kinds: pc (PhysicalConnection), vbr
(VirtualBorderRouter), vr (VRouter), ri (RouterInterface), ha (VbrHa), all. -o yaml gives what vbrctl apply takes.`,
		Example: `  vbrctl get all
  vbrctl get vbr vbr-acme -o yaml
  vbrctl get ri --owner acme -o wide`,
		Args:              nargs(1, -1),
		ValidArgsFunction: a.completeResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			if kind, name, ok := strings.Cut(args[0], "/"); ok {
				args = append([]string{kind, name}, args[1:]...)
			}
			kinds, err := kindsOf(args[0])
			if err != nil {
				return err
			}
			request := &vbrv1.ListRequest{Kinds: kinds, Names: args[1:], Owner: owner, Host: host}
			return a.get(cmd.Context(), a.stdout, request)
		},
	}
	c.Flags().StringVar(&owner, "owner", "", "only those of this owner")
	c.Flags().StringVar(&host, "host", "", "only those of this host")
	return c
}

// list asks for resources.
func (a *app) list(ctx context.Context, request *vbrv1.ListRequest) ([]*vbrv1.Resource, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	var out []*vbrv1.Resource
	err = stream(ctx, a, false, c.Resources.List, request, func(r *vbrv1.ListResponse) error {
		out = append(out, r.GetResources()...)
		return nil
	})
	return out, err
}

func (a *app) get(ctx context.Context, w io.Writer, request *vbrv1.ListRequest) error {
	list, err := a.list(ctx, request)
	if err != nil {
		return err
	}
	if err := a.missing(ctx, request, list); err != nil {
		return err
	}
	switch a.output() {
	case output.JSON:
		return writeList(w, output.JSON, "resources", list)
	case output.YAML:
		_, err := w.Write(resource.YAML(list))
		return err
	}
	if len(list) == 0 {
		a.note("no resources; see `vbrctl apply --help`")
	}
	return a.page(w).Resources(list)
}

// missing returns an error for the first name that nothing was found for.
func (a *app) missing(ctx context.Context, request *vbrv1.ListRequest, list []*vbrv1.Resource) error {
	found := map[string]bool{}
	for _, r := range list {
		found[resource.Name(r)] = true
	}
	for _, name := range request.GetNames() {
		if found[name] {
			continue
		}
		kind := vbrv1.Kind_KIND_UNSPECIFIED
		if len(request.GetKinds()) == 1 {
			kind = request.GetKinds()[0]
		}
		return a.aboutResource(ctx, kind, name, status.Error(codes.NotFound, ""))
	}
	return nil
}

// aboutResource turns NOT_FOUND about a resource into an error that says what to do.
func (a *app) aboutResource(ctx context.Context, kind vbrv1.Kind, name string, err error) error {
	if status.Code(err) != codes.NotFound {
		return err
	}
	what, word, kinds := "resource", "all", []vbrv1.Kind(nil)
	if kind != vbrv1.Kind_KIND_UNSPECIFIED {
		what, word, kinds = resource.KindName(kind), resource.Short(kind), []vbrv1.Kind{kind}
	}
	names := a.resourceNames(ctx, kinds)
	return status.Errorf(codes.NotFound, "no %s %s%s see `vbrctl get %s`", what, name, didYouMean(name, names), word)
}

// resourceNames asks for the names of resources, but not for long; none if that fails.
func (a *app) resourceNames(ctx context.Context, kinds []vbrv1.Kind) []string {
	ctx, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	list, err := a.list(ctx, &vbrv1.ListRequest{Kinds: kinds})
	if err != nil {
		return nil
	}
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = resource.Name(r)
	}
	return out
}

func (a *app) watchCmd() *cobra.Command {
	var owner string
	c := &cobra.Command{
		Use:   "watch KIND",
		Short: "Resources as they are and as they change",
		Long: `Watch writes a line for each resource there is and then for each that is created or changed (=) or deleted (-), until it is
interrupted; also over a restart of vbrd. -o json writes one message a line.`,
		Example: `  vbrctl watch vbr
  vbrctl watch all -o json`,
		Args:              nargs(1, 1),
		ValidArgsFunction: a.completeKinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds, err := kindsOf(args[0])
			if err != nil {
				return err
			}
			return a.watch(cmd.Context(), &vbrv1.WatchRequest{Kinds: kinds, Owner: owner})
		},
	}
	c.Flags().StringVar(&owner, "owner", "", "only those of this owner")
	return c
}

func (a *app) watch(ctx context.Context, request *vbrv1.WatchRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	return a.follow(ctx, func(ctx context.Context) error {
		err := stream(ctx, a, true, c.Resources.Watch, request, func(r *vbrv1.WatchResponse) error {
			if r.GetResumeToken() != "" {
				request.ResumeToken = r.GetResumeToken()
			}
			if a.forPrograms() {
				return output.Line(a.stdout, a.output(), r)
			}
			a.page(a.stdout).Watched(r)
			return nil
		})
		if status.Code(err) == codes.OutOfRange && request.ResumeToken != "" {
			a.note("too much changed meanwhile; what follows is all there is now")
			request.ResumeToken = ""
			return nil
		}
		return err
	})
}
