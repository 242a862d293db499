package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// again is how long to wait before a stream that broke is taken up again.
const again = time.Second

func (a *app) eventsCmd() *cobra.Command {
	var request vbrv1.ListEventsRequest
	c := &cobra.Command{
		Use:   "events",
		Short: "What happened, and with --follow what happens",
		Long: `Events tells what happened to routers, sessions and the store, oldest first. With --follow it goes on with what happens,
also over a restart of vbrd. -o json writes one event a line.`,
		Example: `  vbrctl events
  vbrctl events -r vbr-acme --follow
  vbrctl events --follow -o json`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.events(cmd.Context(), &request) },
	}
	a.routerFlag(c, &request.Router, "only those of this router")
	c.Flags().BoolVarP(&request.Follow, "follow", "f", false, "go on with what happens")
	c.Flags().Uint64Var(&request.After, "after", 0, "only those after this sequence `number`")
	return c
}

func (a *app) events(ctx context.Context, request *vbrv1.ListEventsRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	n := 0
	one := func(ctx context.Context) error {
		return stream(ctx, a, request.Follow, c.Routers.ListEvents, request, func(r *vbrv1.ListEventsResponse) error {
			for _, e := range r.GetEvents() {
				n++
				request.After = e.GetSequence()
				if !a.forPrograms() {
					a.page(a.stdout).Event(e)
				} else if err := output.Line(a.stdout, a.output(), e); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if request.Follow {
		return a.follow(ctx, one)
	}
	if err = one(ctx); err == nil && n == 0 && !a.forPrograms() {
		a.note("no events")
	}
	return a.aboutRouter(ctx, request.GetRouter(), err)
}

// follow runs a stream that has no end, and takes it up again when it broke: because vbrd went away after it had been
// reached, or because this end was too slow.
func (a *app) follow(ctx context.Context, one func(context.Context) error) error {
	for told := false; ; {
		err := one(ctx)
		reached, _ := a.conn.Reached()
		code := status.Code(err)
		switch {
		case ctx.Err() != nil:
			return nil
		case code == codes.ResourceExhausted || err == nil:
		case code != codes.Unavailable || !reached:
			return err
		case !told:
			a.note("vbrd went away; waiting for it")
		}
		told = code == codes.Unavailable
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}
