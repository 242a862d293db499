package main

import (
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (a *app) explainCmd() *cobra.Command {
	var router string
	c := &cobra.Command{
		Use:   "explain PREFIX|ADDRESS",
		Short: "Why a prefix is in the kernel and in the VPC, or why not",
		Long: `Explain tells a prefix's whole way through a router: from whom it was heard with which attributes, which path won and
why, what takes over, whether the kernel has it, and who was told of it. For an ADDRESS it explains the longest match.`,
		Example: `  vbrctl explain 10.2.3.0/24 -r vbr-acme
  vbrctl explain 10.2.3.4 -r vbr-acme
  vbrctl explain 2001:db8:7::/48 -r vbr-acme -o json`,
		Args: nargs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := netip.ParseAddr(args[0]); err != nil {
				if err := checkPrefix(args[0]); err != nil {
					return err
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			name, err := a.router(cmd.Context(), router)
			if err != nil {
				return err
			}
			answer, err := call(cmd.Context(), a, c.Routers.Explain, &vbrv1.ExplainRequest{Router: name, Destination: args[0]})
			switch {
			case err != nil:
				return a.aboutRouter(cmd.Context(), name, err)
			case a.forPrograms():
				return output.Document(a.stdout, a.output(), answer)
			}
			a.page(a.stdout).Explain(answer)
			return nil
		},
	}
	a.routerFlag(c, &router, "the router; may be left out if there is only one")
	return c
}
