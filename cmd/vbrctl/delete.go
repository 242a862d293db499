package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

var errEmpty = errors.New("there is no resource in the files")

func (a *app) deleteCmd() *cobra.Command {
	var files []string
	var f changeFlags
	c := &cobra.Command{
		Use:   "delete KIND NAME... | -f FILE|FOLDER|-",
		Short: "Delete resources, all or none",
		Long: `Delete deletes the named resources, or with -f those whose kind and name stand in the files. What others refer to cannot be
deleted without them; of a pair of router interfaces either end can. The kinds: pc (PhysicalConnection), vbr (VirtualBorderRouter),
vr (VRouter), ri (RouterInterface), ha (VbrHa).`,
		Example: `  vbrctl delete vbr vbr-acme --dry-run
  vbrctl delete -f acme.yaml -m "left us"
  vbrctl delete ri ri-acme ri-beta --confirm 5m`,
		ValidArgsFunction: a.completeResources,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			refs, set, err := a.refs(args, files)
			if err != nil {
				return err
			}
			a.patient(cmd)
			c, err := a.client()
			if err != nil {
				return err
			}
			answer, err := call(cmd.Context(), a, c.Resources.Delete, &vbrv1.DeleteRequest{
				Refs: refs, DryRun: f.dryRun, ConfirmWithin: f.within(), Comment: f.comment, ExpectedRevision: f.expected,
			})
			switch {
			case err != nil && len(refs) == 1:
				return &violations{a.aboutResource(cmd.Context(), refs[0].GetKind(), refs[0].GetName(), err), set}
			case err != nil:
				return &violations{err, set}
			}
			return a.changed(cmd.Context(), &f, answer, nil)
		},
	}
	a.fileFlag(c, &files)
	f.define(c)
	f.defineExpected(c)
	return c
}

// refs names what is to be deleted: KIND NAME..., or what stands in the files.
func (a *app) refs(args, files []string) ([]*vbrv1.ResourceRef, *resource.Set, error) {
	var out []*vbrv1.ResourceRef
	if len(files) == 0 {
		if len(args) < 2 {
			return nil, nil, usagef("what is to be deleted? KIND NAME or -f FILE\nsee `vbrctl get all`")
		}
		kind, err := oneKind(args[0])
		if err != nil {
			return nil, nil, err
		}
		for _, name := range args[1:] {
			out = append(out, &vbrv1.ResourceRef{Kind: kind, Name: name})
		}
		return out, nil, nil
	}
	if len(args) > 0 {
		return nil, nil, usagef("KIND NAME and -f exclude each other")
	}
	set, err := a.read(files)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range set.Resources {
		out = append(out, resource.Ref(r))
	}
	if len(out) == 0 {
		return nil, nil, &exitError{exitFailed, errEmpty}
	}
	return out, set, nil
}
