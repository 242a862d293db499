package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (a *app) showCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the host, routers, sessions and routes as they are",
		Long:  "Show what runs. With --watch it is shown again and again: in place on a terminal, else one after the other.",
		Example: `  vbrctl show sessions --watch
  vbrctl show routers -o json`,
		Args: cobra.ArbitraryArgs,
		RunE: unknownCommand,
	}
	c.PersistentFlags().DurationVarP(&a.repeat, "watch", "w", 0, "show it again and again, this often; 2s without a value")
	c.PersistentFlags().Lookup("watch").NoOptDefVal = "2s"
	c.AddCommand(a.showHostCmd(), a.showRoutersCmd(), a.showRouterCmd(), a.showInterfacesCmd(), a.showSessionsCmd(), a.showBFDCmd(), a.showRoutesCmd())
	return c
}

// show writes something once, or with --watch until the user has seen enough.
func (a *app) show(ctx context.Context, write func(io.Writer) error) error {
	if a.repeat == 0 {
		return write(a.stdout)
	}
	for {
		var b bytes.Buffer
		err := write(&b)
		if err != nil && status.Code(err) != codes.Unavailable {
			return err
		}
		if isTerminal(a.stdout) {
			fmt.Fprint(a.stdout, "\x1b[H\x1b[2J")
		}
		if err != nil { // it may come back
			a.refused(err)
		}
		if !a.forPrograms() {
			fmt.Fprintf(a.stdout, "every %s: %s\n", a.repeat, a.now().Format(time.DateTime))
		}
		if _, err := a.stdout.Write(b.Bytes()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(a.repeat):
		}
	}
}

func (a *app) showHostCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "host",
		Aliases: []string{"status"},
		Short:   "The daemon: version, store, counts, backbone sessions, problems",
		Example: `  vbrctl show host
  vbrctl show host -o json`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.show(cmd.Context(), func(w io.Writer) error {
				host, err := call(cmd.Context(), a, c.Routers.GetHost, &vbrv1.GetHostRequest{})
				switch {
				case err != nil:
					return err
				case a.forPrograms():
					return output.Document(w, a.output(), host)
				}
				return a.page(w).Host(host)
			})
		},
	}
}

func (a *app) showRoutersCmd() *cobra.Command {
	var owner string
	c := &cobra.Command{
		Use:   "routers [NAME...]",
		Short: "Routers, one a line",
		Example: `  vbrctl show routers
  vbrctl show routers vbr-acme vbr-beta -o wide
  vbrctl show routers --watch=5s`,
		ValidArgsFunction: a.completeRouters(anyNumber),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.show(cmd.Context(), func(w io.Writer) error {
				routers, err := a.routers(cmd.Context(), owner, args...)
				if err != nil {
					return err
				}
				if a.forPrograms() {
					return writeList(w, a.output(), "routers", routers)
				}
				if len(routers) == 0 {
					a.note("there are no routers; see `vbrctl apply --help`")
				}
				return a.page(w).Routers(routers)
			})
		},
	}
	c.Flags().StringVar(&owner, "owner", "", "only those of this owner")
	return c
}

func (a *app) showRouterCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "router [NAME]",
		Short: "All about one router",
		Long:  "All about one router: state and reasons, lines, router interfaces, routes, sessions. NAME may be left out if there is only one.",
		Example: `  vbrctl show router vbr-acme
  vbrctl show router vbr-acme -o yaml`,
		Args:              nargs(0, 1),
		ValidArgsFunction: a.completeRouters(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := a.router(cmd.Context(), append(args, "")[0])
			if err != nil {
				return err
			}
			return a.show(cmd.Context(), func(w io.Writer) error { return a.showRouter(cmd.Context(), w, name) })
		},
	}
}

func (a *app) showRouter(ctx context.Context, w io.Writer, name string) error {
	routers, err := a.routers(ctx, "", name)
	if err != nil {
		return err
	}
	if a.forPrograms() {
		return output.Document(w, a.output(), routers[0])
	}
	sessions, err := a.sessions(ctx, &vbrv1.ListSessionsRequest{Router: name})
	if err != nil {
		return err
	}
	return a.page(w).Router(routers[0], sessions)
}
