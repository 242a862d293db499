package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (a *app) showInterfacesCmd() *cobra.Command {
	var router, owner string
	c := &cobra.Command{
		Use:     "interfaces",
		Aliases: []string{"interface", "ris", "ri"},
		Short:   "Router interfaces: state, health check, opposite",
		Long: `Router interfaces, one a line: state and why it is not Active, health check, the opposite end. -o wide adds devices, VNIs, routes
and gateways.`,
		Example: `  vbrctl show interfaces
  vbrctl show interfaces -r vbr-acme -o wide
  vbrctl show interfaces --watch`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.show(cmd.Context(), func(w io.Writer) error {
				var names []string
				if router != "" {
					names = []string{router}
				}
				routers, err := a.routers(cmd.Context(), "", names...)
				if err != nil {
					return err
				}
				for _, r := range routers {
					r.RouterInterfaces = ownedBy(r.GetRouterInterfaces(), owner)
				}
				if !a.forPrograms() {
					return a.page(w).Interfaces(routers)
				}
				var all []*vbrv1.RouterInterfaceStatus
				for _, r := range routers {
					all = append(all, r.GetRouterInterfaces()...)
				}
				return writeList(w, a.output(), "router_interfaces", all)
			})
		},
	}
	a.routerFlag(c, &router, "only those of this router")
	c.Flags().StringVar(&owner, "owner", "", "only those of this owner")
	return c
}

func ownedBy(list []*vbrv1.RouterInterfaceStatus, owner string) (out []*vbrv1.RouterInterfaceStatus) {
	for _, ri := range list {
		if owner == "" || ri.GetOwner() == owner {
			out = append(out, ri)
		}
	}
	return out
}

func (a *app) usageCmd() *cobra.Command {
	var request vbrv1.ListUsageRequest
	var since string
	c := &cobra.Command{
		Use:   "usage [INTERFACE]",
		Short: "What router interfaces have carried",
		Long: `Usage tells what router interfaces have carried, traffic within the region and across regions apart: all in all, or with --since from
then on, to the hour. Sent is from the router into the interface. Numbers last over restarts and never run backwards.`,
		Example: `  vbrctl usage
  vbrctl usage ri-acme --since 24h
  vbrctl usage -r vbr-acme --since 30d -o json`,
		Args:              nargs(0, 1),
		ValidArgsFunction: a.completeInterfaces,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			request.RouterInterface = append(args, "")[0]
			if request.Since, err = a.since(since); err != nil {
				return err
			}
			return a.usage(cmd.Context(), &request)
		},
	}
	a.routerFlag(c, &request.Router, "only those of this router")
	c.Flags().StringVar(&request.Owner, "owner", "", "only those of this owner")
	c.Flags().StringVar(&since, "since", "", "from when on: `24h`, 7d, or a time; all that was ever carried without it")
	return c
}

func (a *app) usage(ctx context.Context, request *vbrv1.ListUsageRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var usages []*vbrv1.Usage
	err = stream(ctx, a, false, c.Routers.ListUsage, request, func(r *vbrv1.ListUsageResponse) error {
		usages = append(usages, r.GetUsages()...)
		return nil
	})
	switch {
	case err != nil:
		return a.aboutRouter(ctx, request.GetRouter(), err)
	case len(usages) == 0 && request.GetRouterInterface() != "":
		return a.noInterface(ctx, request.GetRouterInterface())
	case a.forPrograms():
		return writeList(a.stdout, a.output(), "usages", usages)
	case len(usages) == 0:
		a.note("no router interfaces")
	}
	return a.page(a.stdout).Usages(usages)
}

func (a *app) qualityCmd() *cobra.Command {
	request := vbrv1.GetQualityRequest{}
	var since string
	c := &cobra.Command{
		Use:   "quality INTERFACE",
		Short: "How good a router interface has been, against what is promised",
		Long: `Quality shows loss, jitter, encapsulation success and availability of a router interface against the published objectives, with what is left
of their error budgets, and a plot of loss and round trip over the time.`,
		Example: `  vbrctl quality ri-acme
  vbrctl quality ri-acme --since 7d
  vbrctl quality ri-acme --since 1h -o json`,
		Args:              nargs(1, 1),
		ValidArgsFunction: a.completeInterfaces,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			request.RouterInterface = args[0]
			if request.Since, err = a.since(since); err != nil {
				return err
			}
			return a.quality(cmd.Context(), &request)
		},
	}
	c.Flags().StringVar(&since, "since", "24h", "from when on: `24h`, 7d, or a time")
	c.Flags().Uint32Var(&request.Samples, "samples", 60, "how many `parts` the plot has: 1..1000")
	return c
}

func (a *app) quality(ctx context.Context, request *vbrv1.GetQualityRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	answer, err := call(ctx, a, c.Routers.GetQuality, request)
	switch {
	case status.Code(err) == codes.NotFound:
		return a.noInterface(ctx, request.GetRouterInterface())
	case err != nil:
		return err
	case a.forPrograms():
		return output.Document(a.stdout, a.output(), answer)
	}
	return a.page(a.stdout).Quality(answer)
}

// interfaceNames asks for the names of all router interfaces, but not for long.
func (a *app) interfaceNames(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	routers, err := a.routers(ctx, "")
	if err != nil {
		return nil // without them an error only helps less
	}
	var out []string
	for _, r := range routers {
		for _, ri := range r.GetRouterInterfaces() {
			out = append(out, ri.GetName())
		}
	}
	return out
}

func (a *app) noInterface(ctx context.Context, name string) error {
	return status.Error(codes.NotFound, "no router interface "+name+didYouMean(name, a.interfaceNames(ctx))+" see `vbrctl show interfaces`")
}

// completeInterfaces completes one argument that is the name of a router interface.
func (a *app) completeInterfaces(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return beginning(a.interfaceNames(cmd.Context()), strings.TrimSpace(begun), nil), noFiles
}
