package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// stage is where the demo speaks: numbered steps, each with what was seen and how long it took.
type stage struct {
	out    io.Writer
	begin  time.Time
	number int
	checks int
	now    string
}

func newStage(out io.Writer) *stage { return &stage{out: out, begin: time.Now()} }

func (s *stage) elapsed() time.Duration { return time.Since(s.begin) }

// step opens one.
func (s *stage) step(format string, args ...any) {
	s.number++
	s.now = fmt.Sprintf(format, args...)
	fmt.Fprintf(s.out, "\n[%5.1f s] %d. %s\n", s.elapsed().Seconds(), s.number, s.now)
}

// done tells a check that passed.
func (s *stage) done(format string, args ...any) {
	s.checks++
	fmt.Fprintf(s.out, "           ok  %s\n", fmt.Sprintf(format, args...))
}

// show prints what a command printed, indented.
func (s *stage) show(title, text string) {
	fmt.Fprintf(s.out, "           %s\n", title)
	for line := range strings.Lines(strings.TrimRight(text, "\n ")) {
		fmt.Fprintf(s.out, "             %s\n", strings.TrimRight(line, "\n "))
	}
}
