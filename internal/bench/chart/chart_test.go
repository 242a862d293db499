package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func wellFormed(t *testing.T, s string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(s)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, s)
		}
	}
}

func TestSVG(t *testing.T) {
	c := Chart{Title: "learn <all>", X: "routes", Y: "seconds", Series: []Series{
		{"a & b", []Point{{1000, 0.01}, {10000, 0.1}, {100000, 1}}},
		{"c", []Point{{1000, 0.02}, {10000, 0.2}, {100000, 1}}},
		{"none", nil},
	}}
	s := c.SVG()
	wellFormed(t, s)
	// 1000 is the left edge, 100000 the right one, half a decade is the least step.
	for _, want := range []string{`<polyline points="70.0,370.0 `, ` 610.0,40.0"`, "learn &lt;all&gt;", "a &amp; b", ">100k<"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	wellFormed(t, Chart{Title: "empty"}.SVG())
}

func TestLabelsDoNotOverlap(t *testing.T) {
	c := Chart{Series: []Series{{"a", []Point{{1, 10}}}, {"b", []Point{{1, 10}}}, {"c", []Point{{1, 10.1}}}}}
	_, y := c.axes()
	l := c.labels(y)
	for i := range l {
		for j := range i {
			if d := l[i] - l[j]; d > -14 && d < 14 {
				t.Errorf("labels at %v", l)
			}
		}
	}
}
