package main

import (
	"context"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/client"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// say writes the answer of an operation: the message for programs, a sentence for people.
func (a *app) say(m proto.Message, format string, args ...any) error {
	if a.forPrograms() {
		return output.Line(a.stdout, a.output(), m)
	}
	to := *a
	to.stderr = a.stdout
	to.note(format, args...)
	return nil
}

func (a *app) resetCmd() *cobra.Command {
	var router string
	var soft bool
	c := &cobra.Command{
		Use:     "reset [SESSION...]",
		Aliases: []string{"clear"},
		Short:   "Reset BGP sessions, or their routes only with --soft",
		Long: `Reset ends BGP sessions (Cease, Administrative Reset), which come up again by themselves. With --soft they stay up: the
peer is asked to tell all again (route refresh, RFC 2918), and all is told to it again.

A SESSION is ROUTER/PEER, or with -r just the peer's address. With -r alone it is all sessions of that router.`,
		Example: `  vbrctl reset vbr-acme/10.0.0.2
  vbrctl reset -r vbr-acme 10.0.0.2 --soft
  vbrctl reset -r vbr-acme`,
		ValidArgsFunction: a.completePeers,
		RunE: func(cmd *cobra.Command, args []string) error {
			requests, err := resets(router, args, soft)
			if err != nil {
				return err
			}
			for _, r := range requests {
				if err := a.reset(cmd.Context(), r); err != nil {
					return err
				}
			}
			return nil
		},
	}
	a.routerFlag(c, &router, "router of the sessions")
	c.Flags().BoolVar(&soft, "soft", false, "keep the sessions, ask for and tell all routes again")
	return c
}

// resets makes requests of the arguments.
func resets(router string, args []string, soft bool) ([]*vbrv1.ResetSessionRequest, error) {
	if len(args) == 0 {
		if router == "" {
			return nil, usagef("which sessions? ROUTER/PEER, or -r ROUTER for all of a router\nsee `vbrctl show sessions`")
		}
		return []*vbrv1.ResetSessionRequest{{Router: router, Soft: soft}}, nil
	}
	var out []*vbrv1.ResetSessionRequest
	for _, arg := range args {
		r := &vbrv1.ResetSessionRequest{Router: router, Peer: arg, Soft: soft}
		if of, peer, ok := strings.Cut(arg, "/"); ok {
			if router != "" && of != router {
				return nil, usagef("%s is not a session of -r %s", arg, router)
			}
			r.Router, r.Peer = of, peer
		}
		if r.Router == "" {
			return nil, usagef("%s: of which router? legal: ROUTER/%s, or -r ROUTER", arg, arg)
		}
		if _, err := netip.ParseAddr(r.Peer); err != nil {
			return nil, usagef("%s: %q is no peer's address; see `vbrctl show sessions -r %s`", arg, r.Peer, r.Router)
		}
		out = append(out, r)
	}
	return out, nil
}

func (a *app) reset(ctx context.Context, r *vbrv1.ResetSessionRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	answer, err := call(ctx, a, c.Routers.ResetSession, r)
	if err != nil {
		return a.aboutRouter(ctx, r.GetRouter(), err)
	}
	done := "reset"
	if r.GetSoft() {
		done = "asked for all routes again and told all again"
	}
	return a.say(answer, "%s %s: %s %s", r.GetRouter(), orAll(r.GetPeer()), plural(int(answer.GetSessions()), "session"), done)
}

func orAll(peer string) string {
	if peer == "" {
		return "all"
	}
	return peer
}

func (a *app) drainCmd() *cobra.Command {
	return a.drainsCmd(&cobra.Command{
		Use:   "drain ROUTER...",
		Short: "Ask both sides to use other routers, before maintenance",
		Long: `Drain asks the customer and the VPC to use other routers (GRACEFUL_SHUTDOWN, RFC 8326). Packets that come all the same
are forwarded. It lasts until undrain, also over restarts.`,
		Example: `  vbrctl drain vbr-acme
  vbrctl drain vbr-acme vbr-beta`,
	}, func(ctx context.Context, c *client.Client, name string) error {
		answer, err := call(ctx, a, c.Routers.DrainRouter, &vbrv1.DrainRouterRequest{Router: name})
		if err != nil {
			return err
		}
		return a.say(answer, "%s %s; end it with `vbrctl undrain %s`", name, drained(answer.GetChanged(), "drained"), name)
	})
}

func (a *app) undrainCmd() *cobra.Command {
	return a.drainsCmd(&cobra.Command{
		Use:   "undrain ROUTER...",
		Short: "End drain",
		Example: `  vbrctl undrain vbr-acme
  vbrctl undrain vbr-acme vbr-beta`,
	}, func(ctx context.Context, c *client.Client, name string) error {
		answer, err := call(ctx, a, c.Routers.UndrainRouter, &vbrv1.UndrainRouterRequest{Router: name})
		if err != nil {
			return err
		}
		return a.say(answer, "%s %s", name, drained(answer.GetChanged(), "in use"))
	})
}

// drainsCmd completes a command that does one thing to each router it is given, until one fails.
func (a *app) drainsCmd(c *cobra.Command, one func(ctx context.Context, c *client.Client, name string) error) *cobra.Command {
	c.Args, c.ValidArgsFunction = nargs(1, -1), a.completeRouters(anyNumber)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		conn, err := a.client()
		if err != nil {
			return err
		}
		for _, name := range args {
			if err := one(cmd.Context(), conn, name); err != nil {
				return a.aboutRouter(cmd.Context(), name, err)
			}
		}
		return nil
	}
	return c
}

func drained(changed bool, state string) string {
	if changed {
		return "is now " + state
	}
	return "was " + state + " already"
}
