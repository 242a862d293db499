package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/cmd/vbrctl/internal/resource"
	"github.com/openvbr/openvbr/cmd/vbrctl/internal/table"
)

// exitError ends the run with a status. What is to be said about it, if anything, is err.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as the user's, made before anything was sent.
func usage(err error) error { return &exitError{exitUsage, err} }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// violations are what vbrd says about single fields, by way of the files they stand in.
type violations struct {
	err   error
	files *resource.Set
}

func (v *violations) Error() string { return v.err.Error() }

// GRPCStatus is what package status asks for.
func (v *violations) GRPCStatus() *status.Status { return status.Convert(v.err) }

// report writes an error and returns the exit status.
func (a *app) report(ctx context.Context, err error) int {
	var exit *exitError
	var bad resource.Problems
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil: // interrupted: the user knows
		return exitFailed
	case errors.As(err, &exit):
		a.complain(exit.err)
		return exit.code
	case errors.As(err, &bad):
		a.complain(bad)
		a.note("vbrctl: %s; nothing was sent", plural(len(bad), "error"))
		return exitFailed
	}
	if _, ok := status.FromError(err); ok {
		return a.refused(err)
	}
	a.complain(err)
	return exitFailed
}

// complain writes an error, line by line.
func (a *app) complain(err error) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		a.note("%s", strings.TrimRight(line, "\n"))
	}
}

// hints are what to do about an answer, unless it says so itself.
var hints = map[codes.Code]struct{ unless, hint string }{
	codes.Aborted:       {"`vbrctl ", "changed meanwhile; see `vbrctl diff`"},
	codes.Unimplemented: {"`vbrctl ", "vbrd and vbrctl are of different versions; see `vbrctl version`"},
	codes.Internal:      {"log", "vbrd's log says more: journalctl -u vbrd"},
}

// refused explains an answer of vbrd, or that there is none, and returns the exit status.
func (a *app) refused(err error) int {
	s, _ := status.FromError(err)
	if s.Code() == codes.Unavailable || s.Code() == codes.DeadlineExceeded {
		return a.silent(s)
	}
	text := s.Message()
	if hint, ok := hints[s.Code()]; ok && !strings.Contains(text, hint.unless) {
		text += "\n" + hint.hint
	}
	if s.Code() == codes.ResourceExhausted && strings.Contains(text, "larger than max") {
		text += "\nthat is too much for one call; split the files"
	}
	var v *violations
	files := (*resource.Set)(nil)
	if errors.As(err, &v) {
		files = v.files
	}
	if n := a.fields(s, files); n > 0 {
		text = summary(s, n)
	}
	a.complain(errors.New(text))
	return exitFailed
}

// summary stands below n field violations; vbrd sends the first of many, and how many more there are at the end of its message.
func summary(s *status.Status, n int) string {
	more := 0
	if at := strings.LastIndex(s.Message(), " (and "); at >= 0 {
		if _, err := fmt.Sscanf(s.Message()[at:], " (and %d more)", &more); err != nil {
			more = 0
		}
	}
	text := fmt.Sprintf("vbrctl: %s; nothing was changed", plural(max(n, more+1), "error"))
	if more >= n {
		text = fmt.Sprintf("vbrctl: %s, of which %d are shown; nothing was changed", plural(more+1, "error"), n)
	}
	if s.Code() == codes.Aborted {
		text += "\n" + hints[codes.Aborted].hint
	}
	return text
}

// fields writes the field violations of a status, one a line, with their places, and returns how many there were.
func (a *app) fields(s *status.Status, files *resource.Set) int {
	n := 0
	for _, d := range s.Details() {
		bad, ok := d.(*errdetails.BadRequest)
		if !ok {
			continue
		}
		for _, v := range bad.GetFieldViolations() {
			n++
			text := table.Clean(strings.TrimPrefix(v.GetField()+": "+v.GetDescription(), ": "))
			if files != nil {
				if place := files.Place(v.GetField()); place != "" {
					text = place + ": " + text
				}
			}
			a.note("%s", text)
		}
	}
	return n
}

// silent explains why vbrd does not answer, or shows its answer that something of its own is away.
func (a *app) silent(s *status.Status) int {
	if s.Code() == codes.Unavailable && a.conn.Answered() {
		a.note("%s", s.Message())
		return exitFailed
	}
	reached, cause := a.conn.Reached()
	return a.unreachable(reached, cause, s)
}

// unreachable explains a status that says that no answer came, by whether vbrd was ever reached and how the last attempt ended.
func (a *app) unreachable(reached bool, cause error, s *status.Status) int {
	where := a.options.Where()
	local := a.options.Address == ""
	switch {
	case errors.Is(cause, fs.ErrPermission):
		a.note("%s: permission denied; join group vbr or use sudo", where)
	case !reached && local:
		a.note("%s: %s", where, reason(cause, s))
		a.note("vbrd is not running or the socket is elsewhere: systemctl status vbrd, --socket")
	case !reached:
		a.note("%s: %s", where, reason(cause, s))
		a.note("vbrd is not running there or the address is wrong: --address")
	case s.Code() == codes.DeadlineExceeded:
		a.note("vbrd did not answer within %s; see --timeout", a.timeout)
		return exitFailed
	default: // the connection was lost
		a.note("%s: %s", where, handshake(s.Message()))
		if !local {
			a.note("if it is about certificates: --cert must be signed by vbrd's api.tls.client_ca, vbrd's own by --ca")
		}
	}
	return exitUnreachable
}

// handshake leaves of gRPC's words about a connection what the user can act on, such as what is wrong with a certificate.
func handshake(text string) string {
	if _, rest, ok := strings.Cut(text, `desc = "transport: `); ok {
		return strings.TrimSuffix(rest, `"`)
	}
	return text
}

// reason is why a connection could not be made.
func reason(cause error, s *status.Status) string {
	if cause != nil {
		return cause.Error()
	}
	return s.Message()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
