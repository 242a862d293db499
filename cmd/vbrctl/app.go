package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/client"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/output"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/render"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
)

// app is one run of the command line: its surroundings, the global flags, and the connection once it is needed.
type app struct {
	env            func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time

	options  client.Options
	format   string
	noColour bool
	timeout  time.Duration
	repeat   time.Duration // --watch; 0: once

	conn *client.Client
}

func newApp(env func(string) string, stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{env: env, stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now}
}

// client returns the connection to vbrd.
func (a *app) client() (*client.Client, error) {
	if a.conn != nil {
		return a.conn, nil
	}
	c, err := client.New(a.options)
	if err != nil {
		return nil, usage(err)
	}
	a.conn = c
	return c, nil
}

func (a *app) close() {
	if a.conn != nil {
		_ = a.conn.Close()
	}
}

// forPrograms tells whether JSON or YAML is wanted.
func (a *app) forPrograms() bool { return a.output().ForPrograms() }

func (a *app) output() output.Format { return output.Format(a.format) }

// page returns a page for people on w, which ends up on standard output.
func (a *app) page(w io.Writer) *render.Page {
	return &render.Page{Out: w, Palette: table.Palette{Color: a.colour()}, Wide: a.output() == output.Wide, Now: a.now()}
}

// colour tells whether standard output has colours (https://no-color.org).
func (a *app) colour() bool {
	return !a.noColour && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb" && isTerminal(a.stdout)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// note tells the user something that is not the output.
func (a *app) note(format string, args ...any) {
	fmt.Fprintln(a.stderr, table.Clean(fmt.Sprintf(format, args...)))
}
