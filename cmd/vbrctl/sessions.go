package main

import (
	"io"

	"github.com/spf13/cobra"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (a *app) showSessionsCmd() *cobra.Command {
	var request vbrv1.ListSessionsRequest
	c := &cobra.Command{
		Use:     "sessions",
		Aliases: []string{"session", "summary", "bgp", "neighbors", "peers"},
		Short:   "BGP sessions, with the columns of FRR's `show bgp summary`",
		Long: `BGP sessions, with the columns of FRR's "show bgp summary". Desc is why a session is down, or whose it is.
-o wide adds what was negotiated, routes by verdict, and how often it came up.`,
		Example: `  vbrctl show sessions
  vbrctl show sessions -r vbr-acme -o wide
  vbrctl show sessions --owner acme --watch`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.show(cmd.Context(), func(w io.Writer) error {
				sessions, err := a.sessions(cmd.Context(), &request)
				switch {
				case err != nil:
					return err
				case a.forPrograms():
					return writeList(w, a.output(), "sessions", sessions)
				case len(sessions) > 0:
					return a.page(w).Sessions(sessions)
				case request.Router != "":
					if _, err := a.routers(cmd.Context(), "", request.Router); err != nil {
						return err
					}
				}
				a.note("no sessions")
				return nil
			})
		},
	}
	a.routerFlag(c, &request.Router, "only those of this router")
	c.Flags().StringVar(&request.Owner, "owner", "", "only those of this owner")
	c.Flags().StringVar(&request.Peer, "peer", "", "only those with this peer")
	return c
}

// routerFlag defines -r with completion.
func (a *app) routerFlag(c *cobra.Command, into *string, usage string) {
	c.Flags().StringVarP(into, "router", "r", "", usage)
	a.must(c.RegisterFlagCompletionFunc("router", a.completeRouter))
}
