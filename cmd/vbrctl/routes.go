package main

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/render"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// stages are the words for --stage, in the order of a route's way.
func stages() []string {
	return []string{"received", "accepted", "rejected", "best", "kernel", "advertised", "exported"}
}

// routeFlags are the flags of show routes.
type routeFlags struct {
	router, stage, peer, reason string
	longer, four, six           bool
	limit                       uint32
}

func (a *app) showRoutesCmd() *cobra.Command {
	var f routeFlags
	c := &cobra.Command{
		Use:     "routes [PREFIX]",
		Aliases: []string{"route"},
		Short:   "Routes of a router, at a stage of their way",
		Long: `Routes of a router at a stage of their way: received (all that neighbours told), accepted, rejected (and why),
best (chosen), kernel (installed), advertised (told to the customer), exported (told to the VPC).

The first column: ` + render.RoutesLegend + `.`,
		Example: `  vbrctl show routes -r vbr-acme
  vbrctl show routes -r vbr-acme --stage rejected --reason as-loop
  vbrctl show routes -r vbr-acme 10.0.0.0/8 --longer --stage kernel -o json
  vbrctl show routes -r vbr-acme --peer 10.0.0.2 -6 --limit 100`,
		Args: nargs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := f.request(append(args, "")[0])
			if err != nil {
				return err
			}
			if request.Router, err = a.router(cmd.Context(), f.router); err != nil {
				return err
			}
			return a.show(cmd.Context(), func(w io.Writer) error { return a.showRoutes(cmd.Context(), w, request) })
		},
	}
	a.routerFlag(c, &f.router, "the router; may be left out if there is only one")
	c.Flags().StringVar(&f.stage, "stage", "received", strings.Join(stages(), ", "))
	c.Flags().BoolVar(&f.longer, "longer", false, "what is inside PREFIX too")
	c.Flags().StringVar(&f.peer, "peer", "", "only those of this peer `address` or router interface")
	c.Flags().StringVar(&f.reason, "reason", "", "only those rejected for this `reason`, such as as-loop")
	c.Flags().BoolVarP(&f.four, "ipv4", "4", false, "only IPv4")
	c.Flags().BoolVarP(&f.six, "ipv6", "6", false, "only IPv6")
	c.Flags().Uint32Var(&f.limit, "limit", 0, "at most so many; 0: all")
	a.must(c.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions(stages(), cobra.ShellCompDirectiveNoFileComp)))
	a.must(c.RegisterFlagCompletionFunc("peer", a.completePeers))
	return c
}

// request checks the flags and makes the request of them, still without router.
func (f *routeFlags) request(prefix string) (*vbrv1.ListRoutesRequest, error) {
	stage := slices.Index(stages(), f.stage)
	switch {
	case stage < 0:
		return nil, usagef("--stage %q is no stage; legal: %s", f.stage, strings.Join(stages(), ", "))
	case f.four && f.six:
		return nil, usagef("-4 and -6 exclude each other")
	case f.longer && prefix == "":
		return nil, usagef("--longer needs a PREFIX")
	}
	if prefix != "" {
		if err := checkPrefix(prefix); err != nil {
			return nil, err
		}
	}
	r := &vbrv1.ListRoutesRequest{Stage: vbrv1.RouteStage(stage + 1), Prefix: prefix, Longer: f.longer, Peer: f.peer, Reason: f.reason, Limit: f.limit}
	if f.four {
		r.Family = vbrv1.AddressFamily_ADDRESS_FAMILY_IPV4
	}
	if f.six {
		r.Family = vbrv1.AddressFamily_ADDRESS_FAMILY_IPV6
	}
	return r, nil
}

// checkPrefix refuses what is no prefix, and says what was probably meant.
func checkPrefix(text string) error {
	if addr, err := netip.ParseAddr(text); err == nil {
		return usagef("%s is an address; legal: a prefix such as %s/%d, or `vbrctl explain %s`", text, addr, addr.BitLen(), addr)
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return usagef("%q is no prefix; legal: such as 10.2.3.0/24 or 2001:db8::/32", text)
	}
	if p != p.Masked() {
		return usagef("%s has host bits set; did you mean %s?", text, p.Masked())
	}
	return nil
}

func (a *app) showRoutes(ctx context.Context, w io.Writer, request *vbrv1.ListRoutesRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	table, list, n := a.page(w).Routes(), output.NewList(w, a.output(), "routes"), uint32(0)
	err = stream(ctx, a, false, c.Routers.ListRoutes, request, func(r *vbrv1.ListRoutesResponse) error {
		n += uint32(len(r.GetRoutes()))
		if !a.forPrograms() {
			table.Add(r.GetRoutes())
			return nil
		}
		for _, route := range r.GetRoutes() {
			if err := list.Add(route); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return a.aboutRouter(ctx, request.GetRouter(), err)
	case a.forPrograms():
		return list.Close()
	case n == 0 && request.GetPrefix() != "":
		a.note("no routes; see `vbrctl explain %s -r %s`", request.GetPrefix(), request.GetRouter())
	case n == 0:
		a.note("no routes")
	case n == request.GetLimit():
		defer a.note("only the first %d are shown; see --limit", n)
	}
	return table.Flush()
}
