package control

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// owners are those who see a resource: its owner, and of a VBR also the owner of the port its first line is on.
func (s *state) owners(r *vbrv1.Resource) []string {
	if content(r) == nil {
		return nil
	}
	out := []string{ownerOf(r)}
	if m := r.GetVirtualBorderRouter(); m != nil {
		if port := s.shown[lines(m)[0]]; port != nil {
			out = append(out, ownerOf(port))
		}
	}
	return out
}

// ownersOf are the owners of the resource of that name; none when there is none.
func (s *state) ownersOf(k key) []string { return s.owners(s.shown[k]) }

// sees tells whether a resource exists for a caller.
func (s *state) sees(caller Caller, r *vbrv1.Resource) bool {
	return slices.ContainsFunc(s.owners(r), caller.Sees)
}

// mayDelete tells whether the caller may delete a resource: its owner, and of a VBR that its owner has not confirmed the port's owner.
func (s *state) mayDelete(caller Caller, r *vbrv1.Resource) bool {
	m := r.GetVirtualBorderRouter()
	return caller.MayChange(ownerOf(r)) || m != nil && unconfirmed(m) && s.holds(caller, m, nil)
}

// unconfirmed tells whether a VBR waits for its owner's confirmation.
func unconfirmed(m *vbrv1.VirtualBorderRouter) bool { return m.Confirmed != nil && !m.GetConfirmed() }

// holds tells whether all lines of a VBR are on ports of the caller's; those that do not exist yet may be among the wanted.
func (s *state) holds(caller Caller, m *vbrv1.VirtualBorderRouter, wanted map[key]*vbrv1.Resource) bool {
	return !slices.ContainsFunc(lines(m), func(k key) bool { return !s.holdsPort(caller, k, wanted) })
}

func (s *state) holdsPort(caller Caller, k key, wanted map[key]*vbrv1.Resource) bool {
	port := s.shown[k]
	if port == nil {
		port = wanted[k]
	}
	return port != nil && caller.MayChange(ownerOf(port))
}

// authorise says why the caller may not make a resource what it wants it to be; is: what it is now, nil when it is not.
func (s *state) authorise(caller Caller, k key, is, r *vbrv1.Resource, wanted map[key]*vbrv1.Resource) intent.Errors {
	own := caller.MayChange(ownerOf(r)) && (is == nil || caller.MayChange(ownerOf(is)))
	if m := r.GetVirtualBorderRouter(); m != nil && !caller.rules() {
		if problems, decided := s.authoriseVBR(caller, k, is.GetVirtualBorderRouter(), m, own, wanted); decided {
			return problems
		}
	}
	switch {
	case own:
		return nil
	case !caller.MayChange(ownerOf(r)):
		return intent.Errors{{Path: k.String() + ".owner", Value: source.Quote(ownerOf(r)), Text: "not an owner that " + caller.Name + " acts for", Legal: owners(caller)}}
	}
	return intent.Errors{{Path: k.String(), Text: "may not be changed by " + caller.Name}}
}

// authoriseVBR is about who may set which fields of a VBR. The port's owner makes one for another account unconfirmed, and terminates and
// recovers it; the VBR's owner confirms it, and does not raise its route quotas. Not decided: it is neither's.
func (s *state) authoriseVBR(caller Caller, k key, is, m *vbrv1.VirtualBorderRouter, own bool, wanted map[key]*vbrv1.Resource) (problems intent.Errors, decided bool) {
	port := s.holdsPort(caller, lines(m)[0], wanted) && (is == nil || s.holdsPort(caller, lines(is)[0], nil))
	free := is == nil || caller.MayChange(is.GetOwner()) || unconfirmed(is) && s.holds(caller, is, nil) // to make it another account's
	switch {
	case own:
		problems = raised(caller, k, is, m)
		if m.GetTerminationTime() != is.GetTerminationTime() && !port {
			problems.Add(source.Problem{Path: k.String() + ".termination_time", Value: source.Quote(m.GetTerminationTime()), Text: "not for " + caller.Name + " to set or clear",
				Legal: s.unchanged(is.GetTerminationTime()) + "; the owner of the physical connection terminates and recovers"})
		}
	case port && free && s.holds(caller, m, wanted):
		if !unconfirmed(m) {
			problems.Add(source.Problem{Path: k.String() + ".confirmed", Text: "not for " + caller.Name + " to confirm: the VBR is another owner's", Legal: "false; its owner confirms it"})
		}
		problems = append(problems, keyed(caller, k, is, m)...)
	case port && is != nil:
		return onlyPortOwners(caller, k, is, m), true
	default:
		return nil, false
	}
	return problems, true
}

// keyed refuses who makes a VBR for another account to name keys, which are its owner's: whether it has them is not for others to learn.
func keyed(caller Caller, k key, is, m *vbrv1.VirtualBorderRouter) (problems intent.Errors) {
	had := map[string]*vbrv1.BgpPeer{}
	for _, p := range is.GetBgpPeers() {
		had[p.GetPeerIpAddress()] = p
	}
	for i, p := range m.GetBgpPeers() {
		was := had[p.GetPeerIpAddress()]
		if is.GetOwner() != m.GetOwner() {
			was = nil
		}
		for field, change := range map[string]bool{"auth_key_file": p.GetAuthKeyFile() != "" && p.GetAuthKeyFile() != was.GetAuthKeyFile(),
			"key_credential": p.GetKeyCredential() != "" && p.GetKeyCredential() != was.GetKeyCredential()} {
			if change {
				problems.Add(source.Problem{Path: fmt.Sprintf("%s.bgp_peers[%d].%s", k, i, field), Text: "not for " + caller.Name + " to set: the VBR is another owner's",
					Legal: "none; its owner sets it"})
			}
		}
	}
	return problems
}

// unchanged says what a field may be that must stay as it is.
func (s *state) unchanged(value string) string {
	if value == "" {
		return "none given"
	}
	return source.Quote(value)
}

// onlyPortOwners refuses the port's owner all fields of another owner's VBR but its termination and its route quotas.
func onlyPortOwners(caller Caller, k key, is, m *vbrv1.VirtualBorderRouter) (problems intent.Errors) {
	rest := proto.CloneOf(m)
	rest.TerminationTime = is.GetTerminationTime()
	withQuotas(rest, is)
	for _, f := range intent.Diff(is, rest) {
		problems.Add(source.Problem{Path: k.String() + "." + f.GetPath(), Value: f.GetAfter(), Text: "not for " + caller.Name + " to change: the VBR is another owner's",
			Legal: "no change but of termination_time and of peers' route_quota"})
	}
	return problems
}
