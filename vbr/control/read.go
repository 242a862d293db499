package control

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// The bounds of a chunk of a stream, so that no message is near gRPC's limit.
const (
	maxChunk      = 200
	maxChunkBytes = 512 << 10
)

// Get returns one resource. Replies share their messages with the controller: they are to be sent, not changed.
func (c *Controller) Get(_ context.Context, caller Caller, req *vbrv1.GetRequest) (*vbrv1.GetResponse, error) {
	k := key{req.GetKind(), req.GetName()}
	if vbrv1.KindName(k.kind) == "" {
		return nil, refuse(codes.InvalidArgument, badKind("kind", k.kind))
	}
	s := c.now()
	r := s.shown[k]
	if r == nil || !s.sees(caller, r) {
		return nil, fail(codes.NotFound, "%s not found", k)
	}
	return &vbrv1.GetResponse{Resource: r}, nil
}

func badKind(path string, kind vbrv1.Kind) source.Problem {
	var names []string
	for _, k := range vbrv1.Kinds() {
		names = append(names, vbrv1.KindName(k))
	}
	return source.Problem{Path: path, Value: fmt.Sprint(int32(kind)), Text: "not a kind of resource", Legal: fmt.Sprintf("1..%d: %s", len(names), strings.Join(names, ", "))}
}

// List hands out what matches, by kind and name, at least one chunk. It needs no store: what is known now counts.
func (c *Controller) List(ctx context.Context, caller Caller, req *vbrv1.ListRequest, yield func(*vbrv1.ListResponse) error) error {
	f, err := newFilter(caller, req.GetKinds(), req.GetOwner())
	if err != nil {
		return err
	}
	if n := len(req.GetNames()); n > MaxNames {
		return refuse(codes.InvalidArgument, source.Problem{Path: "names", Value: fmt.Sprint(n), Text: "not a number of names for one call", Legal: "0..1000, 0 means all"})
	}
	s := c.now()
	var found []*vbrv1.Resource
	for _, k := range sorted(s.shown) {
		r := s.shown[k]
		if f.matches(k, r, s.owners(r)) && (len(req.GetNames()) == 0 || slices.Contains(req.GetNames(), k.name)) && (req.GetHost() == "" || c.isOn(s, r, req.GetHost())) {
			found = append(found, r)
		}
	}
	for first := true; first || len(found) > 0; first = false {
		if err := ctx.Err(); err != nil {
			return ended(err)
		}
		n := chunk(found)
		if err := yield(&vbrv1.ListResponse{Resources: found[:n], Revision: s.number()}); err != nil {
			return err
		}
		found = found[n:]
	}
	return nil
}

// chunk is how many of the resources go into one message.
func chunk(resources []*vbrv1.Resource) int {
	size := 0
	for i, r := range resources {
		if size += proto.Size(r); i == maxChunk || i > 0 && size > maxChunkBytes {
			return i
		}
	}
	return len(resources)
}

// isOn tells whether a resource is on a host; a router interface is where its router is, a failover group where either of its VBRs is.
func (c *Controller) isOn(s *state, r *vbrv1.Resource, host string) bool {
	if k := keyOfResource(r); k.kind == vbrv1.Kind_KIND_ROUTER_INTERFACE || k.kind == vbrv1.Kind_KIND_VBR_HA {
		return slices.ContainsFunc(refersTo(r), func(to key) bool { return s.shown[to] != nil && c.isOn(s, s.shown[to], host) })
	}
	on := hostOf(r)
	if on == "" {
		on = c.cfg.Host
	}
	return on == host
}

// filter is which resources a stream is about. It is kept, and gone through, for as long as the stream lasts.
type filter struct {
	caller Caller
	kinds  []vbrv1.Kind
	owner  string
}

func newFilter(caller Caller, kinds []vbrv1.Kind, owner string) (filter, error) {
	if n, all := len(kinds), len(vbrv1.Kinds()); n > all {
		return filter{}, refuse(codes.InvalidArgument, source.Problem{Path: "kinds", Value: fmt.Sprint(n), Text: "not a number of kinds", Legal: fmt.Sprintf("0..%d, 0 means all", all)})
	}
	if utf8.RuneCountInString(owner) > maxOwner {
		return filter{}, refuse(codes.InvalidArgument, source.Problem{Path: "owner", Value: source.Quote(owner), Text: "not an owner label", Legal: "at most 64 printable characters"})
	}
	for i, k := range kinds {
		if vbrv1.KindName(k) == "" {
			return filter{}, refuse(codes.InvalidArgument, badKind(fmt.Sprintf("kinds[%d]", i), k))
		}
	}
	return filter{caller, kinds, owner}, nil
}

// matches tells whether a resource is one of them; owners are those who see it.
func (f filter) matches(k key, r *vbrv1.Resource, owners []string) bool {
	if r == nil || len(f.kinds) > 0 && !slices.Contains(f.kinds, k.kind) {
		return false
	}
	return slices.ContainsFunc(owners, f.caller.Sees) && (f.owner == "" || f.owner == ownerOf(r))
}
