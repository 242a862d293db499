package render

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
	"github.com/openvbr/openvbr/internal/words"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// Interfaces shows one line for each router interface.
func (p *Page) Interfaces(routers []*vbrv1.RouterStatus) error {
	t := p.table(left("Interface"), left("Router"), left("State"), right("Since"), left("Health"), right("Lost"), right("RTT"), left("Opposite"), left("Region"),
		left("Owner"), inWide(left("Role")), inWide(left("Spec")), inWide(right("Pref")), inWide(left("Device")), inWide(right("VNI")), inWide(left("Route Target")),
		inWide(right("Imported")), inWide(right("Exported")), inWide(left("Gateways")), left("Reason"))
	for _, r := range routers {
		for _, ri := range r.GetRouterInterfaces() {
			lost, rtt := p.probes(ri.GetHealthCheck())
			t.Row(ri.GetName(), r.GetName(), cell(words.InterfaceState(ri)), p.age(ri.GetSince()), cell(words.Health(ri.GetHealthCheck())), lost, rtt, orDash(ri.GetOppositeInterfaceId()),
				region(ri), orDash(ri.GetOwner()), orDash(ri.GetRole()), orDash(ri.GetSpec()), ri.GetPreference(), orDash(ri.GetDevice()), ri.GetVni(),
				orDash(ri.GetRouteTarget()), ri.GetImported(), ri.GetExported(), orDash(strings.Join(ri.GetGateways(), " ")), ri.GetReason())
		}
	}
	return t.Flush()
}

// probes are the losses of the last probes and the last round trip of a check.
func (p *Page) probes(h *vbrv1.HealthCheckState) (lost, rtt string) {
	if h.GetSince() == nil {
		return "-", "-"
	}
	return fmt.Sprint(h.GetLost()), fmt.Sprintf("%.2f ms", h.GetRttMs())
}

func region(ri *vbrv1.RouterInterfaceStatus) string {
	switch {
	case ri.GetCrossRegion():
		return ri.GetOppositeRegionId()
	case ri.GetOppositeInterfaceId() != "":
		return "same"
	}
	return "-"
}

// Usages shows what router interfaces have carried.
func (p *Page) Usages(usages []*vbrv1.Usage) error {
	t := p.table(left("Interface"), left("Router"), left("Class"), right("Sent"), right("Packets"), right("Received"), right("Packets"), left("Since"), left("Owner"))
	for _, u := range usages {
		class := "same-region"
		if u.GetCrossRegion() {
			class = "cross-region"
		}
		since := "ever"
		if u.GetSince() != nil {
			since = p.clock(u.GetSince())
		}
		t.Row(u.GetRouterInterface(), u.GetRouter(), class, p.bytes(u.GetTxBytes()), u.GetTxPackets(), p.bytes(u.GetRxBytes()), u.GetRxPackets(), since, orDash(u.GetOwner()))
	}
	return t.Flush()
}

// bytes renders a number of them: in decimal units, or exactly in wide tables.
func (p *Page) bytes(n uint64) string {
	if p.Wide || n < 10_000 {
		return fmt.Sprintf("%d B", n)
	}
	f, units := float64(n)/1000, []string{"kB", "MB", "GB", "TB", "PB"}
	for f >= 1000 && len(units) > 1 {
		f, units = f/1000, units[1:]
	}
	return fmt.Sprintf("%.1f %s", f, units[0])
}

// Quality shows how good a router interface has been.
func (p *Page) Quality(q *vbrv1.GetQualityResponse) error {
	p.line("%s of %s, %s to %s", p.bold(q.GetRouterInterface()), table.Clean(q.GetRouter()), p.clock(q.GetSince()), p.clock(q.GetUntil()))
	if q.GetProbe() == "" {
		p.line("%s", p.dim("nothing is probed: it is no pair, and has no health check"))
	} else {
		p.line("probes %s", table.Clean(q.GetProbe()))
	}
	p.line("")
	t := p.table(left("Objective"), right("Target"), right("Measured"), left("Met"), right("Budget left"))
	for _, o := range q.GetObjectives() {
		measured, met, left := table.Cell{Text: fmt.Sprintf("%.3f %%", o.GetMeasured())}, table.Cell{Text: "yes", Style: table.Good}, fmt.Sprintf("%.0f %%", o.GetBudgetLeft())
		switch {
		case o.GetUnknown():
			measured, met, left = table.Cell{Text: "-"}, table.Cell{Text: "not measured", Style: table.Dim}, "-"
		case !o.GetMet():
			met = table.Cell{Text: "no", Style: table.Bad}
		}
		t.Row(words.ObjectiveName(o), words.Target(o), measured, met, left)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	p.plot(q.GetSamples())
	return nil
}

// plot draws loss and round trip, a column for each sample. Samples without probes are blank.
func (p *Page) plot(samples []*vbrv1.QualitySample) {
	if len(samples) == 0 {
		return
	}
	loss, rtt := make([]float64, len(samples)), make([]float64, len(samples))
	known := make([]bool, len(samples))
	var mostLoss, mostRTT float64
	for i, s := range samples {
		if known[i] = s.GetSent() > 0; known[i] {
			loss[i], rtt[i] = 100*float64(s.GetLost())/float64(s.GetSent()), s.GetRttMs()
			mostLoss, mostRTT = max(mostLoss, loss[i]), max(mostRTT, rtt[i])
		}
	}
	const label = "%-5s %s  at most %.2f %s"
	p.line("")
	p.line(label, "rtt", p.good(bars(rtt, known, mostRTT)), mostRTT, "ms")
	p.line(label, "loss", p.bad(bars(loss, known, mostLoss)), mostLoss, "%")
	p.line("%s", p.dim(scale(samples, p)))
}

// bars are block characters, the highest for the greatest value. What is more than nothing is never blank.
func bars(values []float64, known []bool, most float64) string {
	blocks := []rune("_▁▂▃▄▅▆▇█")
	var out strings.Builder
	for i, v := range values {
		switch {
		case !known[i]:
			out.WriteByte(' ')
		case most == 0 || v == 0:
			out.WriteRune(blocks[0])
		default:
			out.WriteRune(blocks[max(1, int(v/most*float64(len(blocks)-1)+0.5))])
		}
	}
	return out.String()
}

// scale are the times at both ends of a plot.
func scale(samples []*vbrv1.QualitySample, p *Page) string {
	first, last := p.clock(samples[0].GetTime()), p.clock(lastTime(samples))
	return "      " + first + strings.Repeat(" ", max(1, len(samples)-len(first)-len(last))) + last
}

func lastTime(samples []*vbrv1.QualitySample) *timestamppb.Timestamp {
	return samples[len(samples)-1].GetTime()
}
