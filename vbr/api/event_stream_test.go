package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/control"
	"github.com/openvbr/openvbr/vbr/events"
)

// Events are followed; a follower that lost some is told where to go on.
func TestFollowEvents(t *testing.T) {
	w := start(t, options{})
	ctx := ask(t)
	s, err := routers(w.as("beta")).ListEvents(ctx, &vbrv1.ListEventsRequest{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		w.events.Append(&vbrv1.Event{Router: "vbr-beta", Owner: "beta", Subject: fmt.Sprint(i)})
		w.events.Append(&vbrv1.Event{Router: "vbr-acme", Owner: "acme"})
	}
	for i := 0; i < 50; {
		m, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range m.Events {
			if e.Subject != fmt.Sprint(i) || e.Owner != "beta" {
				t.Fatalf("event %v, want %d", e, i)
			}
			i++
		}
	}
	lossy := &routerService{b: Backends{Events: &losing{}, Host: w.host}}
	err = lossy.ListEvents(&vbrv1.ListEventsRequest{Follow: true}, &sink{ctx: context.WithValue(ctx, callerKey{}, control.Caller{Role: control.Admin})})
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "after=1") {
		t.Error(err)
	}
}

// One router's storm pushes out its own old events, newer than those of quiet routers that stay: nobody who asks for what there is, or follows from there,
// has lost any.
func TestListEventsAfterStorm(t *testing.T) {
	const quiet, storm, kept = 300, 400, 256
	log := events.NewLog(4096)
	for i := range quiet {
		log.Append(&vbrv1.Event{Router: fmt.Sprint("vbr-", i), Owner: "acme"})
	}
	for range storm {
		log.Append(&vbrv1.Event{Router: "vbr-beta", Owner: "beta"})
	}
	ctx, cancel := context.WithCancel(context.WithValue(ask(t), callerKey{}, control.Caller{Role: control.Admin}))
	s := &routerService{b: Backends{Events: log}}
	listed := &sink{ctx: ctx}
	if err := s.ListEvents(&vbrv1.ListEventsRequest{}, listed); err != nil || listed.events != quiet+kept || listed.most != chunk {
		t.Errorf("%v, %d events in messages of %d at most; want %d and %d", err, listed.events, listed.most, quiet+kept, chunk)
	}
	followed := &sink{ctx: ctx}
	followed.then = func() {
		switch followed.events {
		case quiet + kept:
			log.Append(&vbrv1.Event{Router: "vbr-beta", Owner: "beta"})
		case quiet + kept + 1:
			cancel()
		}
	}
	if err := s.ListEvents(&vbrv1.ListEventsRequest{Follow: true}, followed); !errors.Is(err, context.Canceled) {
		t.Errorf("a follower, after %d events: %v", followed.events, err)
	}
}

// While a tenant's follower takes a message, another customer's router storms: its events go unread, which costs the follower nothing. A storm of its own does.
func TestFollowThroughStormOfOthers(t *testing.T) {
	for _, c := range []struct {
		who    control.Caller
		router string
	}{
		{control.Caller{Role: control.Operator, Owners: []string{"acme"}}, ""},
		{control.Caller{Role: control.Admin}, "vbr-acme"},
	} {
		log := events.NewLog(4096)
		say := func(owner string, n int) {
			for range n {
				log.Append(&vbrv1.Event{Router: "vbr-" + owner, Owner: owner})
			}
		}
		say("acme", 1)
		followed := &sink{ctx: context.WithValue(ask(t), callerKey{}, c.who)}
		messages := 0
		followed.then = func() {
			switch messages++; messages {
			case 1:
				say("beta", 1000)
				say("acme", 1)
			case 2:
				say("acme", 1000)
			}
		}
		err := (&routerService{b: Backends{Events: log, Host: &fakeHost{}}}).ListEvents(&vbrv1.ListEventsRequest{Router: c.router, Follow: true}, followed)
		if status.Code(err) != codes.ResourceExhausted || messages != 2 {
			t.Errorf("%+v: after %d messages: %v; want the end after 2", c, messages, err)
		}
	}
}

// A follower's request is kept while it follows: a name that no router can have is not.
func TestFollowNoRouter(t *testing.T) {
	s := &routerService{b: Backends{Events: &losing{}, Host: &fakeHost{}}}
	out := &sink{ctx: context.WithValue(ask(t), callerKey{}, control.Caller{Role: control.Admin})}
	err := s.ListEvents(&vbrv1.ListEventsRequest{Router: strings.Repeat("x", 64), Follow: true}, out)
	if status.Code(err) != codes.NotFound || out.events != 0 {
		t.Error(err)
	}
}

// losing loses events from the second read on.
type losing struct{ reads uint64 }

func (l *losing) Follow(uint64, int, func(router, owner string) bool) ([]*vbrv1.Event, bool) {
	l.reads++
	return []*vbrv1.Event{{Sequence: l.reads}}, l.reads > 1
}

func (*losing) Wait(context.Context, uint64) error { return nil }

// sink takes events.
type sink struct {
	grpc.ServerStream
	ctx    context.Context
	events int    // that it has taken
	most   int    // in one message
	then   func() // after each message, if any
}

func (s *sink) Context() context.Context { return s.ctx }

func (s *sink) Send(m *vbrv1.ListEventsResponse) error {
	s.events += len(m.Events)
	s.most = max(s.most, len(m.Events))
	if s.then != nil {
		s.then()
	}
	return nil
}
