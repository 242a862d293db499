package main

import (
	"io"
	"slices"

	"github.com/spf13/cobra"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (a *app) showBFDCmd() *cobra.Command {
	var request vbrv1.ListSessionsRequest
	c := &cobra.Command{
		Use:   "bfd",
		Short: "BFD with BGP peers, with the columns of FRR's `show bfd peers brief`",
		Long: `BFD with the BGP peers that have enable_bfd, with the columns of FRR's "show bfd peers brief". Intervals are what was negotiated.
Desc is why it is down or last went down. -o wide adds what the peer says and counters.`,
		Example: `  vbrctl show bfd
  vbrctl show bfd -r vbr-acme -o wide
  vbrctl show bfd --watch=1s`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.show(cmd.Context(), func(w io.Writer) error {
				sessions, err := a.sessions(cmd.Context(), &request)
				if err != nil {
					return err
				}
				sessions = slices.DeleteFunc(sessions, func(s *vbrv1.BgpSession) bool { return s.GetBfd() == nil })
				switch {
				case a.forPrograms():
					return writeList(w, a.output(), "sessions", sessions)
				case len(sessions) > 0:
					return a.page(w).BFD(sessions)
				case request.Router != "":
					if _, err := a.routers(cmd.Context(), "", request.Router); err != nil {
						return err
					}
				}
				a.note("no peers have enable_bfd")
				return nil
			})
		},
	}
	a.routerFlag(c, &request.Router, "only those of this router")
	c.Flags().StringVar(&request.Owner, "owner", "", "only those of this owner")
	c.Flags().StringVar(&request.Peer, "peer", "", "only those with this peer")
	return c
}
