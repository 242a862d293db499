package api

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc/status"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
)

// What an audit line holds at most.
const (
	auditNames = 16  // resources
	auditDiff  = 32  // changed fields
	auditText  = 200 // characters of a value or of an error
)

// record writes the audit line of a call that changes something, granted or not; of other calls a line for debugging.
func (g *guard) record(c *call, err error) {
	attrs := []any{"method", c.method.name, "code", status.Code(err).String(), "took", time.Since(c.began).Round(time.Microsecond)}
	if c.id != nil {
		attrs = append(attrs, "who", c.who(), "role", c.role(), "from", c.id.from)
	}
	if err != nil {
		attrs = append(attrs, "err", short(status.Convert(err).Message()))
	}
	if !c.method.mutates {
		g.log.Debug("api: call", attrs...)
		return
	}
	var limited rateError
	if errors.As(err, &limited) {
		c.id.peer.refused.add(func(calls int) { g.log.Info("audit", append(attrs[:len(attrs):len(attrs)], "calls", calls)...) })
		return
	}
	attrs = append(attrs, what(c.request)...)
	attrs = append(attrs, outcome(c.answer)...)
	g.log.Info("audit", attrs...)
}

func (c *call) who() string {
	if c.id.caller != nil {
		return c.id.caller.Name
	}
	return c.id.name
}

func (c *call) role() string {
	if c.id.caller != nil {
		return c.id.caller.Role.String()
	}
	return "none"
}

// what says what a request is about.
func what(request any) []any {
	switch r := request.(type) {
	case *vbrv1.ApplyRequest:
		return append(named("what", resourceNames(r.GetResources())), slog.Bool("dry_run", r.GetDryRun()), slog.Bool("prune", r.GetPrune()))
	case *vbrv1.DeleteRequest:
		return append(named("what", refNames(r.GetRefs())), slog.Bool("dry_run", r.GetDryRun()))
	case *vbrv1.ConfirmRequest:
		return []any{"what", fmt.Sprintf("revision %d", r.GetRevision())}
	case *vbrv1.RollbackRequest:
		return []any{"what", fmt.Sprintf("revision %d", r.GetRevision()), "dry_run", r.GetDryRun()}
	case *vbrv1.ResetSessionRequest:
		return []any{"what", short(strings.TrimSpace("router " + r.GetRouter() + " " + r.GetPeer())), "soft", r.GetSoft()}
	case *vbrv1.DrainRouterRequest:
		return []any{"what", short("router " + r.GetRouter())}
	case *vbrv1.UndrainRouterRequest:
		return []any{"what", short("router " + r.GetRouter())}
	case *vbrv1.ProbeRequest:
		return []any{"what", short("router " + r.GetRouter() + " to " + r.GetTarget())}
	case *vbrv1.CaptureRequest:
		return []any{"what", short(strings.TrimSpace("router " + r.GetRouter() + " " + r.GetDevice())), "filter", short(r.GetFilter())}
	case *vbrv1.StartFailoverTestRequest:
		if r.GetId() != "" {
			return []any{"what", short("failover test " + r.GetId()), "dry_run", r.GetDryRun()}
		}
		return []any{"what", short("router " + r.GetRouter()), "dry_run", r.GetDryRun()}
	case *vbrv1.CreateFailoverTestRequest:
		return []any{"what", short("router " + r.GetRouter()), "dry_run", r.GetDryRun()}
	case *vbrv1.StopFailoverTestRequest:
		return []any{"what", short("failover test " + r.GetId())}
	case *vbrv1.UpdateFailoverTestRequest:
		return []any{"what", short("failover test " + r.GetId())}
	case *vbrv1.DeleteFailoverTestRequest:
		return []any{"what", short("failover test " + r.GetId())}
	}
	return nil
}

// outcome says what a granted call did.
func outcome(answer any) []any {
	switch a := answer.(type) {
	case interface {
		GetRevision() uint64
		GetPlan() *vbrv1.Plan
	}:
		return append(named("diff", diff(a.GetPlan())), slog.Uint64("revision", a.GetRevision()))
	case *vbrv1.ConfirmResponse:
		return []any{"revision", a.GetRevision()}
	case *vbrv1.ResetSessionResponse:
		return []any{"sessions", a.GetSessions()}
	case interface{ GetTest() *vbrv1.FailoverTest }:
		return []any{"test", a.GetTest().GetId(), "status", a.GetTest().GetStatus(), "verdict", a.GetTest().GetVerdict()}
	case interface{ GetChanged() bool }:
		return []any{"changed", a.GetChanged()}
	}
	return nil
}

func named(key string, list []string) []any { return []any{slog.Any(key, list)} }

func resourceNames(rs []*vbrv1.Resource) []string {
	names := make([]string, 0, min(len(rs), auditNames+1))
	for i, r := range rs {
		if i == auditNames {
			return append(names, fmt.Sprintf("and %d more", len(rs)-i))
		}
		name := "nothing"
		if c, kind := vbrv1.Unwrap(r); c != nil {
			name = kindName(kind) + "/" + short(c.GetName())
		}
		names = append(names, name)
	}
	return names
}

func refNames(refs []*vbrv1.ResourceRef) []string {
	names := make([]string, 0, min(len(refs), auditNames+1))
	for i, r := range refs {
		if i == auditNames {
			return append(names, fmt.Sprintf("and %d more", len(refs)-i))
		}
		names = append(names, kindName(r.GetKind())+"/"+short(r.GetName()))
	}
	return names
}

func kindName(k vbrv1.Kind) string {
	if name := vbrv1.KindName(k); name != "" {
		return name
	}
	return k.String()
}

// diff lists a plan's changed fields.
func diff(p *vbrv1.Plan) []string {
	var out []string
	left := 0
	add := func(text string) {
		if len(out) < auditDiff {
			out = append(out, text)
		} else {
			left++
		}
	}
	for _, ch := range p.GetChanges() {
		label := kindName(ch.GetKind()) + "/" + short(ch.GetName())
		switch ch.GetAction() {
		case vbrv1.ResourceChange_ACTION_CREATE:
			add(label + " created")
		case vbrv1.ResourceChange_ACTION_DELETE:
			add(label + " deleted")
		default:
			for _, f := range ch.GetFields() {
				add(label + " " + short(f.GetPath()) + ": " + value(f.GetPath(), f.GetBefore()) + " -> " + value(f.GetPath(), f.GetAfter()))
			}
		}
	}
	if left > 0 {
		out = append(out, fmt.Sprintf("and %d more", left))
	}
	return out
}

// value is a field's value unless it might be a key where the path of its file belongs.
func value(path, v string) string {
	if strings.HasSuffix(path, "auth_key_file") && v != "" && !strings.HasPrefix(v, "/") {
		return "(hidden)"
	}
	if v == "" {
		return "-"
	}
	return short(v)
}

func short(s string) string {
	if len(s) <= auditText {
		return s
	}
	return strings.ToValidUTF8(s[:auditText], "") + "..."
}
