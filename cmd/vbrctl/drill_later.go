package main

import (
	"context"
	"math"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/client"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// drillBounds are the flags for how long a drill lasts and what it may cost.
type drillBounds struct{ duration, objective time.Duration }

func (b *drillBounds) flags(c *cobra.Command) {
	c.Flags().DurationVar(&b.duration, "duration", 10*time.Minute, "for how long, in whole minutes")
	c.Flags().DurationVar(&b.objective, "objective", time.Second, "the longest outage that is allowed")
}

// read checks them, and that there is a router.
func (b *drillBounds) read(router string) (minutes, milliseconds uint32, err error) {
	m := math.Ceil(b.duration.Minutes())
	switch {
	case router == "":
		return 0, 0, usagef("which router? name one with --router")
	case b.duration < time.Minute || m > 4320:
		return 0, 0, usagef("--duration %s; legal: 1m..72h", b.duration)
	case b.objective < 100*time.Millisecond || b.objective > time.Minute:
		return 0, 0, usagef("--objective %s; legal: 100ms..1m", b.objective)
	}
	return uint32(m), uint32(b.objective.Milliseconds()), nil
}

func (a *app) drillCreateCmd() *cobra.Command {
	var request vbrv1.CreateFailoverTestRequest
	var bounds drillBounds
	var at string
	c := &cobra.Command{
		Use:   "create",
		Short: "Store a drill that starts later",
		Long: `Create stores a drill in Init: it starts by ` + "`vbrctl drill start ID`" + `, or with --at by itself, and survives restarts of vbrd. Whether others carry the router's
routes is judged when it starts; what is said now is how it would go as things stand. A drill that cannot start at its time is tried again for a minute, then aborted. With --at
probes are from routers of the router's own owner.`,
		Example: `  vbrctl drill create --router vbr-a --duration 10m
  vbrctl drill create --router vbr-a --duration 10m --at 2026-12-01T03:00:00Z --probe '10.1.0.1->172.16.1.1'
  vbrctl drill create --router vbr-a --at 8h -o json`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if request.DurationMinutes, request.ObjectiveMs, err = bounds.read(request.Router); err != nil {
				return err
			}
			if request.StartTime, err = a.at(at); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			answer, err := call(cmd.Context(), a, c.Routers.CreateFailoverTest, &request)
			switch test := answer.GetTest(); {
			case err != nil:
				return a.aboutRouter(cmd.Context(), request.Router, err)
			case request.DryRun:
				return a.say(answer, "a drill of %s could be stored: %s", test.GetRouter(), findings(test))
			default:
				return a.say(answer, "drill %s of %s %s: %s", test.GetId(), test.GetRouter(), a.begins(test), findings(test))
			}
		},
	}
	a.routerFlag(c, &request.Router, "the `router` to take out, a VBR")
	bounds.flags(c)
	c.Flags().StringVar(&at, "at", "", "when it starts by itself: a `time`, or how long from now")
	c.Flags().StringArrayVar(&request.Probes, "probe", nil, "measure `FROM->TO`; more than once for several")
	c.Flags().BoolVar(&request.DryRun, "dry-run", false, "only say whether it could be stored")
	return c
}

// begins says when a drill in Init starts.
func (a *app) begins(t *vbrv1.FailoverTest) string {
	if t.GetStartTime() == nil {
		return "starts by `vbrctl drill start " + t.GetId() + "`"
	}
	return "starts by itself at " + t.GetStartTime().AsTime().In(a.now().Location()).Format(time.RFC3339)
}

func (a *app) drillUpdateCmd() *cobra.Command {
	var request vbrv1.UpdateFailoverTestRequest
	var bounds drillBounds
	var at string
	c := &cobra.Command{
		Use:   "update ID",
		Short: "Change a drill that has not started",
		Long:  "Update changes a drill in Init; what is not given stays.",
		Example: `  vbrctl drill update ft-20261125-120000-1a2b --duration 20m
  vbrctl drill update ft-20261125-120000-1a2b --at 2026-12-02T03:00:00Z
  vbrctl drill update ft-20261125-120000-1a2b --unscheduled -o json`,
		Args:              nargs(1, 1),
		ValidArgsFunction: a.completeDrills,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			minutes, milliseconds, err := bounds.read("its own")
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("duration") {
				request.DurationMinutes = minutes
			}
			if cmd.Flags().Changed("objective") {
				request.ObjectiveMs = milliseconds
			}
			if request.StartTime, err = a.at(at); err != nil {
				return err
			}
			switch request.Id = args[0]; {
			case request.StartTime != nil && request.Unscheduled:
				return usagef("--at and --unscheduled exclude each other")
			case proto.Equal(&request, &vbrv1.UpdateFailoverTestRequest{Id: args[0]}):
				return usagef("what is to change? give --duration, --objective, --at, --unscheduled or --probe")
			}
			return a.drillUpdate(cmd.Context(), &request)
		},
	}
	bounds.flags(c)
	c.Flags().StringVar(&at, "at", "", "when it starts by itself: a `time`, or how long from now")
	c.Flags().BoolVar(&request.Unscheduled, "unscheduled", false, "it does not start by itself any more")
	c.Flags().StringArrayVar(&request.Probes, "probe", nil, "measure `FROM->TO` instead; more than once for several")
	return c
}

func (a *app) drillUpdate(ctx context.Context, request *vbrv1.UpdateFailoverTestRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	answer, err := call(ctx, a, c.Routers.UpdateFailoverTest, request)
	if err != nil {
		return err
	}
	return a.say(answer, "drill %s of %s %s, for %d min: %s", answer.GetTest().GetId(), answer.GetTest().GetRouter(), a.begins(answer.GetTest()),
		answer.GetTest().GetDurationMinutes(), findings(answer.GetTest()))
}

func (a *app) drillDeleteCmd() *cobra.Command {
	return a.oneDrillCmd("delete", "json", "Remove a drill that has not started, or has ended", func(ctx context.Context, c *client.Client, id string) error {
		answer, err := call(ctx, a, c.Routers.DeleteFailoverTest, &vbrv1.DeleteFailoverTestRequest{Id: id})
		if err != nil {
			return err
		}
		return a.say(answer, "drill %s deleted", id)
	})
}

// at reads --at: a time, or how long from now; nothing for nothing.
func (a *app) at(text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return timestamppb.New(a.now().Add(d)), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime} {
		if t, err := time.ParseInLocation(layout, text, a.now().Location()); err == nil {
			return timestamppb.New(t), nil
		}
	}
	return nil, usagef("--at %q is no time; legal: how long from now, such as 90m or 8h, or a time such as 2026-12-01T03:00:00Z", text)
}
