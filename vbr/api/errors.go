package api

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openvbr/openvbr/vbr"
)

// longestReason is room for a refusal with eight IPv6 prefixes, the routers concerned and what is missing; in characters.
const longestReason = 2000

// toStatus is the gRPC status of an error. What is not meant for callers is returned as hidden, for the log.
func toStatus(err error) (out, hidden error) {
	if _, ok := status.FromError(err); ok {
		return err, nil
	}
	var bad *vbr.RequestError
	var refused *vbr.RefusedError
	var busy *vbr.BusyError
	switch {
	case errors.As(err, &bad):
		return badRequest(bad.Field, bad.Value, bad.Legal), nil
	case errors.As(err, &refused):
		return status.Error(codes.FailedPrecondition, printableUpTo(refused.Why, longestReason)), nil
	case errors.As(err, &busy):
		return status.Error(codes.ResourceExhausted, printable(busy.Error())), nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err(), nil
	case errors.Is(err, io.EOF):
		return status.Error(codes.InvalidArgument, "the call ended before its request came"), nil
	}
	return status.Error(codes.Internal, "internal error; vbrd's log has it"), err
}

// badRequest is the answer to a request with one wrong field.
func badRequest(field, value, legal string) error {
	description := fmt.Sprintf("%q; legal: %s", printable(value), legal)
	st := status.Newf(codes.InvalidArgument, "%s: %s", field, description)
	with, err := st.WithDetails(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: description}}})
	if err != nil {
		return st.Err()
	}
	return with.Err()
}

// noRouter is the answer for a router that is not there, or that the caller may not see.
func noRouter(name string) error {
	return status.Errorf(codes.NotFound, "router %q: there is none of that name; `vbrctl show routers` lists them", printable(name))
}

// gone makes ErrNoRouter the answer for routers that are not there: it went in the meantime.
func gone(err error, name string) error {
	if errors.Is(err, vbr.ErrNoRouter) {
		return noRouter(name)
	}
	return err
}
