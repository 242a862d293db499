package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// revision reads the number of a revision.
func revision(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, usagef("%q is no revision; legal: a number, see `vbrctl history`", text)
	}
	return n, nil
}

// aboutRevision adds to NOT_FOUND where revisions are listed.
func aboutRevision(err error) error {
	if status.Code(err) != codes.NotFound || strings.Contains(err.Error(), "vbrctl history") {
		return err
	}
	return status.Error(codes.NotFound, status.Convert(err).Message()+"; see `vbrctl history`")
}

func (a *app) historyCmd() *cobra.Command {
	var limit uint32
	var router string
	c := &cobra.Command{
		Use:     "history [PREFIX]",
		Aliases: []string{"log"},
		Short:   "Who changed the stored resources when; or what happened to a prefix",
		Long: `History lists the revisions of the stored resources, newest first. With a PREFIX it tells what happened to that at a router, oldest first: announced, changed,
withdrawn, taken by the kernel, told to the VPC. A router remembers its last 4096 such events, and the answer says from when on it is complete.`,
		Example: `  vbrctl history
  vbrctl history -n 200 -o json
  vbrctl history 10.2.3.0/24 -r vbr-acme`,
		Args: nargs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && cmd.Flags().Changed("limit"):
				return usagef("--limit is for revisions, without a PREFIX")
			case len(args) == 1:
				return a.prefixHistory(cmd.Context(), router, args[0])
			case router != "":
				return usagef("--router needs a PREFIX: vbrctl history PREFIX -r %s", router)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			var all []*vbrv1.Revision
			err = stream(cmd.Context(), a, false, c.Resources.ListRevisions, &vbrv1.ListRevisionsRequest{Limit: limit},
				func(r *vbrv1.ListRevisionsResponse) error {
					all = append(all, r.GetRevisions()...)
					return nil
				})
			switch {
			case err != nil:
				return err
			case a.forPrograms():
				return writeList(a.stdout, a.output(), "revisions", all)
			case len(all) == 0:
				a.note("nothing was ever stored; see `vbrctl apply --help`")
			}
			return a.page(a.stdout).History(all)
		},
	}
	c.Flags().Uint32VarP(&limit, "limit", "n", 50, "at most so many revisions, up to 1000")
	a.routerFlag(c, &router, "the router of the PREFIX; may be left out if there is only one")
	return c
}

func (a *app) diffCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "diff [FROM [TO]]",
		Short: "What changed between two revisions",
		Long:  "Diff shows what changed from revision FROM to TO. Without TO it is the current one, without FROM too it is the last change.",
		Example: `  vbrctl diff
  vbrctl diff 41
  vbrctl diff 38 41 -o yaml`,
		Args:              nargs(0, 2),
		ValidArgsFunction: a.completeRevisions,
		RunE: func(cmd *cobra.Command, args []string) error {
			args = append(args, "0", "0")
			from, err := revision(args[0])
			if err != nil {
				return err
			}
			to, err := revision(args[1])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			answer, err := call(cmd.Context(), a, c.Resources.DiffRevisions, &vbrv1.DiffRevisionsRequest{From: from, To: to})
			switch {
			case err != nil:
				return aboutRevision(err)
			case a.forPrograms():
				return output.Document(a.stdout, a.output(), answer)
			}
			page := a.page(a.stdout)
			page.Done("revision %d -> %d", answer.GetFrom(), answer.GetTo())
			page.Changes(answer.GetChanges())
			return nil
		},
	}
}

func (a *app) rollbackCmd() *cobra.Command {
	var f changeFlags
	c := &cobra.Command{
		Use:   "rollback REVISION",
		Short: "Make the stored resources what they were",
		Long:  "Rollback makes the stored resources what they were at a revision, as a new revision: rolling back can be rolled back.",
		Example: `  vbrctl rollback 41 --dry-run
  vbrctl rollback 41 -m "acme is down since" --confirm 10m`,
		Args:              nargs(1, 1),
		ValidArgsFunction: a.completeRevisions,
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := revision(args[0])
			if err != nil {
				return err
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			a.patient(cmd)
			c, err := a.client()
			if err != nil {
				return err
			}
			answer, err := call(cmd.Context(), a, c.Resources.Rollback, &vbrv1.RollbackRequest{
				Revision: to, DryRun: f.dryRun, ConfirmWithin: f.within(), Comment: f.comment,
			})
			if err != nil {
				return aboutRevision(err)
			}
			return a.changed(cmd.Context(), &f, answer, nil)
		},
	}
	f.define(c)
	return c
}
