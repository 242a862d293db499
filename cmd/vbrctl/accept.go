package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// acceptance is what the accepting end is made of, beside what the initiating end says.
type acceptance struct {
	router, name, target, oppositeOwner string
	vni                                 uint32
}

func (a *app) acceptCmd() *cobra.Command {
	var f changeFlags
	var with acceptance
	c := &cobra.Command{
		Use:   "accept RI --router VROUTER",
		Short: "Join a VRouter to a router interface that asks for it",
		Long: `Accept makes the accepting end of a pair whose initiating end is RI. If you may see RI, its VNI and route target are taken over, and
its name for the accepting end. If it is another account's, give --name as that account's opposite_interface_id says, and what you
have agreed on: --opposite-owner, and between two hosts --vni and --route-target. Nothing flows before both ends name each other.`,
		Example: `  vbrctl accept ri-idc --router vpc-acme
  vbrctl accept ri-partner --router vpc-acme --name ri-mine --opposite-owner partner --vni 5001 --route-target 64600:5001`,
		Args:              nargs(1, 1),
		ValidArgsFunction: a.completeNames(kindRI),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			a.patient(cmd)
			return a.accept(cmd.Context(), &f, args[0], with)
		},
	}
	flags := c.Flags()
	flags.StringVar(&with.router, "router", "", "the `VRouter` to join")
	flags.StringVar(&with.name, "name", "", "`name` of the accepting end; default: what RI calls it")
	flags.Uint32Var(&with.vni, "vni", 0, "VXLAN network `identifier`; default: that of RI")
	flags.StringVar(&with.target, "route-target", "", "EVPN route `target`; default: that of RI")
	flags.StringVar(&with.oppositeOwner, "opposite-owner", "", "`owner` of RI; default: RI's if you see it, else that of the VRouter")
	a.must(c.RegisterFlagCompletionFunc("router", func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return a.completeNames(vbrv1.Kind_KIND_V_ROUTER)(cmd, nil, begun)
	}))
	f.define(c)
	return c
}

func (a *app) accept(ctx context.Context, f *changeFlags, initiating string, with acceptance) error {
	r, err := a.one(ctx, kindRI, initiating)
	if err != nil && status.Code(err) != codes.NotFound {
		return err
	}
	asks := r.GetRouterInterface()
	if asks.GetRole() == "AcceptingSide" || asks != nil && asks.GetOppositeInterfaceId() == "" {
		return status.Errorf(codes.FailedPrecondition, "%s asks for no acceptance: it is not the initiating end of a pair", initiating)
	}
	with.from(asks)
	if with.router == "" || with.name == "" {
		return usagef("%s is not to be seen, or does not say all; give %s", initiating, with.lacking())
	}
	if taken, err := a.one(ctx, kindRI, with.name); err == nil {
		if m := taken.GetRouterInterface(); m.GetOppositeInterfaceId() == initiating && m.GetRole() == "AcceptingSide" && m.GetRouterId() == with.router {
			a.note("%s accepts %s already", with.name, initiating)
			return nil
		}
		return status.Errorf(codes.FailedPrecondition, "router interface %s is there already; give another --name, which the owner of %s has to know", with.name, initiating)
	}
	vr, err := a.one(ctx, vbrv1.Kind_KIND_V_ROUTER, with.router)
	if err != nil {
		return a.aboutResource(ctx, vbrv1.Kind_KIND_V_ROUTER, with.router, err)
	}
	return a.applyOne(ctx, f, vbrv1.Wrap(with.end(initiating, vr.GetVRouter().GetOwner())))
}

// from fills in what the initiating end says; nil says nothing.
func (with *acceptance) from(asks *vbrv1.RouterInterface) {
	for _, f := range []struct {
		to   *string
		from string
	}{{&with.name, asks.GetOppositeInterfaceId()}, {&with.router, asks.GetOppositeRouterId()}, {&with.target, asks.GetRouteTarget()}, {&with.oppositeOwner, asks.GetOwner()}} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	if with.vni == 0 {
		with.vni = asks.GetVni()
	}
}

func (with *acceptance) lacking() string {
	var out []string
	if with.router == "" {
		out = append(out, "--router")
	}
	if with.name == "" {
		out = append(out, "--name")
	}
	return strings.Join(out, " and ")
}

// end is the accepting interface, of the router's owner.
func (with *acceptance) end(initiating, owner string) *vbrv1.RouterInterface {
	m := &vbrv1.RouterInterface{Name: with.name, Owner: owner, RouterId: with.router, Role: "AcceptingSide", OppositeInterfaceId: initiating, RouteTarget: with.target}
	if with.vni != 0 {
		m.Vni = proto.Uint32(with.vni)
	}
	if with.oppositeOwner != owner {
		m.OppositeInterfaceOwnerId = with.oppositeOwner
	}
	return m
}
