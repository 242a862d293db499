package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// Point is a positive pair of numbers.
type Point struct{ X, Y float64 }

// Series is one curve, its points from left to right.
type Series struct {
	Name   string
	Points []Point
}

// Chart is a picture of curves over logarithmic axes.
type Chart struct {
	Title, X, Y string
	Series      []Series
}

const (
	width, height            = 720, 420
	left, right, top, bottom = 70, 110, 40, 50
)

// colours are told apart by colour-blind readers too (Okabe and Ito); each curve has a mark of its own besides.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"}

// axis maps values between two powers of ten, or parts of them, to pixels.
type axis struct{ low, high, from, to float64 }

func newAxis(low, high, from, to float64) axis {
	low, high = math.Floor(2*math.Log10(low))/2, math.Ceil(2*math.Log10(high))/2
	if high-low < 1 {
		high = low + 1
	}
	return axis{low, high, from, to}
}

func (a axis) at(v float64) float64 {
	return a.from + (math.Log10(v)-a.low)/(a.high-a.low)*(a.to-a.from)
}

// ticks are the powers of ten on the axis.
func (a axis) ticks() (out []float64) {
	for e := math.Ceil(a.low); e <= a.high; e++ {
		out = append(out, math.Pow(10, e))
	}
	return out
}

// fine are the values between the powers of ten.
func (a axis) fine() (out []float64) {
	for e := math.Floor(a.low); e <= a.high; e++ {
		for d := 2.0; d < 10; d++ {
			if v := d * math.Pow(10, e); math.Log10(v) >= a.low && math.Log10(v) <= a.high {
				out = append(out, v)
			}
		}
	}
	return out
}

// SVG draws the chart. One without points is a frame with its title.
func (c Chart) SVG() string {
	x, y := c.axes()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	text(&b, left, 24, "start", `font-size="16" font-weight="bold"`, c.Title)
	grid(&b, x, y)
	text(&b, (left+width-right)/2, height-10, "middle", "", c.X)
	fmt.Fprintf(&b, `<text x="16" y="%d" text-anchor="middle" transform="rotate(-90 16 %[1]d)">%s</text>`+"\n",
		(top+height-bottom)/2, html.EscapeString(c.Y))
	labels := c.labels(y)
	for i, s := range c.Series {
		curve(&b, s, x, y, i, labels[i])
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (c Chart) axes() (x, y axis) {
	low, high := Point{math.Inf(1), math.Inf(1)}, Point{}
	for _, s := range c.Series {
		for _, p := range s.Points {
			low.X, low.Y = min(low.X, p.X), min(low.Y, p.Y)
			high.X, high.Y = max(high.X, p.X), max(high.Y, p.Y)
		}
	}
	if high.X == 0 {
		low, high = Point{1, 1}, Point{10, 10}
	}
	return newAxis(low.X, high.X, left, width-right), newAxis(low.Y, high.Y, height-bottom, top)
}

func grid(b *strings.Builder, x, y axis) {
	line := func(x1, y1, x2, y2 float64, colour string) {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
	}
	for _, v := range x.fine() {
		line(x.at(v), y.from, x.at(v), y.to, "#eeeeee")
	}
	for _, v := range y.fine() {
		line(x.from, y.at(v), x.to, y.at(v), "#eeeeee")
	}
	for _, v := range x.ticks() {
		line(x.at(v), y.from, x.at(v), y.to, "#bbbbbb")
		text(b, x.at(v), y.from+18, "middle", "", number(v))
	}
	for _, v := range y.ticks() {
		line(x.from, y.at(v), x.to, y.at(v), "#bbbbbb")
		text(b, x.from-8, y.at(v)+4, "end", "", number(v))
	}
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="none" stroke="#555555"/>`+"\n", x.from, y.to, x.to-x.from, y.from-y.to)
}

// labels are the heights of the curves' names, pushed apart where they would overlap.
func (c Chart) labels(y axis) []float64 {
	const apart = 15
	out := make([]float64, len(c.Series))
	for i, s := range c.Series {
		if len(s.Points) > 0 {
			out[i] = y.at(s.Points[len(s.Points)-1].Y)
		}
	}
	for range len(out) * len(out) {
		for i := range out {
			for j := range out {
				if i != j && out[i] <= out[j] && out[j]-out[i] < apart && (out[i] < out[j] || i < j) {
					out[j] = out[i] + apart
				}
			}
		}
	}
	return out
}

func curve(b *strings.Builder, s Series, x, y axis, i int, label float64) {
	if len(s.Points) == 0 {
		return
	}
	colour := colours[i%len(colours)]
	var points []string
	for _, p := range s.Points {
		points = append(points, fmt.Sprintf("%.1f,%.1f", x.at(p.X), y.at(p.Y)))
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5"/>`+"\n", strings.Join(points, " "), colour)
	for _, p := range s.Points {
		fmt.Fprintf(b, `<g transform="translate(%.1f %.1f)" fill="%s"><title>%s: %s, %s</title>%s</g>`+"\n",
			x.at(p.X), y.at(p.Y), colour, html.EscapeString(s.Name), number(p.X), number(p.Y), mark(i))
	}
	last := s.Points[len(s.Points)-1]
	text(b, x.at(last.X)+10, label+4, "start", fmt.Sprintf(`fill="%s" font-weight="bold"`, colour), s.Name)
}

func mark(i int) string {
	return []string{`<circle r="5"/>`, `<rect x="-4.5" y="-4.5" width="9" height="9"/>`, `<path d="M0,-6 L6,5 L-6,5 Z"/>`}[i%3]
}

func text(b *strings.Builder, x, y float64, anchor, more, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, more, html.EscapeString(s))
}

func number(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 4, 64) + "M"
	case v >= 1e3:
		return strconv.FormatFloat(v/1e3, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
