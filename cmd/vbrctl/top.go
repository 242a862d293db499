package main

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/top"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

func (a *app) topCmd() *cobra.Command {
	var every time.Duration
	c := &cobra.Command{
		Use:   "top",
		Short: "A live view of routers and sessions, with rates",
		Long: `Top shows routers or sessions (tab), sorted by a column whose letter is pressed (i inverts), with route counts and
rates. Space pauses, arrows scroll, q quits.`,
		Example: `  vbrctl top
  vbrctl top --every 5s`,
		Args: nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond {
				return usagef("--every %s; legal: 100ms or more", every)
			}
			if !isTerminal(a.stdout) {
				return usagef("top needs a terminal; see `vbrctl show routers --watch`")
			}
			if _, err := a.sample(cmd.Context()); err != nil {
				return err
			}
			quiet := *a
			quiet.stderr = nil // no spinner on top of the view
			model := top.New(cmd.Context(), quiet.sampleForPeople, every, a.colour())
			_, err := tea.NewProgram(model, tea.WithContext(cmd.Context()), tea.WithInput(a.stdin), tea.WithOutput(a.stdout)).Run()
			if cmd.Context().Err() != nil {
				return nil
			}
			return err
		},
	}
	c.Flags().DurationVar(&every, "every", 2*time.Second, "how often to look")
	return c
}

// sample asks for all that top shows.
func (a *app) sample(ctx context.Context) (*top.Sample, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	s := &top.Sample{At: a.now()}
	if s.Host, err = call(ctx, a, c.Routers.GetHost, &vbrv1.GetHostRequest{}); err != nil {
		return nil, err
	}
	if s.Routers, err = a.routers(ctx, ""); err != nil {
		return nil, err
	}
	s.Sessions, err = a.sessions(ctx, &vbrv1.ListSessionsRequest{})
	return s, err
}

// sampleForPeople is sample with errors as short as a line.
func (a *app) sampleForPeople(ctx context.Context) (*top.Sample, error) {
	s, err := a.sample(ctx)
	if err != nil {
		return nil, errors.New(status.Convert(err).Message())
	}
	return s, nil
}
