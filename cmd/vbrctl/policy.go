package main

import (
	"context"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (a *app) policyCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Try route policies",
		Example: `  vbrctl policy test -r vbr-acme --peer 10.0.0.2
  vbrctl policy test -r vbr-acme --peer 10.0.0.2 -f routes.yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: unknownCommand,
	}
	c.AddCommand(a.policyTestCmd())
	return c
}

func (a *app) policyTestCmd() *cobra.Command {
	var router, file string
	request := &vbrv1.TestPolicyRequest{}
	c := &cobra.Command{
		Use:   "test --peer ADDRESS",
		Short: "What a policy makes of routes, without touching anything",
		Long: `Test says what becomes of routes under a peer's import policy, with --export under its export policy, or with --policy under
another one of the router's. The routes are those that the peer has announced (with --export those that are for it), or with -f those of a file:

  routes:
    - prefix: 10.2.0.0/16
      as_path: "65001 65010"            # default: the peer's AS
      communities: ["45104:7300"]
      # next_hop (default: the peer's address), origin, med, local_pref

The quota is not asked.`,
		Example: `  vbrctl policy test -r vbr-acme --peer 10.0.0.2
  vbrctl policy test -r vbr-acme --peer 10.0.0.2 -f routes.yaml
  vbrctl policy test -r vbr-acme --peer 10.0.0.2 --policy acme-strict -o json
  vbrctl policy test -r vbr-acme --peer 10.0.0.2 --export`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := netip.ParseAddr(request.GetPeer()); err != nil {
				return usagef("--peer %q is no address; see `vbrctl show sessions`", request.GetPeer())
			}
			var err error
			if file != "" {
				if request.Routes, err = resource.ReadRoutes(file, a.stdin); err != nil {
					return err
				}
			}
			if request.Router, err = a.router(cmd.Context(), router); err != nil {
				return err
			}
			return a.testPolicy(cmd.Context(), a.stdout, request)
		},
	}
	a.routerFlag(c, &router, "the router; may be left out if there is only one")
	c.Flags().StringVar(&request.Peer, "peer", "", "the peer's `address`")
	c.Flags().StringVar(&request.Policy, "policy", "", "`name` of one of the router's policies; default: the peer's")
	c.Flags().BoolVar(&request.Export, "export", false, "what the peer is told, instead of what it announces")
	c.Flags().StringVarP(&file, "filename", "f", "", "`file` of routes, - for standard input")
	c.Flags().Uint32Var(&request.Limit, "limit", 0, "at most so many of those that are there; 0: all")
	a.must(c.RegisterFlagCompletionFunc("peer", a.completePeers))
	a.must(c.MarkFlagFilename("filename", "yaml", "yml"))
	return c
}

func (a *app) testPolicy(ctx context.Context, w io.Writer, request *vbrv1.TestPolicyRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	table, list, n := a.page(w).Trials(), output.NewList(w, a.output(), "results"), 0
	err = stream(ctx, a, false, c.Routers.TestPolicy, request, func(r *vbrv1.TestPolicyResponse) error {
		n += len(r.GetResults())
		if !a.forPrograms() {
			table.Add(r.GetResults())
			return nil
		}
		for _, result := range r.GetResults() {
			if err := list.Add(result); err != nil {
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
	case n == 0:
		a.note("no routes")
	}
	return table.Flush()
}
