package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/client"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (a *app) drillCmd() *cobra.Command {
	c := &cobra.Command{
		Use:     "drill",
		Aliases: []string{"drills", "failover-test"},
		Short:   "Take a router out of service as a failure would, for a time, and measure",
		Long: `A drill (EC: failover test) takes a VBR out of service as the loss of its lines would, after it has made sure that others carry its routes. It
measures what is lost on the way out and on the way back, ends at once when an outage lasts longer than the objective, and keeps its verdict for
a year. It starts at once (start --router), or later (create): by start ID, or by itself at a time.`,
		Example: `  vbrctl drill start --router vbr-a --duration 10m --probe '10.1.0.1->172.16.1.1'
  vbrctl drill create --router vbr-a --duration 10m --at 2026-12-01T03:00:00Z
  vbrctl drill list
  vbrctl drill stop ft-20261125-120000-1a2b`,
		Args: cobra.ArbitraryArgs,
		RunE: unknownCommand,
	}
	c.AddCommand(a.drillStartCmd(), a.drillCreateCmd(), a.drillUpdateCmd(), a.drillDeleteCmd(), a.drillStopCmd(), a.drillListCmd(), a.drillShowCmd())
	return c
}

func (a *app) drillStartCmd() *cobra.Command {
	var request vbrv1.StartFailoverTestRequest
	var bounds drillBounds
	c := &cobra.Command{
		Use:   "start [ID]",
		Short: "Start a drill, or one that was created",
		Long: `Start takes the router out and comes back at once; see ` + "`vbrctl drill show`" + ` for how it goes. With --probe packets are measured: from an address of another
router of the host, such as the gateway of a VPC's vSwitch, to one that answers behind both the router and the one that takes over. Without, it
is only known whether others offered the routes and whether the router came back. With an ID it starts a drill in Init as it was created.`,
		Example: `  vbrctl drill start --router vbr-a --dry-run
  vbrctl drill start ft-20261125-120000-1a2b
  vbrctl drill start --router vbr-a --duration 10m --objective 500ms --probe '10.1.0.1->172.16.1.1'`,
		Args:              nargs(0, 1),
		ValidArgsFunction: a.completeDrills,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) == 1 {
				for _, flag := range []string{"router", "duration", "objective", "probe"} {
					if cmd.Flags().Changed(flag) {
						return usagef("--%s does not go with an ID: the drill starts as it was created; see `vbrctl drill update --help`", flag)
					}
				}
				return a.drillStart(cmd.Context(), &vbrv1.StartFailoverTestRequest{Id: args[0], DryRun: request.DryRun})
			}
			if request.DurationMinutes, request.ObjectiveMs, err = bounds.read(request.Router); err != nil {
				return err
			}
			return a.drillStart(cmd.Context(), &request)
		},
	}
	a.routerFlag(c, &request.Router, "the `router` to take out, a VBR")
	bounds.flags(c)
	c.Flags().StringArrayVar(&request.Probes, "probe", nil, "measure `FROM->TO`; more than once for several")
	c.Flags().BoolVar(&request.DryRun, "dry-run", false, "only say whether it could be done")
	return c
}

func (a *app) drillStart(ctx context.Context, request *vbrv1.StartFailoverTestRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	answer, err := call(ctx, a, c.Routers.StartFailoverTest, request)
	switch test := answer.GetTest(); {
	case err != nil && request.GetId() != "":
		return err
	case err != nil:
		return a.aboutRouter(ctx, request.GetRouter(), err)
	case request.GetDryRun():
		return a.say(answer, "%s could be taken out: %s", test.GetRouter(), findings(test))
	default:
		return a.say(answer, "drill %s: %s goes out of service for %d min: %s; see `vbrctl drill show %s`", test.GetId(), test.GetRouter(), test.GetDurationMinutes(), findings(test), test.GetId())
	}
}

func findings(t *vbrv1.FailoverTest) string {
	if len(t.GetFindings()) == 0 {
		return "nothing was found"
	}
	return t.GetFindings()[0]
}

func (a *app) drillStopCmd() *cobra.Command {
	return a.oneDrillCmd("stop", "json", "End a drill before its time; the router serves again", func(ctx context.Context, c *client.Client, id string) error {
		answer, err := call(ctx, a, c.Routers.StopFailoverTest, &vbrv1.StopFailoverTestRequest{Id: id})
		if err != nil {
			return err
		}
		if v := answer.GetTest().GetVerdict(); v != "" {
			return a.say(answer, "drill %s ended: %s", id, v)
		}
		return a.say(answer, "drill %s ends: the router is coming back; see `vbrctl drill show %s`", id, id)
	})
}

// oneDrillCmd is a command on one drill, named by its id; format is the one of -o in its examples.
func (a *app) oneDrillCmd(verb, format, short string, run func(ctx context.Context, c *client.Client, id string) error) *cobra.Command {
	const id = "ft-20261125-120000-1a2b"
	return &cobra.Command{
		Use:               verb + " ID",
		Short:             short,
		Example:           fmt.Sprintf("  vbrctl drill %s %s\n  vbrctl drill %s %s -o %s", verb, id, verb, id, format),
		Args:              nargs(1, 1),
		ValidArgsFunction: a.completeDrills,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return run(cmd.Context(), c, args[0])
		},
	}
}

func (a *app) drillListCmd() *cobra.Command {
	var router string
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "The drills of the last year, newest first",
		Example: `  vbrctl drill list
  vbrctl drill list --router vbr-a -o json`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			tests, err := a.drills(cmd.Context(), &vbrv1.ListFailoverTestsRequest{Router: router})
			switch {
			case err != nil:
				return a.aboutRouter(cmd.Context(), router, err)
			case a.forPrograms():
				return writeList(a.stdout, a.output(), "tests", tests)
			case len(tests) == 0:
				a.note("no drills; see `vbrctl drill start --help`")
			}
			return a.page(a.stdout).Drills(tests)
		},
	}
	a.routerFlag(c, &router, "only those of this router")
	return c
}

func (a *app) drillShowCmd() *cobra.Command {
	return a.oneDrillCmd("show", "yaml", "All about one drill: verdict, findings, what was measured", func(ctx context.Context, _ *client.Client, id string) error {
		tests, err := a.drills(ctx, &vbrv1.ListFailoverTestsRequest{Id: id})
		switch {
		case err != nil:
			return err
		case len(tests) == 0:
			return status.Error(codes.NotFound, fmt.Sprintf("no drill %s; see `vbrctl drill list`", id))
		case a.forPrograms():
			return output.Document(a.stdout, a.output(), tests[0])
		}
		return a.page(a.stdout).Drill(tests[0])
	})
}

func (a *app) drills(ctx context.Context, request *vbrv1.ListFailoverTestsRequest) (tests []*vbrv1.FailoverTest, err error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	err = stream(ctx, a, false, c.Routers.ListFailoverTests, request, func(r *vbrv1.ListFailoverTestsResponse) error {
		tests = append(tests, r.GetTests()...)
		return nil
	})
	return tests, err
}

// completeDrills completes one argument that is the id of a drill.
func (a *app) completeDrills(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	a.timeout = min(a.timeout, namesWithin)
	tests, err := a.drills(cmd.Context(), &vbrv1.ListFailoverTestsRequest{})
	if err != nil {
		return nil, noFiles
	}
	var ids []string
	for _, t := range tests {
		ids = append(ids, t.GetId())
	}
	return beginning(ids, begun, nil), noFiles | cobra.ShellCompDirectiveKeepOrder
}
