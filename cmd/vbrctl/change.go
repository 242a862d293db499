package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// changeWithin is how long a change may take unless --timeout says otherwise: 10,000 resources are to be checked and stored.
const changeWithin = time.Minute

// The legal range of --confirm.
const (
	confirmLeast = 10 * time.Second
	confirmMost  = 24 * time.Hour
)

// changeFlags are the flags that all changes have in common.
type changeFlags struct {
	dryRun   bool
	confirm  time.Duration
	comment  string
	expected uint64
	wait     time.Duration
}

func (f *changeFlags) define(c *cobra.Command) {
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "show the plan and change nothing")
	c.Flags().DurationVar(&f.confirm, "confirm", 0, "roll back after this time unless `vbrctl confirm` comes; 10s..24h")
	c.Flags().StringVarP(&f.comment, "comment", "m", "", "`why`, for the history")
	c.Flags().DurationVar(&f.wait, "wait", 0, "wait until the routers are ready and their sessions established; 1m without a value")
	c.Flags().Lookup("wait").NoOptDefVal = "1m"
}

func (f *changeFlags) defineExpected(c *cobra.Command) {
	c.Flags().Uint64Var(&f.expected, "expect-revision", 0, "refuse if the current revision is not this `number`")
}

// within returns --confirm for a request.
func (f *changeFlags) within() *durationpb.Duration {
	if f.confirm == 0 {
		return nil
	}
	return durationpb.New(f.confirm)
}

func (f *changeFlags) check(cmd *cobra.Command) error {
	switch {
	case cmd.Flags().Changed("confirm") && (f.confirm < confirmLeast || f.confirm > confirmMost):
		return usagef("--confirm %s; legal: 10s..24h", f.confirm)
	case cmd.Flags().Changed("wait") && f.wait <= 0:
		return usagef("--wait=%s; legal: more than 0", f.wait)
	case f.dryRun && f.wait > 0:
		return usagef("--wait and --dry-run exclude each other")
	}
	return nil
}

// patient gives a change more time than other requests, unless --timeout says otherwise.
func (a *app) patient(cmd *cobra.Command) {
	if !cmd.Flags().Changed("timeout") {
		a.timeout = changeWithin
	}
}

// outcome is what Apply, Delete and Rollback answer.
type outcome interface {
	proto.Message
	GetRevision() uint64
	GetPlan() *vbrv1.Plan
	GetConfirmBy() *timestamppb.Timestamp
}

// changed writes the answer to a change and waits if that is wanted. resources are those that were sent.
func (a *app) changed(ctx context.Context, f *changeFlags, answer outcome, resources []*vbrv1.Resource) error {
	if a.forPrograms() {
		if err := output.Document(a.stdout, a.output(), answer); err != nil {
			return err
		}
	} else {
		a.outcome(f, answer)
	}
	if f.wait == 0 {
		return nil
	}
	return a.wait(ctx, f.wait, answer, resources)
}

func (a *app) outcome(f *changeFlags, answer outcome) {
	page := a.page(a.stdout)
	page.Plan(answer.GetPlan())
	switch {
	case len(answer.GetPlan().GetChanges()) == 0:
	case f.dryRun:
		page.Done("nothing was changed: this is a dry run against revision %d", answer.GetRevision())
	case answer.GetConfirmBy() != nil:
		left := answer.GetConfirmBy().AsTime().Sub(a.now()).Round(time.Second)
		page.Pending("stored as revision %d; it is rolled back in %s unless confirmed: `vbrctl confirm %d`", answer.GetRevision(), left, answer.GetRevision())
	default:
		page.Done("stored as revision %d", answer.GetRevision())
	}
}
