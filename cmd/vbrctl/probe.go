package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// prober sends probes out of a router, one after the other.
type prober struct {
	*app
	request vbrv1.ProbeRequest
	wait    time.Duration
}

// probeCmd makes a command of a prober: its arguments are the router and the target.
func (a *app) probeCmd(c *cobra.Command, run func(context.Context, *prober) error) (*cobra.Command, *prober) {
	p := &prober{app: a}
	c.Args, c.ValidArgsFunction = nargs(2, 2), a.completeRouters(1)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		p.request.Router, p.request.Target, p.request.TimeoutMs = args[0], args[1], uint32(p.wait.Milliseconds())
		return run(cmd.Context(), p)
	}
	c.Flags().StringVar(&p.request.Source, "source", "", "the router's `address` to send from; without it the kernel chooses")
	c.Flags().DurationVar(&p.wait, "wait", time.Second, "how long to wait for each answer: 10ms..5s")
	return c, p
}

// send sends the probe as it is now.
func (p *prober) send(ctx context.Context) (*vbrv1.ProbeResponse, error) {
	c, err := p.client()
	if err != nil {
		return nil, err
	}
	answer, err := callWithin(ctx, p.app, p.timeout+p.wait, c.Routers.Probe, &p.request)
	if err != nil {
		return nil, p.aboutRouter(ctx, p.request.GetRouter(), err)
	}
	return answer, nil
}

// print writes a line for people.
func (p *prober) print(format string, args ...any) {
	fmt.Fprintln(p.stdout, table.Clean(fmt.Sprintf(format, args...)))
}

// headers is how many bytes of headers an echo request has in front of its payload: IP's and ICMP's.
func (p *prober) headers() uint32 {
	if strings.Contains(p.request.GetTarget(), ":") {
		return 40 + 8
	}
	return 20 + 8
}

// who is who answered, or this host.
func who(r *vbrv1.ProbeResponse) string {
	if r.GetFrom() == "" {
		return "this router"
	}
	return r.GetFrom()
}

// outcomeText is what came back, for people.
func outcomeText(r *vbrv1.ProbeResponse) string {
	switch r.GetOutcome() {
	case vbrv1.ProbeResponse_OUTCOME_ECHO_REPLY:
		return fmt.Sprintf("%s  %.2f ms", r.GetFrom(), r.GetRttMs())
	case vbrv1.ProbeResponse_OUTCOME_TIME_EXCEEDED:
		return fmt.Sprintf("%s says that the hop limit is reached  %.2f ms", who(r), r.GetRttMs())
	case vbrv1.ProbeResponse_OUTCOME_TOO_BIG:
		if r.GetMtu() == 0 {
			return who(r) + " says that it is too big"
		}
		return fmt.Sprintf("%s says that it is too big: at most %d bytes fit", who(r), r.GetMtu())
	case vbrv1.ProbeResponse_OUTCOME_UNREACHABLE:
		return fmt.Sprintf("%s says: %s", who(r), r.GetReason())
	}
	return "no answer"
}

func (a *app) pingCmd() *cobra.Command {
	var count uint32
	interval := time.Second
	c, p := a.probeCmd(&cobra.Command{
		Use:   "ping ROUTER TARGET",
		Short: "Ping from inside a router, to the data centre or into the VPC",
		Long: `Ping sends ICMP echo requests out of a router, as its own packets would go, and shows what comes back: an answer, or who says why there is none.
Exit status 1 if nothing answered.`,
		Example: `  vbrctl ping vbr-acme 172.16.1.1
  vbrctl ping vbr-acme 10.100.0.10 --source 10.0.0.1 -c 100 -i 200ms
  vbrctl ping vbr-acme 2001:db8:1::1 --size 1400 -o json`,
	}, func(ctx context.Context, p *prober) error { return p.ping(ctx, int(count), interval) })
	c.Flags().Uint32VarP(&count, "count", "c", 5, "how many `requests`")
	c.Flags().DurationVarP(&interval, "interval", "i", interval, "from request to request, 100ms at least")
	c.Flags().Uint32Var(&p.request.Size, "size", 56, "`bytes` of payload: 8..8972")
	return c
}

func (p *prober) ping(ctx context.Context, count int, interval time.Duration) error {
	if interval < 100*time.Millisecond {
		return usagef("--interval %v; legal: 100ms and more", interval)
	}
	var times []float64
	for i := range count {
		began := time.Now()
		answer, err := p.send(ctx)
		if err != nil {
			return err
		}
		if answer.GetOutcome() == vbrv1.ProbeResponse_OUTCOME_ECHO_REPLY {
			times = append(times, answer.GetRttMs())
		}
		if p.forPrograms() {
			if err := output.Line(p.stdout, p.output(), answer); err != nil {
				return err
			}
		} else {
			p.print("%3d  %s", i+1, outcomeText(answer))
		}
		if i < count-1 {
			if err := pause(ctx, interval-time.Since(began)); err != nil {
				return err
			}
		}
	}
	if !p.forPrograms() {
		p.print("%s", pinged(count, times))
	}
	if len(times) == 0 && count > 0 {
		return fmt.Errorf("%s does not answer router %s", p.request.GetTarget(), p.request.GetRouter())
	}
	return nil
}

// pinged sums up, as ping(8) does.
func pinged(sent int, times []float64) string {
	text := fmt.Sprintf("%d sent, %d answered", sent, len(times))
	if len(times) == 0 {
		return text
	}
	least, most, sum := times[0], times[0], 0.0
	for _, t := range times {
		least, most, sum = min(least, t), max(most, t), sum+t
	}
	return fmt.Sprintf("%s, %.1f %% lost; round trip %.2f to %.2f ms, %.2f on average", text, 100*float64(sent-len(times))/float64(sent), least, most, sum/float64(len(times)))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(max(d, 0)):
		return nil
	}
}

func (a *app) tracerouteCmd() *cobra.Command {
	var most, tries uint32
	c, _ := a.probeCmd(&cobra.Command{
		Use:   "traceroute ROUTER TARGET",
		Short: "The hops on the way from a router to a target",
		Long: `Traceroute sends ICMP echo requests with one hop more each time out of a router, and shows who says that the hop limit was reached. It ends where the
target answers, or somebody says that it cannot be reached; exit status 1 if the target did not answer.`,
		Example: `  vbrctl traceroute vbr-acme 172.16.1.1
  vbrctl traceroute vbr-acme 10.100.0.10 --hops 5 --wait 300ms`,
	}, func(ctx context.Context, p *prober) error { return p.traceroute(ctx, most, tries) })
	c.Flags().Uint32Var(&most, "hops", 30, "the most `hops`: 1..255")
	c.Flags().Uint32Var(&tries, "tries", 2, "how many `requests` for a hop that does not answer")
	return c
}

func (p *prober) traceroute(ctx context.Context, most, tries uint32) error {
	if most < 1 || most > 255 || tries < 1 {
		return usagef("--hops %d --tries %d; legal: 1..255 hops, 1 try and more", most, tries)
	}
	for p.request.HopLimit = 1; p.request.HopLimit <= most; p.request.HopLimit++ {
		answer, err := p.insist(ctx, int(tries))
		if err != nil {
			return err
		}
		if p.forPrograms() {
			err = output.Line(p.stdout, p.output(), answer)
		} else {
			p.print("%3d  %s", p.request.HopLimit, hopText(answer))
		}
		switch {
		case err != nil:
			return err
		case answer.GetOutcome() == vbrv1.ProbeResponse_OUTCOME_ECHO_REPLY:
			return nil
		case answer.GetOutcome() == vbrv1.ProbeResponse_OUTCOME_UNREACHABLE:
			most = 0
		}
	}
	return fmt.Errorf("%s was not reached from router %s", p.request.GetTarget(), p.request.GetRouter())
}

func hopText(r *vbrv1.ProbeResponse) string {
	switch r.GetOutcome() {
	case vbrv1.ProbeResponse_OUTCOME_TIME_EXCEEDED:
		return fmt.Sprintf("%s  %.2f ms", who(r), r.GetRttMs())
	case vbrv1.ProbeResponse_OUTCOME_LOST:
		return "*"
	}
	return outcomeText(r)
}

// insist sends until something comes back, so many times at most.
func (p *prober) insist(ctx context.Context, tries int) (answer *vbrv1.ProbeResponse, err error) {
	for range tries {
		answer, err = p.send(ctx)
		if err != nil || answer.GetOutcome() != vbrv1.ProbeResponse_OUTCOME_LOST {
			break
		}
	}
	return answer, err
}

func (a *app) mtuCmd() *cobra.Command {
	c, _ := a.probeCmd(&cobra.Command{
		Use:   "mtu ROUTER TARGET",
		Short: "The MTU of the way from a router to a target",
		Long: `Mtu finds the largest IP packet that reaches a target from a router without being fragmented: by what routers on the way say (RFC 1191, RFC 8201), and where
they say nothing, by trying (RFC 8899).`,
		Example: `  vbrctl mtu vbr-acme 172.16.1.1
  vbrctl mtu vbr-acme 2001:db8:100::10 --wait 300ms`,
	}, func(ctx context.Context, p *prober) error { return p.mtu(ctx) })
	return c
}

// mtuTries is how often a size is tried that gets no answer: a packet may be lost for other reasons.
const mtuTries = 2

func (p *prober) mtu(ctx context.Context) error {
	if _, err := netip.ParseAddr(p.request.GetTarget()); err != nil {
		return usagef("TARGET %q; legal: an IPv4 or IPv6 address", p.request.GetTarget())
	}
	p.request.DontFragment, p.request.Size = true, 56
	answer, err := p.insist(ctx, mtuTries+1)
	if err != nil {
		return err
	}
	if answer.GetOutcome() != vbrv1.ProbeResponse_OUTCOME_ECHO_REPLY {
		return fmt.Errorf("%s does not answer router %s even a short request: %s", p.request.GetTarget(), p.request.GetRouter(), outcomeText(answer))
	}
	low, high, said := 56+p.headers(), 8972+p.headers(), "nobody said why"
	for next := high; low < high; {
		p.request.Size = next - p.headers()
		if answer, err = p.insist(ctx, mtuTries); err != nil {
			return err
		}
		told := answer.GetMtu()
		switch {
		case answer.GetOutcome() == vbrv1.ProbeResponse_OUTCOME_ECHO_REPLY:
			low = next
		case answer.GetOutcome() == vbrv1.ProbeResponse_OUTCOME_TOO_BIG && told >= low && told < next:
			high, said = told, who(answer)+" said so"
			next = told
			continue
		default:
			high = next - 1
			said = "beyond it there is no answer"
		}
		next = (low + high + 1) / 2
	}
	if p.forPrograms() {
		return output.Document(p.stdout, p.output(), &vbrv1.ProbeResponse{Outcome: vbrv1.ProbeResponse_OUTCOME_ECHO_REPLY, From: p.request.GetTarget(), Mtu: low})
	}
	p.print("%d bytes fit from router %s to %s: %s", low, p.request.GetRouter(), p.request.GetTarget(), said)
	return nil
}
