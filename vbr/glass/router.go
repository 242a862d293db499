package glass

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

const (
	interfacesMeasured = 6   // router interfaces with plots on one page; ?interface=NAME shows one
	qualitySamples     = 120 // of a plot
)

// span is how far back plots go, and in how many parts of whole hours traffic is told.
type span struct {
	Key, Name string
	long      time.Duration
	part      time.Duration
}

var spans = []span{
	{"1h", "last hour", time.Hour, time.Hour}, {"24h", "last 24 hours", 24 * time.Hour, time.Hour}, {"7d", "last 7 days", 7 * 24 * time.Hour, 6 * time.Hour},
}

// parts is how many parts of traffic there are: of an hour it is told by the hour, so a day is shown.
func (s span) parts() int { return max(int(s.long/s.part), 24) }

// routerBody is the page of one router.
type routerBody struct {
	*vbrv1.RouterStatus
	Sessions []*vbrv1.BgpSession
	Measured []measured
	More     []string // router interfaces whose plots are not on this page
	Span     span
	Spans    []span
	Only     string // the router interface that was asked for
}

// measured is what a router interface has carried, and how well.
type measured struct {
	*vbrv1.RouterInterfaceStatus
	Quality                  *vbrv1.GetQualityResponse // nil: nothing is measured
	RoundTrip, Loss, Traffic *plot
}

func (s *server) routerPage(ctx context.Context, r *request) (*frame, error) {
	name := r.PathValue("name")
	st, err := r.router(ctx, name)
	if err != nil {
		return nil, err
	}
	b := &routerBody{RouterStatus: st, Span: spans[1], Spans: spans, Only: r.URL.Query().Get("interface")}
	for _, sp := range spans {
		if sp.Key == r.URL.Query().Get("span") {
			b.Span = sp
		}
	}
	if b.Sessions, err = r.sessions(ctx, name); err != nil {
		return nil, err
	}
	for _, ri := range st.GetRouterInterfaces() {
		if b.Only != "" && ri.GetName() != b.Only || len(b.Measured) == interfacesMeasured {
			b.More = append(b.More, ri.GetName())
			continue
		}
		b.Measured = append(b.Measured, measured{RouterInterfaceStatus: ri})
	}
	if len(b.Measured) > 0 {
		err = r.measure(ctx, b)
	}
	return &frame{Title: name, Section: "routers", Refresh: true, Body: b}, err
}

// measure asks for quality and traffic. What the caller may not see of an interface that is another's stays empty.
func (r *request) measure(ctx context.Context, b *routerBody) error {
	carried, err := r.traffic(ctx, b.GetName(), b.Span)
	if err != nil {
		return err
	}
	for i := range b.Measured {
		m := &b.Measured[i]
		m.Traffic = carried.plot(m.GetName())
		q, err := r.api.GetQuality(ctx, &vbrv1.GetQualityRequest{RouterInterface: m.GetName(), Since: timestamppb.New(r.now.Add(-b.Span.long)), Samples: qualitySamples})
		if status.Code(err) == codes.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		m.Quality = q
		m.RoundTrip, m.Loss = qualityPlots(q)
	}
	return nil
}

// carried is what router interfaces have carried in equal parts of time, oldest first.
type carried struct {
	times []time.Time // when parts begin, and at last now
	sums  map[string][]float64
	from  map[string][]float64 // received; sums are sent
}

// traffic asks for what a router's interfaces have carried since the beginning of each part; what came in between is the difference of two answers.
func (r *request) traffic(ctx context.Context, router string, sp span) (*carried, error) {
	n := sp.parts()
	c := &carried{sums: make(map[string][]float64), from: make(map[string][]float64)}
	first := r.now.Truncate(sp.part).Add(-time.Duration(n-1) * sp.part)
	for i := range n {
		at := first.Add(time.Duration(i) * sp.part)
		c.times = append(c.times, at)
		list, err := r.usage(ctx, router, timestamppb.New(at))
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			name := u.GetRouterInterface()
			if c.sums[name] == nil {
				c.sums[name], c.from[name] = make([]float64, n), make([]float64, n)
			}
			c.sums[name][i] += float64(u.GetTxBytes())
			c.from[name][i] += float64(u.GetRxBytes())
		}
	}
	c.times = append(c.times, r.now)
	for name := range c.sums {
		differences(c.sums[name])
		differences(c.from[name])
	}
	return c, nil
}

// differences makes of sums to the end the parts; counters that were read a moment later may be a little ahead.
func differences(sums []float64) {
	for i := range len(sums) - 1 {
		sums[i] = max(0, sums[i]-sums[i+1])
	}
}
