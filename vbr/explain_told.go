package vbr

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openvbr/openvbr/bgp/evpn"
	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/rib"
)

// connected says whether the best path is a line's own subnet.
func (s *story) connected() bool {
	return len(s.known.Paths) > 0 && s.known.Paths[0].Best && s.known.Paths[0].Source.Kind == rib.Connected
}

// ownText says what a connected path is.
func (s *story) ownText() string {
	switch src := &s.known.Paths[0].Source; {
	case src.Name == cidrSource:
		return "a CIDR block of the VPC: its vSwitches have a part of it, and the rest is unreachable"
	case src.Through() == inside:
		return "connected: a subnet of vSwitch bridge " + src.Name
	default:
		return "connected: a subnet of line " + src.Name
	}
}

// kernel is what the kernel holds, or why it does not.
func (s *story) kernel() *vbrv1.KernelRoute {
	k := &vbrv1.KernelRoute{RouteTableId: s.spec.link.Table, Since: stamp(s.known.HopsAt)}
	if s.known.Held {
		k.Installed = true
		if h := s.known.Hops; h != nil {
			k.NextHops, k.Backups = s.hops(h.Primary), s.hops(h.Backup)
		} else if s.connected() {
			k.NextHops = []*vbrv1.KernelNextHop{{Device: s.known.Paths[0].Source.Name}}
			k.Why = "connected: the kernel's own route"
			if s.known.Paths[0].Source.Name == cidrSource {
				k.NextHops, k.Why = nil, "told from the configuration: the kernel has the vSwitches' own routes, and the VRF's unreachable default for the rest"
			}
			k.Since = stamp(s.known.Paths[0].Since)
		}
	}
	if s.refused {
		k.Why, k.Since = refusalText(s.refusal), stamp(s.refusal.since)
		return k
	}
	if !k.Installed {
		k.Why = s.notInstalled()
		if accepted, _ := s.accepted(); accepted == 0 && len(s.known.Paths) > 0 {
			k.Since = stamp(s.known.Paths[0].Since)
		}
	}
	return k
}

// refusalText is the kernel's error with its errno's name.
func refusalText(x refusal) string {
	text := "the kernel refuses it: "
	if x.removal {
		text = "the kernel does not let go of it: "
	}
	var errno unix.Errno
	if errors.As(x.err, &errno) {
		text += unix.ErrnoName(errno) + ": "
	}
	return text + x.err.Error()
}

// notInstalled says why the kernel does not hold the prefix, which it has not refused.
func (s *story) notInstalled() string {
	accepted, _ := s.accepted()
	switch {
	case accepted == 0:
		return "no path is accepted"
	case s.speaker == nil && s.trouble != "":
		return "the router is not up: " + s.trouble
	case s.speaker == nil:
		return "the router is not up yet"
	case s.known.Unconfirmed:
		return "it is being written"
	case s.known.Deferred:
		return fmt.Sprintf("it changed twice within %s: it waits for the next such window", window)
	}
	return "it is about to be written"
}

func (s *story) hops(hops []rib.NextHop) []*vbrv1.KernelNextHop {
	var out []*vbrv1.KernelNextHop
	for _, h := range hops {
		device := s.devices[h.Device]
		if device == "" {
			device = fmt.Sprintf("interface %d", h.Device)
		}
		out = append(out, &vbrv1.KernelNextHop{Gateway: h.Gateway.String(), Device: device})
	}
	return out
}

// askUntold asks the speakers who is not told of what they have; without r.mu, which their events take.
func (r *router) askUntold(s *story, prefix netip.Prefix) {
	s.untold = make(map[string]string)
	if s.speaker == nil || s.known.Told == nil {
		return
	}
	for peer := range s.up {
		s.untold[peer.String()] = s.speaker.Untold(peer, prefix)
	}
	for i := range s.spec.ris {
		if ri := &s.spec.ris[i]; !ri.local() {
			s.untold[ri.name] = r.host.backbone.untold(evpn.Key{RD: ri.rd, Prefix: prefix})
		}
	}
}

// told is who was told of the prefix: the router interfaces and the established sessions.
func (s *story) told() []*vbrv1.Told {
	var out []*vbrv1.Told
	for i := range s.spec.ris {
		out = append(out, s.toldVPC(&s.spec.ris[i]))
	}
	for i := range s.spec.peers {
		if _, up := s.up[s.spec.peers[i].Address]; up {
			out = append(out, s.toldPeer(&s.spec.peers[i]))
		}
	}
	return out
}

func (s *story) toldVPC(ri *riSpec) *vbrv1.Told {
	t := &vbrv1.Told{Neighbour: ri.name, Since: stamp(s.known.ToldAt)}
	switch {
	case s.known.Told == nil:
		s.notTold(t)
	case !heard(s.known.ToldOf, ri):
		t.Why = unheard(s.known.ToldOf, ri)
	case s.shut[ri.name] != "":
		t.Why = s.shut[ri.name]
	case !ri.local() && !s.backboneUp:
		t.Why = "no session of the backbone is established"
	case s.untold[ri.name] != "":
		t.Why = s.untold[ri.name]
	default:
		t.Told = true
		if s.drained && !s.connected() {
			t.Why = "with GRACEFUL_SHUTDOWN and LOCAL_PREF 0: the router is drained"
		} else if isLastResort(s.known.ToldOf) {
			t.Why = "as a last resort, without an AS path: it was found in the kernel at the start, and its peer has not announced it since"
		}
	}
	return t
}

func (s *story) toldPeer(p *peerSpec) *vbrv1.Told {
	t := &vbrv1.Told{Neighbour: p.Address.String(), Since: stamp(s.known.ToldAt)}
	six := s.known.Prefix.Addr().Is6()
	switch {
	case s.known.Told == nil:
		s.notTold(t)
	case !heard(s.known.ToldOf, nil):
		t.Why = notForCustomer(s.known.ToldOf)
	case len(s.spec.networks) > 0 && !slices.Contains(s.spec.networks, s.known.Prefix):
		t.Why = "customers are told the bgp_networks instead: " + list(s.spec.networks)
	case !p.carries(six):
		t.Why = "the session does not carry " + familyName(six)
	case s.exportDenies(p) != "":
		t.Why = s.exportDenies(p)
	case !s.waits[p.Address].IsZero():
		t.Why, t.Since = waitText(s.waits[p.Address]), stamp(s.up[p.Address])
	case s.untold[p.Address.String()] != "":
		t.Why = s.untold[p.Address.String()]
	default:
		t.Told = true
		if since := s.up[p.Address]; since.After(s.known.ToldAt) {
			t.Since = stamp(since)
		}
		switch {
		case p.ASN != s.spec.asn && slices.Contains(asSequence(s.known.Told.ASPath), p.ASN):
			t.Why = fmt.Sprintf("the peer will take it for a loop: its AS %d is in the AS path", p.ASN)
		case s.drained:
			t.Why = "with GRACEFUL_SHUTDOWN: the router is drained"
		}
	}
	return t
}

// waitText says why a peer whose session is new is not told yet; see hearFirst.
func waitText(until time.Time) string {
	return fmt.Sprintf("not yet: the session is new and its peer has not sent End-of-RIB (RFC 4724); it is told then, or at %s, %s after the session came up, as peers that send none are",
		until.UTC().Format(time.TimeOnly), hearFirst)
}

// notTold says why a prefix that is not held is told to nobody.
func (s *story) notTold(t *vbrv1.Told) {
	accepted, _ := s.accepted()
	switch {
	case accepted == 0:
		t.Why = "no path is accepted"
	case s.refused:
		t.Why = "it is not in the kernel, which refuses it"
	default:
		t.Why = "it is not in the kernel"
	}
	if t.Since == nil && len(s.known.Paths) > 0 {
		t.Since = stamp(s.known.Paths[0].Since)
	}
}

func familyName(six bool) string {
	if six {
		return "IPv6"
	}
	return "IPv4"
}
