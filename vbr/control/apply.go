package control

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
	"github.com/openvbr/openvbr/vbr/intent/store"
)

// Apply creates and changes stored resources, and with prune deletes the others that the caller may: all or none.
func (c *Controller) Apply(ctx context.Context, caller Caller, req *vbrv1.ApplyRequest) (*vbrv1.ApplyResponse, error) {
	wanted, err := wantedOf(req)
	if err != nil {
		return nil, err
	}
	out, err := c.commit(ctx, &request{caller: caller, expected: req.GetExpectedRevision(), dryRun: req.GetDryRun(), comment: req.GetComment(),
		confirm: req.GetConfirmWithin(), edit: func(base *state) (*draft, error) { return editApply(base, caller, req, wanted) }})
	if err != nil {
		return nil, err
	}
	if caller.rules() && !req.GetDryRun() {
		if err := c.whole(); err != nil {
			c.cfg.Log.Error("cannot note that no stored resources are missing", "error", err)
			return nil, fail(codes.Internal, "revision %d is stored, but it cannot be noted that nothing is missing any more: %v; apply it again", out.revision, err)
		}
	}
	return &vbrv1.ApplyResponse{Revision: out.revision, Plan: out.plan, ConfirmBy: out.confirmBy}, nil
}

// wantedOf is the resources of a request, each once.
func wantedOf(req *vbrv1.ApplyRequest) (map[key]*vbrv1.Resource, error) {
	n := len(req.GetResources())
	if n > MaxResources || n == 0 && !req.GetPrune() {
		return nil, refuse(codes.InvalidArgument, source.Problem{Path: "resources", Value: fmt.Sprint(n), Text: "not a number of resources for one call", Legal: "1..10000, 0 only with prune"})
	}
	var problems intent.Errors
	wanted := make(map[key]*vbrv1.Resource, n)
	for i, r := range req.GetResources() {
		path := fmt.Sprintf("resources[%d]", i)
		if content(r) == nil {
			problems.Add(source.Problem{Path: path, Text: "is empty", Legal: "a physical_connection, virtual_border_router, router_interface, v_router or vbr_ha"})
			continue
		}
		k := keyOfResource(r)
		if f := unknownField(content(r).ProtoReflect()); f != "" {
			problems.Add(source.Problem{Path: k.String(), Text: f + " is not known to this vbrd", Legal: "what its version has"})
		}
		if k.name == "" {
			k.name = path // found to be missing by the field rules
		}
		if wanted[k] != nil {
			problems.Add(source.Problem{Path: k.String(), Text: "is in the request twice", Legal: "each resource once"})
		}
		wanted[k] = r
	}
	if len(problems) > 0 {
		return nil, refuse(codes.InvalidArgument, problems...)
	}
	return wanted, nil
}

// unknownField finds a field that a newer client knows and we do not; silence would lose it.
func unknownField(m protoreflect.Message) (found string) {
	if len(m.GetUnknown()) > 0 {
		return "a field of " + string(m.Descriptor().Name())
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for i := 0; i < v.List().Len() && found == ""; i++ {
				found = unknownField(v.List().Get(i).Message())
			}
		default:
			found = unknownField(v.Message())
		}
		return found == ""
	})
	return found
}

// editApply finds what changes.
func editApply(base *state, caller Caller, req *vbrv1.ApplyRequest, wanted map[key]*vbrv1.Resource) (*draft, error) {
	d := &draft{put: map[key]*vbrv1.Resource{}, gone: map[key]bool{}}
	var stale, taken, foreign intent.Errors
	for _, k := range sorted(wanted) {
		r, is := wanted[k], base.shown[k]
		if is != nil && !base.sees(caller, is) {
			is = nil
		}
		expected := r.GetMetadata().GetGeneration()
		switch {
		case expected != 0 && (is == nil || is.Metadata.GetGeneration() != expected):
			stale.Add(staleGeneration(k, expected, is))
		case is != nil && same(is, r): // also in a file
		case base.files.resources[k] != nil && is != nil:
			taken.Add(ownedByFile(k, is))
		case base.shown[k] != nil && is == nil:
			taken.Add(source.Problem{Path: k.String() + ".name", Value: source.Quote(k.name), Text: "name is in use", Legal: "another name"})
		default:
			foreign = append(foreign, base.authorise(caller, k, is, r, wanted)...)
			d.put[k] = &vbrv1.Resource{Resource: r.Resource}
		}
	}
	if req.GetPrune() {
		for k, r := range base.kept {
			if wanted[k] == nil && caller.MayChange(ownerOf(r)) {
				d.gone[k] = true
			}
		}
	}
	return d, firstOf(stale, foreign, taken)
}

// firstOf makes the gravest problems the error.
func firstOf(stale, foreign, taken intent.Errors) error {
	switch {
	case len(foreign) > 0:
		return refuse(codes.PermissionDenied, foreign...)
	case len(stale) > 0:
		return refuse(codes.Aborted, stale...)
	case len(taken) > 0:
		return refuse(codes.FailedPrecondition, taken...)
	}
	return nil
}

func owners(caller Caller) string {
	text := ""
	for i, o := range caller.Owners {
		if i > 0 {
			text += ", "
		}
		text += source.Quote(o)
	}
	return text
}

func staleGeneration(k key, expected uint64, is *vbrv1.Resource) source.Problem {
	p := source.Problem{Path: k.String() + ".generation", Value: number(expected), Text: "does not exist", Legal: "0 to create it"}
	if is != nil {
		p.Text, p.Legal = "not the current generation", number(is.Metadata.GetGeneration())
	}
	return p
}

func ownedByFile(k key, is *vbrv1.Resource) source.Problem {
	return source.Problem{Path: k.String(), Text: "belongs to " + is.GetMetadata().GetSource(), Legal: "a change of that file, and a reload of vbrd"}
}

// Delete deletes stored resources: all or none, and none that others refer to.
func (c *Controller) Delete(ctx context.Context, caller Caller, req *vbrv1.DeleteRequest) (*vbrv1.DeleteResponse, error) {
	if n := len(req.GetRefs()); n == 0 || n > MaxResources {
		return nil, refuse(codes.InvalidArgument, source.Problem{Path: "refs", Value: fmt.Sprint(n), Text: "not a number of resources for one call", Legal: "1..10000"})
	}
	out, err := c.commit(ctx, &request{caller: caller, expected: req.GetExpectedRevision(), dryRun: req.GetDryRun(), comment: req.GetComment(),
		confirm: req.GetConfirmWithin(), edit: func(base *state) (*draft, error) { return editDelete(base, caller, req.GetRefs()) }})
	if err != nil {
		return nil, err
	}
	return &vbrv1.DeleteResponse{Revision: out.revision, Plan: out.plan, ConfirmBy: out.confirmBy}, nil
}

func editDelete(base *state, caller Caller, refs []*vbrv1.ResourceRef) (*draft, error) {
	d := &draft{gone: map[key]bool{}}
	var bad, missing, stale, taken, foreign intent.Errors
	for i, ref := range refs {
		k := key{ref.GetKind(), ref.GetName()}
		is, inFile := base.kept[k], base.files.resources[k]
		path := k.String()
		switch {
		case vbrv1.KindName(k.kind) == "":
			bad.Add(source.Problem{Path: fmt.Sprintf("refs[%d].kind", i), Value: fmt.Sprint(int32(k.kind)), Text: "not a kind", Legal: fmt.Sprintf("1..%d", len(vbrv1.Kinds()))})
		case d.gone[k]:
			bad.Add(source.Problem{Path: path, Text: "is in the request twice", Legal: "each resource once"})
		case is == nil && inFile != nil && caller.Sees(ownerOf(inFile)):
			taken.Add(ownedByFile(k, inFile))
		case is == nil || !base.sees(caller, is):
			missing.Add(source.Problem{Path: path, Text: "not found"})
		case ref.GetGeneration() != 0 && ref.GetGeneration() != is.Metadata.GetGeneration():
			stale.Add(staleGeneration(k, ref.GetGeneration(), is))
		case !base.mayDelete(caller, is):
			foreign.Add(source.Problem{Path: path, Text: "may not be deleted by " + caller.Name})
		}
		d.gone[k] = true
	}
	switch {
	case len(bad) > 0:
		return nil, refuse(codes.InvalidArgument, bad...)
	case len(missing) > 0:
		return nil, refuse(codes.NotFound, missing...)
	}
	return d, firstOf(stale, foreign, taken)
}

// Rollback makes the stored resources what they were at a revision, as a new one.
func (c *Controller) Rollback(ctx context.Context, caller Caller, req *vbrv1.RollbackRequest) (*vbrv1.RollbackResponse, error) {
	if !caller.rules() {
		return nil, denied(caller, "roll back: it changes the resources of all owners")
	}
	if req.GetRevision() == 0 {
		return nil, refuse(codes.InvalidArgument, source.Problem{Path: "revision", Text: "missing", Legal: "a revision in `vbrctl history`"})
	}
	comment := req.GetComment()
	if comment == "" {
		comment = "rollback to revision " + number(req.GetRevision())
	}
	out, err := c.commit(ctx, &request{caller: caller, dryRun: req.GetDryRun(), comment: comment, confirm: req.GetConfirmWithin(),
		rollback: req.GetConfirmWithin() == nil, edit: func(base *state) (*draft, error) {
			target, err := c.cfg.Store.Get(ctx, req.GetRevision())
			if errors.Is(err, store.ErrNotFound) {
				return nil, fail(codes.NotFound, "revision %d is not in the history; see `vbrctl history`", req.GetRevision())
			}
			if err != nil {
				return nil, c.unreachable(ctx, err)
			}
			return back(base, target), nil
		}})
	if err != nil {
		return nil, err
	}
	return &vbrv1.RollbackResponse{Revision: out.revision, Plan: out.plan, ConfirmBy: out.confirmBy}, nil
}

// back is the change from the base to what an earlier revision had. What comes back goes on from its old generation.
func back(base *state, target *vbrv1.StoredRevision) *draft {
	d := &draft{put: map[key]*vbrv1.Resource{}, gone: map[key]bool{}, back: true}
	for k := range base.kept {
		d.gone[k] = true
	}
	for _, r := range target.GetResources() {
		k := keyOfResource(r)
		delete(d.gone, k)
		if is := base.kept[k]; is == nil || !same(is, r) {
			d.put[k] = r
		}
	}
	return d
}
