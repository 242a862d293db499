package control

import (
	"fmt"

	vbrv1 "github.com/openvbr/openvbr/proto/vbr/v1"
	"github.com/openvbr/openvbr/vbr/intent"
	"github.com/openvbr/openvbr/vbr/intent/source"
)

// A VBR's owner may lower its route quotas and not raise them: they are what the host bears, which is the provider's to say.

// raised says which peers' route quotas the owner of a VBR may not set so; is: what it is now, nil when it is not.
func raised(caller Caller, k key, is, m *vbrv1.VirtualBorderRouter) (problems intent.Errors) {
	for i, p := range m.GetBgpPeers() {
		path := fmt.Sprintf("%s.bgp_peers[%d]", k, i)
		old := peerOf(is, p.GetPeerIpAddress())
		if most := max(quotaOf(old), intent.DefaultRouteQuota); quotaOf(p) > most {
			problems.Add(source.Problem{Path: path + ".route_quota", Value: fmt.Sprint(p.GetRouteQuota()), Text: "more than " + caller.Name + " may set",
				Legal: fmt.Sprintf("1..%d; an admin, or another account that owns the physical connection, may set more, or 0", most)})
		}
		if p.GetRouteQuotaAction() == intent.QuotaWarn && old.GetRouteQuotaAction() != intent.QuotaWarn {
			problems.Add(source.Problem{Path: path + ".route_quota_action", Value: source.Quote(intent.QuotaWarn), Text: "not for " + caller.Name + " to set: it bounds nothing",
				Legal: "Drop, Teardown; an admin, or another account that owns the physical connection, may set Warn"})
		}
	}
	return problems
}

// noQuota is more than any quota.
const noQuota = 1 << 32

// quotaOf is how many routes a peer may have at most; no peer: none.
func quotaOf(p *vbrv1.BgpPeer) uint64 {
	switch {
	case p == nil:
		return 0
	case p.RouteQuota == nil:
		return intent.DefaultRouteQuota
	case *p.RouteQuota == 0:
		return noQuota
	}
	return uint64(*p.RouteQuota)
}

// withQuotas makes the quotas of the peers of m those of is: what is left differs in other fields.
func withQuotas(m, is *vbrv1.VirtualBorderRouter) {
	for _, p := range m.GetBgpPeers() {
		if old := peerOf(is, p.GetPeerIpAddress()); old != nil {
			p.RouteQuota, p.RouteQuotaAction, p.RouteQuotaRestart = old.RouteQuota, old.RouteQuotaAction, old.RouteQuotaRestart
		}
	}
}

func peerOf(m *vbrv1.VirtualBorderRouter, address string) *vbrv1.BgpPeer {
	for _, p := range m.GetBgpPeers() {
		if p.GetPeerIpAddress() == address {
			return p
		}
	}
	return nil
}
