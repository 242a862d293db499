package glass

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// The size of a plot, in its own units, and of its margins.
const (
	plotWidth, plotHeight           = 480, 150
	marginLeft, marginRight         = 52, 8
	marginTop, marginBottom         = 8, 22
	plotRight, plotBottom           = plotWidth - marginRight, plotHeight - marginBottom
	innerWidth, innerHeight float64 = plotRight - marginLeft, plotBottom - marginTop
)

// plot is a picture of numbers over time, for the template "plot".
type plot struct {
	Title, Text string // Text says it in words
	Lines       []plotLine
	Bars        []plotBar
	Legend      []mark // of lines and bars, by their class
	Across, Up  []tick
	Empty       bool
}

type plotLine struct{ Class, Path string }

type plotBar struct {
	Class, Title        string
	X, Y, Width, Height string
}

// tick is a label at a place on an axis.
type tick struct{ At, Text string }

// axes turns times and values into places.
type axes struct {
	from, until time.Time
	top         float64
}

func (a axes) x(t time.Time) float64 {
	return marginLeft + innerWidth*float64(t.Sub(a.from))/float64(max(a.until.Sub(a.from), 1))
}

func (a axes) y(v float64) float64 { return plotBottom - innerHeight*v/a.top }

func at(v float64) string { return fmt.Sprintf("%.1f", v) }

// ceiling is the least of 1, 2, 2.5 and 5 times a power of ten that is not below v.
func ceiling(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 2.5, 5} {
		if v <= n*power {
			return n * power
		}
	}
	return 10 * power
}

// ticks labels both axes.
func (a axes) ticks(p *plot, label func(float64) string) {
	for _, share := range []float64{0, 0.5, 1} {
		p.Up = append(p.Up, tick{at(a.y(a.top * share)), label(a.top * share)})
	}
	layout := "15:04"
	if a.until.Sub(a.from) > 30*time.Hour {
		layout = "Mon 2"
	}
	const times = 4
	for i := range times + 1 {
		t := a.from.Add(a.until.Sub(a.from) * time.Duration(i) / times)
		p.Across = append(p.Across, tick{at(a.x(t)), t.Local().Format(layout)})
	}
}

// qualityPlots are the round trip with its jitter, and the loss.
func qualityPlots(q *vbrv1.GetQualityResponse) (roundTrip, loss *plot) {
	samples := q.GetSamples()
	roundTrip, loss = &plot{Title: "Round trip"}, &plot{Title: "Loss"}
	var rtts, losses []float64
	var jitter float64
	for _, s := range samples {
		if s.GetSent() > 0 {
			losses = append(losses, 100*float64(s.GetLost())/float64(s.GetSent()))
			if s.GetLost() < s.GetSent() {
				rtts, jitter = append(rtts, s.GetRttMs()), max(jitter, s.GetJitterMs())
			}
		}
	}
	if len(losses) == 0 {
		roundTrip.Empty, loss.Empty = true, true
		return roundTrip, loss
	}
	a := axes{q.GetSince().AsTime(), q.GetUntil().AsTime(), 1}
	roundTrip.Empty = len(rtts) == 0
	if !roundTrip.Empty {
		a.top = ceiling(max(slices.Max(rtts), jitter))
		roundTrip.Text = fmt.Sprintf("median %.3g ms, at most %.3g; jitter at most %.2g", median(rtts), slices.Max(rtts), jitter)
		roundTrip.Lines = []plotLine{{"jitter", a.path(samples, (*vbrv1.QualitySample).GetJitterMs)}, {"rtt", a.path(samples, (*vbrv1.QualitySample).GetRttMs)}}
		roundTrip.Legend = []mark{{"round trip", "rtt"}, {"jitter", "jitter"}}
		a.ticks(roundTrip, func(v float64) string { return fmt.Sprintf("%.3g ms", v) })
	}
	a.top = ceiling(max(slices.Max(losses), 0.1))
	loss.Text = fmt.Sprintf("at most %.3g %%", slices.Max(losses))
	loss.Legend = []mark{{"lost probes", "loss"}}
	loss.Bars = a.lossBars(samples)
	a.ticks(loss, func(v float64) string { return fmt.Sprintf("%.3g %%", v) })
	return roundTrip, loss
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// path is a line through the samples that have an answer, with gaps where there is none.
func (a axes) path(samples []*vbrv1.QualitySample, value func(*vbrv1.QualitySample) float64) string {
	var b strings.Builder
	pen := "M"
	for i, s := range samples {
		if s.GetSent() == 0 || s.GetLost() >= s.GetSent() {
			pen = "M"
			continue
		}
		x, y := at(a.x(a.middle(samples, i))), at(a.y(value(s)))
		fmt.Fprintf(&b, "%s%s %s", pen, x, y)
		if pen == "M" {
			fmt.Fprintf(&b, "h.1") // one alone is a dot
		}
		pen = "L"
	}
	return b.String()
}

// end is when a sample ends: when the next begins.
func (a axes) end(samples []*vbrv1.QualitySample, i int) time.Time {
	if i+1 < len(samples) {
		return samples[i+1].GetTime().AsTime()
	}
	return a.until
}

func (a axes) middle(samples []*vbrv1.QualitySample, i int) time.Time {
	from := samples[i].GetTime().AsTime()
	return from.Add(a.end(samples, i).Sub(from) / 2)
}

func (a axes) lossBars(samples []*vbrv1.QualitySample) (out []plotBar) {
	for i, s := range samples {
		if s.GetLost() == 0 {
			continue
		}
		v := 100 * float64(s.GetLost()) / float64(max(s.GetSent(), 1))
		from := s.GetTime().AsTime()
		title := fmt.Sprintf("%s: %d of %d lost", from.Local().Format("Mon 15:04"), s.GetLost(), s.GetSent())
		out = append(out, a.bar("loss", title, a.x(from), a.x(a.end(samples, i)), v))
	}
	return out
}

// bar stands between two places, and is never too small to be seen.
func (a axes) bar(class, title string, left, right, v float64) plotBar {
	const least = 1.5
	y := min(a.y(v), plotBottom-least)
	return plotBar{Class: class, Title: title, X: at(left), Y: at(y), Width: at(max(right-left-0.5, least)), Height: at(plotBottom - y)}
}

// plot is what an interface has sent and received; nil if it is not known.
func (c *carried) plot(name string) *plot {
	sent, received := c.sums[name], c.from[name]
	if sent == nil {
		return nil
	}
	p := &plot{Title: "Traffic", Legend: []mark{{"to the VPC or the far end", "tx"}, {"from it", "rx"}}}
	var most, tx, rx float64
	for i := range sent {
		most, tx, rx = max(most, sent[i], received[i]), tx+sent[i], rx+received[i]
	}
	n := len(sent)
	part := c.times[1].Sub(c.times[0])
	a := axes{c.times[0], c.times[n-1].Add(part), ceiling(most)}
	p.Empty = most == 0
	p.Text = fmt.Sprintf("%s sent, %s received, in parts of %s", size(tx), size(rx), strings.TrimSuffix(part.String(), "0m0s"))
	for i := range sent {
		left, right := a.x(c.times[i]), a.x(c.times[i].Add(part))
		half := (left + right) / 2
		when := c.times[i].Local().Format("Mon 15:04")
		if sent[i] > 0 {
			p.Bars = append(p.Bars, a.bar("tx", when+": "+size(sent[i])+" sent", left+0.5, half, sent[i]))
		}
		if received[i] > 0 {
			p.Bars = append(p.Bars, a.bar("rx", when+": "+size(received[i])+" received", half, right-0.5, received[i]))
		}
	}
	a.ticks(p, size)
	return p
}
