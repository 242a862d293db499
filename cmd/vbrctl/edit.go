package main

import (
	"context"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// edit is a command that changes one field of one resource: what apply does, on the resource as it is now.
type edit struct {
	kind    vbrv1.Kind
	already string // what is said when nothing has to change: "%s is active already"
	change  func(vbrv1.Content)
}

// editCmd completes such a command.
func (a *app) editCmd(c *cobra.Command, e edit) *cobra.Command {
	var f changeFlags
	c.Args = nargs(1, 1)
	c.ValidArgsFunction = a.completeNames(e.kind)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.check(cmd); err != nil {
			return err
		}
		a.patient(cmd)
		return a.edit(cmd.Context(), &f, e, args[0])
	}
	f.define(c)
	return c
}

func (a *app) completeNames(kind vbrv1.Kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, noFiles
		}
		return beginning(a.resourceNames(cmd.Context(), []vbrv1.Kind{kind}), begun, nil), noFiles
	}
}

// edit applies the changed resource with its generation: what others changed meanwhile is not undone.
func (a *app) edit(ctx context.Context, f *changeFlags, e edit, name string) error {
	is, err := a.one(ctx, e.kind, name)
	if err != nil {
		return a.aboutResource(ctx, e.kind, name, err)
	}
	next := proto.CloneOf(is)
	content, _ := vbrv1.Unwrap(next)
	if content == nil {
		return status.Errorf(codes.Internal, "vbrd's answer has no %s", vbrv1.KindName(e.kind))
	}
	e.change(content)
	if proto.Equal(is, next) {
		a.note(e.already, name)
		return nil
	}
	next.Metadata = &vbrv1.Metadata{Generation: is.GetMetadata().GetGeneration()}
	return a.applyOne(ctx, f, next)
}

// one asks for a resource.
func (a *app) one(ctx context.Context, kind vbrv1.Kind, name string) (*vbrv1.Resource, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	answer, err := call(ctx, a, c.Resources.Get, &vbrv1.GetRequest{Kind: kind, Name: name})
	return answer.GetResource(), err
}

func (a *app) applyOne(ctx context.Context, f *changeFlags, r *vbrv1.Resource) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	sent := []*vbrv1.Resource{r}
	answer, err := call(ctx, a, c.Resources.Apply, &vbrv1.ApplyRequest{Resources: sent, DryRun: f.dryRun, ConfirmWithin: f.within(), Comment: f.comment})
	if err != nil {
		return &violations{err, nil}
	}
	return a.changed(ctx, f, answer, sent)
}
