package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// maxViolations is how many problems one error tells.
const maxViolations = 100

// refuse makes problems an error: a message with the first of them and a BadRequest with one violation for each.
func refuse(code codes.Code, problems ...source.Problem) error {
	text := problems[0].Error()
	if n := len(problems) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more)", n)
	}
	st := status.New(code, text)
	details := &errdetails.BadRequest{}
	for _, p := range problems[:min(len(problems), maxViolations)] {
		field := p.Path
		p.Path = ""
		details.FieldViolations = append(details.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: field, Description: p.Error()})
	}
	if with, err := st.WithDetails(details); err == nil {
		st = with
	}
	return st.Err()
}

// fail is an error without fields.
func fail(code codes.Code, format string, args ...any) error {
	return status.Errorf(code, format, args...)
}

// ended is the error of a call whose context has ended.
func ended(err error) error { return status.FromContextError(err).Err() }

// unreachable is the error when the store could not be read.
func (c *Controller) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(ctx.Err())
	}
	if p := c.cfg.Store.Problem(); p != "" {
		return fail(codes.Unavailable, "%s", p)
	}
	code := codes.Unavailable
	if corrupt := new(store.CorruptError); errors.As(err, &corrupt) {
		code = codes.DataLoss
	}
	return fail(code, "store %s: %v", c.cfg.Store.Name(), err)
}

// denied says that the caller's role does not reach.
func denied(caller Caller, what string) error {
	return fail(codes.PermissionDenied, "%s %q may not %s", caller.Role, caller.Name, what)
}

// keyOf finds the resource a problem is about: "VirtualBorderRouter/vbr-acme.vlan_id".
func keyOf(p source.Problem) (key, bool) {
	label, _, _ := strings.Cut(p.Path, ".")
	kind, name, ok := strings.Cut(label, "/")
	k := key{vbrv1.KindOf(kind), name}
	return k, ok && k.kind != 0
}

// tell leaves out of problems what the caller is not to know: problems of resources that it does not see, and what the machine has.
func tell(caller Caller, problems intent.Errors, owners func(key) []string) intent.Errors {
	if caller.SeesAll() {
		return problems
	}
	var out intent.Errors
	hidden := false
	for _, p := range problems {
		if k, ok := keyOf(p); ok {
			if of := owners(k); len(of) > 0 && !slices.ContainsFunc(of, caller.Sees) {
				hidden = true
				continue
			}
		}
		out = append(out, p)
	}
	if hidden {
		out = append(out, source.Problem{Text: "resources of other owners rest on what this would change", Legal: "a change that leaves them as they are"})
	}
	return out
}
