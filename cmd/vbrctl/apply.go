package main

import (
	"context"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/spf13/cobra"
)

func (a *app) applyCmd() *cobra.Command {
	var files []string
	var prune bool
	var f changeFlags
	c := &cobra.Command{
		Use:   "apply -f FILE|FOLDER|-",
		Short: "Create and change resources, all or none",
		Long: `Apply makes resources what the files say, all of them or none. Sessions whose configuration does not change stay up.
It returns when the change is stored; with --wait when the routers are ready and their sessions established.

A file holds YAML documents, each with kind: PhysicalConnection, VirtualBorderRouter, VRouter, RouterInterface or
VbrHa and the fields of that kind. Of a folder *.yaml and *.yml are read, in order of their names; - is standard input.`,
		Example: `  vbrctl apply -f acme.yaml
  vbrctl apply -f customers/ --prune -m "as of ticket 4711"
  vbrctl apply -f acme.yaml --confirm 5m --wait
  vbrctl get all -o yaml | sed s/acme/emca/ | vbrctl apply -f - --dry-run`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			a.patient(cmd)
			answer, set, err := a.apply(cmd.Context(), files, &f, prune)
			if err != nil {
				return err
			}
			return a.changed(cmd.Context(), &f, answer, set.Resources)
		},
	}
	a.fileFlag(c, &files)
	c.Flags().BoolVar(&prune, "prune", false, "delete stored resources that are not in the files")
	f.define(c)
	f.defineExpected(c)
	return c
}

func (a *app) planCmd() *cobra.Command {
	var files []string
	var prune, detailed bool
	f := changeFlags{dryRun: true}
	c := &cobra.Command{
		Use:   "plan -f FILE|FOLDER|-",
		Short: "What apply would do, and what that does to the network",
		Long: `Plan shows what apply would create (+), change (~) and delete (-), and the effects of that on the running network. The
disruptive ones are marked with ! and summed up at the end.`,
		Example: `  vbrctl plan -f acme.yaml
  vbrctl plan -f customers/ --prune -o wide
  vbrctl plan -f customers/ --detailed-exitcode`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.patient(cmd)
			answer, _, err := a.apply(cmd.Context(), files, &f, prune)
			if err != nil {
				return err
			}
			if a.forPrograms() {
				err = output.Document(a.stdout, a.output(), answer.GetPlan())
			} else {
				a.page(a.stdout).Plan(answer.GetPlan())
			}
			if err == nil && detailed && len(answer.GetPlan().GetChanges()) > 0 {
				return &exitError{code: exitChanges}
			}
			return err
		},
	}
	a.fileFlag(c, &files)
	c.Flags().BoolVar(&prune, "prune", false, "delete stored resources that are not in the files")
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 4 if there are changes, 0 if there are none")
	f.defineExpected(c)
	return c
}

func (a *app) fileFlag(c *cobra.Command, files *[]string) {
	c.Flags().StringArrayVarP(files, "filename", "f", nil, "`file` or folder of YAML, - for standard input; may be given again")
	a.must(c.MarkFlagFilename("filename", "yaml", "yml"))
}

// read reads the files of -f.
func (a *app) read(files []string) (*resource.Set, error) {
	if len(files) == 0 {
		return nil, usagef("which resources? -f FILE, -f FOLDER or -f -")
	}
	return resource.Read(files, a.stdin)
}

// apply reads the files and sends them.
func (a *app) apply(ctx context.Context, files []string, f *changeFlags, prune bool) (*vbrv1.ApplyResponse, *resource.Set, error) {
	set, err := a.read(files)
	if err != nil {
		return nil, nil, err
	}
	if len(set.Resources) == 0 && !prune {
		return nil, nil, &exitError{exitFailed, errEmpty}
	}
	c, err := a.client()
	if err != nil {
		return nil, nil, err
	}
	answer, err := call(ctx, a, c.Resources.Apply, &vbrv1.ApplyRequest{
		Resources: set.Resources, DryRun: f.dryRun, Prune: prune, ConfirmWithin: f.within(), Comment: f.comment, ExpectedRevision: f.expected,
	})
	if err != nil {
		return nil, nil, &violations{err, set}
	}
	return answer, set, nil
}

func (a *app) confirmCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "confirm [REVISION]",
		Short: "Keep a change that was made with --confirm",
		Example: `  vbrctl confirm
  vbrctl confirm 42`,
		Args: nargs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			revision, err := revision(append(args, "0")[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			answer, err := call(cmd.Context(), a, c.Resources.Confirm, &vbrv1.ConfirmRequest{Revision: revision})
			if err != nil {
				return aboutRevision(err)
			}
			return a.say(answer, "revision %d is confirmed", answer.GetRevision())
		},
	}
}
